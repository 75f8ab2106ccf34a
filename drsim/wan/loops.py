"""Loops behind capacity, the first-in first-out server and levels of priority; each has a NumPy body beside it."""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import Floats, Ints
from drsim.blocks.compiled import compiled

_GIVEN = "Array({}, 1, 'C', readonly=True)".format
_INTS, _FLOATS = _GIVEN("int64"), _GIVEN("float64")


@compiled(f"boolean({_INTS}, float64, float64, float64, float64, float64[::1])")
def first_instants(left: Ints, start: float, rate: float, left_ulp: float, ulp: float, t: Floats) -> bool:
    """Fill ``t`` with the first float64 at which ``(t - start) * rate >= left``, or say that it must be walked to.

    The twin of `drsim.wan.capacity._first_instants`. A guess is at most two places off; from two places before it,
    four steps are made without a branch, and what came out is checked.

    Args:
        left: int64[n], units, positive.
        start: seconds.
        rate: units/s, positive.
        left_ulp: the distance of float64 to the next one about all of ``left``; 0 where they are exact.
        ulp: the same about all instants.
        t: float64[n], filled.
    """
    wrong = 0
    for i in range(len(left)):
        goal = np.float64(left[i])
        goal += left_ulp if np.int64(goal) < left[i] else 0.0  # less than left is not enough
        x = goal / rate + start - 2.0 * ulp
        for _ in range(4):
            x += ulp if (x - start) * rate < goal else 0.0
        wrong += 1 if (x - start) * rate < goal else 0
        wrong += 1 if (x - ulp - start) * rate >= goal else 0
        t[i] = x
    return wrong == 0


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


@compiled(f"void({_INTS}, {_INTS}, int64[::1], int64[::1], int64[::1], int64)")
def enter(arrival: Ints, units: Ints, idle: Ints, total: Ints, finish: Ints, never: int) -> None:
    """Fill ``idle``, ``total`` and ``finish`` as items come to a level: the twin of `drsim.wan.priority.Level._pass`.

    Args:
        arrival, units: int64[n], ``arrival`` non-decreasing.
        idle, total: int64[n + 1]; the first is given, the rest filled.
        finish: int64[n], filled, at most ``never``.
    """
    least, done = idle[0], total[0]
    for i in range(len(units)):
        least = max(least, arrival[i] - done)
        done += units[i]
        idle[i + 1] = least
        total[i + 1] = done
        finish[i] = min(least + done, never)


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
