"""Group commit: while one write to stable media is under way, what comes is gathered for the next."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")


_THREAD_S = 500e-6  # a medium that answers faster than this costs less to wait for than a thread
_SMOOTH = 0.1
NBYTES = attrgetter("nbytes")  # of a batch
LARGE_BYTES = 256 << 10  # copying these alone takes as long as a thread's coming and going
_UNDER_WAY = 2  # runs at once: one fills memory while the other waits for the disk


class Job(Protocol):
    """Makes items durable while others are under way."""

    def write(self) -> None:
        """Return when they are on stable media; in any thread."""

    def settle(self) -> None:
        """All before them are on stable media too."""


@dataclass(slots=True, eq=False)
class _Run(Generic[Item]):
    items: list[Item]
    job: Job | None
    over: bool = False


class Committer(Generic[Item]):
    """Runs ``commit(items)`` one call at a time, off the loop's thread, and ``done(items)`` in it.

    While commits are quicker than handing them to a thread would be, they are carried out at once.

    Args:
        commit: makes all items durable; what it raises goes to ``failed`` and ends the committer.
        done: is told, in order, what became durable; never from inside `submit`.
        pause: gives the seconds from the start of one commit to that of the next at least, so that each
            carries more; or four times as long as the last one took (but no more than a second), so that a
            medium that others wait for is mostly theirs. None: as soon as there is something.
        heavy: says that items are so many bytes that the loop had better go on meanwhile, however quick the medium.
        beside: gives a job that makes heavy items durable while others are under way, and how many of them; None
            if they must wait. Jobs end in any order, and are done in that of `submit`.
    """

    def __init__(
        self,
        commit: Callable[[list[Item]], None],
        done: Callable[[list[Item]], None],
        failed: Callable[[BaseException], None],
        name: str,
        pause: Callable[[], float] | None = None,
        heavy: Callable[[list[Item]], bool] = lambda _: False,
        beside: Callable[[list[Item]], tuple[Job, int] | None] | None = None,
    ) -> None:
        self._commit = commit
        self._done = done
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(_UNDER_WAY if beside else 1, thread_name_prefix=name)
        self._waiting: list[Item] = []
        self._running = False
        self._runs: deque[_Run[Item]] = deque()
        self._broken = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._pause = pause
        self._later: asyncio.TimerHandle | None = None
        self._heavy = heavy
        self._beside = beside
        self._began = 0.0
        self._took_s = 1e-3  # a commit, smoothed
        self._last_s = 0.0  # the last one
        self._in_place: tuple[_Run[Item], BaseException | None] | None = None  # done, and not told yet
        self._soon: asyncio.Handle | None = None

    @property
    def busy(self) -> bool:
        """Whether something is not durable yet."""
        return self._running

    def submit(self, item: Item, *, prompt: bool = False) -> None:
        """Have ``item`` made durable, after everything submitted before; who is ``prompt`` calls `finish` next."""
        self._waiting.append(item)
        if not self._running and not self._broken:
            self._start(prompt=prompt)
        else:
            self._join()

    def _start(self, *, prompt: bool = False) -> None:
        self._running = True
        self._idle.clear()
        wait = 0.0 if self._pause is None else self._wait(self._pause)
        if wait > 0:
            self._later = self._loop.call_later(wait, self._begin)
        else:
            self._begin(prompt=prompt)

    def _wait(self, pause: Callable[[], float]) -> float:
        return self._began + max(pause(), min(4 * self._last_s, 1.0)) - self._loop.time()

    def hurry(self) -> None:
        """What waits for a pause to end may be wanted sooner by now: ask again how long it is."""
        if self._later is not None and self._pause is not None:
            self._later.cancel()
            self._later = self._loop.call_later(max(0.0, self._wait(self._pause)), self._begin)

    def _begin(self, *, prompt: bool = False) -> None:
        self._later = None
        self._began = self._loop.time()
        items = self._waiting
        heavy = self._heavy(items)
        if heavy and self._started_beside():
            self._join()
            return
        self._waiting = []
        self._runs.append(run := _Run(items, None))
        if self._took_s < _THREAD_S and not heavy:
            self._in_place = run, self._timed(items)
            self._soon = None if prompt else self._loop.call_soon(self.finish)
        else:
            future = self._loop.run_in_executor(self._thread, self._timed, items)
            future.add_done_callback(lambda done: self._finished(run, done.result()))

    def _started_beside(self) -> bool:
        """Start a job for what waits and is heavy, if it may be under way beside others."""
        if self._beside is None:
            return False
        try:
            found = self._beside(self._waiting)
        except OSError:  # which `commit` will meet too, and can say
            return False
        if found is None:
            return False
        job, count = found
        self._runs.append(run := _Run(self._waiting[:count], job))
        del self._waiting[:count]
        future = self._loop.run_in_executor(self._thread, _written, job)
        future.add_done_callback(lambda done: self._finished(run, done.result()))
        return True

    def _join(self) -> None:
        """Start what may be under way beside what is."""
        while not self._broken and 0 < len(self._runs) < _UNDER_WAY and self._runs[-1].job is not None:
            if not (self._heavy(self._waiting) and self._started_beside()):
                break

    def finish(self) -> None:
        """Tell at once, from outside `submit`, what was made durable in place."""
        if self._in_place is not None:
            if self._soon is not None:
                self._soon.cancel()
            (run, error), self._in_place = self._in_place, None
            self._finished(run, error)

    def _timed(self, items: list[Item]) -> BaseException | None:
        began = time.perf_counter()
        try:
            self._commit(items)
        except BaseException as error:
            return error
        self._last_s = time.perf_counter() - began
        self._took_s += _SMOOTH * (self._last_s - self._took_s)
        return None

    def _finished(self, run: _Run[Item], error: BaseException | None) -> None:
        if self._broken:
            return
        run.over = True
        try:
            if error is not None:
                raise error
            items = self._settled()
        except BaseException as refused:
            self._running, self._broken = False, True
            self._idle.set()
            self._failed(refused)
            return
        self._running = bool(self._runs)
        if self._waiting:
            if not self._running:
                self._start()
            self._join()
        try:
            if items:
                self._done(items)
        except OSError as refused:
            self._failed(refused)
        if not self._running:
            self._idle.set()

    def _settled(self) -> list[Item]:
        """Give what is durable by now, all before it included."""
        items: list[Item] = []
        while self._runs and self._runs[0].over:
            run = self._runs.popleft()
            if run.job is not None:
                run.job.settle()
            items += run.items
        return items

    async def drained(self) -> None:
        """Wait until everything submitted is durable, or nothing more will be."""
        await self._idle.wait()

    def close(self) -> None:
        """Stop the thread once it is done with what it does."""
        self._thread.shutdown(wait=True)


def _written(job: Job) -> BaseException | None:
    try:
        job.write()
    except BaseException as error:
        return error
    return None
