"""Weighted fair sharing (fluid): busy classes share the capacity by weight, within caps and reservations.

Each class is first-in first-out. Exact at breakpoints: rates change only when a class starts, runs dry, or
the capacity changes. See Parekh and Gallager 1993 for generalised processor sharing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import numpy as np

from drsim.wan import fluid
from drsim.wan.capacity import Capacity, Floats, Ints, cumulate
from drsim.wan.columns import ColumnQueue, Columns
from drsim.wan.server import Finished, Server

_ORIGIN = 0
_SERVED, _ANCHOR, _RATE, _DRY = range(4)
_FORESIGHT = 4.0
_MOST_REMEMBERED = 6


class WeightedServer(Server):
    """Classes with a weight, and perhaps a rate never to fall below or never to exceed.

    Args:
        capacity: C(t).
        weights: one a class, positive.
        floors: bytes/s reserved for each class while it is busy; met in proportion where they exceed C.
        ceilings: bytes/s each class may use at most, inf for no limit.
        interpreted: do without numba even where it is installed (the results are the same, to the bit).
    """

    def __init__(
        self,
        capacity: Capacity,
        weights: Sequence[float],
        floors: Sequence[float] = (),
        ceilings: Sequence[float] = (),
        *,
        interpreted: bool = False,
    ) -> None:
        super().__init__(capacity, len(weights))
        n, scale = len(weights), 2.0**capacity.shift
        self._share = np.array([weights, floors or [0.0] * n, ceilings or [math.inf] * n], np.float64)
        self._share[1:] *= scale
        self._rates = capacity.rate * scale
        self._whole = np.zeros((3, n), np.int64)
        self._real = np.zeros((4, n), np.float64)
        self._real[_DRY] = math.inf
        self._segment = 0
        self._totals = [0] * n
        self._queue = [ColumnQueue(np.int64) for _ in weights]
        self._done: Finished = []
        self._body = None if interpreted else fluid.compiled()

    def _admit(self, until: float) -> None:
        arrivals = [self._arrivals(klass, until) for klass in range(self.classes)]
        ends = [self._candidates(klass, until, sums) for klass, (_, sums) in enumerate(arrivals)]
        first, p_stop = _places([len(sums) for _, sums in arrivals])
        begin, q_stop = _places([len(column) for column in ends])
        place, finish = begin.copy(), np.empty(int(q_stop[-1]))
        columns = [np.concatenate(column) for column in zip(*arrivals, strict=True)]
        self._run(until, (first, p_stop, *columns), (place, q_stop, np.concatenate(ends), finish))
        self._done = []
        for klass, (i, j) in enumerate(zip(begin.tolist(), place.tolist(), strict=True)):
            if i < j:
                self._done.append((klass, finish[i:j]))
            self._keep(klass, ends[klass][j - i :], arrivals[klass][1])

    def _arrivals(self, klass: int, until: float) -> tuple[Floats, Ints]:
        ready, units = self._pending[klass].take(until, "left")
        sums = cumulate(self._totals[klass], units)
        self._totals[klass] = int(sums[-1])
        return ready, sums[1:]

    def _candidates(self, klass: int, until: float, sums: Ints) -> Ints:
        """What may finish by ``until``: no more than the link could carry, so a backlog costs nothing."""
        queue = self._queue[klass]
        if not len(queue):
            return sums
        since = self.capacity.work_at(float(self._real[_ANCHOR, klass]))
        could = self.capacity.work_at(until) - since
        could += int(self._real[_SERVED, klass]) + int(self._whole[_ORIGIN, klass])
        (ends,) = queue.take(could + (could >> 40) + (1 << self.capacity.shift), "right")
        return ends if len(queue) else np.concatenate([ends, sums])

    def _keep(self, klass: int, rest: Ints, sums: Ints) -> None:
        whole = len(self._queue[klass]) == 0
        self._queue[klass].push_front(rest)
        if not whole:
            self._queue[klass].append(sums)

    def _run(self, until: float, arrivals: Columns, items: Columns) -> None:
        line = (self.capacity.start, self._rates)
        state = (tuple(self._whole), tuple(self._real), tuple(self._share))
        scratch = (np.zeros(self.classes), np.zeros(self.classes), *self._memory())
        if self._body is not None:
            self._segment = self._body(until, line, self._segment, arrivals, items, state, scratch)
            return
        # Python is several times faster on lists of its own numbers than on array elements.
        tables = (line, arrivals, items, *state, scratch)
        listed = [[row.tolist() for row in rows] for rows in tables]
        edges, coming, served, *kept, spare = listed
        self._segment = fluid.serve(until, edges, self._segment, coming, served, kept, spare)
        for rows, lists in ((items, served), (state[0], kept[0]), (state[1], kept[1])):
            for row, values in zip(rows, lists, strict=True):
                row[:] = values

    def _memory(self) -> tuple[Ints, Floats]:
        sets = 2**self.classes if self.classes <= _MOST_REMEMBERED else 0
        return np.zeros(sets, np.int64), np.zeros(sets * self.classes)

    def _collect(self, reached: int) -> Finished:
        del reached
        done, self._done = self._done, []
        return done

    def _drop(self, klass: int | None, reached: int) -> None:
        del reached
        for each in range(self.classes) if klass is None else [klass]:
            self._queue[each].clear()
            self._whole[:, each] = self._totals[each], self._totals[each], 0
            self._real[:, each] = 0.0, self.now, 0.0, math.inf
        none = np.zeros(self.classes, np.int64)
        items = (none, none, none, np.zeros(self.classes))
        total, state = float(self._rates[self._segment]), (self._whole, self._real, self._share)
        fluid.rerate(self.now, total, items, state, self._memory(), np.zeros(self.classes))

    def _foresee(self, klass: int, index: int) -> float:
        """Run a copy ahead, in growing strides, until the item finishes."""
        twin, stride = self.copy(), 1e-3
        while True:
            until = twin.now + stride
            for each, finish in twin.advance(until if stride < 1e12 else math.inf):
                if each == klass and index < len(finish):
                    return float(finish[index])
                index -= len(finish) if each == klass else 0
            if stride >= 1e12:
                return math.inf
            stride *= _FORESIGHT

    def _finish_of(self, klass: int, index: int) -> float:
        return self._foresee(klass, index)

    def _copy_into(self, twin: Self) -> None:
        twin._whole, twin._real = self._whole.copy(), self._real.copy()
        twin._totals = self._totals.copy()
        twin._queue = [queue.copy() for queue in self._queue]


def _places(lengths: Sequence[int]) -> tuple[Ints, Ints]:
    """First and last place of each class in columns laid end to end."""
    stop = np.cumsum(np.array(lengths, np.int64))
    return stop - np.array(lengths, np.int64), stop
