"""Loops behind capacity and the first-in first-out server; each has a NumPy body beside it."""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import Floats, Ints
from drsim.blocks.compiled import compiled

_GIVEN = "Array({}, 1, 'C', readonly=True)".format
_INTS, _FLOATS = _GIVEN("int64"), _GIVEN("float64")


@compiled(f"void({_INTS}, float64, float64, float64[::1], int64[::1])")
def first_instants(left: Ints, start: float, rate: float, t: Floats, bits: Ints) -> None:
    """Fill ``t`` with the first float64 at which ``(t - start) * rate >= left``: `drsim.wan.capacity._first_instants`.

    Args:
        left: int64[n], units, positive.
        start: seconds.
        rate: units/s, positive.
        t: float64[n], filled.
        bits: int64[n], the same memory as ``t``: one more is the next float64.
    """
    for i in range(len(left)):
        t[i] = left[i]
    for i in range(len(left)):
        bits[i] += np.int64(np.int64(t[i]) < left[i])  # less than left is not enough
    for i in range(len(left)):
        goal = t[i]
        t[i] = goal / rate + start
        while (t[i] - start) * rate < goal:
            bits[i] += 1
        bits[i] -= 1
        while (t[i] - start) * rate >= goal:
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
