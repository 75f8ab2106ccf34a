"""A place where parcels wait their turn (a link's transmitter, a disk): exact finish times, settled to an instant.

A parcel is a run of members (the frames of a train, the writes of a batch), each with an instant from
which it may be served. Each class of the server is first-in first-out; the server's discipline says how
classes share it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from drsim.blocks.batch import Floats, Ints

Done = Callable[[int, int, Floats], None]
Decided = Callable[[float], float]
"""From when something has happened (seconds): the earliest instant at which somebody may decide on it."""
NEVER = float("inf")


def at_once(at: float) -> float:
    """Somebody decides as it happens."""
    return at


def about(at: float) -> float:
    """An instant worked out by adding and subtracting, and the few places by which that may have come out early."""
    return at + 4 * math.ulp(at)


class Server(Protocol):
    """What a station needs of a server (`drsim.wan.server.Server`, or `Ideal`)."""

    def offer(self, klass: int, ready: Floats, nbytes: Ints) -> None:
        """Queue items of a class from their ``ready`` instants on."""

    def advance(self, until: float) -> list[tuple[int, Floats]]:
        """Finish instants, by class, of what finishes by ``until``."""

    def cut(self, at: float, klass: int | None = None) -> None:
        """Forget what is unfinished."""

    def finish_of(self, klass: int, index: int) -> float:
        """When the index-th unfinished item of a class finishes, if nothing else is offered."""

    def queued(self, klass: int) -> int:
        """Unfinished items of a class."""


@dataclass(slots=True, eq=False)
class Parcel:
    """``members`` items; ``done(first, last, finish)`` is called as they finish, in order.

    ``awaited``: somebody decides on it, at that instant at the earliest: no step of a settle may run past it.
    None: nobody decides. Parcels of a class that are not decided on `at_once` are in the order in which they finish.
    """

    members: int
    done: Done
    awaited: Decided | None = None
    handed: int = 0


class _Lane:
    """The parcels of one class, in order, and where among its items the awaited ones end: at once, and later."""

    __slots__ = ("awaited", "offered", "parcels", "served")

    def __init__(self) -> None:
        self.parcels: deque[Parcel] = deque()
        self.awaited: tuple[deque[tuple[int, Decided]], ...] = (deque(), deque())
        self.offered = 0
        self.served = 0

    def push(self, parcel: Parcel) -> None:
        self.parcels.append(parcel)
        self.offered += parcel.members
        if parcel.awaited is not None:
            ends = self.awaited[parcel.awaited is not at_once]
            ends.append((self.offered - 1, parcel.awaited))

    def hand_over(self, finish: Floats) -> None:
        self.served += len(finish)
        for ends in self.awaited:
            while ends and ends[0][0] < self.served:
                ends.popleft()
        start = 0
        while start < len(finish):
            parcel = self.parcels[0]
            first = parcel.handed
            part = finish[start : start + parcel.members - first]
            parcel.handed += len(part)
            start += len(part)
            if parcel.handed == parcel.members:
                self.parcels.popleft()
            parcel.done(first, first + len(part), part)

    def clear(self) -> None:
        self.parcels.clear()
        for ends in self.awaited:
            ends.clear()
        self.served = self.offered


class Station:
    """A server with the parcels that wait in each of its classes."""

    def __init__(self, server: Server, classes: int) -> None:
        self.server = server
        self._lanes = [_Lane() for _ in range(classes)]
        self._shadows: list[tuple[int, Floats, Ints]] = []
        self._shadowed: set[int] = set()

    def offer(self, klass: int, parcel: Parcel, ready: Floats, cost: Ints) -> None:
        """Queue a parcel (columns of ``parcel.members`` rows; seconds, bytes)."""
        if parcel.members:
            self._lanes[klass].push(parcel)
            self.server.offer(klass, ready, cost)

    def shadow(self, klass: int, ready: Floats, cost: Ints) -> None:
        """Let the server see work whose end nobody here asks for; ``ready`` need not follow on."""
        self._shadows.append((klass, ready, cost))

    def settle(self, until: float) -> bool:
        """Serve up to ``until``, calling ``done``; says whether anything finished."""
        if self._shadows:
            self._offer_shadows()
        finished = self.server.advance(until)
        moved = False
        for klass, finish in finished:
            if klass not in self._shadowed:
                self._lanes[klass].hand_over(finish)
                moved = True
        return moved

    follow = settle

    def _offer_shadows(self) -> None:
        """Work of the levels above, merged in time before the server sees it."""
        shadows, self._shadows = self._shadows, []
        for klass in {klass for klass, _, _ in shadows}:
            self._shadowed.add(klass)
            parts = [(ready, cost) for each, ready, cost in shadows if each == klass]
            if len(parts) == 1:
                self.server.offer(klass, *parts[0])
                continue
            ready, cost = (np.concatenate(columns) for columns in zip(*parts, strict=True))
            order = np.argsort(ready, kind="stable")
            self.server.offer(klass, ready[order], cost[order])

    def next_awaited(self, *, every: bool, beyond: float = 0.0, later: bool = True) -> float:
        """When somebody decides on a parcel (with ``every``: when the first item has happened), as things stand.

        An item has happened ``beyond`` seconds after it finishes here. Without ``later``: only those that are
        decided on as they happen.
        """
        soonest = NEVER
        for klass, lane in enumerate(self._lanes):
            if every and lane.offered > lane.served:
                soonest = min(soonest, self.server.finish_of(klass, 0) + beyond)
                continue
            for ends in lane.awaited if later else lane.awaited[:1]:
                if ends:
                    end, decided = ends[0]
                    finish = self.server.finish_of(klass, end - lane.served)
                    if finish < NEVER:
                        soonest = min(soonest, decided(finish + beyond))
        return soonest

    def finish_of_class(self, klass: int) -> float:
        """When the last item of a class finishes, as things stand (-inf if none waits)."""
        lane = self._lanes[klass]
        if lane.offered == lane.served:
            return -NEVER
        return self.server.finish_of(klass, self.server.queued(klass) - 1)

    def cut(self, at: float, klass: int | None = None) -> None:
        """Forget what waits, of one class or of all; the server must stand at ``at``."""
        for number, lane in enumerate(self._lanes):
            if klass is None or number == klass:
                lane.clear()
        self.server.cut(at, klass)


class Ideal:
    """A server that takes no time: an item finishes when it is ready, and not before the one ahead of it."""

    def __init__(self, classes: int = 1) -> None:
        self._ready: list[deque[Floats]] = [deque() for _ in range(classes)]
        self._latest = [-NEVER] * classes

    def offer(self, klass: int, ready: Floats, nbytes: Ints) -> None:  # noqa: ARG002
        """Queue items that finish as they come (float64[n] seconds; the cost does not matter)."""
        if ready[0] < self._latest[klass]:
            ready = np.maximum(ready, self._latest[klass])
        self._latest[klass] = float(ready[-1])
        self._ready[klass].append(ready)

    def advance(self, until: float) -> list[tuple[int, Floats]]:
        """What is ready by ``until``, by class."""
        finished: list[tuple[int, Floats]] = []
        for klass, queue in enumerate(self._ready):
            while queue and queue[0][0] <= until:
                head = queue.popleft()
                due = len(head) if head[-1] <= until else int(np.searchsorted(head, until, side="right"))
                finished.append((klass, head[:due]))
                if due < len(head):
                    queue.appendleft(head[due:])
                    break
        return finished

    def cut(self, at: float, klass: int | None = None) -> None:  # noqa: ARG002
        """Forget what waits."""
        for each in range(len(self._ready)) if klass is None else [klass]:
            self._ready[each].clear()

    def finish_of(self, klass: int, index: int) -> float:
        """When the index-th item of a class is ready (inf if there is none)."""
        for head in self._ready[klass]:
            if index < len(head):
                return float(head[index])
            index -= len(head)
        return NEVER

    def queued(self, klass: int) -> int:
        """Items of a class that wait."""
        return sum(len(head) for head in self._ready[klass])
