"""A group at its source: hosts' writes through the engines of its legs to journal, volumes and links."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter

from drsim.agent.clock import LoopClock
from drsim.agent.commits import LARGE_BYTES, NBYTES, Committer
from drsim.agent.intake import Intake
from drsim.agent.landing import Landing
from drsim.agent.leg import SourceLeg
from drsim.agent.nbd.exports import Asked, Request, Writes
from drsim.agent.nbd.exports import Extents as Runs
from drsim.agent.nbd.protocol import Command, CommandFlag
from drsim.agent.records import DamagedError
from drsim.agent.stores import SourceStore
from drsim.agent.telling import PATIENT_S, Teller
from drsim.blocks.batch import WriteBatch
from drsim.blocks.extents import Extents

_FUA, _FLUSH = int(CommandFlag.FUA), int(Command.FLUSH)  # plain numbers: these are asked of every write
_EMPTY_S = 2.0
_ACKNOWLEDGED, _SAFE, _READS = attrgetter("acknowledged"), attrgetter("safe"), attrgetter("reads")


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
        self.closed = self._apply_asked = False
        self._loop, self._fail = asyncio.get_running_loop(), failed
        self._committer: Committer[WriteBatch] = Committer(
            store.journal.append,
            self._durable,
            self.fail,
            "journal",
            heavy=lambda batches: sum(map(NBYTES, batches)) >= LARGE_BYTES,
            beside=store.journal.beside,
        )
        self._landing = Landing(store, last, self.fail, self._landed, self.progress)
        self._unheld = 0  # the last write before that of which no journal record was asked
        self._submitted = store.journal.last  # journal records asked for so far
        self._durable_through = store.journal.last
        self._teller = Teller(self.intake, self.legs, self._committer, clock)

    # From hosts.

    def take(self, volume: int, requests: Sequence[Asked]) -> None:
        """Take requests that change a volume, or flush it; the group is not closed."""
        if _FLUSH in [request.command for request in requests]:
            self._take_with_flushes(volume, requests)
        else:
            self.intake.gather(volume, requests)
        if self._teller.go_straight():
            self._apply_later()

    def take_alone(self, volume: int, writes: Writes) -> None:
        """Take a write that came by itself, and whose answer leaves as soon as it is given: then it may be applied."""
        self.intake.gather(volume, (writes,))
        if self._teller.go_straight():
            self._apply_soon()

    def read(self, volume: int, offset: int, length: int) -> bytes:
        """Read what hosts were told is written."""
        self.catch_up()
        return self.intake.read(volume, offset, length)

    def runs(self, volume: int, request: Request) -> Runs:
        """Give what a block status asks."""
        self.catch_up()
        return self.intake.extents(volume, request)

    def keep(self, volume: int, writes: Writes) -> bool:
        """Take writes into the cache, if there is one with room: they may be answered."""
        if not self.intake.keep(volume, writes):
            return False
        self.ask_to_tell()
        return True

    def keep_one(self, volume: int, offset: int, content: memoryview) -> bool:
        """Do as `keep` does for one write."""
        if not self.intake.keep_one(volume, offset, content):
            return False
        self.ask_to_tell()
        return True

    def _take_with_flushes(self, volume: int, requests: Sequence[Asked]) -> None:
        """A flush is for what was answered before; where that may wait in the cache, it waits with it."""
        for request in requests:
            if request.command != _FLUSH:
                self.intake.gather(volume, [request])
            elif self.cache is not None and (len(self.intake) or self._acknowledged() < self.intake.last):
                self.intake.flush(request)
            else:
                self._landing.flush(partial(request.reply, request))

    def ask_to_tell(self) -> None:
        """Tell the engines soon; meanwhile more may come, from this connection or another."""
        self._teller.ask()

    # From the legs.

    def append(self, batch: WriteBatch) -> None:
        """Journal a batch, once, whichever leg asks first."""
        first, last, submitted = batch.first, batch.last, self._submitted
        if last > submitted:
            if first > submitted + 1:
                self._unheld = first - 1
            fresh = batch if first > submitted else batch.after(submitted)
            self._committer.submit(fresh, prompt=self._teller.straight)
            self._submitted = last
        elif last <= self._durable_through:  # another leg asked first
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
        acknowledged = min(map(_ACKNOWLEDGED, self.legs))
        if acknowledged > self._durable_through or self._unheld > self._landing.applied:
            self.catch_up()  # nothing but the volumes holds what is about to be answered
        for leg in self.legs:
            leg.blocks_may_be_read(self._landing.applied)
        for request in self.intake.answered_through(self._acknowledged()):
            if self._landing.loose and (request.flags & _FUA or request.command == _FLUSH):
                self._landing.flush(partial(request.reply, request))
            else:
                request.reply(request)
        if not self._teller.straight:
            self._apply_later()

    def _apply_later(self) -> None:
        if not (self._apply_asked or self._landing.busy) and self._safe() > self._landing.applied:
            self._apply_asked = True
            self._loop.call_soon(self._apply_soon)

    def _safe(self) -> int:
        through: int = min(map(_SAFE, self.legs))
        return through

    def _apply_soon(self) -> None:
        """Answers came first: what the journal holds is applied while hosts think."""
        self._apply_asked = False
        if self.closed or self._landing.busy:
            return
        try:
            batches = self.intake.take_through(self._safe())
            if self._landing.begin(batches, self._durable_through):
                return
            self._landing.apply(batches, self._submitted)
            if self.intake.unanswered or any(map(_READS, self.legs)):
                self._progress()
        except OSError as error:
            self.fail(error)

    def catch_up(self) -> None:
        """Apply all that is safe.

        Raises:
            OSError: the disk refused; the group has ended.
        """
        try:
            self._landing.wait()
            self._landing.apply(self.intake.take_through(self._safe()), self._submitted)
        except OSError as error:
            self.fail(error)
            raise

    def _landed(self, through: int) -> None:
        self.intake.landed(through)
        self.ask_to_tell()

    def _acknowledged(self) -> int:
        """Through where hosts may be answered: what every leg acknowledged, and a journal or the volumes hold."""
        held = max(self._landing.applied, self._durable_through)
        through: int = min(held, *map(_ACKNOWLEDGED, self.legs))
        return through

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
        self._landing.wait()
        return self.volumes.copied(extents, self.clock.now())

    def fail_writes(self, seq: int) -> None:
        """An engine refused the last rows, from ``seq`` on."""
        for request in self.intake.fail_from(seq):
            request.reply(request, errno.ENOSPC)

    def trim(self) -> None:
        """Let the journal forget what no leg needs."""
        self._landing.trim(min(leg.trimmed for leg in self.legs))

    # The end.

    def fail(self, error: BaseException) -> None:
        """A disk refused: no host hears of success any more, and the group says so."""
        if not self.closed:
            self.abandon()
            self._fail(error)

    def abandon(self) -> None:
        """Answer every host with an error."""
        self.closed = self._teller.closed = True
        for request in self.intake.abandon():
            request.reply(request, errno.EIO)

    async def _emptied(self) -> None:
        """Give what hosts were answered for its place in the order, unless something holds it back."""
        end = self._loop.time() + _EMPTY_S
        while self.cache is not None and self.cache.held and not self.closed and self._loop.time() < end:
            if any(leg.holding for leg in self.legs):
                break
            await asyncio.sleep(PATIENT_S)

    async def close(self) -> None:
        """Finish what is under way, close the files. Opening again finds everything that was acknowledged."""
        await self._emptied()
        await self._committer.drained()
        await self._landing.drained()
        if not self.closed:
            with contextlib.suppress(OSError):  # the journal has it
                self.catch_up()
        self.abandon()
        await asyncio.to_thread(self._committer.close)
        await self._landing.close()
        for leg in self.legs:
            leg.files.close()
        if self.cache is not None:
            self.cache.close()
        self._store.close()
