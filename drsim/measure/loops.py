"""Loops behind the meters: one pass over the rows, from columns to sums, bins and curves. Each has a NumPy body.

What lies between is never written down: a level exists for one row. Where a loop runs out of bins it stops, says how
many rows it has done, and is called again with more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from drsim.blocks.compiled import compiled
from drsim.measure.stream import Floats, Ints

_INTS, _FLOATS = (f"Array({kind}, 1, 'C', readonly=True)" for kind in ("int64", "float64"))
_STATE = "int64[::1], float64[::1]"
_CURVE = "int64[::1], float64[:, ::1]"
_Point = tuple[float, float]
"""Seconds, value."""
AT_ONCE = 1024
"""Events merged before they are measured."""
DROP = 42
"""Lower bits of a float64 that do not choose its bin (`drsim.measure.spread`): they say where in the bin it lies."""
COARSE = 12
"""So many of those are rounded away: a bin's sum of whole numbers holds eight thousand million values."""
INSIDE, HALF = (1 << DROP) - 1, 1 << (COARSE - 1)
SHIFT = 2.0**-13
"""Added to seconds before their bin is looked up, which is 0 for nothing."""


def _open(numbers: Ints, points: Floats, at: int, number: Any, low: _Point, high: _Point) -> int:
    """Open a curve's bin after the one at ``at`` with its first row; give its place.

    Where there is no room for it, it goes into the last one, which bears the number -1 then.
    """
    short = at + 1 == len(numbers)
    at += 0 if short else 1
    numbers[at] = -1 if short else number
    points[0, at], points[4, at], points[6, at] = low[0], low[0], high[0]
    points[1, at], points[5, at], points[7, at] = low[1], low[1], high[1]
    return at


def _mark(numbers: Ints, points: Floats, at: int, low: _Point, high: _Point, per_s: float) -> int:
    """Take a row of a curve, from (instant, value) to (instant, value), as `Curve.add` does; give the bin it is in."""
    number = np.int64(high[0] * per_s)
    if at < 0 or numbers[np.uint64(at)] != number:
        at = _open(numbers, points, at, number, low, high)
    row = np.uint64(at)
    points[2, row], points[3, row] = high
    if low[1] < points[5, row]:
        points[4, row], points[5, row] = low
    if high[1] > points[7, row]:
        points[6, row], points[7, row] = high
    return at


def _seconds(bits: int) -> float:
    """The instant of these bits."""
    return np.int64(bits).view(np.float64)


def _merge(events: tuple[Ints, Ints, Ints, Ints], rows: int, counts: Ints, found: Ints) -> None:
    """Take the next ``rows`` events in order: note when each is and what it finds, and what there is in the end."""
    came, put, went, taken = events
    i, j, level, writes = counts[0], counts[1], counts[2], counts[3]
    arrival, release = came[i] & -2, went[j] & -2
    next_arrival, next_release = came[i + 1] & -2, went[j + 1] & -2
    for k in range(rows):
        row = np.uint64(k)
        found[0, row], found[1, row], found[2, row] = min(arrival, release), level, writes
        later = np.int64(release > arrival)  # no branch: which of the two comes next cannot be foreseen
        size = taken[np.uint64(min(j, len(taken) - 1))]
        level += ((put[np.uint64(min(i, len(put) - 1))] + size) & -later) - size
        writes += 2 * later - 1
        i += later
        j += 1 - later
        arrival += (next_arrival - arrival) & -later
        release += (next_release - release) & (later - 1)
        next_arrival, next_release = came[np.uint64(i + 1)] & -2, went[np.uint64(j + 1)] & -2
    counts[0], counts[1], counts[2], counts[3] = i, j, level, writes
    found[1, rows] = level


def _spend(
    found: Ints, rows: int, lane: int, tops: Floats, spent: tuple[Floats, Floats, Floats, Floats]
) -> int:
    """Note how long each level was held, as `OccupancyMeter._weigh` does; give rows done before one beyond the bins."""
    nbytes, nwrites, byte_seconds, write_seconds = spent
    last = tops[0]
    for row in range(rows):
        t = _seconds(found[0, np.uint64(row)])
        level, writes = np.float64(found[1, np.uint64(row)]), np.float64(found[2, np.uint64(row)])
        x = (np.float64(max(level, 0.5)).view(np.int64) >> DROP) - (1022 << 10)
        y = (np.float64(max(writes, 0.5)).view(np.int64) >> DROP) - (1022 << 10)
        if x >= len(nbytes) or y >= len(nwrites):
            rows = row
            break
        nbytes[np.uint64(x)] += t - last
        nwrites[np.uint64(y)] += t - last
        byte_seconds[np.uint64((lane + row) & 127)] += level * (t - last)
        write_seconds[np.uint64((lane + row) & 127)] += writes * (t - last)
        last = t
    most, high, many = np.int64(tops[2]), np.int64(tops[3]), np.int64(tops[4])
    before = np.float64(tops[0]).view(np.int64)
    for k in range(rows):
        at = np.uint64(k)
        lasted = found[0, at] > before
        most = max(most, found[2, at])
        high = max(high, found[1, at] if lasted else np.int64(0))
        many = max(many, found[2, at] if lasted else np.int64(0))
        before = found[0, at]
    tops[2], tops[3], tops[4] = most, high, many
    return rows


def _reaches(found: Ints, low: int, high: int, instant: Any) -> int:
    """The first event at an instant or later, which the one in row ``high`` is."""
    while low < high:
        middle = (low + high) // 2
        if found[0, middle] < instant:
            low = middle + 1
        else:
            high = middle
    return low


def _holds(found: Ints, row: int, level: int) -> int:
    """The first event from ``row`` on after which there is this level."""
    while found[1, row + 1] != level:
        row += 1
    return row


def _draw(found: Ints, rows: int, numbers: Ints, points: Floats, at: int, per_s: float) -> int:
    """Take the level after each event as `Curve.add` does, bin by bin; give the last bin."""
    begin = 0
    while begin < rows:
        t, low = _seconds(found[0, begin]), found[1, begin + 1]
        number, high, end = np.int64(t * per_s), low, rows
        if at < 0 or numbers[at] != number:
            at = _open(numbers, points, at, number, (t, low), (t, low))
        beyond = np.float64((number + 1) / per_s).view(np.int64)
        if found[0, rows - 1] >= beyond:
            end = _reaches(found, begin, rows - 1, beyond)
        for row in range(np.uint64(begin + 1), np.uint64(end + 1)):
            low, high = min(low, found[1, row]), max(high, found[1, row])
        if low < points[5, at]:
            points[4, at], points[5, at] = _seconds(found[0, _holds(found, begin, low)]), low
        if high > points[7, at]:
            points[6, at], points[7, at] = _seconds(found[0, _holds(found, begin, high)]), high
        points[2, at], points[3, at] = _seconds(found[0, end - 1]), found[1, end]
        begin = end
    return at


@compiled(
    f"int64(UniTuple({_INTS}, 4), UniTuple(int64, 2), {_STATE}, UniTuple(float64[::1], 4), {_CURVE}, int64[:, ::1])"
)
def levels(  # noqa: PLR0913 - a loop takes columns one by one
    events: tuple[Ints, Ints, Ints, Ints],
    rows: tuple[int, int],
    counts: Ints,
    tops: Floats,
    spent: tuple[Floats, Floats, Floats, Floats],
    numbers: Ints,
    points: Floats,
    found: Ints,
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
        found: int64[3, m + 1], overwritten: room for m events and what each finds, to stay in the processor's cache.
    """
    done, (until, lane) = 0, rows
    while done < until:
        take = min(until - done, found.shape[1] - 1)
        i, j, level, writes = counts[0], counts[1], counts[2], counts[3]
        _merge(events, take, counts, found)
        if len(spent[0]):
            fit = _spend(found, take, lane + done, tops, spent)
            if fit < take:
                counts[0], counts[1], counts[2], counts[3] = i, j, level, writes
                _merge(events, fit, counts, found)
                until, take = done + fit, fit
        counts[4] = _draw(found, take, numbers, points, counts[4] - 1, tops[1]) + 1
        if take:
            tops[0] = _seconds(found[0, take - 1])
        done += take
    return done


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
