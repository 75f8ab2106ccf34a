"""Strict priority, preemptive-resume: each level is first-in first-out on the capacity the levels above left.

In the work domain x = C(t) a FIFO level with arrivals A_j and cumulative sizes S_j leaves by x

    L(x) = max(M_j, x - S_j),   M_j = max over i <= j of (A_i - S_{i-1}),   j = the last arrival by x,

idle work; the level below is the same FIFO in the domain y = L(x), and its finish y is reached at
``x = y + S_j`` for the last j with M_j < y. So every level's finish *in its own domain* is final once it has
arrived, and only the way back up depends on what comes above, which is known up to the instant reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from drsim.columns import ColumnQueue
from drsim.wan import loops
from drsim.wan.capacity import NEVER, Capacity, Ints, cumulate
from drsim.wan.server import Finished, Server, drop_from

_NO_INTS: Ints = np.empty(0, np.int64)
_FEW = 32


@dataclass(slots=True)
class Level:
    """One priority: its queue, and its leftover L since the instant last reached.

    Attributes:
        classes: the classes of this priority.
        queue: (finish, units, class) of what is unfinished; finish in this level's domain.
        arrival: int64[n], arrivals since then, in this level's domain.
        idle: int64[n + 1], M before and after each.
        total: int64[n + 1], S before and after each.
        reached: units of this level's domain, where it stands.
        seen: whether anybody asks when its items finish; if not, they are only work in the way of others.
    """

    classes: tuple[int, ...]
    seen: bool = True
    queue: ColumnQueue = field(default_factory=lambda: ColumnQueue(np.int64, np.int64, np.int64))
    arrival: Ints = field(default_factory=lambda: _NO_INTS)
    idle: Ints = field(default_factory=lambda: np.zeros(1, np.int64))
    total: Ints = field(default_factory=lambda: np.zeros(1, np.int64))
    reached: int = 0

    def admit(self, arrival: Ints, units: Ints, owner: Ints) -> None:
        """Queue items; arrivals in this level's domain, non-decreasing."""
        idle, total, finish = self._pass(arrival, units)
        if (
            arrival[0] == arrival[-1]
        ):  # Of what arrives at one instant only the sum matters: M does not change within.
            arrival, idle, total = arrival[-1:], idle[[0, -1]], total[[0, -1]]
        if len(self.arrival):
            self.arrival = np.concatenate([self.arrival, arrival])
            self.idle = np.concatenate([self.idle, idle[1:]])
            self.total = np.concatenate([self.total, total[1:]])
        else:
            self.arrival, self.idle, self.total = arrival, idle, total
        if self.seen:
            self.queue.push(finish, units, owner)

    def _pass(self, arrival: Ints, units: Ints) -> tuple[Ints, Ints, Ints]:
        """M and S, before these items and after each (int64[n + 1]), and the finishes, if they are asked for."""
        n, since = len(units), int(self.total[-1])
        twin = loops.enter.worth(n) if n > _FEW else None
        if twin is not None and since + float(units.max()) * n < NEVER:
            idle, total = np.empty(n + 1, np.int64), np.empty(n + 1, np.int64)
            finish = np.empty(n if self.seen else 0, np.int64)
            idle[0], total[0] = self.idle[-1], since
            twin(np.ascontiguousarray(arrival), np.ascontiguousarray(units), idle, total, finish, NEVER)
            return idle, total, finish
        total = cumulate(since, units)
        idle = np.empty(n + 1, np.int64)
        idle[0] = self.idle[-1]
        np.subtract(arrival, total[:-1], out=idle[1:])
        np.maximum.accumulate(idle, out=idle)
        return idle, total, np.minimum(idle[1:] + total[1:], NEVER) if self.seen else units

    def leaves(self, x: Ints) -> Ints:
        """L at each ``x`` (int64[m], non-decreasing, this level's domain, not before where it stood)."""
        if len(self.arrival) == 0:
            alone: Ints = np.maximum(x - int(self.total[0]), int(self.idle[0]))
            return alone
        if len(x) > _FEW and (twin := loops.leaves.worth(len(x))) is not None:
            found = np.empty(len(x), np.int64)
            twin(np.ascontiguousarray(x), self.arrival, self.idle, self.total, found)
            return found
        after = self.arrival.searchsorted(x, side="right")
        left: Ints = x - self.total[after]
        np.maximum(left, self.idle[after], out=left)
        return left

    def returns(self, y: Ints) -> Ints:
        """First x at which L reaches each ``y`` (int64[m], non-decreasing, beyond where L stood)."""
        if len(self.arrival) == 0:
            return y + int(self.total[0])
        if len(y) > _FEW and (twin := loops.returns.worth(len(y))) is not None:
            found = np.empty(len(y), np.int64)
            twin(np.ascontiguousarray(y), self.idle, self.total, found)
            return found
        x: Ints = y + self.total[self.idle.searchsorted(y, side="left") - 1]
        return x

    def stand(self, x: int) -> int:
        """L at one ``x``."""
        if len(self.arrival) == 0:
            return max(x - int(self.total[0]), int(self.idle[0]))
        return int(self.leaves(np.array([x], np.int64))[0])

    def settle(self, reached: int) -> None:
        """Stand at ``reached``: forget the way there."""
        self.reached = reached
        self.arrival, self.idle, self.total = _NO_INTS, self.idle[-1:], self.total[-1:]

    def drop(self, klass: int | None) -> None:
        """Forget what is unfinished of one class, or of all."""
        assert self.seen or klass is None, "one class among unseen work can't be told from the others"
        rows = self.queue.all()
        left = self.stand(self.reached)
        self.queue.clear()
        self.idle, self.total = np.array([left]), np.array([self.reached - left])
        if klass is None:
            return
        units, owner = drop_from(rows, klass, self.reached)
        self.total = cumulate(self.reached - left, units)[-1:]
        self.queue.push(cumulate(self.reached, units)[1:], units, owner)


class PriorityServer(Server):
    """Classes of a lower priority number go first; equals share a queue in the order they become ready.

    ``unseen`` priorities are work of which nobody asks when it finishes: it only stands in the way of others.
    """

    def __init__(self, capacity: Capacity, priorities: Sequence[int], unseen: Sequence[int] = ()) -> None:
        super().__init__(capacity, len(priorities))
        self._levels = [
            Level(tuple(k for k, each in enumerate(priorities) if each == level), level not in unseen)
            for level in sorted(set(priorities))
        ]

    def _admit(self, until: float) -> None:
        for depth, level in enumerate(self._levels):
            for ready, units, owner in self._due(until, level.classes):
                arrival = self.capacity.work(ready, ordered=True)
                for above in self._levels[:depth]:
                    arrival = above.leaves(arrival)
                level.admit(arrival, units, owner)

    def _collect(self, reached: int) -> Finished:
        done: Finished = []
        stands = [reached]
        for depth, level in enumerate(self._levels):
            finish, _, owner = level.queue.take(stands[depth], "right")
            if len(finish):
                done += self._split(
                    level.classes, owner, self.capacity.when(self._surface(finish, depth), ordered=True)
                )
            stands.append(level.stand(stands[depth]))
        for at, level in zip(stands, self._levels, strict=False):
            level.settle(at)
        return done

    def _surface(self, y: Ints, depth: int) -> Ints:
        """From the domain of the level at ``depth`` to the link's own."""
        for above in reversed(self._levels[:depth]):
            y = above.returns(y)
        return y

    def _drop(self, klass: int | None, reached: int) -> None:
        del reached
        for level in self._levels:
            if klass is None or klass in level.classes:
                level.drop(klass)

    def _finish_of(self, klass: int, index: int) -> float:
        depth = next(d for d, level in enumerate(self._levels) if klass in level.classes)
        work = int(self._levels[depth].queue.nth(2, klass, index)[0])
        for above in reversed(self._levels[:depth]):
            work = int(above.returns(np.array([work], np.int64))[0])
            if work >= NEVER:
                return float("inf")
        return self.capacity.when_at(work)

    def _copy_into(self, twin: Self) -> None:
        twin._levels = [replace(level, queue=level.queue.copy()) for level in self._levels]
