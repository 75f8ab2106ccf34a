"""The loop behind buffers' meters: arrivals and releases merged, and the level between them measured in passes.

A thousand events at a time are noted with what each finds, in memory that stays in the processor's cache; each pass
after that has its numbers in registers, and most of them take several events at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from drsim.blocks.compiled import compiled
from drsim.measure.loops import DROP
from drsim.measure.stream import Floats, Ints

_INTS = "Array(int64, 1, 'C', readonly=True)"
AT_ONCE = 1024
"""Events merged before they are measured."""
_STATE = "int64[::1], float64[::1]"
_CURVE = "int64[::1], float64[:, ::1]"


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


def _climb(events: tuple[Ints, Ints, Ints, Ints], rows: int, counts: Ints, found: Ints) -> None:
    """`_merge` where nothing is released."""
    came, put, _, _ = events
    i, level, writes = counts[0], counts[2], counts[3]
    for k in range(rows):
        found[0, np.uint64(k)], found[2, np.uint64(k)] = came[np.uint64(i + k)] & -2, writes + k
    if len(put) == 1:
        size = put[0]
        for k in range(rows + 1):
            found[1, np.uint64(k)] = level + k * size
    else:
        for k in range(rows):
            found[1, np.uint64(k)] = level
            level += put[np.uint64(i + k)]
        found[1, rows] = level
    counts[0], counts[2], counts[3] = i + rows, found[1, rows], writes + rows


def _weigh(found: Ints, rows: int, last: float, bins: tuple[Floats, Floats]) -> int:
    """Note how long what each event finds was there, and the bins that is in; give rows before one beyond them."""
    nbytes, nwrites = bins
    most = many = np.int64(0)
    found[3, 0] = np.float64(_seconds(found[0, 0]) - last).view(np.int64)
    for at in range(np.uint64(1), np.uint64(rows)):
        held = _seconds(found[0, at]) - _seconds(found[0, at - np.uint64(1)])
        found[3, at] = np.float64(held).view(np.int64)
    for k in range(rows):
        row = np.uint64(k)
        level, writes = np.float64(found[1, row]), np.float64(found[2, row])
        x = (np.float64(max(level, 0.5)).view(np.int64) >> DROP) - (1022 << 10)
        y = (np.float64(max(writes, 0.5)).view(np.int64) >> DROP) - (1022 << 10)
        found[4, row], found[5, row] = x, y
        most, many = max(most, x), max(many, y)
    if most >= len(nbytes) or many >= len(nwrites):
        for k in range(rows):
            if found[4, k] >= len(nbytes) or found[5, k] >= len(nwrites):
                return k
    return rows


def _spend(found: Ints, rows: int, bins: tuple[Floats, Floats]) -> None:
    """Add how long each level was held, in bytes and in writes, to its bin."""
    nbytes, nwrites = bins
    changes = np.int64(0)
    for at in range(np.uint64(1), np.uint64(rows)):
        changes += np.int64(found[5, at] != found[5, at - np.uint64(1)])
    if changes * 16 > rows:
        for k in range(rows):
            row = np.uint64(k)
            held = _seconds(found[3, row])
            nbytes[np.uint64(found[4, row])] += held
            nwrites[np.uint64(found[5, row])] += held
        return
    x, y = np.uint64(found[4, 0]), np.uint64(found[5, 0])
    at_bytes, at_writes = nbytes[x], nwrites[y]  # the same bins for long: kept in registers
    for k in range(rows):
        row = np.uint64(k)
        held = _seconds(found[3, row])
        if np.uint64(found[4, row]) != x:
            nbytes[x] = at_bytes
            x = np.uint64(found[4, row])
            at_bytes = nbytes[x]
        if np.uint64(found[5, row]) != y:
            nwrites[y] = at_writes
            y = np.uint64(found[5, row])
            at_writes = nwrites[y]
        at_bytes += held
        at_writes += held
    nbytes[x], nwrites[y] = at_bytes, at_writes


def _integrate(found: Ints, rows: int, at: int, block: int, lanes: tuple[Floats, Floats]) -> None:
    """Add levels times seconds to the lanes of their block, the first of which is row ``at``."""
    byte_seconds, write_seconds = lanes
    begin = 0
    while begin < rows:
        number, place = (at + begin) // block, (at + begin) % block
        first = place & 127
        count = min(rows - begin, 128 - first, block - place)
        for k in range(count):
            row, lane = np.uint64(begin + k), np.uint64(first + k)
            held = _seconds(found[3, row])
            byte_seconds[number, lane] += np.float64(found[1, row]) * held
            write_seconds[number, lane] += np.float64(found[2, row]) * held
        begin += count


def _top(found: Ints, rows: int, tops: Floats) -> None:
    """Note the most writes, and the most bytes and writes that lasted."""
    most, high, many = np.int64(tops[2]), np.int64(tops[3]), np.int64(tops[4])
    for k in range(rows):
        at = np.uint64(k)
        lasted = found[3, at] > 0
        most = max(most, found[2, at])
        high = max(high, found[1, at] if lasted else np.int64(0))
        many = max(many, found[2, at] if lasted else np.int64(0))
    tops[2], tops[3], tops[4] = most, high, many


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


def _open(numbers: Ints, points: Floats, at: int, number: Any, t: float, level: int) -> int:
    """Open a curve's bin after the one at ``at`` with its first point; give its place.

    Where there is no room for it, it goes into the last one, which bears the number -1 then.
    """
    short = at + 1 == len(numbers)
    at += 0 if short else 1
    numbers[at] = -1 if short else number
    for row in range(0, 8, 2):
        points[row, at], points[row + 1, at] = t, level
    return at


def _draw(found: Ints, rows: int, numbers: Ints, points: Floats, at: int, per_s: float) -> int:
    """Take the level after each event as `Curve.add` does, bin by bin; give the last bin."""
    begin = 0
    while begin < rows:
        t, low = _seconds(found[0, begin]), found[1, begin + 1]
        number, high, end = np.int64(t * per_s), low, rows
        if at < 0 or numbers[at] != number:
            at = _open(numbers, points, at, number, t, low)
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
    f"int64(UniTuple({_INTS}, 4), UniTuple(int64, 3), {_STATE}, UniTuple(float64[::1], 2), "
    f"UniTuple(float64[:, ::1], 2), {_CURVE}, int64[:, ::1])"
)
def levels(  # noqa: PLR0913 - a loop takes columns one by one
    events: tuple[Ints, Ints, Ints, Ints],
    rows: tuple[int, int, int],
    counts: Ints,
    tops: Floats,
    bins: tuple[Floats, Floats],
    lanes: tuple[Floats, Floats],
    numbers: Ints,
    points: Floats,
    found: Ints,
) -> int:
    """Merge arrivals and releases, releases first where equal, and measure the level between them; give rows done.

    The twin of `drsim.measure.occupancy.OccupancyMeter._settle`, of `Levels.add` and of `Curve.add`. Instants are the
    bits of float64, not negative; without the last one, as integers, they are in the same order.

    Args:
        events: instants of arrivals, int64[n + 2], and their bytes, int64[n + 2] or [1] (the same for all); instants of
            releases, int64[m + 2], and their bytes. The last two rows come after all others of both. Where there are
            arrivals only, int64[n] or more, the columns of releases are empty.
        rows: how many events to take, how many the block under way has, and how many a block has.
        counts: int64[5]: arrivals and releases done, the level in bytes and in writes, the curve's bins; moved on.
        tops: float64[5]: the last instant; the curve's bins for each second; most writes, most bytes and most writes
            that lasted. All but the second are moved on.
        bins: float64[k] each, seconds at each level in bytes and in writes (`Levels`); empty: none of it is wanted.
        lanes: float64[blocks, 128] each, of bytes and of writes times seconds (`Total.blocks`).
        numbers: int64[k], the curve's bins.
        points: float64[8, k], their points (`Curve.room`).
        found: int64[6, m + 1], overwritten: room for m events, to stay in the processor's cache: when each is, bytes
            and writes it finds, how long they were there, and the bins of both.
    """
    done, (until, since, block) = 0, rows
    while done < until:
        take = min(until - done, found.shape[1] - 1)
        i, j, level, writes = counts[0], counts[1], counts[2], counts[3]
        if len(events[2]):
            _merge(events, take, counts, found)
        else:
            _climb(events, take, counts, found)
        if len(bins[0]):
            fit = _weigh(found, take, tops[0], bins)
            if fit < take:
                counts[0], counts[1], counts[2], counts[3] = i, j, level, writes
                if len(events[2]):
                    _merge(events, fit, counts, found)
                else:
                    _climb(events, fit, counts, found)
                until, take = done + fit, fit
            if take:
                _spend(found, take, bins)
                _integrate(found, take, since + done, block, lanes)
                _top(found, take, tops)
        counts[4] = _draw(found, take, numbers, points, counts[4] - 1, tops[1]) + 1
        if take:
            tops[0] = _seconds(found[0, take - 1])
        done += take
    return done
