"""How full a bounded buffer is: arrivals and releases, each a column of times, merged exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from drsim.blocks.batch import narrow, sum_of
from drsim.blocks.compiled import Loop
from drsim.measure.decimate import Curve
from drsim.measure.exposure import Exposure
from drsim.measure.levels import AT_ONCE, levels
from drsim.measure.spread import Levels
from drsim.measure.stream import BLOCK, Floats, Ints, Total, uniform
from drsim.measure.waiting import Side, after, even, instant

_Events = tuple[Ints, Ints, Ints, Ints]
"""Bits of the instants of arrivals and their bytes, the same of releases; two rows more of each, which come later.

Where there are no releases, those of arrivals alone.
"""
_Curve = tuple[Ints, Floats, int]
_NO_RELEASES = np.empty(0, np.int64), np.empty(0, np.int64)


class OccupancyMeter:
    """Bytes and entries in a buffer over time: exact peak, mean, percentiles over time, curve.

    Arrivals and releases are given apart, each in time order. At one instant releases go first, so the peak is
    that just after an arrival, the arriving write included. Columns given are kept until their time has come: they
    must not be changed afterwards. What has not been merged yet needs memory: call `advance` when one side is silent.

    Args:
        limit: bytes the buffer holds, None for no limit; it is only reported.
        exposure: intervals left out of means and percentiles (shared with a `LagMeter`).
        spread: whether means and percentiles over time are wanted; without, peak and curve alone.
        drawn: whether the curve is wanted; without, nothing need be merged where the level stays below the peak.
    """

    def __init__(
        self,
        limit: int | None = None,
        exposure: Exposure | None = None,
        *,
        spread: bool = True,
        drawn: bool = True,
    ) -> None:
        self.limit = limit
        self.exposure = exposure if exposure is not None else Exposure()
        self._spread = spread
        self._drawn = drawn or spread
        self.watch: Callable[[list[tuple[float, float]]], None] = _unwatched
        """Hears of the stretches of time measured: the end of each, seconds, and the highest level in it, bytes."""
        self._arrivals = Side()
        self._releases = Side()
        self._added = 0
        self._at = 0.0
        self._level = 0
        self._writes = 0
        self._sums = Total(), Total()  # of bytes and of writes, times seconds
        self._tops = np.zeros(3)  # most writes; most bytes and most writes that lasted, outside exposure
        self._bytes = Levels()
        self._entries = Levels()
        self._curve = Curve()
        self._known = self._merged = -math.inf
        self._end_s = 0.0

    def arrive(self, times: Floats, nbytes: Ints) -> None:
        """Take arrivals: float64[n] seconds, non-decreasing, and int64[n] bytes."""
        self._arrivals.add(times, nbytes)
        self._step(len(times))

    def release(self, times: Floats, nbytes: Ints) -> None:
        """Take releases: float64[n] seconds, non-decreasing, and int64[n] bytes."""
        self._releases.add(times, nbytes)
        self._step(len(times))

    def advance(self, now: float) -> None:
        """Promise that every event before ``now`` has been given."""
        self._known = max(self._known, now)
        self._step(0)

    def _step(self, added: int) -> None:
        self._added += added
        if self._added >= 2 * BLOCK:
            limit = max(self._known, min(self._arrivals.last, self._releases.last))
            if limit > self._merged:
                self._merge(limit)

    @property
    def _one_by_one(self) -> bool:
        """Whether levels are still kept one by one, as the first are: that is for NumPy alone."""
        return self._spread and not self._bytes.binned

    def _merge(self, limit: float) -> None:
        """Take up all events before ``limit``: in NumPy a cacheful at a time."""
        twin = levels.worth(self._added)
        self._added, self._merged = 0, limit
        limits = self._arrivals.every(BLOCK, limit) if twin is None or self._one_by_one else []
        for each in map(even, (*limits, limit)):
            while (at := self._releases.at_once(each)) is not None:
                self._merge_before(at, twin)
                apart = self._one_by_one or (self._spread and self.exposure.touches(self._at, at))
                if apart or (nbytes := self._releases.all_at(at)) is None:
                    self._merge_before(after(at), twin)
                else:
                    self._fall(at, nbytes, twin)
            self._merge_before(each, twin)

    def _fall(self, at: float, nbytes: Ints, twin: Loop | None) -> None:
        """Take up many releases at one instant: the level after the first counts, and the last, for it lasts."""
        sizes = np.array([nbytes[0], sum_of(nbytes[1:]), 0, 0])
        went = np.array([at, at, math.inf, math.inf]).view(np.int64)
        self._measure((went[2:], sizes[2:], went, sizes), twin)
        if self._spread:
            self._writes -= len(nbytes) - 2
            for total in self._sums:
                total.idle(len(nbytes) - 2)

    def _merge_before(self, limit: float, twin: Loop | None) -> None:
        """Take up events before ``limit``; where nothing is released meanwhile, as they came."""
        if self._releases.first >= limit:
            for chunk in self._arrivals.chunks(limit):
                self._measure((*chunk, *_NO_RELEASES), twin)
            return
        events = (*self._arrivals.before(limit), *self._releases.before(limit))
        if len(events[0]) + len(events[2]) > 4:
            self._measure(events, twin)

    def _measure(self, events: _Events, twin: Loop | None) -> None:
        """Take up the next events."""
        came, put, went, taken = (
            (column[: len(column) - 2] for column in events) if len(events[2]) else events
        )
        if not self._drawn and self._stays_below(came, put, went, taken):
            self._level += sum_of(put) - sum_of(taken)
            return
        last = max(instant(column, -1) for column in (came, went) if len(column))
        if twin is None or self._one_by_one or self.exposure.touches(self._at, last):
            self._settle(came, put, went, taken)
        else:
            first = min(instant(column, 0) for column in (came, went) if len(column))
            self._settle_in_loop(twin, events, len(came) + len(went), self._curve.room(first, last))
        self.watch(self._curve.touched())
        self._at = last

    def _stays_below(self, came: Ints, put: Ints, went: Ints, taken: Ints) -> bool:
        """Whether events all of one size are sure not to bring the level beyond its peak, of which ``fit`` are left.

        Arrival i would where release i - ``fit`` comes after it.
        """
        if len(came) == 0:
            return True
        if not uniform(put) or (len(went) and (put[0] != taken[0] or not uniform(taken))):
            return False
        fit = (max(int(self._curve.top()[1]), 0) - self._level) // int(put[0])
        if len(came) - fit > len(went):
            return False
        return not (went[: max(len(came) - fit, 0)] > came[fit:]).any()

    def _settle(self, came: Ints, put: Ints, went: Ints, taken: Ints) -> None:
        """Measure the level between events."""
        times, step = _interleaved(went, came)
        size = _size(put, taken)
        if size:
            writes = np.cumsum(step)
            level = writes * size
        else:
            level = np.cumsum(_changes(step, put, taken))
            writes = np.cumsum(step) if self._spread else level
        level += self._level
        if self._spread:
            writes += self._writes
            self._tops[0] = max(self._tops[0], float(writes.max()))
            held = np.empty(len(times))
            held[0] = times[0] - self._at
            np.subtract(times[1:], times[:-1], out=held[1:])
            held = self.exposure.trimmed(times, held, self._at)
            self._weigh(held, _before(level, self._level), _before(writes, self._writes))
            self._writes = int(writes[-1])
        self._curve.add(times, level, times, level)
        self._level = int(level[-1])

    def _settle_in_loop(self, twin: Loop, events: _Events, rows: int, curve: _Curve) -> None:
        """`_settle` of so many events."""
        events = events[0], narrow(events[1]), events[2], narrow(events[3])
        numbers, points, bins = curve
        counts = np.array([0, 0, self._level, self._writes, bins])
        tops = np.array([self._at, 1 / self._curve.width_s, *self._tops])
        found = np.empty((6 if self._spread else 3, min(rows, AT_ONCE) + 1), np.int64)
        spent, lanes = (np.empty(0),) * 2, (np.empty((0, 0)),) * 2
        while rows:
            if self._spread:
                spent = self._bytes.room(int(counts[2])), self._entries.room(int(counts[3]))
                lanes = self._sums[0].blocks(rows), self._sums[1].blocks(rows)
            took = twin(
                events, (rows, self._sums[0].rows, BLOCK), counts, tops, spent, lanes, numbers, points, found
            )
            rows -= took
            if self._spread:
                for total, table in zip(self._sums, lanes, strict=True):
                    total.filled(table, took)
        self._level = int(counts[2])
        if self._spread:
            self._writes, self._tops = int(counts[3]), tops[2:]
            self._tops[0] = max(self._tops[0], self._writes)  # the loop looks at what each event finds
        self._curve.filled(int(counts[4]))

    def _weigh(self, held: Floats, level: Floats, writes: Floats) -> None:
        for top, values in ((1, level), (2, writes)):
            if values.max() > self._tops[top]:
                self._tops[top] = max(self._tops[top], float(np.where(held > 0, values, 0.0).max()))
        self._sums[0].add(level * held)
        self._sums[1].add(writes * held)
        self._bytes.add(level, held)
        self._entries.add(writes, held)

    def finish(self, end_s: float) -> dict[str, Any]:
        """Close the window [0, ``end_s``] and give the numbers.

        Returns:
            ``peak_bytes``, ``peak_writes``, ``peak_at_s``, ``final_bytes``; and, leaving exposure out,
            ``mean_bytes``, ``mean_writes``, ``top_bytes``, ``top_writes`` and the percentiles over time
            ``bytes`` and ``writes`` (p50, p90, p95, p99, p999).
        """
        self._merge(math.inf)
        if self._at > math.nextafter(end_s, math.inf):
            raise ValueError(f"an event at {self._at} s lies beyond the end of the window, {end_s} s")
        self._end_s = end_s
        final = np.array([end_s])
        held = self.exposure.trimmed(final, final - self._at, self._at)
        self._weigh(held, np.array([float(self._level)]), np.array([float(self._writes)]))
        seconds = (end_s - self.exposure.seconds(end_s)) or 1.0
        exposed = bool(self.exposure.intervals)
        peak_at_s, peak = self._curve.top()
        peak_writes = max(int(self._tops[0]), self._writes)
        return {
            "peak_bytes": max(int(peak), 0),
            "peak_writes": peak_writes,
            "peak_at_s": peak_at_s if peak > 0 else 0.0,
            "final_bytes": self._level,
            "mean_bytes": self._sums[0].value / seconds,
            "mean_writes": self._sums[1].value / seconds,
            "top_bytes": int(self._tops[1]) if exposed else max(int(peak), 0),
            "top_writes": int(self._tops[2]) if exposed else peak_writes,
            "bytes": self._bytes.percentiles(),
            "writes": self._entries.percentiles(),
        }

    def curve(self) -> tuple[Floats, Floats]:
        """After `finish`: times and levels (bytes) of the decimated step function; every peak is kept."""
        return self._curve.steps(self._end_s)


def _unwatched(tops: list[tuple[float, float]]) -> None:
    del tops


def _interleaved(went: Ints, came: Ints) -> tuple[Floats, Ints]:
    """Merge two columns of instants (their bits), releases first where equal; say of each row: 1 arrival, or -1.

    The last bit of an instant carries its kind, so that one sort of two runs does it all: instants come out true to
    one unit in the last place.
    """
    keys = np.empty(len(went) + len(came), np.int64)
    np.bitwise_and(went, -2, out=keys[: len(went)])
    np.bitwise_or(came, 1, out=keys[len(went) :])
    keys.sort(kind="stable")
    step: Ints = keys & 1
    step += step
    step -= 1
    keys &= -2
    return keys.view(np.float64), step


def _size(put: Ints, taken: Ints) -> int:
    """The one size of all events, which is common and quicker; 0 where they are of several."""
    given = [sizes for sizes in (put, taken) if len(sizes)]
    size = int(given[0][0])
    return size if all(sizes[0] == size and uniform(sizes) for sizes in given) else 0


def _changes(step: Ints, put: Ints, taken: Ints) -> Ints:
    """What each event does to the level."""
    change = np.empty(len(step), np.int64)
    change[step > 0] = put
    change[step < 0] = -taken
    return change


def _before(levels: Ints, first: int) -> Floats:
    """The level before each event: the levels moved by one."""
    moved = np.empty(len(levels))
    moved[0] = first
    moved[1:] = levels[:-1]
    return moved
