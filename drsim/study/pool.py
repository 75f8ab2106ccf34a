"""Where points run: in this process, on local cores (joblib's loky), or on a Dask cluster."""

from __future__ import annotations

import importlib
import signal
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from drsim.study.text import StudyError

Task = TypeVar("Task")
Result = TypeVar("Result")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
ONE_THREAD = dict.fromkeys(_THREADS, "1")
"""Environment of worker processes: as many workers as cores, so one thread each."""


class WorkerLostError(Exception):
    """A worker process ended while it ran this point: killed, out of memory, or a crash in native code."""


class Pool(Protocol):
    """Somewhere to run calls; ``width`` of them at once."""

    width: int

    def submit(self, call: Callable[..., Any], *args: object) -> Future[Any]:
        """Start a call, or queue it."""

    def renew(self) -> None:
        """Replace workers after one was lost."""

    def close(self, *, at_once: bool) -> None:
        """Let go of the workers; ``at_once`` kills what still runs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _Closing:
    """Closes on the way out: gently after success, at once after an error or Ctrl-C."""

    width = 1

    def renew(self) -> None:
        """Nothing to replace."""

    def close(self, *, at_once: bool) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(at_once=kind is not None)


class HerePool(_Closing):
    """This process, one call at a time."""

    def submit(self, call: Callable[..., Any], *args: object) -> Future[Any]:
        """Run the call now; Ctrl-C passes through."""
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class CorePool(_Closing):
    """Local worker processes, reused between studies of one command."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._submitted: weakref.WeakSet[Future[Any]] = weakref.WeakSet()
        self._executor = self._start()

    def _start(self) -> Executor:
        from joblib.externals.loky import get_reusable_executor

        executor: Executor = get_reusable_executor(
            max_workers=self.width, timeout=300, initializer=_leave_ctrl_c_to_parent, env=ONE_THREAD
        )
        return executor

    def submit(self, call: Callable[..., Any], *args: object) -> Future[Any]:
        """Queue the call."""
        future = self._executor.submit(call, *args)
        self._submitted.add(future)
        return future

    def renew(self) -> None:
        """Fresh processes: loky replaces a broken executor when asked for one."""
        self._executor = self._start()

    def close(self, *, at_once: bool) -> None:
        """End the worker processes."""
        if at_once:
            self._settle()
        self._executor.shutdown(wait=True, kill_workers=at_once)  # type: ignore[call-arg]

    def _settle(self) -> None:
        """Let loky take in what was submitted last: killed before, its manager thread raises KeyError."""
        for _ in range(1000):
            if all(future.running() or future.done() for future in list(self._submitted)):
                return
            time.sleep(0.001)


class ClusterPool(_Closing):
    """The workers of a Dask scheduler; they need drsim and the scenario's files at the same paths."""

    def __init__(self, address: str, timeout_s: float = 10) -> None:
        try:
            distributed: Any = importlib.import_module("distributed")
        except ImportError:
            hint = "install drsim[cluster]"
            raise StudyError("a cluster needs Dask, which is not installed", hint) from None
        try:
            self._client = distributed.Client(address, timeout=timeout_s, set_as_default=False)
        except (OSError, ValueError) as error:
            hint = "start one with: dask scheduler, and dask worker ADDRESS"
            raise StudyError(f"no Dask scheduler answers at {address}: {error}", hint) from None
        self.width = sum(self._client.ncores().values())
        if not self.width:
            self._client.close()
            raise StudyError(
                f"the Dask scheduler at {address} has no workers", f"start: dask worker {address}"
            )

    def submit(self, call: Callable[..., Any], *args: object) -> Future[Any]:
        """Queue the call; the future is a plain one, so that all pools are waited for alike."""
        plain: Future[Any] = Future()
        remote = self._client.submit(call, *args, pure=False, retries=0)
        remote.add_done_callback(lambda done: _hand_over(done, plain))
        return plain

    def close(self, *, at_once: bool) -> None:
        """Leave the cluster; what still runs there is cancelled, its workers stay."""
        del at_once
        self._client.close()


def _hand_over(done: Any, plain: Future[Any]) -> None:
    if done.status == "finished":
        plain.set_result(done.result())
    elif done.status == "error" and type(done.exception()).__name__ != "KilledWorker":
        plain.set_exception(done.exception())
    else:
        plain.set_exception(WorkerLostError(f"the cluster gave it up ({done.status})"))


def _leave_ctrl_c_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def open_pool(jobs: int, cluster: str | None) -> Pool:
    """The pool for ``-j`` and ``--cluster``."""
    if cluster is not None:
        return ClusterPool(cluster)
    if jobs < 1:
        raise StudyError(f"-j {jobs}", "give the number of processes, 1 or more")
    return CorePool(jobs) if jobs > 1 else HerePool()


def run_all(
    tasks: Iterable[Task], call: Callable[[Task], Result], pool: Pool
) -> Iterator[tuple[Task, Result | Exception]]:
    """Each task with its result, or the error it raised, in the order they end.

    Tasks are taken only as workers come free, so ``tasks`` may be long or lazy. When a process dies, every
    call in flight is lost and nothing says which one did it: those run again one at a time, and a task that
    takes its process with it a second time gets WorkerLostError, so that one bad point costs one point.
    """
    waiting = iter(tasks)
    flying: dict[Future[Any], Task] = {}
    suspects: deque[Task] = deque()
    while True:
        _take_off(waiting, call, pool, flying, suspects)
        if not flying and not suspects:
            return
        done, _ = wait(flying, return_when=FIRST_COMPLETED)
        for future in done:
            task = flying.pop(future)
            if isinstance(future.exception(), BrokenProcessPool):
                suspects.append(task)
            else:
                yield task, _outcome(future)
        if suspects:
            suspects.extend(_grounded(flying))
            yield from _one_by_one(suspects, call, pool)


def _take_off(
    waiting: Iterator[Task],
    call: Callable[[Task], Result],
    pool: Pool,
    flying: dict[Future[Any], Task],
    suspects: deque[Task],
) -> None:
    """Submit until the workers have as much again in their queue as they run."""
    ahead = 2 * pool.width if pool.width > 1 else 1
    while len(flying) < ahead:
        task = next(waiting, None)
        if task is None:
            return
        try:
            flying[pool.submit(call, task)] = task
        except BrokenProcessPool:
            suspects.append(task)
            return


def _grounded(flying: dict[Future[Any], Task]) -> list[Task]:
    """What still flew when the pool broke: finished calls stay, the others are suspects too."""
    wait(flying)
    lost = [f for f in flying if isinstance(f.exception(), BrokenProcessPool)]
    return [flying.pop(future) for future in lost]


def _one_by_one(
    suspects: deque[Task], call: Callable[[Task], Result], pool: Pool
) -> Iterator[tuple[Task, Result | Exception]]:
    while suspects:
        task = suspects.popleft()
        pool.renew()
        future = pool.submit(call, task)
        wait([future])
        if isinstance(future.exception(), BrokenProcessPool):
            lost = "its worker process died twice (killed, out of memory, or a crash in native code)"
            yield task, WorkerLostError(lost)
        else:
            yield task, _outcome(future)
    pool.renew()


def _outcome(future: Future[Any]) -> Any:
    error = future.exception()
    if error is None:
        return future.result()
    if not isinstance(error, Exception):
        raise error
    return error
