"""A group at its source: hosts' writes through the engines of its legs to journal, volumes and links."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence

from drsim.agent.clock import LoopClock
from drsim.agent.commits import LARGE_BYTES, Committer
from drsim.agent.intake import Intake
from drsim.agent.leg import SourceLeg
from drsim.agent.nbd.exports import Asked
from drsim.agent.nbd.protocol import Command, CommandFlag
from drsim.agent.records import DamagedError
from drsim.agent.stores import SourceStore
from drsim.blocks.batch import WriteBatch
from drsim.blocks.extents import Extents

_FUA = int(CommandFlag.FUA)  # a plain number: this is asked of every write
_ROWS = 1024  # rows told at once: more would only make the engine's answer later
_GATHER_BYTES = 8 << 20
_EMPTY_S = 2.0
_PATIENT_S = 4e-3  # where hosts have been answered already, so long is gathered


class SourceGroup:
    """What the legs of one group share: the order, the journal's files, the volumes, the hosts.

    A write is applied to its volume once every leg has it safe (journalled durably, or marked dirty durably
    and acknowledged), and answered once every leg's engine has acknowledged it.

    Args:
        last: the highest place of the order that is in use.
        failed: is told when a disk refuses; the group must then be closed and opened again.
    """

    def __init__(
        self,
        store: SourceStore,
        clock: LoopClock,
        last: int,
        failed: Callable[[BaseException], None],
    ) -> None:
        self.volumes, self.journal = store.volumes, store.journal
        self._store = store
        self.clock = clock
        self.legs: list[SourceLeg] = []
        self.cache = store.open_cache(last)
        self.intake = Intake(store.volumes, last, self.cache)
        self.intake.gather_again(store.kept)
        self.closed = False
        self.writes = self.written_bytes = 0
        self._marks = store.marks
        self._loop = asyncio.get_running_loop()
        self._fail = failed
        self._committer: Committer[WriteBatch] = Committer(
            store.journal.append,
            self._durable,
            self.fail,
            "journal",
            heavy=lambda batches: sum(b.nbytes for b in batches) >= LARGE_BYTES,
            beside=store.journal.beside,
        )
        self._flusher: Committer[Callable[[], None]] = Committer(
            self._flush_volumes, self._flushed, self.fail, "flush"
        )
        self._submitted = store.journal.last  # journal records asked for so far
        self._durable_through = store.journal.last
        self._applied = last
        self._redo = int(store.marks.get("redo", 0))  # volumes hold the order durably through here
        self._loose = 0  # the last write that no journal holds and no flush has made durable; 0 for none
        self._tell_asked: asyncio.Handle | None = None
        self._tell_at = self._next_tell = self._told_at = 0.0

    # From hosts.

    def take(self, volume: int, requests: Sequence[Asked]) -> None:
        """Take requests that change a volume, or flush it."""
        if self.closed:
            for request in requests:
                request.reply(request, errno.ESHUTDOWN)
            return
        if any(r.command == Command.FLUSH for r in requests):
            self._take_with_flushes(volume, requests)
        else:
            self.intake.gather(volume, requests)
        self.ask_to_tell()

    def _take_with_flushes(self, volume: int, requests: Sequence[Asked]) -> None:
        """A flush is for what was answered before; where that may wait in the cache, it waits with it."""
        for request in requests:
            if request.command != Command.FLUSH:
                self.intake.gather(volume, [request])
            elif self.cache is not None and (len(self.intake) or self._acknowledged() < self.intake.last):
                self.intake.flush(request)
            else:
                self._flush(request)

    def ask_to_tell(self) -> None:
        """Tell the engines soon; meanwhile more may come, from this connection or another."""
        if not len(self.intake) or self._held():
            return
        at = self._next_tell
        if self.intake.patient and self.intake.nbytes < _GATHER_BYTES and len(self.intake) < _ROWS:
            at = max(at, self._told_at + _PATIENT_S)
        if self._tell_asked is not None:
            if self._tell_at <= at:
                return
            self._tell_asked.cancel()
        self._tell_at = at
        soon = at <= self._loop.time()
        self._tell_asked = self._loop.call_soon(self._tell) if soon else self._loop.call_at(at, self._tell)

    def _held(self) -> bool:
        return any(leg.holding for leg in self.legs) or (
            self._committer.busy and self.intake.nbytes < _GATHER_BYTES and len(self.intake) < _ROWS
        )

    def _tell(self) -> None:
        self._tell_asked = None
        if self.closed or not len(self.intake) or any(leg.holding for leg in self.legs):
            return
        batch = self.intake.tell(self.clock.now(), _ROWS, self._headroom())
        self.writes += len(batch)
        self.written_bytes += int(batch.length.sum())
        delay = max((leg.pace_s for leg in self.legs), default=0.0) * len(batch)
        self._told_at = self._loop.time()
        self._next_tell = self._told_at + delay
        for leg in self.legs:
            leg.told(batch)
        self.ask_to_tell()

    def _headroom(self) -> int:
        """Give the bytes that may be told before a leg behaves differently."""
        rooms = [leg.engine.headroom() for leg in self.legs]
        return min((room for room in rooms if room is not None), default=_GATHER_BYTES)

    # From the legs.

    def append(self, batch: WriteBatch) -> None:
        """Journal a batch, once, whichever leg asks first."""
        if batch.last > self._submitted:
            self._committer.submit(batch if batch.first > self._submitted else batch.after(self._submitted))
            self._submitted = batch.last
        elif batch.last <= self._durable_through:  # another leg asked first
            self._loop.call_soon(self._tell_durable)

    def _durable(self, batches: list[WriteBatch]) -> None:
        if self.closed:
            return
        self._durable_through = batches[-1].last
        self._tell_durable()
        self.ask_to_tell()

    def _tell_durable(self) -> None:
        for leg in self.legs:
            leg.journal_durable(self._durable_through)

    def progress(self) -> None:
        """Apply what is safe for every leg, answer what every leg acknowledged."""
        if self.closed:
            return
        try:
            self._progress()
        except OSError as error:
            self.fail(error)

    def _progress(self) -> None:
        safe = min(leg.safe for leg in self.legs)
        batches = self.intake.take_through(safe)
        for batch in batches:
            if batch.last <= self._submitted:
                self.volumes.apply(batch)
            else:
                self.volumes.apply(batch.through(self._submitted))
                self._apply_loose(batch.after(self._submitted))
            self._applied = batch.last
        if batches:
            self._store.applied.put(self._applied)
            if self.cache is not None:
                self.cache.drop(self._applied)
        for leg in self.legs:
            leg.blocks_may_be_read(self._applied)
        done = self.intake.answered_through(self._acknowledged())
        for request in done:
            if self._loose and (request.flags & _FUA or request.command == Command.FLUSH):
                self._flush(request)
            else:
                request.reply(request)

    def _acknowledged(self) -> int:
        return min(self._applied, *(leg.acknowledged for leg in self.legs))

    def _apply_loose(self, batch: WriteBatch) -> None:
        """A write that no journal holds is about to land: no older journal record may be redone over it."""
        if self._redo < self._submitted:
            self.volumes.sync()
            self._redo = batch.first - 1
            self._marks.put(redo=self._redo)
        self.volumes.apply(batch)
        self._loose = batch.last

    def read_journal(self, first: int, last: int) -> WriteBatch:
        """Read journalled writes back.

        Raises:
            OSError: the medium changed what it had been given.
        """
        try:
            return self.journal.read(first, last)
        except DamagedError as error:
            raise OSError(errno.EIO, str(error)) from error

    def read_volumes(self, extents: Extents) -> WriteBatch:
        """Read extents for a copy."""
        return self.volumes.copied(extents, self.clock.now())

    def fail_writes(self, seq: int) -> None:
        """An engine refused the last rows, from ``seq`` on."""
        for request in self.intake.fail_from(seq):
            request.reply(request, errno.ENOSPC)

    def trim(self) -> None:
        """Let the journal forget what no leg needs, once the volumes have it durably."""
        through = min(leg.trimmed for leg in self.legs)
        if self.journal.droppable(through) >= self._store.patience:
            applied = self._applied
            self._flusher.submit(lambda: self._trimmed(min(through, applied)))

    def _trimmed(self, through: int) -> None:
        if through > self._redo:
            self._redo = through
            self._marks.put(redo=through)
        self.journal.trim(through)

    # Volumes to stable media.

    def _flush(self, request: Asked) -> None:
        """Journalled writes are durable already; only loose ones need the volumes themselves flushed."""
        if loose := self._loose:
            self._flusher.submit(lambda: self._settled(request, loose))
        else:
            request.reply(request)

    def _settled(self, request: Asked, loose: int) -> None:
        if self._loose == loose:
            self._loose = 0
        request.reply(request)

    def _flush_volumes(self, _: list[Callable[[], None]]) -> None:
        self.volumes.sync()

    def _flushed(self, callbacks: list[Callable[[], None]]) -> None:
        for callback in callbacks:
            callback()

    # The end.

    def fail(self, error: BaseException) -> None:
        """A disk refused: no host hears of success any more, and the group says so."""
        if not self.closed:
            self.abandon()
            self._fail(error)

    def abandon(self) -> None:
        """Answer every host with an error."""
        self.closed = True
        for request in self.intake.abandon():
            request.reply(request, errno.EIO)

    async def _emptied(self) -> None:
        """Give what hosts were answered for its place in the order, unless something holds it back."""
        end = self._loop.time() + _EMPTY_S
        while self.cache is not None and self.cache.held and not self.closed and self._loop.time() < end:
            if any(leg.holding for leg in self.legs):
                break
            await asyncio.sleep(_PATIENT_S)

    async def close(self) -> None:
        """Finish what is under way, close the files. Opening again finds everything that was acknowledged."""
        await self._emptied()
        await self._committer.drained()
        await self._flusher.drained()
        self.abandon()
        for committer in (self._committer, self._flusher):
            await asyncio.to_thread(committer.close)
        for leg in self.legs:
            leg.files.close()
        if self.cache is not None:
            self.cache.close()
        self._store.close()
