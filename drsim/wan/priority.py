"""Strict priority, preemptive-resume: each level is first-in first-out on the capacity the levels above left.

In the work domain x = C(t) a FIFO level with arrivals A_j and cumulative sizes S_j leaves by x

    L(x) = max(M_j, x - S_j),   M_j = max over i <= j of (A_i - S_{i-1}),   j = the last arrival by x,

idle work; the level below is the same FIFO in the domain y = L(x), and its finish y is reached at
``x = y + S_j`` for the last j with M_j < y. So every level's finish *in its own domain* is final once it has
arrived, and only the way back up depends on what comes above, which is known up to the instant reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from drsim.blocks.batch import joined, narrow
from drsim.columns import ColumnQueue, Columns
from drsim.wan import loops
from drsim.wan.capacity import NEVER, PIECE, Capacity, Floats, Ints, cumulate
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

    def admit(self, items: Columns, arrives: Callable[[Floats], Ints]) -> None:
        """Queue items (ready, units, class) that come at ``arrives(ready)`` of this level's domain, non-decreasing."""
        ready, units, owner = items
        n, known = len(ready), len(self.arrival)
        arrival, idle, total = np.empty((3, known + n + 1), np.int64)
        arrival[:known], idle[: known + 1], total[: known + 1] = self.arrival, self.idle, self.total
        finish = np.empty(n if self.seen else 0, np.int64)
        for i in range(0, n, PIECE):
            j = min(i + PIECE, n)
            new, on = slice(known + i, known + j), slice(known + i, known + j + 1)
            arrival[new] = arrives(ready[i:j])
            self._pass(arrival[new], units[i:j], idle[on], total[on], finish[i:j])
        if n > 1 and arrival[known] == arrival[known + n - 1]:
            # Of what arrives at one instant only the sum matters: M does not change within.
            idle[known + 1], total[known + 1], n = idle[known + n], total[known + n], 1
        self.arrival = arrival[: known + n]
        self.idle, self.total = idle[: known + n + 1], total[: known + n + 1]
        if self.seen:
            self.queue.push(finish, units, owner)

    def _pass(self, arrival: Ints, units: Ints, idle: Ints, total: Ints, finish: Ints) -> None:
        """Fill M and S after each item (int64[n + 1]; before the first they are there) and the finishes asked for."""
        n, since = len(units), int(total[0])
        twin = loops.enter.worth(n) if n > _FEW else None
        sizes = narrow(units)
        if twin is not None and since + float(sizes.max()) * n < NEVER:
            twin(arrival, sizes, idle, total, finish, NEVER)
            return
        total[:] = cumulate(since, units)
        np.subtract(arrival, total[:-1], out=idle[1:])
        np.maximum.accumulate(idle, out=idle)
        if self.seen:
            np.minimum(idle[1:] + total[1:], NEVER, out=finish)

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
        self.arrival, self.idle, self.total = _NO_INTS, self.idle[-1:].copy(), self.total[-1:].copy()

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
            for items in self._due(until, level.classes):
                level.admit(items, lambda ready, depth=depth: self._below(ready, depth))  # type: ignore[misc]

    def _collect(self, reached: int) -> Finished:
        done: Finished = []
        stands = [reached]
        for depth, level in enumerate(self._levels):
            if parts := level.queue.take_chunks(stands[depth], "right"):
                finish = self.capacity.when_each([self._surface(part[0], depth) for part in parts])
                done += self._split(level.classes, joined([part[2] for part in parts]), finish)
            stands.append(level.stand(stands[depth]))
        for at, level in zip(stands, self._levels, strict=False):
            level.settle(at)
        return done

    def _below(self, ready: Floats, depth: int) -> Ints:
        """Instants in the domain of the level at ``depth``."""
        arrival = self.capacity.work(ready, ordered=True)
        for above in self._levels[:depth]:
            arrival = above.leaves(arrival)
        return arrival

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
