"""Writes that are safe land on a source's volumes, and from there on stable media when something wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from drsim.agent.commits import Committer
from drsim.agent.stores import SourceStore
from drsim.agent.volumes import Together
from drsim.blocks.batch import WriteBatch, concat


class Landing:
    """The volumes of a source, as far as the order has reached them.

    Args:
        applied: the volumes hold the order through here.
        failed: is told when a disk refuses.
        landed: is told through where the volumes hold the order now.
        later: is told when they do so after `begin`, outside any other call.
    """

    def __init__(
        self,
        store: SourceStore,
        applied: int,
        failed: Callable[[BaseException], None],
        landed: Callable[[int], None],
        later: Callable[[], None],
    ) -> None:
        self.applied = applied
        self.loose = 0  # the last write that no journal holds and no flush has made durable; 0 for none
        self._store = store
        self._redo = int(store.marks.get("redo", 0))  # volumes hold the order durably through here
        self._flusher: Committer[Callable[[], None]] = Committer(self._sync, _call_all, failed, "flush")
        self._failed, self._landed, self._later = failed, landed, later
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="landing")
        self._under_way: tuple[Future[None], Together, int] | None = None

    @property
    def busy(self) -> bool:
        """Whether writes are on their way to the volumes off the loop's thread."""
        return self._under_way is not None

    def begin(self, batches: Sequence[WriteBatch], durable: int) -> bool:
        """Carry out writes off the loop's thread, if a journal holds them durably and it is worth it; say whether.

        What they touch is in no order until they have landed.
        """
        if not batches or batches[-1].last > durable:
            return False
        job = self._store.volumes.together(concat(batches))
        if job is None:
            return False
        future = self._thread.submit(job.carry_out)
        self._under_way = future, job, batches[-1].last
        future.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self._ended, done))
        return True

    def wait(self) -> None:
        """Return when nothing is on its way.

        Raises:
            OSError: the disk refused.
        """
        if self._under_way is not None:
            future, job, last = self._under_way
            future.result()
            job.settle()
            self._under_way = None
            self._reached(last)

    def _ended(self, future: Future[None]) -> None:
        if self._under_way is not None and self._under_way[0] is future:
            try:
                self.wait()
            except BaseException as error:
                self._failed(error)
            else:
                self._later()

    def _reached(self, last: int) -> None:
        self.applied = last
        self._store.applied.put(last)
        self._landed(last)

    def apply(self, batches: Sequence[WriteBatch], journalled: int) -> None:
        """Carry out writes in order; a journal holds, or will hold, those through ``journalled``. None is on its way.

        Raises:
            OSError: the disk refused.
        """
        for batch in batches:
            if batch.last <= journalled:
                self._store.volumes.apply(batch)
            else:
                self._store.volumes.apply(batch.through(journalled))
                self._apply_loose(batch.after(journalled), journalled)
            self.applied = batch.last
        if batches:
            self._reached(self.applied)

    def _apply_loose(self, batch: WriteBatch, journalled: int) -> None:
        """A write that no journal holds is about to land: no older journal record may be redone over it."""
        if self._redo < journalled:
            self._store.volumes.sync()
            self._redo = batch.first - 1
            self._store.marks.put(redo=self._redo)
        self._store.volumes.apply(batch)
        self.loose = batch.last

    def flush(self, then: Callable[[], None]) -> None:
        """Call back when all that landed is durable: what a journal holds is so already, the rest needs a flush."""
        if loose := self.loose:
            self._flusher.submit(lambda: self._settled(then, loose))
        else:
            then()

    def _settled(self, then: Callable[[], None], loose: int) -> None:
        if self.loose == loose:
            self.loose = 0
        then()

    def trim(self, through: int) -> None:
        """Let the journal forget what no leg needs, once the volumes have it durably."""
        if self._store.journal.droppable(through) >= self._store.patience:
            applied = self.applied
            self._flusher.submit(lambda: self._trimmed(min(through, applied)))

    def _trimmed(self, through: int) -> None:
        if through > self._redo:
            self._redo = through
            self._store.marks.put(redo=through)
        self._store.journal.trim(through)

    def _sync(self, _: list[Callable[[], None]]) -> None:
        self._store.volumes.sync()

    async def drained(self) -> None:
        """Wait until nothing is being flushed."""
        await self._flusher.drained()

    async def close(self) -> None:
        """Stop flushing; what is on its way lands, and nobody is told."""
        self._under_way = None
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.to_thread(self._flusher.close)


def _call_all(callbacks: list[Callable[[], None]]) -> None:
    for callback in callbacks:
        callback()
