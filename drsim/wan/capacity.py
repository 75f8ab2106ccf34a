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

from drsim.blocks.compiled import Loop
from drsim.wan import loops
from drsim.wan.loops import STRETCH

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NEVER = 2**62
"""Work that no server reaches: a finish at `NEVER` is a finish at no time."""

Scalars = Floats | np.float64
Segment = int | NDArray[np.intp]
X = TypeVar("X", np.int64, np.float64)
Y = TypeVar("Y", np.int64, np.float64)

_LIMIT_BITS = 61
_WORTH = 256
_FEW = 8
PIECE = 8192
"""Rows worked on at a time, so that they stay in the processor's cache."""
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
    segments: tuple[Floats, Floats, Ints] = field(init=False, repr=False)
    """For loops: ``start``, the rate in units/s, ``base``."""
    _scalars: tuple[list[float], list[float], list[int]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rate = self.rate * 2.0**self.shift
        object.__setattr__(self, "segments", (self.start, rate, self.base))
        object.__setattr__(self, "_scalars", (self.start.tolist(), rate.tolist(), self.base.tolist()))

    def work(self, t: Floats, *, ordered: bool = False) -> Ints:
        """Units served by each instant ``t`` (float64[n], seconds, not before ``start[0]``), rounded down.

        Instants may come in any order (``ordered`` promises that they do not decrease); beyond `NEVER` units the
        answer stays there.
        """
        if len(t) <= _FEW:
            return np.array([self.work_at(each) for each in t.tolist()], np.int64)
        if ordered and (twin := loops.done.worth(len(t))) and self.work_at(float(t[-1])) < NEVER:
            found = np.empty(len(t), np.int64)
            twin(np.ascontiguousarray(t), *self.segments, self.segment_of(float(t[0])), found)
            return found
        first, last = (t[0], t[-1]) if ordered else (t.min(), t.max())
        low, high = self.segment_of(float(first)), self.segment_of(float(last))
        if low == high:
            return _piecewise(t, np.int64, lambda part: self._work_within(part, low))
        if (high - low) * _WORTH < len(t) and (ordered or bool((t[1:] >= t[:-1]).all())):
            edges = t.searchsorted(self.start[low + 1 : high + 1], side="left")
            return self._pieces(t, edges, low, self._work_within)
        return self._work_within(t, np.searchsorted(self.start, t, side="right") - 1)

    def work_at(self, t: float) -> int:
        """Units served by one instant (seconds): `work` for a single number, to the bit."""
        starts, rates, bases = self._scalars
        segment = self.segment_of(t)
        if rates[segment] == 0:
            return bases[segment]
        return min(bases[segment] + int(min((t - starts[segment]) * rates[segment], _NEVER)), NEVER)

    def when(self, work: Ints, *, ordered: bool = False) -> Floats:
        """First instant at which `work` reaches each ``work`` (int64[n], units); inf where it never does.

        ``ordered`` promises that ``work`` does not decrease.
        """
        if len(work) <= _FEW:
            return np.array([self.when_at(each) for each in work.tolist()], np.float64)
        if ordered and (twin := loops.instants.worth(len(work))):
            return self._in_loop(twin, work, np.empty(len(work)))
        return self._when(work, ordered=ordered)

    def when_each(self, parts: Sequence[Ints]) -> Floats:
        """`when` of columns one after the other, which do not decrease."""
        if len(parts) == 1:
            return self.when(parts[0], ordered=True)
        t, rest = np.empty(sum(map(len, parts))), 0
        for work in parts:
            found, rest = t[rest : rest + len(work)], rest + len(work)
            if len(work) > _FEW and (twin := loops.instants.worth(len(work))):
                self._in_loop(twin, work, found)
            else:
                found[:] = self.when(work, ordered=True)
        return t

    def _when(self, work: Ints, *, ordered: bool) -> Floats:
        least, most = (int(work[0]), int(work[-1])) if ordered else (int(work.min()), int(work.max()))
        low, high = self._reaches(least), self._reaches(most)
        if low == high:
            return _piecewise(work, np.float64, lambda part: self._when_within(part, low))
        if (high - low) * _WORTH < len(work) and (ordered or bool((work[1:] >= work[:-1]).all())):
            edges = work.searchsorted(self.base[low + 1 : high + 1], side="right")
            return self._pieces(work, edges, low, self._when_within)
        segment = np.searchsorted(self.base, work, side="left") - 1
        return self._when_within(work, np.maximum(segment, 0))

    def _in_loop(self, twin: Loop, work: Ints, t: Floats) -> Floats:
        """Fill ``t`` as `_when`, by the compiled loop."""
        fair = np.empty(-(-len(work) // STRETCH), np.bool_)
        if not twin(np.ascontiguousarray(work), *self.segments, self._reaches(int(work[0])), NEVER, t, fair):
            for i in (np.flatnonzero(~fair) * STRETCH).tolist():
                t[i : i + STRETCH] = self._when(work[i : i + STRETCH], ordered=True)
        return t

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

    def segment_of(self, t: float) -> int:
        """The segment in which an instant lies."""
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


def _piecewise(x: NDArray[X], kind: type[Y], body: Callable[[NDArray[X]], NDArray[Y]]) -> NDArray[Y]:
    """Apply ``body`` to pieces that stay in the processor's cache, on one segment: a third of the time."""
    if len(x) <= PIECE:
        return body(x)
    found = np.empty(len(x), kind)
    for i in range(0, len(x), PIECE):
        found[i : i + PIECE] = body(x[i : i + PIECE])
    return found


def _first_instants(left: Ints, start: Scalars, rate: Scalars) -> Floats:
    """First float64 ``t`` with ``(t - start) * rate >= left``, all positive.

    The division guesses; then t walks, by units in the last place, to where the product as `work` computes it
    says so. A guess is a place or two off, so a round or two end the walk.
    """
    goal = left.astype(np.float64)
    if len(left) and int(left.max()) > 2**53:
        goal.view(np.int64)[...] += goal.astype(np.int64) < left  # less than left is not enough
    t = goal / rate
    t += start
    bits = t.view(np.int64)
    done = np.empty_like(t)
    short = np.empty(len(t), np.bool_)
    while _falls_short(t, start, rate, goal, done, short).any():
        bits += short
    before = t.copy()
    steps = before.view(np.int64)
    while True:
        steps -= 1
        if _falls_short(before, start, rate, goal, done, short).all():
            return t
        np.copyto(bits, steps, where=~short)
        np.copyto(before, t)


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
    served = np.minimum(np.floor(np.diff(start) * rates[:-1] * float(2**shift)), _NEVER).astype(np.int64)
    # A story told far beyond the horizon may serve more than can be counted: nothing that matters gets there.
    return Capacity(start, rates, cumulate(0, served), shift)


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
