"""Group commit: while one write to stable media is under way, what comes is gathered for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Committer(Generic[Item]):
    """Runs ``commit(items)`` in a thread of its own, one call at a time, and ``done(items)`` in the loop's.

    Args:
        commit: makes all items durable; what it raises goes to ``failed`` and ends the committer.
        done: is told, in order, what became durable.
    """

    def __init__(
        self,
        commit: Callable[[list[Item]], None],
        done: Callable[[list[Item]], None],
        failed: Callable[[BaseException], None],
        name: str,
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
        items, self._waiting = self._waiting, []
        self._running = True
        self._idle.clear()
        future = self._loop.run_in_executor(self._thread, self._commit, items)
        future.add_done_callback(lambda done: self._finished(done, items))

    def _finished(self, future: asyncio.Future[None], items: list[Item]) -> None:
        self._running = False
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._broken = True
            self._idle.set()
            self._failed(error)
            return
        if self._waiting:
            self._start()
        self._done(items)
        if not self._running:
            self._idle.set()

    async def drained(self) -> None:
        """Wait until everything submitted is durable, or nothing more will be."""
        await self._idle.wait()

    def close(self) -> None:
        """Stop the thread once it is done with what it does."""
        self._thread.shutdown(wait=True)
