"""What a leg's writes pass besides engines: media that take time, and the way over the link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Floats, Ints, WriteBatch, row_by_row
from drsim.replication.frames import Ack, Data, Frame, Resync, ResyncAck
from drsim.scenario.site import NO_JUMP
from drsim.simulation.channel import Channel
from drsim.simulation.station import NEVER, Decided, Done, Parcel, Station, at_once
from drsim.simulation.valve import Valve
from drsim.wan.capacity import Capacity
from drsim.wan.idle import IdleRestart

Cost = Callable[[Ints, NDArray[np.bool_]], Ints]


@dataclass(slots=True, eq=False)
class Medium:
    """A class of a station on which a leg's writes cost time; None as station: it takes none.

    ``charge`` gives the work of writes (sizes, jumps; where it ``seeks``, jumps matter); ``shadow`` shows it to the
    levels below; ``latency_s`` passes for each write (a group commit, a controller) without keeping the medium
    busy; ``capacity`` is C(t).
    """

    station: Station | None = None
    klass: int = 0
    charge: Cost | None = None
    amplification: float = 1.0
    shadow: Callable[[Floats, Ints], None] | None = None
    latency_s: float = 0.0
    capacity: Capacity | None = None
    saving: Callable[[Ints], Ints] | None = None
    """What it costs to read bytes and write them aside before they are overwritten."""
    seeks: bool = True
    _end: int = -1
    """Where the access before the next one ended."""

    def cost(self, nbytes: Ints, offset: Ints) -> Ints:
        """What the next accesses cost: int64[n] bytes of the medium's rate."""
        if self.charge is None:
            return nbytes
        if not self.seeks:
            charge = self.charge
            return row_by_row(lambda sizes: self._amplified(charge(sizes, NO_JUMP)), nbytes)
        jump = np.empty(len(offset), np.bool_)
        jump[:1] = offset[:1] != self._end
        np.not_equal(offset[1:], offset[:-1] + nbytes[:-1], out=jump[1:])
        if len(offset):
            self._end = int(offset[-1]) + int(nbytes[-1])
        return self._amplified(self.charge(nbytes, jump))

    def _amplified(self, cost: Ints) -> Ints:
        return cost if self.amplification == 1.0 else np.ceil(cost * self.amplification).astype(np.int64)

    def soonest(self, ready: float, nbytes: Ints, offset: Ints) -> float:
        """When the last of some accesses is done at the earliest.

        It is, to the bit, when it is done where nothing else keeps the medium busy.

        Args:
            ready: seconds, when the last one comes.
            nbytes, offset: int64[n] bytes.
        """
        if self.capacity is None or self.charge is None:
            return ready
        jump = offset[-1:] != offset[-2:-1] + nbytes[-2:-1] if len(offset) > 1 else np.zeros(1, np.bool_)
        cost = int(self._amplified(self.charge(nbytes[-1:], jump))[0])
        if self.latency_s:
            ready += self.latency_s
        return self.capacity.when_at(self.capacity.work_at(ready) + max(cost << self.capacity.shift, 1))


@dataclass(frozen=True, slots=True, eq=False)
class Queued:
    """All that waits on a medium, of which one can ask when it will have passed."""

    medium: Medium

    def next_awaited(self, *, every: bool) -> float:  # noqa: ARG002
        """When the last of it has, as things stand (inf: nothing waits)."""
        station = self.medium.station
        last = -NEVER if station is None else station.finish_of_class(self.medium.klass)
        return NEVER if last == -NEVER else last


@dataclass(slots=True, eq=False)
class Path:
    """Where a leg's frames go, in which class (``copies``: what a resync copies), and the cost of each.

    It counts the rows of copied slices that have not landed yet: nobody decides on a slice before the source
    hears that the last of it has.
    """

    out: Channel
    back: Channel
    flow: int
    copies: int
    charge: Callable[[Frame], Ints]
    volumes: Medium = field(default_factory=Medium)
    """Where copied rows land."""
    valve: Valve | None = None
    """Holds back what the target has no room for, where its staging has a size."""
    restart: IdleRestart | None = None
    """Slow start after idle of the stream's connection, where it has any."""
    last_copied: WriteBatch | None = None
    """What has just arrived and is the last of its slice."""
    _arriving: dict[int, int] = field(default_factory=dict)
    _landing: dict[int, int] = field(default_factory=dict)

    def heard(self, at: float) -> float:
        """When the source hears of a fact at the target."""
        return at + self.back.propagation_s

    def awaited(self, frame: Frame) -> Decided | None:
        """How soon after its arrival somebody may decide on a frame that is being sent; None: nobody does."""
        match frame:
            case Data() | Ack():
                return None
            case Resync(ticket=ticket, batch=batch):
                self._arriving[ticket] = self._landing[ticket] = len(batch)
                return lambda at: self.heard(self.volumes.soonest(at, batch.length, batch.offset))
            case ResyncAck(ticket=ticket, rows=rows):
                return at_once if _count_down(self._landing, ticket, rows) else None
            case _:
                return at_once

    def arrived(self, frame: Resync) -> None:
        """Copied rows arrived at the target."""
        if _count_down(self._arriving, frame.ticket, len(frame.batch)):
            self.last_copied = frame.batch

    def lost(self) -> None:
        """What was under way never arrives."""
        self._arriving.clear()
        self._landing.clear()


def _never() -> float:
    return NEVER


@dataclass(slots=True, eq=False)
class KeptBack:
    """What a target keeps back for its age alone: each write goes at its own instant, however late that is told.

    Nothing is decided by that, but where somebody waits for the very next write on the volumes (`next_awaited`).

    Args:
        expiry: when the next one goes, as things stand (inf: none).
        ring: tells the target's engine that time has passed.
    """

    expiry: Callable[[], float] = _never
    ring: Callable[[], None] = lambda: None

    def settle(self, until: float) -> bool:
        """Give the volumes what has grown old enough by ``until``; says whether anything has."""
        if self.expiry() > until:
            return False
        self.ring()
        return True

    follow = settle

    def next_awaited(self, *, every: bool, later: bool = True) -> float:  # noqa: ARG002
        """Never: a run does not wait for what is kept back."""
        return NEVER


@dataclass(frozen=True, slots=True, eq=False)
class Expiring:
    """What is kept back, for somebody who waits for it."""

    kept: KeptBack

    def next_awaited(self, *, every: bool) -> float:  # noqa: ARG002
        """When the next write goes."""
        return self.kept.expiry()


@dataclass(slots=True, eq=False)
class Media:
    """The media a leg uses: journal at the source, staging and volumes at the target, reads for a resync."""

    kept: KeptBack | None = None
    journal: Medium = field(default_factory=Medium)
    staging: Medium = field(default_factory=Medium)
    volumes: Medium = field(default_factory=Medium)
    reads: Medium = field(default_factory=Medium)


def _count_down(left: dict[int, int], ticket: int, rows: int) -> bool:
    """Take ``rows`` from what is left of a slice; says whether nothing is."""
    rest = left.get(ticket, 0) - rows
    left[ticket] = rest
    if rest == 0:
        del left[ticket]
    return rest == 0


def nodes(path: Path, media: Media) -> list[Channel | Station | Valve | KeptBack]:
    """What a write passes, in order: journal medium, channel, staging medium, what is kept back there, volumes."""
    there = [media.staging.station, media.kept, media.volumes.station]
    return [node for node in (media.journal.station, path.valve, path.out, *there) if node is not None]


def through(
    medium: Medium,
    ready: Floats,
    nbytes: Ints,
    offset: Ints,
    done: Done,
    *,
    awaited: Decided | None = None,
    saved: Ints | None = None,
) -> None:
    """Pass items through a medium (columns: seconds, bytes, bytes); one that takes no time is done as it is ready.

    ``saved``: bytes that each has to copy aside first.
    """
    if medium.station is None:
        done(0, len(ready), ready)
        return
    cost = medium.cost(nbytes, offset)
    if saved is not None and medium.saving is not None:
        cost = cost + medium.saving(saved)
    if medium.latency_s:  # first-in first-out: later by so much whether it passes before or behind the queue
        ready = ready + medium.latency_s
    medium.station.offer(medium.klass, Parcel(len(ready), done, awaited=awaited), ready, cost)
    if medium.shadow is not None:
        medium.shadow(ready, cost)
