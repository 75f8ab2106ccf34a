"""One group's replication to one target: two engines, the channels between them, the media behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.replication import actions as do
from drsim.replication import events as on
from drsim.replication.frames import Ack, Frame
from drsim.simulation.channel import Channel
from drsim.simulation.checker import OrderChecker
from drsim.simulation.probe import LegProbe
from drsim.simulation.spill import Spill
from drsim.simulation.station import Parcel, Station


class Driver(Protocol):
    """What a leg needs of the engine's driver."""

    def deliver(self, event: on.Event) -> None:
        """Step the engine and perform its actions."""


class Node(Protocol):
    """A part that is settled (see `drsim.simulation.world`)."""

    def settle(self, until: float) -> bool:
        """Move up to ``until``."""

    def next_awaited(self, *, every: bool) -> float:
        """When something finishes that somebody decides on."""


class Engine(Protocol):
    """The promises of an engine that the world plans by."""

    def headroom(self) -> int | None:
        """Bytes of host writes until a decision."""

    def waiting(self) -> bool:
        """Whether the next acknowledgement is needed at once."""


Cost = Callable[[Ints, NDArray[np.bool_]], Ints]


@dataclass(slots=True, eq=False)
class Medium:
    """A class of a station on which a leg's writes cost time; None as station: it takes none.

    ``charge`` gives the work of writes (sizes, jumps); ``shadow`` shows it to the levels below.
    """

    station: Station | None = None
    klass: int = 0
    charge: Cost | None = None
    amplification: float = 1.0
    shadow: Callable[[Floats, Ints], None] | None = None

    def cost(self, nbytes: Ints, offset: Ints) -> Ints:
        """What accesses cost: int64[n] bytes of the medium's rate."""
        if self.charge is None:
            return nbytes
        jump = np.ones(len(offset), np.bool_)
        jump[1:] = offset[1:] != offset[:-1] + nbytes[:-1]
        cost = self.charge(nbytes, jump)
        return cost if self.amplification == 1.0 else np.ceil(cost * self.amplification).astype(np.int64)


@dataclass(slots=True, eq=False)
class Path:
    """Where a leg's frames go and what each costs on the wire."""

    out: Channel
    back: Channel
    flow: int
    charge: Callable[[Frame], Ints]


@dataclass(slots=True, eq=False)
class Media:
    """The media a leg uses: journal at the source, staging and volumes at the target, reads for a resync."""

    journal: Medium = field(default_factory=Medium)
    staging: Medium = field(default_factory=Medium)
    volumes: Medium = field(default_factory=Medium)
    reads: Medium = field(default_factory=Medium)


class Leg:
    """Performs what the two engines of a leg ask for, and tells them what happened."""

    def __init__(
        self, name: str, path: Path, media: Media, probe: LegProbe, now: Callable[[], float]
    ) -> None:
        self.name = name
        self.probe = probe
        self.source: Driver
        self.target: Driver
        self.engine: Engine
        self.sink: Engine
        self.on_acknowledged: Callable[[Ints, Floats], None] = lambda seq, at: None
        self.on_hold: Callable[[bool], None] = lambda held: None
        self.on_pace: Callable[[float], None] = lambda delay: None
        self.checker = OrderChecker()
        self.applied_at = 0.0
        self.last_node: Node | None = None
        self._fed: list[Leg] = []
        self._path = path
        self._media = media
        self._now = now
        self.on_failed: Callable[[Ints], None] = lambda seq: None
        self._spill = Spill()
        self._staged = Spill()

    @property
    def out(self) -> Channel:
        """Where writes go out."""
        return self._path.out

    @property
    def back(self) -> Channel:
        """Where answers come back."""
        return self._path.back

    @property
    def nodes(self) -> list[Node]:
        """Everything a write of this leg passes, and the way back."""
        return [*self.path_nodes(), self._path.back]

    def path_nodes(self) -> list[Node]:
        """What a write passes, in order: journal medium, channel, staging medium, volumes."""
        media = self._media
        stations = [media.journal.station, self._path.out, media.staging.station, media.volumes.station]
        return [node for node in stations if node is not None]

    def feeds(self, hop: Leg) -> None:
        """What is on this leg's target goes on to another one."""
        self._fed.append(hop)

    def headroom(self) -> int | None:
        """Bytes of host writes the source engine takes before it must decide."""
        return self.engine.headroom()

    def waiting(self) -> bool:
        """Whether an engine needs the very next fact at once."""
        return self.engine.waiting() or self.sink.waiting()

    def host_writes(self, batch: WriteBatch) -> None:
        """The group's next writes."""
        self.probe.written(batch)
        self.source.deliver(on.HostWrites(batch))

    def begin(self) -> None:
        """The engines' first step, and the first session."""
        self.target.deliver(on.Due())
        self.source.deliver(on.Due())
        self.connect()

    def connect(self) -> None:
        """The link is there: both ends learn of it."""
        self.target.deliver(on.LinkUp())
        self.source.deliver(on.LinkUp())

    def disconnect(self) -> None:
        """The link is gone: both ends learn of it."""
        self.source.deliver(on.LinkDown())
        self.target.deliver(on.LinkDown())

    def reconnect(self) -> None:
        """The connection was dropped by one end: what is under way is lost, and a new session opens."""
        self._path.out.drop(self._path.flow, self.at_target, self._now())
        self._path.back.drop(None, self.at_source, self._now())
        self.disconnect()
        self.connect()

    def at_target(self, frame: Frame, at: Floats) -> None:
        """Frames arrived at the target."""
        self.target.deliver(on.Received(frame, at))

    def at_source(self, frame: Frame, at: Floats) -> None:
        """Frames arrived at the source."""
        if isinstance(frame, Ack):
            self.probe.released(frame.seq, at)
        self.source.deliver(on.Received(frame, at))

    def perform_source(self, action: do.Action) -> None:
        """Carry out what the source engine asks for."""
        match action:
            case do.Send(frame=frame, ready=ready):
                path = self._path
                path.out.send(path.flow, self.at_target, frame, ready, path.charge(frame))
            case do.AppendJournal(batch=batch):
                self.probe.journalled(batch)
                self._append_journal(batch)
            case do.Acknowledge(seq=seq, at=at):
                self.probe.acknowledged(seq, at)
                self.on_acknowledged(seq, at)
            case do.TrimJournal(through=through):
                self.probe.trimmed(through, self._now())
                self._spill.trim(through)
            case do.ReadJournal(first=first, last=last):
                self.source.deliver(on.JournalRead(self._spill.read(first, last)))
            case do.ReadBlocks():
                self._read_blocks(action)
            case do.HoldHosts():
                self.on_hold(True)
            case do.ReleaseHosts():
                self.on_hold(False)
            case do.PaceHosts(delay_s=delay):
                self.on_pace(delay)
            case do.FailWrites(seq=seq):
                self.probe.failed(len(seq))
                self.on_failed(seq)
            case do.Disconnect():
                self.probe.fact("source", action, self._now())
                self.reconnect()
            case _:
                self.probe.fact("source", action, self._now())

    def perform_target(self, action: do.Action) -> None:
        """Carry out what the target engine asks for."""
        self.checker(action)
        match action:
            case do.Send(frame=frame, ready=ready):
                self._path.back.express(self.at_source, frame, ready)
            case do.AppendStaging(batch=batch, ready=ready):
                self._append_staging(batch, ready)
            case do.WriteBlocks():
                self._write_blocks(action)
            case do.Recoverable(seq=seq, at=at):
                self.probe.found(seq, at)
            case do.TrimStaging(through=through):
                self._staged.trim(through)
            case do.CutStaging(after=after):
                self._staged.cut(after)
            case do.ReadStaging(first=first, last=last):
                self.target.deliver(on.StagingRead(self._staged.read(first, last)))
            case do.Disconnect():
                self.probe.fact("target", action, self._now())
                self.reconnect()
            case do.TakeSnapshot(name=name) | do.RestoreSnapshot(name=name):
                self.probe.fact("target", action, self._now())
                self.target.deliver(on.SnapshotTaken(name))
            case _:
                self.probe.fact("target", action, self._now())

    def _append_journal(self, batch: WriteBatch) -> None:
        self._spill.append(batch)
        medium = self._media.journal

        def done(first: int, last: int, finish: Floats) -> None:
            self.source.deliver(on.JournalDurable(batch.seq[first:last], finish))

        _through(medium, batch.time, batch.length, batch.offset, done)

    def _append_staging(self, batch: WriteBatch, ready: Floats) -> None:
        self._staged.append(batch)

        def done(first: int, last: int, finish: Floats) -> None:
            self.target.deliver(on.StagingDurable(batch.seq[first:last], finish))

        _through(self._media.staging, ready, batch.length, batch.offset, done)

    def _write_blocks(self, action: do.WriteBlocks) -> None:
        batch = action.batch

        def done(first: int, last: int, finish: Floats) -> None:
            self.target.deliver(on.BlocksWritten(action.ticket, batch.seq[first:last], finish))
            self.applied_at = max(self.applied_at, float(finish[-1]))
            if not awaited:
                self._pass_on(batch.slice(first, last), finish)

        # Content without a place in the order comes from a resync, whose progress the peer waits for.
        awaited = len(batch) > 0 and int(batch.seq[0]) == 0
        _through(self._media.volumes, action.ready, batch.length, batch.offset, done, awaited=awaited)

    def _pass_on(self, batch: WriteBatch, at: Floats) -> None:
        for hop in self._fed:
            hop.host_writes(replace(batch, time=at))

    def _read_blocks(self, action: do.ReadBlocks) -> None:
        extents = action.extents
        rows = len(extents)
        now = np.full(rows, self._now())
        length = extents.stop - extents.start

        def done(first: int, last: int, finish: Floats) -> None:
            if last < rows:
                return
            batch = WriteBatch(
                np.zeros(rows, np.int64), np.full(rows, finish[-1]), extents.volume, extents.start, length,
                np.zeros(rows, np.uint8),
            )  # fmt: skip
            self.source.deliver(on.BlocksRead(action.ticket, batch))

        _through(self._media.reads, now, length, extents.start, done, awaited=True)


def _through(
    medium: Medium,
    ready: Floats,
    nbytes: Ints,
    offset: Ints,
    done: Callable[[int, int, Floats], None],
    *,
    awaited: bool = False,
) -> None:
    """Pass items through a medium; one that takes no time is done as it is ready."""
    if medium.station is None:
        done(0, len(ready), ready)
        return
    cost = medium.cost(nbytes, offset)
    medium.station.offer(medium.klass, Parcel(len(ready), done, awaited=awaited), ready, cost)
    if medium.shadow is not None:
        medium.shadow(ready, cost)
