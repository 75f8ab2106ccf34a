"""Cumulative capacity C(t) of a server whose rate is piecewise constant, and its exact inverse.

Work is counted in whole units of 2**-k bytes (int64), so that sums are exact and a result cannot
depend on how writes were cut into batches. ``work`` rounds down once per instant; nothing accumulates.
``when`` is its inverse to the last bit: the first float64 at which ``work`` reaches a value, so
``when(x) <= t`` is the same as ``x <= work(t)`` and nobody ever has to compare with a tolerance.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from drsim.wan.loops import NEVER, WHEN, WORK

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Scalars = Floats | np.float64
Segment = int | NDArray[np.intp]
X = TypeVar("X", np.int64, np.float64)
Y = TypeVar("Y", np.int64, np.float64)

_LIMIT_BITS = 61
_WORTH = 256
_FEW = 8
_NEVER = float(NEVER)


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
    _scalars: tuple[list[float], list[float], list[int]] = field(init=False, repr=False)
    _speed: Floats = field(init=False, repr=False)
    """float64[s], units/s."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_speed", self.rate * 2.0**self.shift)
        rate: list[float] = self._speed.tolist()
        object.__setattr__(self, "_scalars", (self.start.tolist(), rate, self.base.tolist()))

    def work(self, t: Floats) -> Ints:
        """Units served by each instant ``t`` (float64[n], seconds, not before ``start[0]``), rounded down.

        Instants may come in any order; beyond `NEVER` units the answer stays there.
        """
        if len(t) <= _FEW:
            return np.array([self.work_at(each) for each in t.tolist()], np.int64)
        if (body := WORK.body(len(t))) is not None:
            total = np.empty(len(t), np.int64)
            body(t, self.start, self._speed, self.base, total)
            return total
        low, high = self._segment_of(float(t.min())), self._segment_of(float(t.max()))
        if low == high:
            return self._work_within(t, low)
        if (high - low) * _WORTH < len(t) and bool((t[1:] >= t[:-1]).all()):
            edges = t.searchsorted(self.start[low + 1 : high + 1], side="left")
            return self._pieces(t, edges, low, self._work_within)
        return self._work_within(t, np.searchsorted(self.start, t, side="right") - 1)

    def work_at(self, t: float) -> int:
        """Units served by one instant (seconds): `work` for a single number, to the bit."""
        starts, rates, bases = self._scalars
        segment = self._segment_of(t)
        if rates[segment] == 0:
            return bases[segment]
        return min(bases[segment] + int(min((t - starts[segment]) * rates[segment], _NEVER)), NEVER)

    def when(self, work: Ints) -> Floats:
        """First instant at which `work` reaches each ``work`` (int64[n], units); inf where it never does."""
        if len(work) <= _FEW:
            return np.array([self.when_at(each) for each in work.tolist()], np.float64)
        if (body := WHEN.body(len(work))) is not None:
            t = np.empty(len(work))
            body(work, self.start, self._speed, self.base, t, t.view(np.int64))
            return t
        low, high = self._reaches(int(work.min())), self._reaches(int(work.max()))
        if low == high:
            return self._when_within(work, low)
        if (high - low) * _WORTH < len(work) and bool((work[1:] >= work[:-1]).all()):
            edges = work.searchsorted(self.base[low + 1 : high + 1], side="right")
            return self._pieces(work, edges, low, self._when_within)
        segment = np.searchsorted(self.base, work, side="left") - 1
        return self._when_within(work, np.maximum(segment, 0))

    def when_at(self, work: int) -> float:
        """First instant (seconds) at which one amount of work is reached: `when` for one, to the bit."""
        starts, rates, bases = self._scalars
        segment = self._reaches(work)
        start, rate, left = starts[segment], rates[segment], work - bases[segment]
        if left <= 0:
            return start
        if rate == 0 or work >= NEVER:
            return math.inf
        t = left / rate + start
        while (t - start) * rate < left:
            t = math.nextafter(t, math.inf)
        while ((before := math.nextafter(t, 0.0)) - start) * rate >= left:
            t = before
        return t

    def units(self, nbytes: Ints) -> Ints:
        """Bytes (int64[n]) as units; sizes that would overflow become `NEVER`."""
        if len(nbytes) and int(nbytes.max()) >= NEVER >> self.shift:
            return np.where(nbytes >= NEVER >> self.shift, NEVER, nbytes << self.shift)
        return nbytes << self.shift

    def average(self, begin: float, end: float) -> float:
        """Mean rate over an interval, bytes/s."""
        return (self.work_at(end) - self.work_at(begin)) / 2.0**self.shift / (end - begin)

    def _segment_of(self, t: float) -> int:
        return max(bisect.bisect_right(self._scalars[0], t) - 1, 0)

    def _reaches(self, work: int) -> int:
        return max(bisect.bisect_left(self._scalars[2], work) - 1, 0)

    def _pieces(
        self, x: NDArray[X], edges: NDArray[np.intp], low: int, body: Callable[[NDArray[X], int], NDArray[Y]]
    ) -> NDArray[Y]:
        """Apply ``body`` segment by segment to a sorted column: scalars instead of gathered columns."""
        bounds = [0, *edges.tolist(), len(x)]
        spans = enumerate(itertools.pairwise(bounds), start=low)
        return np.concatenate([body(x[i:j], segment) for segment, (i, j) in spans if i < j])

    def _work_within(self, t: Floats, segment: Segment) -> Ints:
        done = t - self.start[segment]
        done *= self.rate[segment] * 2.0**self.shift
        saturates = float(done.max()) + float(self.base[-1]) >= NEVER
        if saturates:
            np.minimum(done, float(NEVER), out=done)
        total = done.astype(np.int64)
        total += self.base[segment]
        return np.minimum(total, NEVER) if saturates else total

    def _when_within(self, work: Ints, segment: Segment) -> Floats:
        left = work - self.base[segment]
        start, rate = self.start[segment], self.rate[segment] * 2.0**self.shift
        if bool(np.all(rate > 0)) and int(left.min()) > 0 and int(work.max()) < NEVER:
            return _first_instants(left, start, rate)
        rate, start = np.broadcast_to(rate, left.shape), np.broadcast_to(start, left.shape)
        t = np.where(left > 0, np.inf, start)
        live = (left > 0) & (rate > 0) & (work < NEVER)
        t[live] = _first_instants(left[live], start[live], rate[live])
        return t


def _first_instants(left: Ints, start: Scalars, rate: Scalars) -> Floats:
    """First float64 ``t`` with ``(t - start) * rate >= left``, all positive.

    The division guesses; then t walks, by units in the last place, to where the product as `work`
    computes it says so. A guess is a place or two off, so a round or two end the walk.
    """
    goal = left.astype(np.float64)
    if len(left) and int(left.max()) > 2**53:
        goal = np.where(goal.astype(np.int64) < left, np.nextafter(goal, np.inf), goal)
    t = goal / rate
    t += start
    bits = t.view(np.int64)
    done = np.empty_like(t)
    short = np.empty(len(t), np.bool_)
    while _falls_short(t, start, rate, goal, done, short).any():
        bits += short
    while True:
        before = (bits - 1).view(np.float64)
        enough = ~_falls_short(before, start, rate, goal, done, short)
        if not enough.any():
            return t
        bits -= enough


def _falls_short(
    t: Floats, start: Scalars, rate: Scalars, goal: Floats, done: Floats, short: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    np.subtract(t, start, out=done)
    np.multiply(done, rate, out=done)
    return np.less(done, goal, out=short)


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


def cumulate(start: int, units: Ints) -> Ints:
    """``start`` and the running sums after it (int64[n + 1]), held at `NEVER`."""
    total = np.empty(len(units) + 1, np.int64)
    total[0] = start
    if start + units.sum(dtype=np.float64) < NEVER:
        np.cumsum(units, out=total[1:])
        total[1:] += start
        return total
    at = start
    for i, each in enumerate(units.tolist(), start=1):
        at = min(at + each, NEVER)
        total[i] = at
    return total
