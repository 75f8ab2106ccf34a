"""Group commit: while one write to stable media is under way, what comes is gathered for the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")


_THREAD_S = 500e-6  # a medium that answers faster than this costs less to wait for than a thread
_SMOOTH = 0.1
LARGE_BYTES = 256 << 10  # copying these alone takes as long as a thread's coming and going


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
    """

    def __init__(
        self,
        commit: Callable[[list[Item]], None],
        done: Callable[[list[Item]], None],
        failed: Callable[[BaseException], None],
        name: str,
        pause: Callable[[], float] | None = None,
        heavy: Callable[[list[Item]], bool] = lambda _: False,
    ) -> None:
        self._commit = commit
        self._done = done
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: list[Item] = []
        self._running = False
        self._broken = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._pause = pause
        self._later: asyncio.TimerHandle | None = None
        self._heavy = heavy
        self._began = 0.0
        self._took_s = 1e-3  # a commit, smoothed
        self._last_s = 0.0  # the last one
        self._in_place: tuple[BaseException | None, list[Item]] | None = None  # done, and not told yet
        self._soon: asyncio.Handle | None = None

    @property
    def busy(self) -> bool:
        """Whether something is not durable yet."""
        return self._running

    def submit(self, item: Item) -> None:
        """Have ``item`` made durable, after everything submitted before."""
        self._waiting.append(item)
        if not self._running and not self._broken:
            self._start()

    def _start(self) -> None:
        self._running = True
        self._idle.clear()
        wait = self._wait()
        if wait > 0:
            self._later = self._loop.call_later(wait, self._begin)
        else:
            self._begin()

    def _wait(self) -> float:
        if self._pause is None:
            return 0.0
        return self._began + max(self._pause(), min(4 * self._last_s, 1.0)) - self._loop.time()

    def hurry(self) -> None:
        """What waits for a pause to end may be wanted sooner by now: ask again how long it is."""
        if self._later is not None:
            self._later.cancel()
            self._later = self._loop.call_later(max(0.0, self._wait()), self._begin)

    def _begin(self) -> None:
        self._later = None
        items, self._waiting = self._waiting, []
        self._began = self._loop.time()
        if self._took_s < _THREAD_S and not self._heavy(items):
            self._in_place = self._timed(items), items
            self._soon = self._loop.call_soon(self.finish)
        else:
            future = self._loop.run_in_executor(self._thread, self._timed, items)
            future.add_done_callback(lambda done: self._finished(done.result(), items))

    def finish(self) -> None:
        """Tell at once, from outside `submit`, what was made durable in place."""
        if self._in_place is not None:
            assert self._soon is not None
            self._soon.cancel()
            (error, items), self._in_place = self._in_place, None
            self._finished(error, items)

    def _timed(self, items: list[Item]) -> BaseException | None:
        began = time.perf_counter()
        try:
            self._commit(items)
        except BaseException as error:
            return error
        self._last_s = time.perf_counter() - began
        self._took_s += _SMOOTH * (self._last_s - self._took_s)
        return None

    def _finished(self, error: BaseException | None, items: list[Item]) -> None:
        self._running = False
        if error is not None:
            self._broken = True
            self._idle.set()
            self._failed(error)
            return
        if self._waiting:
            self._start()
        try:
            self._done(items)
        except OSError as refused:
            self._failed(refused)
        if not self._running:
            self._idle.set()

    async def drained(self) -> None:
        """Wait until everything submitted is durable, or nothing more will be."""
        await self._idle.wait()

    def close(self) -> None:
        """Stop the thread once it is done with what it does."""
        self._thread.shutdown(wait=True)
