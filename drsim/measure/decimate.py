"""Curves of bounded size that keep every peak: first, last, lowest and highest point of each bin of time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from drsim.measure.stream import Column, Floats, Ints, grown

BINS = 1024
"""At most this many bins are kept; when time outgrows them, their width doubles."""

_FEW = 16
"""Rows that lie in fewer bins than this are looked through bin by bin."""

Point = tuple[float, float]
Interval = tuple[float, float]
_Rows = tuple[Floats, Column, Floats, Column]


class Curve:
    """Decimates a curve given point by point in time order (Jugel et al., "M4", VLDB 2014).

    Rows may be ramps: from ``(low_t, low)`` up to ``(high_t, high)``; a row lies in the bin of its
    ``high_t``.
    """

    __slots__ = ("_count", "_exponent", "_numbers", "_since", "_table")

    def __init__(self) -> None:
        self._exponent = -30
        self._count = 0
        self._since = 0
        self._numbers: Ints = np.empty(0, np.int64)
        # Rows: time and value of each bin's first, last, lowest and highest point.
        self._table: Floats = np.empty((8, 0))

    @property
    def width_s(self) -> float:
        """The width of a bin now, seconds (a power of two)."""
        return math.ldexp(1.0, self._exponent)

    def add(self, low_t: Floats, low: Column, high_t: Floats, high: Column) -> None:
        """Take rows (n each, in time order; instants float64, values float64 or int64)."""
        if len(high_t) == 0:
            return
        first, last = self._numbered(float(high_t[0]), float(high_t[-1]))
        if last - first < _FEW:
            self._few((low_t, low, high_t, high), range(first, last + 1))
        else:
            self._many((low_t, low, high_t, high), np.arange(first, last + 1))

    def _numbered(self, first_t: float, last_t: float) -> tuple[int, int]:
        """The bins of the first and last of the next rows, for which there is room now."""
        self._widen(last_t)
        self._since = max(self._count - 1, 0)
        first, last = math.floor(first_t / self.width_s), math.floor(last_t / self.width_s)
        needed = self._count + last - first + 1
        if needed > len(self._numbers):
            room = min(max(needed, 2 * len(self._numbers)), max(needed, BINS + 1))
            self._numbers, self._table = grown(self._numbers, room), grown(self._table, room)
        return first, last

    def room(self, first_t: float, last_t: float) -> tuple[Ints, Floats, int]:
        """For a loop that goes on with rows between these instants.

        Returns:
            Numbers (int64[m]) of the bins and their points (float64[8, m]: time and value of the first, the last, the
            lowest and the highest), and how many there are. Say with `filled` how many there are then.
        """
        self._numbered(first_t, last_t)
        return self._numbers, self._table, self._count

    def filled(self, count: int) -> None:
        """A loop has brought the bins to ``count``; it numbers the last one -1 where there was no room for more."""
        assert self._numbers[count - 1] >= 0, (
            "instants went back: more bins of a curve than there was room for"
        )
        self._count = count

    def touched(self) -> list[tuple[float, float]]:
        """Of each bin that the last rows lie in, the last instant and the highest value."""
        last, highest = self._table[2:8:5, self._since : self._count].tolist()
        return list(zip(last, highest, strict=True))

    def top(self) -> tuple[float, float]:
        """Instant and value of the highest point: the first of them."""
        if not self._count:
            return 0.0, 0.0
        at = int(self._table[7, : self._count].argmax())
        return float(self._table[6, at]), float(self._table[7, at])

    def _few(self, rows: _Rows, numbers: range) -> None:
        """Take rows that lie in few bins: one look into each."""
        low_t, low, high_t, high = rows
        begin, width = 0, self.width_s
        for number in numbers:
            end = len(high_t)
            if number + 1 < numbers.stop:
                end = int(high_t.searchsorted((number + 1) * width))
            if begin == end:
                continue
            bottom, top = begin + int(low[begin:end].argmin()), begin + int(high[begin:end].argmax())
            self._put(
                number,
                (low_t[begin], low[begin], high_t[end - 1], high[end - 1]),
                (low_t[bottom], low[bottom]),
                (high_t[top], high[top]),
            )
            begin = end

    def _put(self, number: int, ends: tuple[float, float, float, float], low: Point, high: Point) -> None:
        """Open a bin with its first and last point, its lowest and highest, or go on with the last one."""
        at = self._count - 1
        if at < 0 or self._numbers[at] != number:
            self._numbers[at + 1] = number
            self._table[:, at + 1] = (*ends, *low, *high)
            self._count += 1
            return
        table = self._table
        table[2:4, at] = ends[2:]
        if low[1] < table[5, at]:
            table[4:6, at] = low
        if high[1] > table[7, at]:
            table[6:8, at] = high

    def _many(self, rows: _Rows, numbers: Ints) -> None:
        """Take rows that lie in many bins, all at once."""
        low_t, low, high_t, high = rows
        starts = high_t.searchsorted(numbers * self.width_s)
        stops = np.append(starts[1:], len(high_t))
        full = starts < stops
        starts, stops = starts[full], stops[full]
        bottom, top = _firsts(np.minimum, low, starts, stops), _firsts(np.maximum, high, starts, stops)
        begin, end = self._count, self._count + len(starts)
        self._numbers[begin:end] = numbers[full]
        places = ((low_t, low, starts), (high_t, high, stops - 1), (low_t, low, bottom), (high_t, high, top))
        for row, (times, values, at) in enumerate(places):
            self._table[2 * row, begin:end] = times[at]
            self._table[2 * row + 1, begin:end] = values[at]
        self._count = end
        if begin > 0 and self._numbers[begin - 1] == self._numbers[begin]:
            self._join(begin - 1)

    def _widen(self, last_t: float) -> None:
        exponent = self._exponent
        while last_t >= math.ldexp(BINS, exponent):
            exponent += 1
        if exponent != self._exponent:
            self._numbers[: self._count] >>= exponent - self._exponent
            self._exponent = exponent
            self._join(0)

    def _join(self, since: int) -> None:
        """Put bins of one number together, among those from place ``since`` on."""
        numbers, table = self._numbers[since : self._count], self._table[:, since : self._count]
        if len(numbers) == 0:
            return
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
        stops = np.append(starts[1:], len(numbers))
        bottom = _firsts(np.minimum, table[5], starts, stops)
        top = _firsts(np.maximum, table[7], starts, stops)
        rows = np.repeat([starts, stops - 1, bottom, top], 2, axis=0)
        count = len(starts)
        table[:, :count] = np.take_along_axis(table, rows, axis=1)
        numbers[:count] = numbers[starts]
        self._count = since + count

    def _points(self) -> tuple[Floats, Ints]:
        """The bins' distinct points in time order (float64[n, 2]), and which of them is each bin's first.

        A bin's low that falls on its high's instant comes after it.
        """
        first, last, low, high = self._table[:, : self._count].reshape(4, 2, -1).transpose(0, 2, 1)
        down = (high[:, :1] <= low[:, :1]).repeat(2, axis=1)
        middle = np.where(down, high, low), np.where(down, low, high)
        kept, before = np.ones((len(first), 4), np.bool_), first
        for column, point in enumerate((*middle, last), 1):
            kept[:, column] = (point != before).any(axis=1) & (before[:, 0] <= point[:, 0])
            before = np.where(kept[:, column : column + 1], point, before)
        points: Floats = np.stack((first, *middle, last), axis=1)[kept]
        return points, np.flatnonzero(kept.ravel().nonzero()[0] % 4 == 0)

    def steps(self, end_s: float) -> tuple[Floats, Floats]:
        """Give a step function's kept points from 0 to ``end_s``: times (non-decreasing) and levels.

        Each level holds until the next point; before the first it is 0.
        """
        points, _ = self._points()
        level = points[-1, 1] if len(points) else 0.0
        return np.concatenate([[0.0], points[:, 0], [end_s]]), np.concatenate([[0.0], points[:, 1], [level]])

    def ramps(self, end_s: float, undefined: Sequence[Interval] = ()) -> tuple[Floats, Floats]:
        """Give a sawtooth's kept points as a polyline from 0 to ``end_s``: times and values.

        Between the end of one ramp and a later begin of the next the value is 0. A jump is two points at one
        time. In the intervals ``undefined`` (ordered, apart) the value is NaN.
        """
        points, starts = self._points()
        starts = np.append(starts, len(points))
        begin = np.append(0.0, self._table[2, : self._count])
        end = np.append(self._table[0, : self._count], end_s)
        gaps = [
            (starts[at], point)
            for at in (range(len(begin)) if undefined else np.flatnonzero(end > begin).tolist())
            for point in _gap(float(begin[at]), float(end[at]), undefined)
        ]
        if not gaps and not len(points):
            gaps = [(0, (0.0, 0.0)), (0, (end_s, 0.0))]
        if gaps:
            places, between = zip(*gaps, strict=True)
            points = np.insert(points, places, between, axis=0)
        return points[:, 0].copy(), points[:, 1].copy()


def _firsts(extreme: np.ufunc, values: Column, starts: Column, stops: Column) -> Ints:
    """The first place of the extreme value in each of the parts ``starts..stops`` (none empty, end to end)."""
    found = extreme.reduceat(values, starts)
    places = np.flatnonzero(values == found.repeat(stops - starts))
    first: Ints = places[places.searchsorted(starts)]
    return first


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
    rows = np.pad(values, (0, -len(t) % stretch), constant_values=math.nan).reshape(-1, stretch)
    gap = np.isnan(rows)
    kept = np.zeros(rows.shape, bool)
    each = np.arange(len(rows))
    kept[each, np.where(gap, math.inf, rows).argmin(axis=1)] = True
    kept[each, np.where(gap, -math.inf, rows).argmax(axis=1)] = True
    gap[-1, len(t) - rows.size + stretch :] = False  # what was filled up is no gap
    kept[each, gap.argmax(axis=1)] |= gap.any(axis=1)
    kept[each, -1 - gap[:, ::-1].argmax(axis=1)] |= gap.any(axis=1)
    chosen = kept.ravel()[: len(t)]
    chosen[[0, -1]] = True
    return t[chosen], values[chosen]
