"""Closed loops whose hosts wait for nothing but their site's disk: their rounds up to an instant, write by write.

When each write is issued and answered then follows from the site alone, whatever becomes of replication, so such
hosts need no settle of their own for each answer.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Floats, Ints
from drsim.columns import Column
from drsim.scenario.site import NO_JUMP
from drsim.wan.capacity import NEVER as MOST
from drsim.wan.fifo import FifoServer

NEVER = float("inf")


class Loop(Protocol):
    """What a closed loop brings (see `drsim.simulation.loop`)."""

    @property
    def free(self) -> Floats:
        """When its places become free at the beginning (float64[n], seconds, in order)."""

    @property
    def waits_for_arrivals(self) -> bool:
        """Whether a write is issued no sooner than it arrives."""

    def thought(self) -> float:
        """How long the next place thinks (seconds)."""

    def more(self) -> tuple[Column, ...]:
        """The next rows of its streams."""

    def notice(self, burst: int) -> None:
        """So many writes were issued at one instant."""

    def begin_rounds(self, disk: DiskPace | None) -> Round:
        """Leave it to the disk to say when it is answered."""


@dataclass(slots=True, eq=False)
class DiskPace:
    """The site's disk as its hosts see it: a server, what a write costs, a fixed latency.

    ``shadow`` shows the same work to the disk's lower levels, which get what hosts leave over; ``saving`` is the
    work of reading bytes and writing them aside; ``seeks``: whether it matters to the cost where a write begins.
    """

    server: FifoServer
    charge: Callable[[Ints, NDArray[np.bool_]], Ints]
    latency_s: float
    shadow: Callable[[Floats, Ints], None]
    saving: Callable[[Ints], Ints]
    seeks: bool


class Round:
    """One loop: its free places, the writes at hand, and those issued and not fetched yet.

    Attributes:
        soonest: when it issues its next write, as far as is known; inf if an answer must come first.
    """

    def __init__(self, loop: Loop, disk: DiskPace | None) -> None:
        self._loop = loop
        self._disk = disk
        self._free: list[float] = loop.free.tolist()
        self._last, self._burst = 0.0, 0
        self._rows: tuple[Column, ...] = ()
        self._arrival: list[float] = []
        self._units: list[int] = []
        self._at = 0
        self._issued: list[float] = []
        self._parts: list[tuple[Column, ...]] = []
        self.soonest = NEVER
        self.look()

    def look(self) -> None:
        """Find out when it issues next."""
        if not self._free or (self._at == len(self._arrival) and not self._refill()):
            self.soonest = NEVER
        else:
            self.soonest = max(self._arrival[self._at], self._free[0], self._last)

    def issue(self) -> int:
        """Issue the next write, at ``soonest``; gives its units."""
        t, at = self.soonest, self._at
        self._burst = self._burst + 1 if t == self._last else 0
        self._loop.notice(self._burst)
        heapq.heappop(self._free)
        self._issued.append(t)
        self._last, self._at = t, at + 1
        self.look()
        return self._units[at]

    def answer(self, t: float) -> None:
        """One of its writes is answered."""
        heapq.heappush(self._free, t + self._loop.thought())
        self.look()

    def fetch(self) -> tuple[Column, ...] | None:
        """What was issued since this was last asked: issue time, arrival, and the rows' other columns."""
        self._put_aside()
        parts, self._parts = self._parts, []
        if len(parts) < 2:
            return parts[0] if parts else None
        return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))

    def rest(self) -> tuple[Column, ...]:
        """The rows at hand that were not issued."""
        return tuple(column[self._at :] for column in self._rows)

    def exhausted(self) -> bool:
        """Whether its streams have ended and all was issued and fetched."""
        return self._at == len(self._arrival) and not self._issued and not self._refill()

    def _put_aside(self) -> None:
        if self._issued:
            span = slice(self._at - len(self._issued), self._at)
            self._parts.append((np.array(self._issued), *(column[span] for column in self._rows)))
            self._issued = []

    def _refill(self) -> bool:
        """Have rows at hand; says whether there are any."""
        self._put_aside()
        self._rows, self._at = self._loop.more(), 0
        time, length = cast("Floats", self._rows[0]), cast("Ints", self._rows[4])
        self._arrival = time.tolist() if self._loop.waits_for_arrivals else [0.0] * len(time)
        if len(time):
            self._units = [0] * len(time) if self._disk is None else units(self._disk, length).tolist()
        return bool(len(time))


class Rounds:
    """The loops of a site together: who issues when, and when the disk has it.

    What happens at one instant happens in this order: open streams issue; loops do, the first of them first;
    then answers come, and what they allow is issued.
    """

    def __init__(self, disk: DiskPace | None) -> None:
        self._disk = disk
        self._coming: list[Loop] = []
        self._rounds: dict[Loop, Round] = {}
        self._answers: deque[tuple[float, Round]] = deque()
        self._free_at = 0

    def add(self, loops: Sequence[Loop]) -> None:
        """These loops issue here from the instant reached on."""
        self._coming += loops

    def drop(self, loop: Loop) -> int:
        """One issues no more; gives how many of its writes are not answered."""
        if loop in self._coming:
            self._coming.remove(loop)
        gone = self._rounds.pop(loop, None)
        before = len(self._answers)
        self._answers = deque(each for each in self._answers if each[1] is not gone)
        return before - len(self._answers)

    def advance(self, until: float, opened: Floats, cost: Ints) -> None:
        """Go on to ``until`` (seconds); open streams issue at ``opened`` (in order) writes of ``cost`` bytes' work."""
        if self._coming:
            self._begin()
        if not self._rounds:
            return
        for at, size in zip(opened.tolist(), cost.tolist(), strict=True):
            self._run(at, before=True)
            self._work(at, size)
        self._run(until, before=False)

    def _begin(self) -> None:
        if not self._rounds and self._disk is not None:
            self._free_at = self._disk.server.free_at
        self._rounds |= {loop: loop.begin_rounds(self._disk) for loop in self._coming}
        self._coming = []

    def _run(self, until: float, *, before: bool) -> None:
        """Let loops go on to ``until``; ``before`` what happens there."""
        rounds, answers = list(self._rounds.values()), self._answers
        one = rounds[0] if len(rounds) == 1 else None
        while True:
            who = one or min(rounds, key=_soonest)
            t, due = who.soonest, answers[0][0] if answers else NEVER
            if min(t, due) > until or (before and min(t, due) == until):
                return
            if t <= due:
                finish = self._work(t, who.issue())
                answers.append((finish, who))
            else:
                answers.popleft()[1].answer(due)

    def _work(self, t: float, size: int) -> float:
        """When a write issued at ``t`` is answered: `FifoServer` for one after another."""
        disk = self._disk
        if disk is None:
            return t
        capacity = disk.server.capacity
        self._free_at = min(max(self._free_at, capacity.work_at(t)) + size, MOST)
        finish = capacity.when_at(self._free_at)
        return finish + disk.latency_s if disk.latency_s else finish


def _soonest(each: Round) -> float:
    return each.soonest


def units(disk: DiskPace, length: Ints) -> Ints:
    """What writes cost a disk that does not care where they go, in units of its capacity."""
    found = disk.server.capacity.units(disk.charge(length, NO_JUMP))
    return np.maximum(found, 1)
