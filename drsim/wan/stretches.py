"""What the loop that finds instants must know beforehand, for each stretch of a column of work."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from drsim.blocks.batch import Floats, Ints
from drsim.wan.loops import STRETCH

Line = tuple[Floats, Floats, Ints]
"""Of each segment of a capacity: seconds, units/s, units served before it."""

_EXACT = 2**53
"""Integers up to here are float64."""


def stretches(line: Line, work: Ints, first: Ints, never: int) -> tuple[Any, ...]:
    """Give the arguments of `drsim.wan.loops.instants` that there is one of for each stretch.

    A stretch is fair where one rate serves all of it, and float64 are evenly spaced about all that is left to serve,
    and about all the instants and a few places on.

    Args:
        line: the capacity.
        work: int64[n], units, non-decreasing, n at least 1.
        first: the first place of each stretch.
        never: units that are never reached.
    """
    if len(first) == 1:
        return _single(line, int(work[0]), int(work[-1]), never)
    starts, rates, bases = line
    low, high = work[first], work[np.minimum(first + STRETCH, len(work)) - 1]
    segment = np.maximum(bases.searchsorted(low, side="left") - 1, 0)
    start, rate, base = starts[segment], rates[segment], bases[segment]
    fair = (rate > 0) & (low > base) & (high < never) & (bases.searchsorted(high) - 1 <= segment)
    least, most = (low - base).astype(np.float64), (high - base).astype(np.float64)
    step = np.where(most > _EXACT, np.spacing(most), 0.0)
    fair &= (step == 0) | (np.spacing(least) == step)
    rate = np.where(fair, rate, 1.0)
    ulp = np.spacing(least / rate + start)
    fair &= np.spacing(least / rate + start - 8 * ulp) == ulp
    fair &= np.spacing(most / rate + start + 8 * ulp) == ulp
    return base, start, rate, step, ulp, fair


def _single(line: Line, low: int, high: int, never: int) -> tuple[Any, ...]:
    """`stretches` for one, in numbers: a third of the time."""
    starts, rates, bases = line
    k = max(int(bases.searchsorted(low, side="left")) - 1, 0)
    start, rate, base = float(starts[k]), float(rates[k]), int(bases[k])
    least, most = float(low - base), float(high - base)
    fair = rate > 0 and least > 0 and high < never and (k + 1 == len(bases) or high <= bases[k + 1])
    step = ulp = 0.0
    if fair:
        step = math.ulp(most) if most > _EXACT else 0.0
        begin, end = least / rate + start, most / rate + start
        ulp = math.ulp(begin)
        fair = not step or math.ulp(least) == step
        fair = fair and math.ulp(begin - 8 * ulp) == ulp == math.ulp(end + 8 * ulp)
    of = slice(k, k + 1)
    return bases[of], starts[of], rates[of], np.array([step]), np.array([ulp]), np.array([fair])
