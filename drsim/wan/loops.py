"""Loops behind capacity, the first-in first-out server and levels of priority; each has a NumPy body beside it."""

from __future__ import annotations

import math

import numpy as np

from drsim.blocks.batch import Floats, Ints
from drsim.blocks.compiled import compiled

_GIVEN = "Array({}, 1, 'C', readonly=True)".format
_INTS, _FLOATS = _GIVEN("int64"), _GIVEN("float64")


@compiled(f"void({_INTS}, {_FLOATS}, {_FLOATS}, {_INTS}, int64, float64[::1], int64[::1])")
def instants(
    work: Ints, start: Floats, rate: Floats, base: Ints, segment: int, t: Floats, bits: Ints
) -> None:
    """Fill ``t`` with the first float64 at which each ``work`` is reached: the twin of `Capacity.when`.

    Args:
        work: int64[n], units below `NEVER`, non-decreasing.
        start: float64[s], seconds, first instant of each segment.
        rate: float64[s], units/s in each.
        base: int64[s], units served before each.
        segment: where the first of ``work`` is reached.
        t: float64[n], filled.
        bits: int64[n], the same memory as ``t``: one more is the next float64.
    """
    for i in range(len(work)):
        wanted = work[i]
        while segment + 1 < len(base) and base[segment + 1] < wanted:
            segment += 1
        left, since, speed = wanted - base[segment], start[segment], rate[segment]
        if left <= 0:
            t[i] = since
        elif speed == 0.0:
            t[i] = math.inf
        else:
            t[i] = left
            if left > 2**53 and np.int64(t[i]) < left:
                bits[i] += 1
            goal = t[i]
            t[i] = goal / speed + since
            while (t[i] - since) * speed < goal:
                bits[i] += 1
            bits[i] -= 1
            while (t[i] - since) * speed >= goal:
                bits[i] -= 1
            bits[i] += 1


@compiled(f"int64({_FLOATS}, {_INTS}, {_FLOATS}, {_FLOATS}, {_INTS}, int64, int64, int64[::1])")
def serve(  # noqa: PLR0913 - a loop takes columns one by one
    ready: Floats, units: Ints, start: Floats, rate: Floats, base: Ints, segment: int, at: int, finish: Ints
) -> int:
    """Fill ``finish`` with ``W_i = max(W_{i-1}, C(ready_i)) + units_i``; give the last.

    The twin of `Capacity.work` and `drsim.wan.fifo.Fifo.finish_work`.

    Args:
        ready: float64[n], seconds, non-decreasing.
        units: int64[n].
        start: float64[s], seconds, first instant of each segment.
        rate: float64[s], units/s in each.
        base: int64[s], units served before each.
        segment: the one in which the first is ready.
        at: ``W_0``.
        finish: int64[n], filled.
    """
    for i in range(len(ready)):
        while segment + 1 < len(start) and start[segment + 1] <= ready[i]:
            segment += 1
        arrival = np.int64((ready[i] - start[segment]) * rate[segment]) + base[segment]
        at = max(at, arrival) + units[i]
        finish[i] = at
    return at


@compiled(f"void({_INTS}, {_INTS}, {_INTS}, {_INTS}, int64[::1])")
def leaves(x: Ints, arrival: Ints, idle: Ints, total: Ints, left: Ints) -> None:
    """Fill ``left`` with what a level leaves to those below it: the twin of `drsim.wan.priority.Level.leaves`.

    Args:
        x: int64[n], non-decreasing.
        arrival: int64[m]. idle, total: int64[m + 1].
        left: int64[n], filled.
    """
    after = 0
    for i in range(len(x)):
        while after < len(arrival) and arrival[after] <= x[i]:
            after += 1
        left[i] = max(x[i] - total[after], idle[after])


@compiled(f"void({_INTS}, {_INTS}, {_INTS}, int64[::1])")
def returns(y: Ints, idle: Ints, total: Ints, x: Ints) -> None:
    """Fill ``x`` with where a level has left each ``y``: the twin of `drsim.wan.priority.Level.returns`.

    Args:
        y: int64[n], non-decreasing, beyond ``idle[0]``.
        idle, total: int64[m + 1].
        x: int64[n], filled.
    """
    at = 0
    for i in range(len(y)):
        while at < len(idle) and idle[at] < y[i]:
            at += 1
        x[i] = y[i] + total[at - 1]
