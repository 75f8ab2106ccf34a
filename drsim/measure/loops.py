"""Loops behind the meters of lag and delay: from columns to sums, bins and curves. Each has a NumPy body.

A few hundred rows at a time are noted in memory that stays in the processor's cache; each pass after that has its
numbers in registers. Where a loop runs out of bins it stops, says how many rows it has done, and is called with more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from drsim.blocks.compiled import compiled
from drsim.measure.stream import Floats, Ints

_INTS, _FLOATS = (f"Array({kind}, 1, 'C', readonly=True)" for kind in ("int64", "float64"))
_STATE = "int64[::1], float64[::1]"
DROP = 42
"""Lower bits of a float64 that do not choose its bin (`drsim.measure.spread`): they say where in the bin it lies."""
COARSE = 12
"""So many of those are rounded away: a bin's sum of whole numbers holds eight thousand million values."""
INSIDE, HALF = (1 << DROP) - 1, 1 << (COARSE - 1)
AT_ONCE = 512
"""Rows noted before they are measured."""
SHIFT = 2.0**-13
"""Added to seconds before their bin is looked up, which is 0 for nothing."""


def _float(bits: Any) -> float:
    """The number of these bits."""
    return np.int64(bits).view(np.float64)


def _bits(number: float) -> Any:
    """The bits of a number; of numbers that are not negative, in the same order."""
    return np.float64(number).view(np.int64)


def _rise(columns: tuple[Floats, Floats], done: int, last: float, found: Ints, rows: int) -> Any:
    """Note of each row when its ramp begins, the lag there and at its end, and both for their bins; give the most."""
    acked, recovered = columns
    most = np.int64(0)
    for k in range(rows):
        at, row = np.uint64(done + k), np.uint64(k)
        begin = max(last if k == 0 else recovered[np.uint64(done + k - 1)], acked[at])
        low, high = begin - acked[at], recovered[at] - acked[at]
        found[0, row], found[1, row], found[2, row] = _bits(begin), _bits(low), _bits(high)
        found[3, row], found[4, row] = _bits(low + SHIFT), _bits(high + SHIFT)
        most = max(most, found[4, row])
    return most


def _count(cells: Ints, found: Ints, which: int, rows: int) -> None:
    """Count rows by bin, and add up where in it they lie; where they change their bin seldom, a run at once."""
    changes, count, total = np.int64(0), np.int64(0), np.int64(0)
    for at in range(np.uint64(1), np.uint64(rows)):
        changes += np.int64(found[which, at] >> DROP != found[which, at - np.uint64(1)] >> DROP)
    here = np.uint64((found[which, 0] >> DROP) - (1010 << 10))
    if changes * 8 > rows:
        for k in range(rows):
            bits = found[which, np.uint64(k)]
            here = np.uint64((bits >> DROP) - (1010 << 10))
            cells[here, 0] += 1
            cells[here, 1] += ((bits & INSIDE) + HALF) >> COARSE
        return
    for k in range(rows):
        bits = found[which, np.uint64(k)]
        if np.uint64((bits >> DROP) - (1010 << 10)) != here:
            cells[here, 0] += count
            cells[here, 1] += total
            here, count, total = np.uint64((bits >> DROP) - (1010 << 10)), np.int64(0), np.int64(0)
        count += 1
        total += ((bits & INSIDE) + HALF) >> COARSE
    cells[here, 0] += count
    cells[here, 1] += total


def _integrate(found: Ints, rows: int, done: int, lanes: Floats, block: int) -> None:
    """Add each row's delay, the length of its ramp and twice the lag over it to the lanes of its block."""
    begin = 0
    while begin < rows:
        number, place = (done + begin) // block, (done + begin) % block
        first = place & 127
        count = min(rows - begin, 128 - first, block - place)
        for k in range(count):
            row, lane = np.uint64(begin + k), np.uint64(first + k)
            low, high = _float(found[1, row]), _float(found[2, row])
            lanes[number, 0, lane] += high
            lanes[number, 1, lane] += high - low
            lanes[number, 2, lane] += (high - low) * (low + high)
        begin += count


def _reaches(times: Floats, low: int, high: int, instant: float) -> int:
    """The first of the rows at an instant or later, which the one in row ``high`` is."""
    while low < high:
        middle = (low + high) // 2
        if times[middle] < instant:
            low = middle + 1
        else:
            high = middle
    return low


def _holds(found: Ints, which: int, row: int, bits: int) -> int:
    """The first row from ``row`` on with these bits."""
    while found[which, row] != bits:
        row += 1
    return row


def _draw(
    recovered: Floats, done: int, found: Ints, rows: int, curve: tuple[Ints, Floats], at: int, per_s: float
) -> int:
    """Take rows of a curve, from (instant, lag) to (instant, lag), as `Curve.add` does, bin by bin; give the last."""
    numbers, points = curve
    begin = 0
    while begin < rows:
        number, end = np.int64(recovered[done + begin] * per_s), rows
        low, high = found[1, begin], found[2, begin]
        if at < 0 or numbers[at] != number:
            at += 1
            if at == len(numbers):  # no room: the last bin bears the number -1 then
                at, number = at - 1, np.int64(-1)
            numbers[at] = number
            points[0, at], points[4, at], points[6, at] = (
                _float(found[0, begin]),
                _float(found[0, begin]),
                recovered[done + begin],
            )
            points[1, at], points[5, at], points[7, at] = _float(low), _float(low), _float(high)
        beyond = (np.int64(recovered[done + begin] * per_s) + 1) / per_s
        if recovered[done + rows - 1] >= beyond:
            end = _reaches(recovered, done + begin, done + rows - 1, beyond) - done
        for row in range(np.uint64(begin), np.uint64(end)):
            low, high = min(low, found[1, row]), max(high, found[2, row])
        if _float(low) < points[5, at]:
            points[4, at], points[5, at] = _float(found[0, _holds(found, 1, begin, low)]), _float(low)
        if _float(high) > points[7, at]:
            points[6, at], points[7, at] = recovered[done + _holds(found, 2, begin, high)], _float(high)
        points[2, at], points[3, at] = recovered[done + end - 1], _float(found[2, end - 1])
        begin = end
    return at


@compiled(
    f"void(UniTuple({_FLOATS}, 2), int64, {_STATE}, float64[:, :, ::1], UniTuple(int64[:, ::1], 2), "
    "Tuple((int64[::1], float64[:, ::1])), int64[:, ::1])"
)
def ramps(  # noqa: PLR0913 - a loop takes columns one by one
    columns: tuple[Floats, Floats],
    block: int,
    counts: Ints,
    tops: Floats,
    lanes: Floats,
    bins: tuple[Ints, Ints],
    curve: tuple[Ints, Floats],
    found: Ints,
) -> None:
    """Measure the lag while each write is the oldest missing one: it rises by one second a second.

    The twin of `drsim.measure.lag.LagMeter._settle`, of `Spread.add` and of `Curve.add`.

    Args:
        columns: float64[n], seconds: when each write was acknowledged, when it was recovered.
        block: rows in a block.
        counts: int64[2]: writes done, the curve's bins; moved on.
        tops: float64[3]: the last recovery; the curve's bins for each second; the greatest lag. The first and the last
            are moved on.
        lanes: float64[blocks, 3, 128], of delays, of the lengths of ramps, and of twice the lag over time (`lane_sum`).
        bins: cells of `bins.Moments`, int64[k, 2]: of the lag at the begin of each ramp, and at its end.
        curve: int64[m], its bins, and float64[8, m], their points (`Curve.room`).
        found: int64[5, m], overwritten: room for m rows, to stay in the processor's cache: bits of when each ramp
            begins, of the lag there and at its end, and of both with `SHIFT`.
    """
    lows, highs = bins
    room = (min(len(lows), len(highs)) + (1010 << 10)) << DROP
    while counts[0] < len(columns[0]):
        done = counts[0]
        take = min(len(columns[0]) - done, found.shape[1])
        if _rise(columns, done, tops[0], found, take) >= room:
            fit = 0
            while found[4, fit] < room:
                fit += 1
            if fit == 0:
                return
            take = fit
        _count(lows, found, 3, take)
        _count(highs, found, 4, take)
        _integrate(found, take, done, lanes, block)
        counts[1] = _draw(columns[1], done, found, take, curve, counts[1] - 1, tops[1]) + 1
        top = np.int64(0)
        for k in range(take):
            top = max(top, found[2, np.uint64(k)])
        counts[0], tops[0], tops[2] = done + take, columns[1][done + take - 1], max(tops[2], _float(top))


@compiled(f"void({_INTS}, int64[:, ::1])")
def count_by_bin(bits: Ints, cells: Ints) -> None:
    """Count seconds by bin, and add up where in it they lie: the twin of `drsim.measure.spread.Moments.add`.

    Args:
        bits: int64[n], the bits of seconds + `SHIFT`.
        cells: int64[bins, 2], added to.
    """
    for i in range(len(bits)):
        bin_ = (bits[i] >> DROP) - (1010 << 10)
        cells[bin_, 0] += 1
        cells[bin_, 1] += ((bits[i] & INSIDE) + HALF) >> COARSE
