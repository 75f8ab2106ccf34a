"""Cumulative capacity C(t) of a server whose rate is piecewise constant, and its inverse.

Work is counted in whole units of 2**-k bytes (int64), so that sums are exact and a result cannot
depend on how writes were cut into batches. ``work`` rounds down once per instant; nothing accumulates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_LIMIT_BITS = 61


@dataclass(frozen=True, slots=True, eq=False)
class Capacity:
    """C(t) for ``t >= start[0]``.

    Attributes:
        start: float64[s], seconds, first instant of each segment, strictly increasing.
        rate: float64[s], bytes/s in each segment (0 while down).
        base: int64[s], units served from ``start[0]`` to each segment's start.
        shift: units are 2**-shift bytes.
    """

    start: Floats
    rate: Floats
    base: Ints
    shift: int

    def work(self, t: Floats) -> Ints:
        """Units served by each instant ``t`` (float64[n], seconds, not before ``start[0]``), rounded down."""
        segment = np.searchsorted(self.start, t, side="right") - 1
        elapsed = t - self.start[segment]
        return self.base[segment] + (elapsed * self._unit_rate()[segment]).astype(np.int64)

    def when(self, work: Ints) -> Floats:
        """Earliest instant at which C reaches each ``work`` (int64[n], units); inf where it never does."""
        segment = np.searchsorted(self.base, work, side="left") - 1
        np.maximum(segment, 0, out=segment)
        left = work - self.base[segment]
        rate = self._unit_rate()[segment]
        with np.errstate(divide="ignore", invalid="ignore"):
            t = self.start[segment] + left / rate
        return np.where(left <= 0, self.start[segment], t)

    def units(self, nbytes: Ints) -> Ints:
        """Bytes (int64[n]) as units."""
        return nbytes << self.shift

    def average(self, begin: float, end: float) -> float:
        """Mean rate over an interval, bytes/s."""
        first, last = self.work(np.array([begin, end]))
        return int(last - first) / 2.0**self.shift / (end - begin)

    def _unit_rate(self) -> Floats:
        return self.rate * float(2**self.shift)


def capacity(steps: Sequence[tuple[float, float]], horizon: float) -> Capacity:
    """Build C(t) from ``(instant, bytes/s)`` steps in order; the last rate holds for ever.

    ``horizon`` (seconds) chooses the unit: work through twice the horizon at the fastest rate must fit
    61 bits. Raises ValueError where a rate is negative or infinite, or the instants do not increase.
    """
    merged: list[tuple[float, float]] = []
    for at, rate in steps:
        if not math.isfinite(rate) or rate < 0:
            raise ValueError(f"a rate must be finite and not negative, not {rate}")
        if merged and at <= merged[-1][0]:
            raise ValueError(f"steps must increase in time: {at} after {merged[-1][0]}")
        if not merged or rate != merged[-1][1]:
            merged.append((at, rate))
    fastest = max(rate for _, rate in merged)
    shift = max(0, min(30, _LIMIT_BITS - math.ceil(math.log2(max(fastest * horizon * 2, 2.0)))))
    start = np.array([at for at, _ in merged])
    rates = np.array([rate for _, rate in merged])
    served = np.floor(np.diff(start) * rates[:-1] * float(2**shift)).astype(np.int64)
    base = np.concatenate([np.zeros(1, np.int64), np.cumsum(served)])
    return Capacity(start, rates, base, shift)
