"""One direction of a link: a transmitter that takes time, then the propagation delay."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from drsim.blocks.batch import Floats, Ints
from drsim.replication.frames import Data, Frame, Hashes, Resync
from drsim.replication.trains import members, part
from drsim.simulation.station import NEVER, Decided, Parcel, Station, about, at_once

Sink = Callable[[Frame, Floats], None]
Carried = Callable[[Floats, Ints], None]


class Channel:
    """Carries frames of any number of legs to their sinks, in order for each sink.

    ``send`` takes the transmitter's time; ``express`` only the propagation delay (acknowledgements and
    answers: tens of bytes, whose serialisation is neglected and whose bytes are not charged).
    """

    def __init__(self, name: str, station: Station, propagation_s: float) -> None:
        self.name = name
        self.station = station
        self.propagation_s = propagation_s
        self.up = True
        self.opening = False
        """Before observation starts, sessions open in no time; what they carry takes its time all the same."""
        self._sent = -NEVER
        """How far its transmitter has been settled, seconds."""
        self._carried: list[Carried] = []
        self._line: dict[Sink, deque[tuple[Frame, Floats, Decided | None]]] = {}

    def join(self, carried: Carried) -> int:
        """A leg will send here; gives its class. ``carried`` hears what was transmitted: instants, wire bytes."""
        self._carried.append(carried)
        return len(self._carried) - 1

    def send(
        self, flow: int, sink: Sink, frame: Frame, ready: Floats, cost: Ints, awaited: Decided | None
    ) -> None:
        """Transmit a frame or train in class ``flow``: columns of its members, seconds and wire bytes.

        ``awaited``: as of a `Parcel`, counted from the arrival of the last member.
        """
        if not self.up:
            return
        if self.opening and not isinstance(frame, Data | Resync | Hashes):
            self._fly(sink, frame, ready, awaited)
            return
        count = members(frame)

        def done(first: int, last: int, finish: Floats) -> None:
            self._carried[flow](finish, cost[first:last])
            self._fly(sink, part(frame, first, last), finish, awaited if last == count else None)

        self.station.offer(flow, Parcel(count, done, awaited), ready, cost)

    def express(self, sink: Sink, frame: Frame, ready: Floats, awaited: Decided | None) -> None:
        """Deliver a frame or train after the propagation delay alone."""
        if self.up:
            self._fly(sink, frame, ready, awaited)

    def settle(self, until: float) -> bool:
        """Transmit and deliver up to ``until``; says whether anything moved."""
        self._sent = until
        moved = self.station.settle(until)
        return self._arrive(until) or moved

    def follow(self, until: float) -> bool:
        """Deliver up to ``until``, and transmit only what arrives by then; says whether anything moved."""
        sent = about(until - self.propagation_s)
        moved = False
        if sent > self._sent:
            self._sent = sent
            moved = self.station.settle(sent)
        return self._arrive(until) or moved

    def deliver(self, sink: Sink, until: float) -> bool:
        """Deliver to one of the sinks what was transmitted; says whether anything arrived by ``until``."""
        line = self._line.get(sink)
        moved = False
        while line and line[0][1][0] <= until:
            moved = True
            frame, at, awaited = line.popleft()
            due = len(at) if at[-1] <= until else int(np.searchsorted(at, until, side="right"))
            if due < len(at):
                line.appendleft((part(frame, due, len(at)), at[due:], awaited))
                frame, at = part(frame, 0, due), at[:due]
            sink(frame, at)
        return moved

    def _arrive(self, until: float) -> bool:
        moved = False
        for sink in [*self._line]:  # what arrives may open a line, or close this one
            moved = self.deliver(sink, until) or moved
        return moved

    def next_awaited(self, *, every: bool, later: bool = True) -> float:
        """When somebody decides on a frame (with ``every``: when the next of any kind arrives); inf if never.

        Without ``later``: only those that are decided on as they arrive.
        """
        soonest = self.station.next_awaited(every=every, beyond=self.propagation_s, later=later)
        for line in self._line.values():
            for _, at, awaited in line:
                if every:
                    soonest = min(soonest, float(at[0]))
                    break
                if awaited is not None and (later or awaited is at_once):
                    soonest = min(soonest, awaited(float(at[-1])))
                    if awaited is at_once:
                        break
        return soonest

    def cut(self, at: float) -> None:
        """The connection is lost: what has not arrived never will."""
        self.up = False
        self.station.cut(at)
        for line in self._line.values():
            line.clear()

    def drop(self, flows: set[int], sink: Sink, at: float) -> None:
        """One leg's connection is lost: what it has under way, in its classes, never arrives."""
        for flow in sorted(flows):
            self.station.cut(at, flow)
        if (line := self._line.pop(sink, None)) is not None:
            line.clear()

    def restore(self) -> None:
        """The connection is back."""
        self.up = True

    def _fly(self, sink: Sink, frame: Frame, start: Floats, awaited: Decided | None) -> None:
        at = start + self.propagation_s if self.propagation_s and not self.opening else start
        self._line.setdefault(sink, deque()).append((frame, at, awaited))
