"""Percentiles of streams: exact while there are few values, from logarithmic bins of 0.1 % after that.

Sums of a bin are exact (`drsim.measure.bins`); only what lies between two edges is interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from drsim.measure.bins import Moments, bins, edges, wide
from drsim.measure.loops import SHIFT
from drsim.measure.stream import Floats, Ints, grown

EXACT = 32768
"""Values kept one by one before the bins take over."""

SHARES = (0.50, 0.90, 0.95, 0.99, 0.999)
"""The percentiles of every summary, as fractions."""
NAMES = ("p50", "p90", "p95", "p99", "p999")


class Spread:
    """Two distributions that share most of their numbers: the delay of writes, and lag over time.

    Lag rises one second a second along ramps, so each ramp spends equal time at every value in [lo, hi].
    The time spent at or below an edge E is the sum of ``(E - lo)+ - (E - hi)+``, for which counts and sums of the
    lo's and
    hi's below E are enough. Where nothing interferes, the hi of a write's ramp is its delay.
    """

    __slots__ = ("_apart", "_bins", "_kept", "n", "rows")

    def __init__(self) -> None:
        self.n = 0
        self.rows = 0
        self._kept: list[tuple[Floats, Floats, Floats]] = []
        self._bins: tuple[Moments, Moments] | None = None
        self._apart: tuple[Moments, Moments] | None = None

    def add(self, lo: Floats, delay: Floats) -> None:
        """Count writes whose ramps go from ``lo`` to ``delay`` (float64[n] each, seconds)."""
        self._count(lo, delay, delay)

    def add_apart(self, delay: Floats, lo: Floats, hi: Floats) -> None:
        """Count writes of this ``delay`` (float64[n]), and ramps from ``lo`` to ``hi`` (float64[m] each)."""
        self._count(lo, hi, delay)

    @property
    def binned(self) -> bool:
        """Whether bins have taken over from values kept one by one."""
        return self._bins is not None

    def room(self, top: float) -> tuple[Ints, Ints]:
        """The cells of both, for a loop that adds ramps up to ``top`` to them."""
        assert self._bins is not None
        return self._bins[0].room(top), self._bins[1].room(top)

    def room_apart(self, top: float) -> Ints:
        """The cells of delays that are no ramp's end, for a loop that adds delays up to ``top`` to them."""
        if self._apart is None:
            self._apart = Moments(), Moments()
        return self._apart[1].room(top)

    def went(self, rows: int) -> None:
        """A loop has added so many writes to the cells."""
        self.n += rows
        self.rows += rows

    def _count(self, lo: Floats, hi: Floats, delay: Floats) -> None:
        self.n += len(delay)
        self.rows += max(len(delay), len(lo))
        if self.rows <= EXACT:
            own = _kept(hi)
            self._kept.append((_kept(lo), own, own if delay is hi else _kept(delay)))
            return
        if self._bins is None:
            self._bins = Moments(), Moments()
            for kept in self._kept:
                self._bin(*kept)
            self._kept = []
        self._bin(lo, hi, delay)

    def _bin(self, lo: Floats, hi: Floats, delay: Floats) -> None:
        assert self._bins is not None
        self._bins[0].add(lo)
        if hi is delay:
            self._bins[1].add(hi)
            return
        if self._apart is None:
            self._apart = Moments(), Moments()
        self._apart[0].add(hi)
        self._apart[1].add(delay)

    def _both(self, which: int, size: int = 0) -> tuple[Floats, Floats]:
        """Counts and sums of the shared bins and of those apart: the hi's (0) or the delays (1)."""
        assert self._bins is not None
        parts = [self._bins[1]] + ([self._apart[which]] if self._apart else [])
        size = max(size, *(len(part.cells) for part in parts), 0)
        padded = [part.columns(size) for part in parts]
        return np.sum([c for c, _ in padded], axis=0), np.sum([t for _, t in padded], axis=0)

    def delays(self, shares: Sequence[float] = SHARES) -> list[float]:
        """Smallest delay that at least this share of the writes does not exceed (nearest rank), seconds."""
        if self.n == 0:
            return [0.0 for _ in shares]
        ranks = np.maximum(np.ceil(np.array(shares) * self.n - 1e-9), 1).astype(np.int64)
        if self._bins is None:
            ordered = np.sort(np.concatenate([delay for _, _, delay in self._kept]))
            return [float(v) for v in ordered[ranks - 1]]
        count, total = self._both(1)
        at = np.searchsorted(np.cumsum(count), ranks)
        return [float(v) for v in total[at] / count[at]]

    def keys(self, word: str, total: float, top: float) -> dict[str, float | None]:
        """Summary keys of the delays, ``{word}_mean_s`` to ``{word}_max_s``, from their sum and the greatest.

        None where there are none.
        """
        values = [total / max(self.n, 1), *(min(value, top) for value in self.delays()), top]
        names = (f"{word}_{name}_s" for name in ("mean", *NAMES, "max"))
        return {name: value if self.n else None for name, value in zip(names, values, strict=True)}

    def mass(self) -> tuple[Floats, Floats]:
        """Give edges (float64[m], seconds, increasing) and the seconds the ramps spend at or below each."""
        if self._bins is None:
            return self._exact_mass()
        wide = [*self._bins, *(self._apart or ())]
        size = max(len(part.cells) for part in wide) + 1
        started, begun = self._bins[0].columns(size)
        ended, done = self._both(0, size)
        limits = edges(size, Moments.octave) - SHIFT
        open_ramps = np.concatenate([[0.0], np.cumsum(started - ended)[:-1]])
        offset = np.concatenate([[0.0], np.cumsum(begun - done)[:-1]])
        return limits, np.maximum.accumulate(np.maximum(open_ramps * limits - offset, 0.0))

    def _exact_mass(self) -> tuple[Floats, Floats]:
        if not self._kept:
            return np.zeros(1), np.zeros(1)
        lo = np.concatenate([lo for lo, _, _ in self._kept])
        hi = np.concatenate([hi for _, hi, _ in self._kept])
        if len(lo) == 0:
            return np.zeros(1), np.zeros(1)
        values = np.concatenate([lo, hi])
        order = np.argsort(values, kind="stable")
        edges = values[order]
        slope = np.cumsum(np.where(order < len(lo), 1.0, -1.0))
        return edges, np.concatenate([[0.0], np.cumsum(slope[:-1] * np.diff(edges))])

    def over_time(self, idle_s: float, shares: Sequence[float] = SHARES) -> list[float]:
        """Value not exceeded for each share of the time; 0 for ``idle_s`` seconds beside the ramps."""
        edges, mass = self.mass()
        below = mass + max(idle_s, 0.0)
        return [_crossing(edges, below, share * float(below[-1])) for share in shares]

    def exceedance(self, idle_s: float, points: int = 512) -> dict[str, Floats]:
        """Columns ``lag_s`` and ``share``: the share of time with more lag than each of the values.

        Values are chosen evenly in the logarithm of the share, so that rare long lags are drawn as well as
        common short ones; the share at a chosen value is exact.
        """
        edges, mass = self.mass()
        below = mass + max(idle_s, 0.0)
        total = float(below[-1])
        if total <= 0.0:
            return {"lag_s": np.zeros(1), "share": np.zeros(1)}
        share = np.maximum(1.0 - below / total, 0.0)
        inside = np.flatnonzero(edges >= 0.0)
        wanted = -np.concatenate([np.linspace(1.0, 0.1, points // 4), np.logspace(-1, -7, points // 2)])
        chosen = np.unique(np.searchsorted(-share[inside], wanted).clip(0, len(inside) - 1))
        end = [int(np.searchsorted(below, total))]
        rows = np.unique(np.concatenate([inside[chosen], end])).clip(0, len(edges) - 1)
        return {"lag_s": np.maximum(edges[rows], 0.0), "share": share[rows]}


def _kept(values: Floats) -> Floats:
    """A copy; zeros, which are common, take no room."""
    return values.copy() if values.any() else np.broadcast_to(np.float64(0.0), values.shape)


def _crossing(edges: Floats, below: Floats, wanted: float) -> float:
    """Smallest x at which the piecewise linear ``below`` reaches ``wanted``."""
    at = int(np.searchsorted(below, wanted, side="left"))
    if at == 0 or wanted <= 0.0:
        return 0.0
    at = min(at, len(below) - 1)
    left, right = float(below[at - 1]), float(below[at])
    part = (wanted - left) / (right - left) if right > left else 1.0
    return float(edges[at - 1] + min(part, 1.0) * (edges[at] - edges[at - 1]))


class Levels:
    """The distribution over time of a step function of whole numbers (bytes, writes).

    A binned level is reported as its bin's lower edge: exact for multiples of a power of two up to the
    2047th, else at most 0.1 % too low.
    """

    __slots__ = ("_beyond", "_kept", "_time", "n")
    octave = -1

    def __init__(self) -> None:
        self.n = 0
        self._kept: list[tuple[Floats, Floats]] = []
        self._time: Floats | None = None
        self._beyond = -math.inf

    def add(self, levels: Floats, seconds: Floats) -> None:
        """Count ``seconds`` (float64[n]) spent at each of ``levels`` (float64[n], whole, not negative)."""
        self.n += len(levels)
        if self._time is None:
            if self.n <= EXACT:
                self._kept.append((levels.copy(), seconds.copy()))
                return
            self._time = np.zeros(0)
            for kept in self._kept:
                self._bin(*kept)
            self._kept = []
        self._bin(levels, seconds)

    def _bin(self, levels: Floats, seconds: Floats) -> None:
        if len(levels) == 0:
            return
        assert self._time is not None
        chosen = np.maximum(levels, 0.5)
        np.add.at(self.room(float(chosen.max())), bins(chosen, self.octave), seconds)

    @property
    def binned(self) -> bool:
        """Whether bins have taken over from values kept one by one."""
        return self._time is not None

    def room(self, level: float) -> Floats:
        """The seconds in each bin (for a loop that adds to them), of which there are enough for this level."""
        assert self._time is not None
        if level >= self._beyond:
            highest = bins(np.array([max(float(level), 0.5)]), self.octave)
            self._time = grown(self._time, wide(int(highest[0]) + 1))
            self._beyond = float(edges(len(self._time) + 1, self.octave)[-1])
        return self._time

    def percentiles(self, shares: Sequence[float] = SHARES) -> list[float]:
        """Smallest level not exceeded for at least each share of the time; 0 when no time was spent."""
        if self._time is None:
            levels = np.concatenate([v for v, _ in self._kept]) if self._kept else np.zeros(1)
            seconds = np.concatenate([s for _, s in self._kept]) if self._kept else np.zeros(1)
            order = np.argsort(levels, kind="stable")
            levels, seconds = levels[order], seconds[order]
        else:
            seconds = self._time
            levels = edges(len(seconds), self.octave)
            levels[levels < 1.0] = 0.0
        below = np.cumsum(seconds)
        if below[-1] <= 0.0:
            return [0.0 for _ in shares]
        at = np.searchsorted(below, np.array(shares) * below[-1] * (1 - 1e-12), side="left")
        return [float(v) for v in levels[np.minimum(at, len(levels) - 1)]]
