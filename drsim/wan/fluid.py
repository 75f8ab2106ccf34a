"""The event loop of weighted sharing: plain loops over numbers, the same bits with and without numba.

Between events every class is served at a constant rate; events are arrivals, a class running dry, and the
capacity's breakpoints. A class's progress is anchored at the last event that changed *its* rate and nowhere
else, so where the loop is interrupted changes nothing. Only true events move an anchor.

Amounts are units, rates units/s, times seconds. Columns travel in tuples of rows that index like lists:

* ``line``: first instant and rate of each capacity segment.
* ``arrivals``: per class the next and the last place in the two columns that follow: when each item is
  ready, and what its class has been offered with it.
* ``items``: per class the next and the last place in the two columns that follow: what the class must have
  been served for each unfinished item to finish, and (the result) when that is.
* ``whole``: per class, integers: offered before this busy period, offered by now, busy or not.
* ``real``: per class: served in this busy period up to the anchor, the anchor, rate, when it runs dry.
* ``share``: per class: weight, floor, ceiling.
* ``memory``: which sets of busy classes have had their rates worked out, and those rates; as long as the sets
  fit, it spares the working out and changes nothing.
"""

from __future__ import annotations

import math
from typing import Any

_SURELY = 1e-6
"""Seconds, more than rounding can make of any difference: what is due so much later need not be divided to know it."""

Row = Any
"""A NumPy array (compiled) or a list (interpreted)."""

Rows = Any
"""A tuple of rows."""


def share_out(total: float, busy: Row, share: Rows, out: Row) -> None:
    """Weighted fair shares between bounds: ``clip(level x weight, floor, ceiling)`` that sum to ``total``.

    Floors that exceed the total are met in proportion; ceilings below it leave the rest unused.
    """
    weight, floor, ceiling = share
    least = poured(0.0, busy, share)
    most = poured(math.inf, busy, share)
    level = water_level(total, busy, share) if least < total < most else math.inf
    for c in range(len(out)):
        out[c] = 0.0
        if busy[c] and total > 0.0:
            if least >= total:
                out[c] = floor[c] * (total / least)
            else:
                out[c] = min(max(level * weight[c], floor[c]), ceiling[c])


def poured(level: float, busy: Row, share: Rows) -> float:
    """What all busy classes get at a level."""
    weight, floor, ceiling = share
    total = 0.0
    for c in range(len(weight)):
        if busy[c]:
            total += min(max(level * weight[c], floor[c]), ceiling[c])
    return total


def water_level(total: float, busy: Row, share: Rows) -> float:
    """Find the level at which the shares sum to ``total`` (between the sums of floors and ceilings)."""
    weight, floor, ceiling = share
    corner = 0.0
    for c in range(len(weight)):
        if busy[c]:
            for bound in (floor[c] / weight[c], ceiling[c] / weight[c]):
                if corner < bound < math.inf and poured(bound, busy, share) <= total:
                    corner = bound
    fixed = 0.0
    free = 0.0
    for c in range(len(weight)):
        if busy[c]:
            if floor[c] / weight[c] > corner:
                fixed += floor[c]
            elif ceiling[c] / weight[c] <= corner:
                fixed += ceiling[c]
            else:
                free += weight[c]
    return (total - fixed) / free if free > 0.0 else corner


def finish_at(end: int, origin: int, served: float, anchor: float, rate: float) -> float:
    """When a class, served ``served`` units since ``origin`` at ``anchor``, comes to ``end``."""
    if rate <= 0.0:
        return math.inf
    return max(anchor, anchor + ((end - origin) - served) / rate)


def flush(c: int, until: float, items: Rows, whole: Rows, real: Rows) -> None:
    """Finish a class's items that are due by ``until`` at its present rate; its next place moves on."""
    place, stop, ends, finish = items
    origin, offered = whole[0][c], whole[1][c]
    served, anchor, rate = real[0][c], real[1][c], real[2][c]
    i, last = place[c], stop[c]
    far = rate * (until - anchor + _SURELY)
    while i < last and ends[i] <= offered and not (ends[i] - origin) - served > far:
        at = finish_at(ends[i], origin, served, anchor, rate)
        if at > until:
            break
        finish[i] = at
        i += 1
    place[c] = i


def recall(total: float, busy: Row, share: Rows, memory: Rows, fresh: Row) -> int:
    """`share_out`, remembering the answer for each set of busy classes.

    Returns:
        Where the answer begins in ``memory``; -1: it is in ``fresh``, for there are too many sets.
    """
    known, rates = memory
    n = len(fresh)
    number = 0
    for c in range(n):
        number = 2 * number + busy[c]
    if number >= len(known):
        share_out(total, busy, share, fresh)
        return -1
    if not known[number]:
        known[number] = 1
        share_out(total, busy, share, fresh)
        for c in range(n):
            rates[number * n + c] = fresh[c]
    return number * n


def rerate(now: float, total: float, items: Rows, state: Rows, memory: Rows, fresh: Row) -> None:
    """Share the capacity anew among the busy classes; those whose rate changes get a new anchor."""
    whole, real, share = state
    origin, offered, busy = whole
    served, anchor, rate, dry = real
    first = recall(total, busy, share, memory, fresh)
    rates = fresh if first < 0 else memory[1]
    first = max(first, 0)
    for c in range(len(fresh)):
        before, after = rate[c], rates[first + c]
        if busy[c] and after != before:
            if before > 0.0:
                flush(c, now, items, whole, real)
                served[c] += before * (now - anchor[c])
            anchor[c] = now
            rate[c] = after
            dry[c] = finish_at(offered[c], origin[c], served[c], now, after)


def arrive(c: int, now: float, arrivals: Rows, whole: Rows, real: Rows, coming: Row) -> bool:
    """Take up a class's next arrival; tell whether that woke the class."""
    place, stop, ready, sums = arrivals
    origin, offered, busy = whole
    served, anchor, rate, dry = real
    woke = not busy[c]
    if woke:
        origin[c], served[c], anchor[c], rate[c], busy[c] = offered[c], 0.0, now, 0.0, 1
    offered[c] = sums[place[c]]
    place[c] += 1
    coming[c] = ready[place[c]] if place[c] < stop[c] else math.inf
    if not woke:
        dry[c] = finish_at(offered[c], origin[c], served[c], anchor[c], rate[c])
    return woke


def soonest(times: Row) -> int:
    """Index of the least, the first among equals."""
    best, least = 0, times[0]
    for c in range(1, len(times)):
        best = c if times[c] < least else best
        least = min(least, times[c])
    return best


def look_ahead(arrivals: Rows, coming: Row) -> None:
    """Note when each class's next item comes."""
    place, stop, ready, _ = arrivals
    for c in range(len(coming)):
        coming[c] = ready[place[c]] if place[c] < stop[c] else math.inf


def forget(known: Row) -> None:
    """The capacity has changed: no rates are known."""
    for i in range(len(known)):
        known[i] = 0


def serve(
    until: float, line: Rows, segment: int, arrivals: Rows, items: Rows, state: Rows, scratch: Rows
) -> int:
    """Serve up to ``until``; events at ``until`` itself are left for the next call.

    Args:
        until: seconds.
        line, arrivals, items: see above.
        segment: of the line, in force.
        state: ``whole``, ``real`` and ``share``.
        scratch: two rows with a place a class, and the two of an empty ``memory``.

    Returns:
        The segment in force at the end.
    """
    start, capacity = line
    whole, real, _ = state
    busy, rate, dry = whole[2], real[2], real[3]
    fresh, coming, known, rates = scratch
    memory = (known, rates)
    look_ahead(arrivals, coming)
    d = soonest(dry)
    edge = start[segment + 1] if segment + 1 < len(start) else math.inf
    c = soonest(coming)
    while True:
        now = coming[c]
        if now <= dry[d] and now <= edge and now < until:
            woke = arrive(c, now, arrivals, whole, real, coming)
            if not woke and c == d:  # it runs dry later now, and maybe another one before it
                d = soonest(dry)
            c = soonest(coming)
            if not woke:
                continue
        elif dry[d] <= edge and dry[d] < until:
            now = dry[d]
            flush(d, now, items, whole, real)
            busy[d], rate[d], dry[d] = 0, 0.0, math.inf
        elif edge < until:
            now = edge
            segment += 1
            edge = start[segment + 1] if segment + 1 < len(start) else math.inf
            forget(known)
        else:
            break
        rerate(now, capacity[segment], items, state, memory, fresh)
        d = soonest(dry)
    for c in range(len(coming)):
        if busy[c]:
            flush(c, until, items, whole, real)
    return segment


PARTS = (
    share_out, poured, water_level, finish_at, flush, recall, rerate, arrive, soonest, look_ahead, forget
)  # fmt: skip
"""What `serve` calls, to be compiled with it."""
