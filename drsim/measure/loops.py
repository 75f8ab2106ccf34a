"""Loops behind the meters: one pass over the rows, from columns to sums, bins and curves. Each has a NumPy body.

What lies between is never written down: a level exists for one row. Where a loop runs out of bins it stops, says how
many rows it has done, and is called again with more.
"""

from __future__ import annotations

import numpy as np

from drsim.blocks.compiled import compiled
from drsim.measure.stream import Floats, Ints

_INTS, _FLOATS = (f"Array({kind}, 1, 'C', readonly=True)" for kind in ("int64", "float64"))
_STATE = "int64[::1], float64[::1]"
_CURVE = "int64[::1], float64[:, ::1]"
_Point = tuple[float, float]
"""Seconds, value."""
DROP = 42
"""Lower bits of a float64 that do not choose its bin (`drsim.measure.spread`): they say where in the bin it lies."""
COARSE = 12
"""So many of those are rounded away: a bin's sum of whole numbers holds eight thousand million values."""
INSIDE, HALF = (1 << DROP) - 1, 1 << (COARSE - 1)
SHIFT = 2.0**-13
"""Added to seconds before their bin is looked up, which is 0 for nothing."""


def _mark(numbers: Ints, points: Floats, at: int, low: _Point, high: _Point, per_s: float) -> int:
    """Take a row of a curve, from (instant, value) to (instant, value), as `Curve.add` does; give the bin it is in."""
    number = np.int64(high[0] * per_s)
    if at < 0 or numbers[np.uint64(at)] != number:
        at += 1
        if at == len(numbers):  # no room: the last bin bears the number -1 then
            at, number = at - 1, np.int64(-1)
        numbers[at] = number
        points[0, at], points[4, at], points[6, at] = low[0], low[0], high[0]
        points[1, at], points[5, at], points[7, at] = low[1], low[1], high[1]
    row = np.uint64(at)
    points[2, row], points[3, row] = high
    if low[1] < points[5, row]:
        points[4, row], points[5, row] = low
    if high[1] > points[7, row]:
        points[6, row], points[7, row] = high
    return at


@compiled(f"void(UniTuple({_FLOATS}, 2), {_STATE}, float64[:, ::1], UniTuple(int64[:, ::1], 2), {_CURVE})")
def ramps(
    columns: tuple[Floats, Floats],
    counts: Ints,
    tops: Floats,
    lanes: Floats,
    bins: tuple[Ints, Ints],
    numbers: Ints,
    points: Floats,
) -> None:
    """Measure the lag while each write is the oldest missing one: it rises by one second a second.

    The twin of `drsim.measure.lag.LagMeter._settle`, of `Spread.add` and of `Curve.add`.

    Args:
        columns: float64[n], seconds: when each write was acknowledged, when it was recovered.
        counts: int64[2]: writes done, the curve's bins; moved on.
        tops: float64[3]: the last recovery; the curve's bins for each second; the greatest lag. The first and the last
            are moved on.
        lanes: float64[3, 128], of delays, of the lengths of ramps, and of twice the lag over time (`lane_sum`).
        bins: cells of `bins.Moments`, int64[k, 2]: of the lag at the begin of each ramp, and at its end.
        numbers: int64[m], the curve's bins.
        points: float64[8, m], their points (`Curve.room`).
    """
    acked, recovered = columns
    lows, highs = bins
    at, done, last, top = counts[1] - 1, counts[0], tops[0], tops[2]
    for row in range(done, len(acked)):
        begin, end = max(last, acked[row]), recovered[row]
        low, high = begin - acked[row], end - acked[row]
        x, y = np.float64(low + SHIFT).view(np.int64), np.float64(high + SHIFT).view(np.int64)
        bin_ = (y >> DROP) - (1010 << 10)
        if bin_ >= min(len(lows), len(highs)):
            break
        highs[np.uint64(bin_), 0] += 1
        highs[np.uint64(bin_), 1] += ((y & INSIDE) + HALF) >> COARSE
        bin_ = (x >> DROP) - (1010 << 10)
        lows[np.uint64(bin_), 0] += 1
        lows[np.uint64(bin_), 1] += ((x & INSIDE) + HALF) >> COARSE
        lanes[0, np.uint64(row & 127)] += high
        lanes[1, np.uint64(row & 127)] += high - low
        lanes[2, np.uint64(row & 127)] += (high - low) * (low + high)
        top = max(top, high)
        at = _mark(numbers, points, at, (begin, low), (end, high), tops[1])
        last, done = end, row + 1
    counts[0], counts[1], tops[0], tops[2] = done, at + 1, last, top


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
