"""Frames that several connections carry side by side, put back into the order in which they were sent."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from drsim.blocks.batch import Floats
from drsim.replication.actions import Action, Disconnect
from drsim.replication.events import Received
from drsim.replication.frames import Frame
from drsim.replication.settings import Early
from drsim.replication.trains import continues, joined, members, part
from drsim.replication.wire import NUMBERS, wire_size

Arrival = tuple[Frame, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """A train that came early: members ``begin..stop`` of all that the peer sends."""

    begin: int
    stop: int
    frame: Frame
    at: Floats
    nbytes: int


class Reorder:
    """One direction of one link.

    What comes early is kept, disjoint and in order, within the allowance. A frame is given when all before it have
    been, at the instant the last of these came; what was there before is dropped. A marker, a cycle's end, a copied
    block keep their places among the writes: every frame has a number, of which only 32 bits travel.
    """

    def __init__(self, allowance: Early) -> None:
        self._allowance = allowance
        self._next = 0
        """Frames given so far: the number of the next one."""
        self._latest = -np.inf
        self._kept: list[_Kept] = []
        self.frames = self.nbytes = 0
        """Kept, and their bytes on the wire."""

    def clear(self) -> None:
        """Another connection: numbers begin anew, and nothing of the old one will come."""
        self._next, self._latest = 0, -np.inf
        self._forget(len(self._kept))

    def take(self, event: Received, out: list[Action]) -> Iterable[Arrival]:
        """Give what is due now, in order: of this arrival, and of what came early.

        Args:
            event: what arrived. out: takes a `Disconnect` when more came early than may be kept.
        """
        frame, at = event.frame, event.at
        if event.number is None:
            return ((frame, at),)
        begin = self._next + _signed(event.number - self._next)
        if begin == self._next and not self._kept:
            return (self._give(frame, at),)
        self._keep(frame, at, begin)
        due = self._due()
        if self.frames > self._allowance.frames or self.nbytes > self._allowance.size:
            self._forget(len(self._kept))
            out.append(Disconnect("more frames came before their turn than are kept"))
        return due

    def _give(self, frame: Frame, at: Floats) -> Arrival:
        """It is this one's turn, not before that of what was given last."""
        self._next += len(at)
        if at[0] < self._latest:
            at = np.maximum(at, self._latest)
        self._latest = float(at[-1])
        return frame, at

    def _keep(self, frame: Frame, at: Floats, begin: int) -> None:
        """Keep what is new of a train."""
        at_first, stop = begin, begin + members(frame)
        begin = max(begin, self._next)
        place = bisect_right(self._kept, begin, key=lambda kept: kept.stop)
        while begin < stop:
            known = self._kept[place] if place < len(self._kept) else None
            end = stop if known is None else min(stop, known.begin)
            if begin < end:
                first, last = begin - at_first, end - at_first
                fresh = part(frame, first, last)
                kept = _Kept(begin, end, fresh, at[first:last], wire_size(fresh))
                self._kept.insert(place, kept)
                self.frames, self.nbytes = self.frames + end - begin, self.nbytes + kept.nbytes
                place += 1
            begin = stop if known is None else known.stop
            place += 1

    def _due(self) -> list[Arrival]:
        """Take what has no gap before it any more, neighbours joined."""
        count, expected = 0, self._next
        while count < len(self._kept) and self._kept[count].begin == expected:
            expected = self._kept[count].stop
            count += 1
        given = [self._give(kept.frame, kept.at) for kept in self._forget(count)]
        return [
            (joined([frame for frame, _ in run]), np.concatenate([at for _, at in run]))
            for run in _runs(given)
        ]

    def _forget(self, count: int) -> list[_Kept]:
        """Give the first of what is kept away."""
        gone, self._kept = self._kept[:count], self._kept[count:]
        self.frames -= sum(kept.stop - kept.begin for kept in gone)
        self.nbytes -= sum(kept.nbytes for kept in gone)
        return gone


def _signed(distance: int) -> int:
    """Give the shortest way between two numbers of 32 bits; forward where both are as long."""
    return (distance + NUMBERS // 2) % NUMBERS - NUMBERS // 2


def _runs(given: list[Arrival]) -> Iterator[list[Arrival]]:
    """Trains that continue each other, together."""
    if not given:
        return
    run = given[:1]
    for (before, _), arrival in pairwise(given):
        if not continues(before, arrival[0]):
            yield run
            run = []
        run.append(arrival)
    yield run
