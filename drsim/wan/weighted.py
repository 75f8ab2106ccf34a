"""Weighted fair sharing (fluid): busy classes share the capacity by weight, within caps and reservations.

Each class is first-in first-out. Exact at breakpoints: rates change only when a class starts, runs dry, or
the capacity changes. See Parekh and Gallager 1993 for generalised processor sharing.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Sequence
from typing import Self

import numpy as np

from drsim.columns import Columns
from drsim.wan import fluid
from drsim.wan.capacity import Capacity, Floats, Ints
from drsim.wan.looped import Loop, LoopServer, compile_loop

_ORIGIN = 0
_DRY = 3
_MOST_REMEMBERED = 8


@functools.cache
def _compiled() -> Loop | None:
    return compile_loop(fluid.serve, fluid.PARTS)


class WeightedServer(LoopServer):
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
        self._body = None if interpreted else _compiled()

    def _rows(self, klass: int, ready: Floats, sums: Ints) -> Columns:
        del klass, ready
        return (sums,)

    def _served(self, klass: int) -> tuple[int, float]:
        served, anchor, rate = self._real[:_DRY, klass].tolist()
        return int(self._whole[_ORIGIN, klass]) + int(served + rate * (self.now - anchor)), self.now

    def _serve(self, until: float, arrivals: Columns, items: Columns) -> Floats:
        finish = np.empty(len(items[2]))
        items = (*items, finish)
        line = (self.capacity.start, self._rates)
        state = (tuple(self._whole), tuple(self._real), tuple(self._share))
        scratch = (np.zeros(self.classes), np.zeros(self.classes), *self._memory())
        if self._body is not None:
            self._segment = self._body(until, line, self._segment, arrivals, items, state, scratch)
            return finish
        # Python is several times faster on lists of its own numbers than on array elements.
        tables = (line, arrivals, items, *state, scratch)
        edges, coming, served, *kept, spare = [[row.tolist() for row in rows] for rows in tables]
        self._segment = fluid.serve(until, edges, self._segment, coming, served, kept, spare)
        for rows, lists in ((items, served), (state[0], kept[0]), (state[1], kept[1])):
            for row, values in zip(rows, lists, strict=True):
                row[:] = values
        return finish

    def _idle(self, until: float) -> None:
        self._segment = max(bisect.bisect_left(self.capacity.start.tolist(), until) - 1, 0)

    def _memory(self) -> tuple[Ints, Floats]:
        sets = 2**self.classes if self.classes <= _MOST_REMEMBERED else 0
        return np.zeros(sets, np.int64), np.zeros(sets * self.classes)

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

    def _copy_into(self, twin: Self) -> None:
        super()._copy_into(twin)
        twin._whole, twin._real = self._whole.copy(), self._real.copy()
