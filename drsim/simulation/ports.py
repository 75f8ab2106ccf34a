"""The engines' hands in the simulated world: each action of a source or a target, carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from drsim.blocks.batch import NO_PAYLOAD, Floats, Ints, Kind, Payload, WriteBatch, repeated
from drsim.blocks.extents import Extents
from drsim.replication import actions as do
from drsim.replication import events as on
from drsim.replication.frames import Checkpoint, Frame, Hashes, Ready, Resync, Welcome
from drsim.replication.headers import SourceHeader, TargetHeader
from drsim.scenario.group import SnapshotStore
from drsim.simulation.cascade import Relay
from drsim.simulation.channel import Sink
from drsim.simulation.checker import OrderChecker
from drsim.simulation.comparer import Comparer
from drsim.simulation.media import Media, Path, through
from drsim.simulation.probe import LegProbe
from drsim.simulation.snapshots import Snapshots
from drsim.simulation.spill import Spill
from drsim.simulation.staging_room import StagingRoom
from drsim.simulation.station import Decided, at_once

Handler = Callable[[Any], None]
_NO_SEQ, _WRITE = np.int64(0), np.uint8(Kind.WRITE)


def _no_write(seq: Ints) -> None:
    del seq


def _no_fact(seq: Ints, at: Floats) -> None:
    del seq, at


def _no_word(word: Any) -> None:
    del word


@dataclass(slots=True, eq=False)
class Ground:
    """What both ends of a leg stand on."""

    path: Path
    media: Media
    probe: LegProbe
    now: Callable[[], float]


@dataclass(slots=True, eq=False)
class GroupHooks:
    """How a leg's source speaks to its group: acknowledgements, holding, pacing, failed writes."""

    acknowledged: Callable[[Ints, Floats], None] = _no_fact
    hold: Callable[[bool], None] = _no_word
    pace: Callable[[float], None] = _no_word
    failed: Callable[[Ints], None] = _no_write


@dataclass(slots=True, eq=False)
class SourcePort:
    """Carries out what a source engine asks for; ``deliver`` is its driver's door."""

    ground: Ground
    arrive: Sink
    reconnect: Callable[[], None]
    deliver: Callable[[on.Event], None] = field(init=False)
    hooks: GroupHooks = field(default_factory=GroupHooks)
    spill: Spill = field(default_factory=Spill)
    content: Callable[[Extents], Payload] | None = None
    header: SourceHeader = field(default_factory=SourceHeader)
    _hands: dict[type, Handler] = field(init=False)

    def __post_init__(self) -> None:
        self._hands = {
            do.Send: self._send,
            do.AppendJournal: self._append,
            do.Acknowledge: self._acknowledge,
            do.TrimJournal: self._trim,
            do.ReadJournal: self._read_back,
            do.ReadBlocks: self._read_blocks,
            do.HoldHosts: lambda _: self.hooks.hold(True),
            do.ReleaseHosts: lambda _: self.hooks.hold(False),
            do.PaceHosts: lambda action: self.hooks.pace(action.delay_s),
            do.FailWrites: self._fail,
            do.SaveHeader: self._save,
            do.Disconnect: self._disconnect,
        }

    def perform(self, action: do.Action) -> None:
        """Carry out one action."""
        hand = self._hands.get(type(action))
        if hand is None:
            self.ground.probe.fact("source", action, self.ground.now())
        else:
            hand(action)

    def _send(self, action: do.Send) -> None:
        path = self.ground.path
        if isinstance(action.frame, Checkpoint):
            self.ground.probe.images.captured(action.frame.seq, self.ground.now())
        # Copies need no order towards the stream: a pass begins and ends with answers, not with frames sent.
        if isinstance(action.frame, Resync | Hashes):
            cost, awaited = path.charge(action.frame), path.awaited(action.frame)
            path.out.send(path.copies, self.arrive, action.frame, action.ready, cost, awaited)
        elif path.valve is not None:
            path.valve.send(action.frame, action.ready, self.ground.now())
        else:
            self.leave(action.frame, action.ready)

    def leave(self, frame: Frame, ready: Floats) -> None:
        """Frames of the stream go to the link's transmitter."""
        path = self.ground.path
        cost = path.charge(frame)
        if path.restart is not None and not path.out.opening:
            ready = path.restart.pace(ready, cost)
        path.out.send(path.flow, self.arrive, frame, ready, cost, path.awaited(frame))

    def _append(self, action: do.AppendJournal) -> None:
        batch = action.batch
        self.ground.probe.journalled(batch)
        self.spill.append(batch)

        def done(first: int, last: int, finish: Floats) -> None:
            self.deliver(on.JournalDurable(batch.seq[first:last], finish))

        through(self.ground.media.journal, batch.time, batch.length, batch.offset, done)

    def _acknowledge(self, action: do.Acknowledge) -> None:
        self.hooks.acknowledged(action.seq, action.at)

    def _trim(self, action: do.TrimJournal) -> None:
        self.ground.probe.trimmed(action.through, self.ground.now())
        self.spill.trim(action.through)

    def _read_back(self, action: do.ReadJournal) -> None:
        self.deliver(on.JournalRead(self.spill.read(action.first, action.last)))

    def _save(self, action: do.SaveHeader) -> None:
        assert isinstance(action.header, SourceHeader)
        self.header = action.header

    def _fail(self, action: do.FailWrites) -> None:
        self.hooks.failed(action.seq)

    def _disconnect(self, action: do.Disconnect) -> None:
        self.ground.probe.fact("source", action, self.ground.now())
        self.reconnect()

    def _read_blocks(self, action: do.ReadBlocks) -> None:
        extents = action.extents
        rows, length = len(extents), extents.stop - extents.start
        now = np.full(rows, self.ground.now())

        def done(first: int, last: int, finish: Floats) -> None:
            del first
            if last == rows:
                nothing, kind = repeated(_NO_SEQ, rows), repeated(_WRITE, rows)
                time = repeated(finish[-1:], rows)
                content = NO_PAYLOAD if self.content is None else self.content(extents)
                batch = WriteBatch(nothing, time, extents.volume, extents.start, length, kind, content)
                self.deliver(on.BlocksRead(action.ticket, batch))

        through(self.ground.media.reads, now, length, extents.start, done, awaited=at_once)


@dataclass(slots=True, eq=False)
class TargetPort:
    """Carries out what a target engine asks for; ``passed_on`` hears of what is on the volumes.

    ``decides`` says that somebody waits for each batch to be on the volumes (cycles), not only for copies.
    """

    ground: Ground
    arrive: Sink
    reconnect: Callable[[], None]
    decides: bool
    deliver: Callable[[on.Event], None] = field(init=False)
    checker: OrderChecker = field(default_factory=OrderChecker)
    comparer: Comparer | None = None
    passed_on: list[Relay] = field(default_factory=list)
    staged: Spill = field(default_factory=Spill)
    staging_room: StagingRoom | None = None
    snapshots: Snapshots = field(default_factory=lambda: Snapshots(SnapshotStore()))
    beside: Snapshots | None = None
    """Where a group comes back to: the snapshots that were taken there while it was at home."""
    applied_at: float = 0.0
    header: TargetHeader = field(default_factory=TargetHeader)
    _hands: dict[type, Handler] = field(init=False)

    def __post_init__(self) -> None:
        self._hands = {
            do.Send: self._send,
            do.AppendStaging: self._append,
            do.WriteBlocks: self._write,
            do.Recoverable: lambda action: self.ground.probe.found(action.seq, action.at),
            do.TrimStaging: lambda action: self.staged.trim(action.through),
            do.CutStaging: self._cut,
            do.ReadStaging: self._read_back,
            do.TakeSnapshot: self._take,
            do.RestoreSnapshot: self._restore,
            do.SaveHeader: self._save,
            do.Disconnect: self._disconnect,
        }

    @property
    def problems(self) -> list[str]:
        """What was wrong with images, in words; empty when every one was what the engine called it."""
        return self.checker.problems + (self.comparer.problems if self.comparer is not None else [])

    def perform(self, action: do.Action) -> None:
        """Carry out one action."""
        self.checker(action)
        if self.comparer is not None:
            self.comparer(action)
        self.snapshots.told(action, self.ground.now())
        hand = self._hands.get(type(action))
        if hand is None:
            self.ground.probe.fact("target", action, self.ground.now())
        else:
            hand(action)
        for hop in self.passed_on:
            hop.told(action)

    def _send(self, action: do.Send) -> None:
        if self.staging_room is not None and isinstance(action.frame, Welcome):
            self.staging_room.welcome()
        if isinstance(action.frame, Ready):
            self.ground.probe.strange = False  # Nothing older lands any more.
        path = self.ground.path
        path.back.express(self.arrive, action.frame, action.ready, path.awaited(action.frame))

    def _append(self, action: do.AppendStaging) -> None:
        batch = action.batch
        self.staged.append(batch)
        if self.staging_room is not None:
            self.staging_room.put(batch, action.ready)

        def done(first: int, last: int, finish: Floats) -> None:
            self.deliver(on.StagingDurable(batch.seq[first:last], finish))

        media, awaited = self.ground.media, at_once if self.decides else None
        through(media.staging, action.ready, batch.length, batch.offset, done, awaited=awaited)

    def _write(self, action: do.WriteBlocks) -> None:
        batch = action.batch
        copied = len(batch) > 0 and int(batch.seq[0]) == 0

        def done(first: int, last: int, finish: Floats) -> None:
            if self.comparer is not None:
                self.comparer.written(batch.slice(first, last))
            if self.passed_on:
                part = replace(batch.slice(first, last), time=finish)
                for hop in self.passed_on:
                    hop.written(part)
            if self.staging_room is not None and not copied:
                self.staging_room.taken(batch.slice(first, last), finish)
            self.deliver(on.BlocksWritten(action.ticket, batch.seq[first:last], finish))
            self.applied_at = max(self.applied_at, float(finish[-1]))

        awaited: Decided | None
        if copied:  # The source decides when it hears that the last of a slice has landed.
            awaited = self.ground.path.heard if batch is self.ground.path.last_copied else None
        else:
            awaited = at_once if self.decides else None
        saved = self.snapshots.preserve(batch, action.ready)
        if self.beside is not None:
            more = self.beside.preserve(batch, action.ready)
            saved = more if saved is None else saved if more is None else saved + more
        volumes = self.ground.media.volumes
        through(volumes, action.ready, batch.length, batch.offset, done, awaited=awaited, saved=saved)

    def _cut(self, action: do.CutStaging) -> None:
        self.staged.cut(action.after)
        if self.staging_room is not None:
            self.staging_room.reconcile(self.ground.now())

    def _read_back(self, action: do.ReadStaging) -> None:
        self.deliver(on.StagingRead(self.staged.read(action.first, action.last)))

    def _save(self, action: do.SaveHeader) -> None:
        assert isinstance(action.header, TargetHeader)
        self.header = action.header

    def _take(self, action: do.TakeSnapshot) -> None:
        self.ground.probe.fact("target", action, self.ground.now())
        self.deliver(on.SnapshotTaken(action.name))

    def _restore(self, action: do.RestoreSnapshot) -> None:
        self.ground.probe.fact("target", action, self.ground.now())
        self.deliver(on.SnapshotTaken(action.name, self.snapshots.since(action.name)))

    def _disconnect(self, action: do.Disconnect) -> None:
        self.ground.probe.fact("target", action, self.ground.now())
        self.reconnect()
