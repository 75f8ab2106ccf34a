"""Earliest deadline first, preemptive: each class may take so long, and the most urgent head is served.

An item's deadline is its ready instant plus its class's allowance (a group's RPO); ties go to the lower
class. All in whole units of the work domain, where the server always moves at rate one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from drsim.columns import Columns
from drsim.wan.capacity import Capacity, Floats, Ints
from drsim.wan.looped import Loop, LoopServer, compile_loop

Row = Any
Rows = Any
_NEVER = 2**62


def most_urgent(place: Row, deadline: Row, served: Row, offered: Row) -> int:
    """Class with work whose oldest item is due first; -1 if none has work."""
    best = -1
    for c in range(len(served)):
        if served[c] < offered[c] and (best < 0 or deadline[place[c]] < deadline[place[best]]):
            best = c
    return best


def take_up(x: int, arrivals: Rows, offered: Row) -> int:
    """Take up what has arrived by ``x``; give the next arrival's work (or `_NEVER`)."""
    place, stop, at, sums = arrivals
    then = _NEVER
    for c in range(len(offered)):
        while place[c] < stop[c] and at[place[c]] <= x:
            offered[c] = sums[place[c]]
            place[c] += 1
        if place[c] < stop[c] and at[place[c]] < then:
            then = at[place[c]]
    return then


def serve(x: int, until: int, arrivals: Rows, items: Rows, served: Row, offered: Row) -> None:
    """Serve from work ``x`` to ``until``.

    Args:
        x, until: units of the link's work domain.
        arrivals: per class next and last place in: arrival's work, and what was offered with it.
        items: per class next and last place in: what finishes each item, its deadline, its finish (result).
        served, offered: per class, units so far.
    """
    place, _, ends, deadline, finish = items
    then = take_up(x, arrivals, offered)
    while x < until:
        then = min(then, until)
        c = most_urgent(place, deadline, served, offered)
        step = then - x
        if c >= 0:
            step = min(step, ends[place[c]] - served[c])
            served[c] += step
            if served[c] == ends[place[c]]:
                finish[place[c]] = x + step
                place[c] += 1
        x += step
        then = take_up(x, arrivals, offered)


@functools.cache
def _compiled() -> Loop | None:
    return compile_loop(serve, (most_urgent, take_up))


class EarliestServer(LoopServer):
    """Classes with an allowance each; whoever is nearest to its deadline goes first.

    Args:
        capacity: C(t).
        allowances: seconds a class's items may take, inf for no hurry.
        interpreted: do without numba even where it is installed (the results are the same, to the bit).
    """

    def __init__(self, capacity: Capacity, allowances: Sequence[float], *, interpreted: bool = False) -> None:
        super().__init__(capacity, len(allowances), np.float64)
        self._allowances = list(allowances)
        self._given = np.zeros((2, len(allowances)), np.int64)
        self._x = 0
        self._body = None if interpreted else _compiled()

    def _rows(self, klass: int, ready: Floats, sums: Ints) -> Columns:
        return sums, ready + self._allowances[klass]

    def _served(self, klass: int) -> tuple[int, float]:
        return int(self._given[0, klass]), self.now

    def _serve(self, until: float, arrivals: Columns, items: Columns) -> Floats:
        first, last, ready, sums = arrivals
        finish = np.full(len(items[2]), _NEVER)
        arrivals = (first, last, self.capacity.work(ready), sums)
        begin, reached = int(self._x), self.capacity.work_at(until)
        place = items[0].copy()
        if self._body is not None:
            self._body(begin, reached, arrivals, (*items, finish), *self._given)
        else:
            lists = [[row.tolist() for row in rows] for rows in (arrivals, (*items, finish), self._given)]
            serve(begin, reached, lists[0], lists[1], *lists[2])
            items[0][:], finish[:], self._given[:] = lists[1][0], lists[1][4], lists[2]
        self._x = reached
        done = np.zeros(len(finish))
        for i, j in zip(place.tolist(), items[0].tolist(), strict=True):
            done[i:j] = self.capacity.when(finish[i:j])
        return done

    def _idle(self, until: float) -> None:
        self._x = self.capacity.work_at(until)

    def _drop(self, klass: int | None, reached: int) -> None:
        del reached
        for each in range(self.classes) if klass is None else [klass]:
            self._queue[each].clear()
            self._given[:, each] = self._totals[each]

    def _copy_into(self, twin: Self) -> None:
        super()._copy_into(twin)
        twin._given = self._given.copy()
