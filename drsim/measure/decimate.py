"""Curves of bounded size that keep every peak: first, last, lowest and highest point of each bin of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drsim.measure.stream import Floats

BINS = 1024
"""At most this many bins are kept; when time outgrows them, their width doubles."""

Point = tuple[float, float]
Interval = tuple[float, float]


@dataclass(slots=True)
class _Bin:
    number: int
    first: Point
    last: Point
    low: Point
    high: Point


class Curve:
    """Decimates a curve given point by point in time order (Jugel et al., "M4", VLDB 2014).

    Rows may be ramps: from ``(low_t, low)`` up to ``(high_t, high)``; a row lies in the bin of its
    ``high_t``.
    """

    __slots__ = ("_bins", "_exponent")

    def __init__(self) -> None:
        self._bins: list[_Bin] = []
        self._exponent = -30

    @property
    def width_s(self) -> float:
        """The width of a bin now, seconds (a power of two)."""
        return math.ldexp(1.0, self._exponent)

    def add(self, low_t: Floats, low: Floats, high_t: Floats, high: Floats) -> None:
        """Take rows (float64[n] each, in time order)."""
        if len(high_t) == 0:
            return
        self._widen(float(high_t[-1]))
        width = self.width_s
        numbers = np.arange(math.floor(high_t[0] / width), math.floor(high_t[-1] / width) + 1)
        starts = np.searchsorted(high_t, numbers * width, side="left")
        stops = np.append(starts[1:], len(high_t))
        full = starts < stops
        for number, i, j in zip(
            numbers[full].tolist(), starts[full].tolist(), stops[full].tolist(), strict=True
        ):
            bottom = i + int(low[i:j].argmin())
            top = i + int(high[i:j].argmax())
            self._put(
                _Bin(
                    number,
                    (float(low_t[i]), float(low[i])),
                    (float(high_t[j - 1]), float(high[j - 1])),
                    (float(low_t[bottom]), float(low[bottom])),
                    (float(high_t[top]), float(high[top])),
                )
            )

    def _widen(self, last_t: float) -> None:
        exponent = self._exponent
        while last_t >= math.ldexp(BINS, exponent):
            exponent += 1
        if exponent == self._exponent:
            return
        shift = exponent - self._exponent
        self._exponent = exponent
        bins, self._bins = self._bins, []
        for each in bins:
            each.number >>= shift
            self._put(each)

    def _put(self, new: _Bin) -> None:
        if not self._bins or self._bins[-1].number != new.number:
            self._bins.append(new)
            return
        old = self._bins[-1]
        old.last = new.last
        if new.low[1] < old.low[1]:
            old.low = new.low
        if new.high[1] > old.high[1]:
            old.high = new.high

    def steps(self, end_s: float) -> tuple[Floats, Floats]:
        """Give a step function's kept points from 0 to ``end_s``: times (non-decreasing) and levels.

        Each level holds until the next point; before the first it is 0.
        """
        points: list[Point] = [(0.0, 0.0)]
        for each in self._bins:
            points += _inside(each)
        points.append((end_s, points[-1][1]))
        return _columns(points)

    def ramps(self, end_s: float, undefined: Sequence[Interval] = ()) -> tuple[Floats, Floats]:
        """Give a sawtooth's kept points as a polyline from 0 to ``end_s``: times and values.

        Between the end of one ramp and a later begin of the next the value is 0. A jump is two points at one
        time. In the intervals ``undefined`` (ordered, apart) the value is NaN.
        """
        points: list[Point] = []
        at = 0.0
        for each in self._bins:
            points += _gap(at, each.first[0], undefined)
            points += _inside(each)
            at = each.last[0]
        points += _gap(at, end_s, undefined)
        return _columns(points or [(0.0, 0.0), (end_s, 0.0)])


def _inside(each: _Bin) -> list[Point]:
    """A bin's distinct points in time order (a low that falls on a high's instant comes after it)."""
    middle = [each.high, each.low] if each.high[0] <= each.low[0] else [each.low, each.high]
    points = [each.first]
    for point in [*middle, each.last]:
        if point != points[-1] and points[-1][0] <= point[0]:
            points.append(point)
    return points


def _gap(begin: float, end: float, undefined: Sequence[Interval]) -> list[Point]:
    """The points between two ramps: 0, but NaN where the value is undefined."""
    points: list[Point] = []
    at = begin
    for lost, found in undefined:
        if found <= begin or lost >= end:
            continue
        if lost > at:
            points += [(at, 0.0), (lost, 0.0)]
        points += [(max(lost, at), math.nan), (min(found, end), math.nan)]
        at = min(found, end)
    if end > at:
        points += [(at, 0.0), (end, 0.0)]
    return points


def _columns(points: list[Point]) -> tuple[Floats, Floats]:
    table = np.array(points)
    return table[:, 0].copy(), table[:, 1].copy()


def hold(t: Floats, levels: Floats, at: Floats) -> Floats:
    """A step function's level at each instant of ``at``: the last point not after it (0 before the first)."""
    index = np.searchsorted(t, at, side="right") - 1
    return np.where(index >= 0, levels[np.maximum(index, 0)], 0.0)


def together(polyline: tuple[Floats, Floats], *steps: tuple[Floats, Floats]) -> list[Floats]:
    """Put curves on one time axis without losing a point: ``[t, polyline, step, step, ...]``.

    The polyline (jumps as two points at one time) is interpolated at the steps' instants, the steps are held
    at the polyline's.
    """
    own_t, own = polyline
    others = np.concatenate([t for t, _ in steps]) if steps else np.empty(0)
    extra = np.setdiff1d(others, own_t)
    between = np.interp(extra, own_t, own) if len(own_t) else np.zeros(len(extra))
    t = np.concatenate([own_t, extra])
    order = np.argsort(t, kind="stable")
    t = t[order]
    return [t, np.concatenate([own, between])[order], *(hold(a, b, t) for a, b in steps)]


def thin(t: Floats, values: Floats, points: int) -> tuple[Floats, Floats]:
    """At most about ``points`` points of a curve: the lowest and highest of equal stretches; gaps (NaN) are kept."""
    if len(t) <= points:
        return t, values
    stretch = math.ceil(len(t) / (points // 2))
    rows: list[int] = [0, len(t) - 1]
    for begin in range(0, len(t), stretch):
        part = values[begin : begin + stretch]
        gaps = np.flatnonzero(np.isnan(part))
        rows += [begin + int(gaps[0]), begin + int(gaps[-1])] if len(gaps) else []
        if len(gaps) < len(part):
            rows += [begin + int(np.nanargmin(part)), begin + int(np.nanargmax(part))]
    kept = np.unique(rows)
    return t[kept], values[kept]
