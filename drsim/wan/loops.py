"""Loops behind capacity, the first-in first-out server and levels of priority; each has a NumPy body beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Floats, Ints
from drsim.blocks.compiled import compiled

Bools = NDArray[np.bool_]
_GIVEN = "Array({}, 1, 'C', readonly=True)".format
_INTS, _FLOATS = _GIVEN("int64"), _GIVEN("float64")


STRETCH = 1024
"""Instants found together, among which float64 are evenly spaced."""


_EXACT = 2**53
"""Integers up to here are float64."""


@compiled(f"boolean({_INTS}, {_FLOATS}, {_FLOATS}, {_INTS}, int64, int64, float64[::1], boolean[::1])")
def instants(  # noqa: PLR0913 - a loop takes columns one by one
    work: Ints, start: Floats, rate: Floats, base: Ints, segment: int, never: int, t: Floats, fair: Bools
) -> bool:
    """Fill ``t`` with the first float64 at which each ``work`` is reached: the twin of `Capacity._when`.

    A stretch is fair where one rate serves all of it, and float64 are evenly spaced about all that is left to serve,
    and about all the instants and a few places on. There a guess is at most two places off; from two places before
    it, four steps are made without a branch, and what came out is checked.

    Args:
        work: int64[n], units, non-decreasing, in stretches of `STRETCH`.
        start: float64[s], seconds, first instant of each segment.
        rate: float64[s], units/s in each.
        base: int64[s], units served before each.
        segment: the one in which the first is reached.
        never: units that are never reached.
        t: float64[n], filled where stretches are fair.
        fair: for each stretch, filled with whether it is.

    Returns:
        Whether all are.
    """
    unfair = 0
    for k in range(len(fair)):
        begin, end = k * STRETCH, min((k + 1) * STRETCH, len(work))
        low, high = work[begin], work[end - 1]
        while segment + 1 < len(base) and base[segment + 1] < low:
            segment += 1
        before, origin, pace = base[segment], start[segment], rate[segment]
        within = segment + 1 == len(base) or high <= base[segment + 1]
        fair[k] = pace > 0 and low > before and high < never and within
        if fair[k]:
            least, most = np.float64(low - before), np.float64(high - before)
            more = np.spacing(most) if most > _EXACT else 0.0
            place = np.spacing(least / pace + origin)
            even = more == 0.0 or np.spacing(least) == more
            even = even and np.spacing(least / pace + origin - 8.0 * place) == place
            fair[k] = even and np.spacing(most / pace + origin + 8.0 * place) == place
        wrong = 0 if fair[k] else 1
        for i in range(np.uint64(begin), np.uint64(end if fair[k] else begin)):
            goal = np.float64(work[i] - before)
            goal += more if np.int64(goal) < work[i] - before else 0.0  # less than is left is not enough
            x = goal / pace + origin - 2.0 * place
            for _ in range(4):
                x += place if (x - origin) * pace < goal else 0.0
            wrong += 1 if (x - origin) * pace < goal else 0
            wrong += 1 if (x - place - origin) * pace >= goal else 0
            t[i] = x
        fair[k] = wrong == 0
        unfair += wrong
    return unfair == 0


@compiled(f"boolean({_FLOATS}, {_INTS}, int64, int64, int64[::1])")
def offered(ready: Floats, nbytes: Ints, shift: int, limit: int, units: Ints) -> bool:
    """Fill ``units`` with ``nbytes`` in units of 2**-shift bytes, one at least: the twin of `Server.offer`.

    Args:
        ready: float64[n], seconds.
        nbytes: int64[n].
        shift: see there.
        limit: bytes that are too many.
        units: int64[n], filled.

    Returns:
        Whether that is so: no size is at the limit, and ``ready`` does not decrease.
    """
    wrong = 1 if nbytes[0] >= limit else 0
    units[0] = max(nbytes[0] << shift, 1)
    for i in range(1, len(ready)):
        wrong += 1 if nbytes[i] >= limit else 0
        wrong += 1 if ready[i] < ready[i - 1] else 0
        units[i] = max(nbytes[i] << shift, 1)
    return wrong == 0


@compiled(f"void({_FLOATS}, {_FLOATS}, {_FLOATS}, {_INTS}, int64, int64[::1])")
def done(t: Floats, start: Floats, rate: Floats, base: Ints, segment: int, work: Ints) -> None:
    """Fill ``work`` with what was done by each instant: the twin of `Capacity.work`, for instants in order.

    Args:
        t: float64[n], seconds, non-decreasing, all before `NEVER` units are done.
        start, rate, base, segment: as of `serve`.
        work: int64[n], filled.
    """
    for i in range(len(t)):
        while segment + 1 < len(start) and start[segment + 1] <= t[i]:
            segment += 1
        work[i] = np.int64((t[i] - start[segment]) * rate[segment]) + base[segment]


@compiled(f"int64({_FLOATS}, {_INTS}, {_FLOATS}, {_FLOATS}, {_INTS}, int64, int64, int64, int64[::1])")
def serve(  # noqa: PLR0913 - a loop takes columns one by one
    ready: Floats,
    units: Ints,
    start: Floats,
    rate: Floats,
    base: Ints,
    segment: int,
    at: int,
    never: int,
    finish: Ints,
) -> int:
    """Fill ``finish`` with ``W_i = max(W_{i-1}, C(ready_i)) + units_i``; give the last, or -1 if one is ``never``.

    The twin of `Capacity.work` and `drsim.wan.fifo.Fifo.finish_work`.

    Args:
        ready: float64[n], seconds, non-decreasing.
        units: int64[n], or [1]: the same for all.
        start: float64[s], seconds, first instant of each segment.
        rate: float64[s], units/s in each.
        base: int64[s], units served before each.
        segment: the one in which the first is ready.
        at: ``W_0``.
        never: units that are never served, no less than any of ``units``; twice as many are an int64.
        finish: int64[n], filled.
    """
    last = len(units) - 1
    for i in range(len(ready)):
        while segment + 1 < len(start) and start[segment + 1] <= ready[i]:
            segment += 1
        served = (ready[i] - start[segment]) * rate[segment]
        if served >= never:
            return -1
        at = max(at, np.int64(served) + base[segment])
        if at >= never:
            return -1
        at += units[np.uint64(min(i, last))]
        finish[i] = at
    return at if at < never else -1


@compiled(f"void({_INTS}, {_INTS}, int64[::1], int64[::1], int64[::1], int64)")
def enter(arrival: Ints, units: Ints, idle: Ints, total: Ints, finish: Ints, never: int) -> None:
    """Fill ``idle``, ``total`` and ``finish`` as items come to a level: the twin of `drsim.wan.priority.Level._pass`.

    Args:
        arrival: int64[n], non-decreasing.
        units: int64[n], or [1]: the same for all.
        idle, total: int64[n + 1]; the first is given, the rest filled.
        finish: int64[n], filled, at most ``never``; of no length if nobody asks.
    """
    least, done, last = idle[0], total[0], len(units) - 1
    for i in range(len(arrival)):
        least = max(least, arrival[i] - done)
        done += units[np.uint64(min(i, last))]
        idle[i + 1] = least
        total[i + 1] = done
        if len(finish):
            finish[i] = min(least + done, never)


_ONE = np.uint64(1)


def _below(column: Ints, value: int) -> Any:
    """How many rows of a sorted column are below ``value``."""
    low, high = 0, len(column)
    while low < high:
        middle = (low + high) // 2
        if column[middle] < value:
            low = middle + 1
        else:
            high = middle
    return np.uint64(low)


def _left(x: Ints, arrival: Ints, idle: Ints, total: Ints, left: Ints, rows: Any, after: Any) -> None:
    """`leaves` for some rows of ``x``, the first of which has so many arrivals before it, or more."""
    i, stop = rows
    while i < stop:
        past = np.uint64(after < np.uint64(len(arrival)) and arrival[after] <= x[i])
        left[i] = max(x[i] - total[after], idle[after])
        after += past
        i += _ONE - past


@compiled(f"void({_INTS}, {_INTS}, {_INTS}, {_INTS}, int64[::1])")
def leaves(x: Ints, arrival: Ints, idle: Ints, total: Ints, left: Ints) -> None:
    """Fill ``left`` with what a level leaves to those below it: the twin of `drsim.wan.priority.Level.leaves`.

    It goes one on in one of two columns, without a branch, and through both halves of ``x`` at once: each step waits
    for the one before it.

    Args:
        x: int64[n], non-decreasing.
        arrival: int64[m]. idle, total: int64[m + 1].
        left: int64[n], filled.
    """
    m, n, half = np.uint64(len(arrival)), np.uint64(len(x)), np.uint64(len(x) // 2)
    i, p, j, q = np.uint64(0), _below(arrival, x[0]), half, _below(arrival, x[half])
    while i < half and j < n and p < m and q < m:
        for _ in range(min(min(half - i, n - j), min(m - p, m - q))):
            past, gone = np.uint64(arrival[p] <= x[i]), np.uint64(arrival[q] <= x[j])
            left[i] = max(x[i] - total[p], idle[p])
            left[j] = max(x[j] - total[q], idle[q])
            p, q = p + past, q + gone
            i, j = i + (_ONE - past), j + (_ONE - gone)
    _left(x, arrival, idle, total, left, (i, half), p)
    _left(x, arrival, idle, total, left, (j, n), q)


def _back(y: Ints, idle: Ints, total: Ints, x: Ints, rows: Any, after: Any) -> None:
    """`returns` for some rows of ``y``, at the first of which ``idle`` is lower through this place, or farther."""
    i, stop = rows
    while i < stop:
        past = np.uint64(after + _ONE < np.uint64(len(idle)) and idle[after + _ONE] < y[i])
        x[i] = y[i] + total[after]
        after += past
        i += _ONE - past


@compiled(f"void({_INTS}, {_INTS}, {_INTS}, int64[::1])")
def returns(y: Ints, idle: Ints, total: Ints, x: Ints) -> None:
    """Fill ``x`` with where a level has left each ``y``: the twin of `drsim.wan.priority.Level.returns`.

    Args:
        y: int64[n], non-decreasing, beyond ``idle[0]``.
        idle, total: int64[m + 1].
        x: int64[n], filled.
    """
    m, n, half = np.uint64(len(idle) - 1), np.uint64(len(y)), np.uint64(len(y) // 2)
    i, p, j, q = np.uint64(0), _below(idle, y[0]) - _ONE, half, _below(idle, y[half]) - _ONE
    while i < half and j < n and p < m and q < m:
        for _ in range(min(min(half - i, n - j), min(m - p, m - q))):
            past, gone = np.uint64(idle[p + _ONE] < y[i]), np.uint64(idle[q + _ONE] < y[j])
            x[i] = y[i] + total[p]
            x[j] = y[j] + total[q]
            p, q = p + past, q + gone
            i, j = i + (_ONE - past), j + (_ONE - gone)
    _back(y, idle, total, x, (i, half), p)
    _back(y, idle, total, x, (j, n), q)
