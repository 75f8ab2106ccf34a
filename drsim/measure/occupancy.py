"""How full a bounded buffer is: arrivals and releases, each a column of times, merged exactly."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.compiled import Loop
from drsim.measure.decimate import Curve
from drsim.measure.exposure import Exposure
from drsim.measure.loops import merge_levels
from drsim.measure.spread import Levels
from drsim.measure.stream import BLOCK, Blocks, Floats, Ints


class _Side:
    """Events of one kind that wait until all events before them are known."""

    __slots__ = ("_waiting", "last")

    def __init__(self) -> None:
        self._waiting: deque[tuple[Floats, Ints]] = deque()
        self.last = -math.inf

    def add(self, times: Floats, nbytes: Ints) -> None:
        if len(times):
            self._waiting.append((times, nbytes))
            self.last = float(times[-1])

    def every(self, rows: int, limit: float) -> list[float]:
        """Instants about ``rows`` events apart, in order, up to ``limit``, which is the last."""
        inside = [t for times, _ in self._waiting for t in times[rows::rows].tolist() if t < limit]
        return [*inside, limit]

    def before(self, limit: float) -> tuple[Floats, Ints]:
        """Take out the events strictly before ``limit``."""
        ready: list[tuple[Floats, Ints]] = []
        while self._waiting and self._waiting[0][0][0] < limit:
            times, nbytes = self._waiting.popleft()
            count = int(np.searchsorted(times, limit, side="left"))
            ready.append((times[:count], nbytes[:count]))
            if count < len(times):
                self._waiting.appendleft((times[count:], nbytes[count:]))
        if len(ready) == 1:
            times, nbytes = ready[0]
            return np.ascontiguousarray(times), np.ascontiguousarray(nbytes)
        ready.append((np.empty(0), np.empty(0, np.int64)))
        return np.concatenate([t for t, _ in ready]), np.concatenate([n for _, n in ready])


class OccupancyMeter:
    """Bytes and entries in a buffer over time: exact peak, mean, percentiles over time, curve.

    Arrivals and releases are given apart, each in time order. At one instant releases go first, so the
    peak is
    that just after an arrival, the arriving write included. Columns given are kept until their time has come:
    they must not be changed afterwards. What has not been merged yet needs memory: call `advance` when one
    side
    is silent for long.

    Args:
        limit: bytes the buffer holds, None for no limit; it is only reported.
        exposure: intervals left out of means and percentiles (shared with a `LagMeter`).
        spread: whether means and percentiles over time are wanted; without, peak and curve alone.
    """

    def __init__(
        self, limit: int | None = None, exposure: Exposure | None = None, *, spread: bool = True
    ) -> None:
        self.limit = limit
        self.exposure = exposure if exposure is not None else Exposure()
        self._spread = spread
        self.watch: Callable[[float, int], None] = _unwatched
        """Hears of each stretch of time measured: its end, seconds, and the highest level in it, bytes."""
        self.peak = 0
        self.peak_writes = 0
        self.peak_at_s = 0.0
        self._arrivals = _Side()
        self._releases = _Side()
        self._merged = Blocks(np.float64, np.int64, np.int64)
        self._came = (0, 0)  # bytes and writes held after all that was merged
        self._added = 0
        self._at = 0.0
        self._level = 0
        self._writes = 0
        self._sums = [0.0, 0.0, 0.0]
        self._tops = [0.0, 0.0]
        self._bytes = Levels()
        self._entries = Levels()
        self._curve = Curve()
        self._known = -math.inf
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
            self._merge(max(self._known, min(self._arrivals.last, self._releases.last)))

    def _merge(self, limit: float) -> None:
        """Take up all events before ``limit``, a cacheful at a time."""
        self._added = 0
        for each in self._arrivals.every(BLOCK, limit):
            self._merge_before(_even(each))

    def _merge_before(self, limit: float) -> None:
        """Take up events before ``limit``: (instant, bytes and writes held after it), in blocks."""
        arrivals, releases = self._arrivals.before(limit), self._releases.before(limit)
        rows = len(arrivals[0]) + len(releases[0])
        twin = merge_levels.worth(rows)
        if twin is not None:
            self._merge_in_loop(twin, arrivals, releases)
            return
        times, arrived = _interleaved(releases[0], arrivals[0])
        level = np.cumsum(_changes(arrived, arrivals[1], releases[1]))
        level += self._came[0]
        writes = level  # not asked for without spread
        if self._spread:
            writes = np.cumsum(arrived, dtype=np.int64)
            writes += writes
            writes -= np.arange(1 - self._came[1], rows + 1 - self._came[1])
        if rows:
            self._came = int(level[-1]), int(writes[-1])
        for block in self._merged.add(times, level, writes):
            self._settle(*block)

    def _merge_in_loop(
        self, twin: Loop, arrivals: tuple[Floats, Ints], releases: tuple[Floats, Ints]
    ) -> None:
        came, went = arrivals[0].view(np.int64), releases[0].view(np.int64)
        state = np.array([0, 0, 0, *self._came])
        while state[0] < len(came) or state[1] < len(went):
            (times, level, writes), state[2] = self._merged.room()
            twin(came, arrivals[1], went, releases[1], state, times.view(np.int64), level, writes)
            full = self._merged.filled(int(state[2]))
            if full is not None:
                self._settle(*full)
        self._came = int(state[3]), int(state[4])

    def _settle(self, times: Floats, level: Ints, writes: Ints) -> None:
        if len(times) == 0:
            return
        top = int(level.argmax())
        if level[top] > self.peak:
            self.peak, self.peak_at_s = int(level[top]), float(times[top])
        self.watch(float(times[-1]), int(level[top]))
        if self._spread:
            self.peak_writes = max(self.peak_writes, int(writes.max()))
            held = np.empty(len(times))
            held[0] = times[0] - self._at
            np.subtract(times[1:], times[:-1], out=held[1:])
            held = self.exposure.trimmed(times, held, self._at)
            self._weigh(held, _before(level, self._level), _before(writes, self._writes))
            self._writes = int(writes[-1])
        self._curve.add(times, level, times, level)
        self._at = float(times[-1])
        self._level = int(level[-1])

    def _weigh(self, held: Floats, level: Floats, writes: Floats) -> None:
        self._sums[0] += float(held.sum())
        self._sums[1] += float((level * held).sum())
        self._sums[2] += float((writes * held).sum())
        if self.exposure.intervals:
            self._tops[0] = max(self._tops[0], float(np.where(held > 0, level, 0.0).max()))
            self._tops[1] = max(self._tops[1], float(np.where(held > 0, writes, 0.0).max()))
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
        self._settle(*self._merged.rest())
        if self._at > math.nextafter(end_s, math.inf):
            raise ValueError(f"an event at {self._at} s lies beyond the end of the window, {end_s} s")
        self._end_s = end_s
        final = np.array([end_s])
        held = self.exposure.trimmed(final, final - self._at, self._at)
        self._weigh(held, np.array([float(self._level)]), np.array([float(self._writes)]))
        seconds = self._sums[0] or 1.0
        exposed = bool(self.exposure.intervals)
        return {
            "peak_bytes": self.peak,
            "peak_writes": self.peak_writes,
            "peak_at_s": self.peak_at_s,
            "final_bytes": self._level,
            "mean_bytes": self._sums[1] / seconds,
            "mean_writes": self._sums[2] / seconds,
            "top_bytes": int(self._tops[0]) if exposed else self.peak,
            "top_writes": int(self._tops[1]) if exposed else self.peak_writes,
            "bytes": self._bytes.percentiles(),
            "writes": self._entries.percentiles(),
        }

    def curve(self) -> tuple[Floats, Floats]:
        """After `finish`: times and levels (bytes) of the decimated step function; every peak is kept."""
        return self._curve.steps(self._end_s)


def _unwatched(until: float, top: int) -> None:
    del until, top


def _even(limit: float) -> float:
    """``limit`` with its last bit cleared, as the instants are compared: equal ones stay together."""
    return float((np.array([limit]).view(np.int64) & -2).view(np.float64)[0]) if limit > 0 else limit


def _interleaved(went: Floats, came: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Merge two columns of instants, releases first where equal; say which rows are arrivals.

    The last bit of an instant carries its kind, so that one sort of two runs does it all: instants come out true to
    one unit in the last place.
    """
    keys = np.empty(len(went) + len(came), np.int64)
    np.bitwise_and(went.view(np.int64), -2, out=keys[: len(went)])
    np.bitwise_or(came.view(np.int64), 1, out=keys[len(went) :])
    keys.sort(kind="stable")
    arrived = (keys & 1).astype(np.bool_)
    keys &= -2
    return keys.view(np.float64), arrived


def _changes(arrived: NDArray[np.bool_], put: Ints, taken: Ints) -> Ints:
    """What each event does to the level: writes are often all of one size, which is quicker."""
    if len(put) and len(taken):
        size = int(put[0])
        if (put == size).all() and (taken == size).all():
            change: Ints = arrived.astype(np.int64)
            change *= 2 * size
            change -= size
            return change
    change = np.empty(len(arrived), np.int64)
    change[arrived] = put
    change[~arrived] = -taken
    return change


def _before(levels: Ints, first: int) -> Floats:
    """The level before each event: the levels moved by one."""
    moved = np.empty(len(levels))
    moved[0] = first
    moved[1:] = levels[:-1]
    return moved
