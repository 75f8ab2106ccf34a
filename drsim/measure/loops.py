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
DROP = 42
"""Lower bits of a float64 that do not choose its bin (`drsim.measure.spread`): they say where in the bin it lies."""
COARSE = 12
"""So many of those are rounded away: a bin's sum of whole numbers holds eight thousand million values."""
INSIDE, HALF = (1 << DROP) - 1, 1 << (COARSE - 1)
SHIFT = 2.0**-13
"""Added to seconds before their bin is looked up, which is 0 for nothing."""


def _mark(
    numbers: Ints, points: Floats, at: int, low: tuple[float, float], high: tuple[float, float], per_s: float
) -> int:
    """Take a row of a curve, from (instant, value) to (instant, value), as `Curve.add` does; give the bin it is in.

    Where there is no room for another bin, it goes into the last one, which bears the number -1 then.
    """
    number = np.int64(high[0] * per_s)
    if at < 0 or numbers[np.uint64(at)] != number:
        short = at + 1 == len(numbers)
        at += 0 if short else 1
        numbers[at] = -1 if short else number
        points[0, at], points[4, at], points[6, at] = low[0], low[0], high[0]
        points[1, at], points[5, at], points[7, at] = low[1], low[1], high[1]
    row = np.uint64(at)
    points[2, row], points[3, row] = high
    if low[1] < points[5, row]:
        points[4, row], points[5, row] = low
    if high[1] > points[7, row]:
        points[6, row], points[7, row] = high
    return at


def _spend(
    spent: tuple[Floats, Floats, Floats, Floats], row: int, value: float, number: float, held: float
) -> bool:
    """Note ``held`` seconds at a level, as `OccupancyMeter._weigh` does, or say that it lies beyond the bins."""
    nbytes, nwrites, byte_seconds, write_seconds = spent
    x = (np.float64(max(value, 0.5)).view(np.int64) >> DROP) - (1022 << 10)
    y = (np.float64(max(number, 0.5)).view(np.int64) >> DROP) - (1022 << 10)
    if x >= len(nbytes) or y >= len(nwrites):
        return False
    nbytes[np.uint64(x)] += held
    nwrites[np.uint64(y)] += held
    byte_seconds[np.uint64(row & 127)] += value * held
    write_seconds[np.uint64(row & 127)] += number * held
    return True


@compiled(f"int64(UniTuple({_INTS}, 4), UniTuple(int64, 2), {_STATE}, UniTuple(float64[::1], 4), {_CURVE})")
def levels(
    events: tuple[Ints, Ints, Ints, Ints],
    rows: tuple[int, int],
    counts: Ints,
    tops: Floats,
    spent: tuple[Floats, Floats, Floats, Floats],
    numbers: Ints,
    points: Floats,
) -> int:
    """Merge arrivals and releases, releases first where equal, and measure the level between them; give rows done.

    The twin of `drsim.measure.occupancy.OccupancyMeter._settle`, of `Levels.add` and of `Curve.add`. Instants are the
    bits of float64, not negative; without the last one, as integers, they are in the same order.

    Args:
        events: instants of arrivals, int64[n + 2], and their bytes, int64[n + 2] or [1] (the same for all); instants of
            releases, int64[m + 2], and their bytes. The last two rows come after all others of both.
        rows: how many events to take, and how many the block under way has.
        counts: int64[5]: arrivals and releases done, the level in bytes and in writes, the curve's bins; moved on.
        tops: float64[5]: the last instant; the curve's bins for each second; most writes, most bytes and most writes
            that lasted. All but the second are moved on.
        spent: float64[bins] each, seconds at each level in bytes and in writes (`Levels`); the lanes of bytes and of
            writes times seconds (`Total`). Where the first two are empty, none is wanted.
        numbers: int64[k], the curve's bins.
        points: float64[8, k], their points (`Curve.room`).
    """
    came, put, went, taken = events
    until, lane = rows
    i, j, level, writes, at = counts[0], counts[1], counts[2], counts[3], counts[4] - 1
    arrival, release = came[i] & -2, went[j] & -2
    next_arrival, next_release = came[i + 1] & -2, went[j + 1] & -2
    last, most, high, many = tops[0], tops[2], tops[3], tops[4]
    spread = len(spent[0]) > 0
    for row in range(until):
        t = np.int64(min(arrival, release)).view(np.float64)
        if spread:
            value, number, held = np.float64(level), np.float64(writes), t - last
            if not _spend(spent, lane + row, value, number, held):
                until = row
                break
            most = max(most, number)
            high, many = (max(high, value), max(many, number)) if held > 0.0 else (high, many)
        later = np.int64(release > arrival)  # no branch: which of the two comes next cannot be foreseen
        size = taken[np.uint64(min(j, len(taken) - 1))]
        level += ((put[np.uint64(min(i, len(put) - 1))] + size) & -later) - size
        writes += 2 * later - 1
        i += later
        j += 1 - later
        arrival += (next_arrival - arrival) & -later
        release += (next_release - release) & (later - 1)
        next_arrival, next_release = came[np.uint64(i + 1)] & -2, went[np.uint64(j + 1)] & -2
        at = _mark(numbers, points, at, (t, level), (t, level), tops[1])
        last = t
    counts[0], counts[1], counts[2], counts[3], counts[4] = i, j, level, writes, at + 1
    tops[0], tops[2], tops[3], tops[4] = last, most, high, many
    return until


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
