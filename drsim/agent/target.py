"""A group at its target: what the engine wants staged, destaged, kept, answered."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

import numpy as np

from drsim.agent.commits import LARGE_BYTES, Committer, Job
from drsim.agent.landed import landed
from drsim.agent.leg import Link
from drsim.agent.legfiles import save_header
from drsim.agent.records import DamagedError
from drsim.agent.stores import TargetStore
from drsim.blocks.batch import Ints, WriteBatch
from drsim.replication import actions as do
from drsim.replication.driver import Clock, Driver, Tap
from drsim.replication.events import (
    BlocksRead,
    Command,
    Event,
    SnapshotTaken,
    StagingDurable,
    StagingRead,
)
from drsim.replication.headers import TargetHeader
from drsim.replication.states import Target
from drsim.replication.target import TargetEngine

_REST_S = 60.0
_DESTAGE_S = 0.02  # volumes are flushed no more often: staging has the writes meanwhile
_LAZY_S, _LAZY_BYTES = 5.0, 1 << 30  # nor than this, nor with less staged, where nothing else waits for it


def _is_large(items: list[WriteBatch | int]) -> bool:
    return sum(item.nbytes for item in items if isinstance(item, WriteBatch)) >= LARGE_BYTES


class TargetGroup:
    """Performs what a target's engine asks.

    Args:
        failed: is told when a disk refuses; the group must then be closed and opened again.
        most: bytes received and not yet staged, beyond which the link is not read.
    """

    def __init__(
        self,
        engine: TargetEngine,
        store: TargetStore,
        clock: Clock,
        failed: Callable[[BaseException], None],
        most: int = 64 << 20,
    ) -> None:
        self.engine = engine
        self.store = store
        self.volumes, self.staging, self.snapshots = store.volumes, store.staging, store.snapshots
        self.link: Link | None = None
        self.observers: list[Tap] = []
        self.closed = False
        self.recoverable = 0  # a failover now would find the image as of this seq
        self.exposed = False
        self._clock = clock
        self._fail = failed
        self._most = most
        self._unstaged = 0
        self._closing = self._halted = False
        self._lazy = False  # the volumes are flushed only now and then
        self._refusals: list[str] = []
        self._driver = Driver(engine, clock, self._perform, self._observe)
        self._stager: Committer[WriteBatch | int] = Committer(
            self._stage, self._staged, self.fail, "staging", heavy=_is_large, beside=self._beside
        )
        self._syncer: Committer[tuple[int, Ints]] = Committer(
            lambda _: self.volumes.sync(), self._written, self.fail, "destage", self._pause
        )
        self._table = self._hands()

    def _hands(self) -> dict[type[Any], Callable[[Any], None]]:
        """Give what does each action; the actions left out are facts, for observers."""
        store = self.store
        return {
            do.AppendStaging: self._append,
            do.TrimStaging: lambda a: store.staging.trim(a.through),
            do.CutStaging: lambda a: self._stager.submit(a.after),
            do.ReadStaging: self._read_staging,
            do.WriteBlocks: self._write,
            do.ReadBlocks: self._read,
            do.SaveHeader: self._save,
            do.TakeSnapshot: self._take,
            do.DropSnapshot: lambda a: store.snapshots.drop(a.name),
            do.RestoreSnapshot: self._restore,
            do.Send: self._to_link,
            do.Disconnect: self._to_link,
            do.Recoverable: self._image,
            do.Noted: self._note,
            do.Exposed: self._image,
        }

    def deliver(self, event: Event) -> None:
        """Let the engine know; a disk that refuses on the way ends the group."""
        if self.closed:
            return
        try:
            self._driver.deliver(event)
        except OSError as error:
            self.fail(error)
        if self._lazy and self._is_wanted():
            self._syncer.hurry()

    def _pause(self) -> float:
        self._lazy = not self._is_wanted()
        return _LAZY_S if self._lazy else _DESTAGE_S

    def _is_wanted(self) -> bool:
        """Say whether anything goes on only once the volumes durably hold what they were given."""
        engine, size = self.engine, self.engine.leg.settings.size
        if self._closing or engine.state is not Target.FOLLOWING or engine.waiting():
            return True
        return engine.staging.store.nbytes >= min(_LAZY_BYTES, _LAZY_BYTES if size is None else size // 2)

    def _observe(self, now: float, event: Event, actions: list[do.Action]) -> None:
        for observer in self.observers:
            observer(now, event, actions)

    def _perform(self, action: do.Action) -> None:
        if perform := self._table.get(type(action)):
            perform(action)

    def _throttle(self) -> None:
        """Read the link only as fast as the staging's disk takes what comes."""
        if self.link is not None:
            self.link.throttle(self._halted or self._unstaged > self._most)

    # Staging.

    def _append(self, action: do.AppendStaging) -> None:
        self._unstaged += action.batch.nbytes
        self._stager.submit(action.batch)
        self._throttle()

    def _beside(self, items: list[WriteBatch | int]) -> tuple[Job, int] | None:
        """Stage batches while others are under way, unless there is a cut."""
        batches = [item for item in items if isinstance(item, WriteBatch)]
        return self.staging.beside(batches) if len(batches) == len(items) else None

    def _stage(self, items: list[WriteBatch | int]) -> None:
        """Append batches and carry out cuts (an int: forget what comes after), in order."""
        batches: list[WriteBatch] = []
        for item in items:
            if isinstance(item, WriteBatch):
                batches.append(item)
            else:
                self._append_all(batches)
                batches = []
                self.staging.cut(item)
        self._append_all(batches)

    def _append_all(self, batches: list[WriteBatch]) -> None:
        if not batches:
            return
        if batches[0].first <= self.staging.last:  # a source began its order anew: the old one is drained
            self.store.applied.put(min(self.store.applied.value, batches[0].first - 1))
            self.staging.restart(batches[0].first)
        self.staging.append(batches)

    def _staged(self, items: list[WriteBatch | int]) -> None:
        if not (batches := [item for item in items if isinstance(item, WriteBatch)]):
            return
        self._unstaged -= sum(batch.nbytes for batch in batches)
        self._throttle()
        self.deliver(StagingDurable(np.array([batches[-1].last]), np.array([self._clock.now()])))

    def _read_staging(self, action: do.ReadStaging) -> None:
        try:
            batch = self.staging.read(action.first, action.last)
        except DamagedError as error:
            raise OSError(errno.EIO, str(error)) from error
        self.deliver(StagingRead(batch))

    # Destaging.

    def _write(self, action: do.WriteBlocks) -> None:
        self.volumes.apply(action.batch)
        self._syncer.submit((action.ticket, action.batch.seq))  # and not what was written: that is over

    def _read(self, action: do.ReadBlocks) -> None:
        batch = self.store.volumes.copied(action.extents, self._clock.now())
        self.deliver(BlocksRead(action.ticket, batch))

    def _written(self, done: list[tuple[int, Ints]]) -> None:
        for event in landed(done, self._clock.now(), apart=self.engine.waiting()):
            if event.seq[-1] > self.store.applied.value:
                self.store.applied.put(int(event.seq[-1]))
            self.deliver(event)

    def _save(self, action: do.SaveHeader) -> None:
        """Make the header durable; where it takes the order back, what is known of the volumes goes back too."""
        header = action.header
        assert isinstance(header, TargetHeader)
        if header.applied < self.store.applied.value:
            self.store.applied.put(header.applied)
        save_header(self.store.marks, header)

    # Snapshots.

    def _take(self, action: do.TakeSnapshot) -> None:
        self.snapshots.take(action.name, action.seq, self._clock.now())
        self.deliver(SnapshotTaken(action.name))

    def _restore(self, action: do.RestoreSnapshot) -> None:
        self.snapshots.restore(action.name)
        self.deliver(SnapshotTaken(action.name))

    async def rehearse(self, name: str) -> int:
        """Keep an image under ``name`` while replication goes on; give the seq it is consistent at.

        Raises:
            ValueError: there is no consistent image on the volumes.
            TimeoutError: the volumes did not come to rest.
        """
        before = self.snapshots.get(name)
        self._command("rehearse", name)
        async with asyncio.timeout(_REST_S):
            while (taken := self.snapshots.get(name)) is before or taken is None:
                await asyncio.sleep(0.002)
        return taken.seq

    async def promote(self, point: str) -> int:
        """Take over, at the newest image or at ``point``; give the seq after which this site's order goes on.

        Raises:
            ValueError: there is no image, or no such point.
            TimeoutError: the volumes did not come to rest.
        """
        self._halted = True
        self._throttle()
        try:
            async with asyncio.timeout(_REST_S):
                await self._stager.drained()  # what it left out would have to be copied: nobody knows what
                self._command("promote", point)
                while self.engine.state is not Target.PROMOTED:
                    if self.closed:
                        raise ValueError("the disk refused")
                    await asyncio.sleep(0.002)
        finally:
            self._halted = False
            self._throttle()
        return self.engine.written

    def end_rehearsal(self, name: str) -> None:
        """Forget a rehearsal's image."""
        self._command("end_rehearsal", name)

    def _command(self, verb: str, argument: str) -> None:
        self._refusals.clear()
        self.deliver(Command(verb, argument))
        if self._refusals:
            raise ValueError(self._refusals[0])

    def _note(self, action: do.Noted) -> None:
        if "refused" in action.what:
            self._refusals.append(action.what)

    # Facts and frames.

    def _to_link(self, action: do.Send | do.Disconnect) -> None:
        if self.link is not None:
            self.link.send(action.frame) if isinstance(action, do.Send) else self.link.drop(action.cause)

    def _image(self, action: do.Recoverable | do.Exposed) -> None:
        self.exposed = isinstance(action, do.Exposed)
        if isinstance(action, do.Recoverable):
            self.recoverable = int(action.seq[-1])

    # The end.

    def fail(self, error: BaseException) -> None:
        """A disk refused: nothing is confirmed any more, and the group says so."""
        if not self.closed:
            self.closed = True
            if self.link is not None:
                self.link.drop(f"the target's disk refused: {error}")
            self._fail(error)

    async def close(self) -> None:
        """Finish what is under way, close the files."""
        await self._stager.drained()
        self._closing = True
        self._syncer.hurry()
        await self._syncer.drained()
        self.closed = True
        await asyncio.to_thread(self._stager.close)
        await asyncio.to_thread(self._syncer.close)
        self.store.close()
