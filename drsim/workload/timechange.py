"""Exact time changes: a unit-rate process carried through a piecewise-constant intensity."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from drsim.workload import loops
from drsim.workload.arrivals import Segments
from drsim.workload.columns import Floats

WEEK_S = 604_800.0
YEAR_S = 365.25 * 86_400.0


class TimeChange(ABC):
    """t = L^-1(u), where L is a cumulative intensity; asked with non-decreasing ``u`` only."""

    @abstractmethod
    def when(self, u: Floats) -> Floats:
        """Give the earliest instants at which L reaches ``u`` (float64[n], non-decreasing), seconds."""


class Steps(TimeChange):
    """Random steps drawn as they are needed; what lies behind the last instant asked for is forgotten."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._reached = np.zeros(1)
        self._at = np.zeros(1)
        self._level = np.empty(0)

    def when(self, u: Floats) -> Floats:
        self._extend(float(u[-1]))
        t = interpolate(u, self._reached, self._at, self._level)
        self._forget(float(u[-1]))
        return t

    def _extend(self, u: float) -> None:
        at, reached, level = [self._at], [self._reached], [self._level]
        while reached[-1][-1] < u:
            seconds, factor = next(self._segments)
            at.append(np.cumsum(np.append(at[-1][-1], seconds))[1:])
            reached.append(np.cumsum(np.append(reached[-1][-1], seconds * factor))[1:])
            level.append(factor)
        self._at, self._reached = np.concatenate(at), np.concatenate(reached)
        self._level = np.concatenate(level)

    def _forget(self, u: float) -> None:
        done = int(np.searchsorted(self._reached, u, side="left")) - 1
        if done > 0:
            self._at, self._reached = self._at[done:], self._reached[done:]
            self._level = self._level[done:]


def interpolate(u: Floats, reached: Floats, at: Floats, level: Floats) -> Floats:
    """Left inverse of a piecewise-linear L.

    Args:
        u: float64[n], non-decreasing, in (reached[0], reached[-1]].
        reached: float64[k+1], L at the edges.
        at: float64[k+1], the edges, seconds.
        level: float64[k], slope between edges; a flat piece is jumped over.
    """
    edges = np.searchsorted(u, reached, side="right")
    segment = np.repeat(np.arange(len(level)), np.diff(edges))
    if len(segment) < len(u):
        # At or before the first edge (only by rounding): the first rising piece takes them.
        segment = np.concatenate([np.zeros(len(u) - len(segment), np.int64), segment])
    with np.errstate(divide="ignore"):
        slope = 1.0 / level
    slope[~np.isfinite(slope)] = 0.0
    t: Floats = at[segment] + (u - reached[segment]) * slope[segment]
    # Rounding must not carry an instant past its piece's end, or times could step back.
    return np.minimum(t, at[segment + 1], out=t)


@dataclass(frozen=True, eq=False)
class Week:
    """A weekly pattern, as intensity by time of the week, of mean 1.

    Attributes:
        edge: float64[k+1], seconds since Monday 00:00, from 0 to 604800.
        level: float64[k], intensity between edges relative to the mean, not negative.
    """

    edge: Floats
    level: Floats

    @property
    def peak(self) -> float:
        """The highest intensity."""
        return float(self.level.max())


class Weekly(TimeChange):
    """A `Week` over and over, entered ``offset_s`` seconds after Monday 00:00; holds no state."""

    def __init__(self, week: Week, offset_s: float) -> None:
        self._begin, self._end = week.edge[:-1], week.edge[1:]
        self._offset = offset_s
        self._reached = np.concatenate([[0.0], np.cumsum(np.diff(week.edge) * week.level)])
        self._whole = float(self._reached[-1])
        with np.errstate(divide="ignore"):
            slope = 1.0 / week.level
        self._slope = np.where(np.isfinite(slope), slope, 0.0)
        begun, rest = divmod(offset_s, WEEK_S)
        inside = min(int(np.searchsorted(week.edge, rest, side="right")), len(slope)) - 1
        entered = self._reached[inside] + (rest - week.edge[inside]) * week.level[inside]
        self._entered = begun * self._whole + float(entered)

    def when(self, u: Floats) -> Floats:
        weeks, segment = self._place(u[[0, -1]] + self._entered)
        if weeks[0] == weeks[1] and segment[0] == segment[1]:
            if (twin := loops.in_one_hour.worth(len(u))) is not None:
                t = np.empty(len(u))
                twin(np.ascontiguousarray(u), self._entered, *self._numbers(weeks[0], segment[0]), t)
                return t
            weeks, segment = weeks[0], segment[0]
        else:
            weeks, segment = self._place(u + self._entered)
        t = self._inside(u + self._entered, weeks, segment)
        return np.maximum.accumulate(t, out=t)

    def _place(self, x: Floats) -> tuple[Any, Any]:
        """Week and segment of each; left inverse, so a whole number of weeks is the end of one."""
        weeks = np.ceil(x / self._whole) - 1
        segment = np.searchsorted(self._reached, x - weeks * self._whole, side="left") - 1
        return weeks, np.clip(segment, 0, len(self._slope) - 1)

    def _inside(self, x: Floats, weeks: Any, segment: Any) -> Floats:
        """Instants; weeks and segment as arrays, or as the one of a whole block: the same arithmetic."""
        gone, reached, slope, begin, end, later = self._numbers(weeks, segment)
        rest: Floats = x - gone
        rest -= reached
        rest *= slope
        rest += begin
        np.minimum(rest, end, out=rest)
        rest += later
        return rest

    def _numbers(self, weeks: Any, segment: Any) -> tuple[Any, ...]:
        """Intensity of the weeks before, and before the segment; its slope, begin and end; the weeks' seconds."""
        of = (column[segment] for column in (self._reached, self._slope, self._begin, self._end))
        return weeks * self._whole, *of, weeks * WEEK_S - self._offset


class Growth(TimeChange):
    """Intensity growing by the year: ``(1 + yearly) ** (t / year)``, t from the run's start; closed form.

    For decay (``yearly`` below 0) L is bounded: what lies beyond its end never happens (inf).
    """

    def __init__(self, yearly: float) -> None:
        self._slope = math.log1p(yearly) / YEAR_S

    def when(self, u: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log1p(np.maximum(u * self._slope, -1.0)) / self._slope
