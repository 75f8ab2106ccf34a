"""When in the week writes come: patterns of mean 1, so a calendar moves writes and keeps bytes a week."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from drsim.units import UnitError, parse_days, parse_duration, parse_time_of_day
from drsim.workload.columns import Floats
from drsim.workload.spelling import Spelled, argument, number, read
from drsim.workload.timechange import WEEK_S, Week

_DAY_S = 86_400.0
_OFFICE = (1, 1, 1, 1, 1, 1, 2, 5, 9, 10, 10, 9, 7, 9, 10, 10, 9, 6, 3, 2, 2, 1, 1, 1)


class Calendar(Spelled, ABC):
    """A weekly pattern of intensity."""

    @abstractmethod
    def week(self) -> Week:
        """Give the pattern, of mean 1."""


@dataclass(frozen=True)
class Office(Calendar):
    """Working days: busy 08:00 to 17:00 with a dip at noon; a tenth of that at night and at weekends."""

    FORM: ClassVar[str] = "office"

    def week(self) -> Week:
        idle = (1,) * 24
        return hourly(np.array([*_OFFICE * 5, *idle * 2], np.float64))


@dataclass(frozen=True)
class Diurnal(Calendar):
    """Every day alike: a cosine by the hour, ``swing`` times as busy at hour ``peak`` as at its trough."""

    FORM: ClassVar[str] = "diurnal(4, 14)"
    swing: float = argument(number, 4.0)
    peak: float = argument(number, 14.0)

    def __post_init__(self) -> None:
        if self.swing < 1:
            raise ValueError("the peak cannot be below the trough")

    def week(self) -> Week:
        depth = (self.swing - 1) / (self.swing + 1)
        hour = np.arange(24) + 0.5
        day: Floats = 1 + depth * np.cos((hour - self.peak) / 12 * np.pi)
        return hourly(np.tile(day, 7))


@dataclass(frozen=True)
class Window(Calendar):
    """All writes in one window a day (a nightly batch, a backup, a boot storm); it may run past midnight."""

    FORM: ClassVar[str] = "window(22:00, 4 h, Mon-Fri)"
    start: float = argument(parse_time_of_day)
    length: float = argument(parse_duration)
    days: frozenset[int] = argument(parse_days, frozenset(range(7)))

    def __post_init__(self) -> None:
        if not 0 < self.length <= _DAY_S:
            raise ValueError("a window lasts more than nothing and at most a day")

    def week(self) -> Week:
        edges = {0.0, WEEK_S}
        spans = []
        for day in self.days:
            begin = day * _DAY_S + self.start
            for shift in (-WEEK_S, 0.0):
                span = max(begin + shift, 0.0), min(begin + shift + self.length, WEEK_S)
                if span[0] < span[1]:
                    spans.append(span)
                    edges.update(span)
        edge = np.array(sorted(edges))
        inside = [any(a <= t < b for a, b in spans) for t in edge[:-1]]
        return normal(edge, np.array(inside, np.float64))


@dataclass(frozen=True)
class Hours(Calendar):
    """Given hour by hour, in any unit: 24 values (every day alike) or 168 (Monday 00:00 first)."""

    FORM: ClassVar[str] = "[24 or 168 numbers]"
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.values) not in (24, 168):
            raise ValueError(f"a calendar by the hour has 24 or 168 values, not {len(self.values)}")
        if min(self.values) < 0 or max(self.values) <= 0:
            raise ValueError("a calendar's values must not be negative, nor all zero")
        object.__setattr__(self, "text", list(self.values))

    def week(self) -> Week:
        return hourly(np.tile(np.array(self.values, np.float64), 168 // len(self.values)))


def hourly(values: Floats) -> Week:
    """Make a week of 168 values in any unit."""
    return normal(np.linspace(0.0, WEEK_S, 169), values)


def normal(edge: Floats, level: Floats) -> Week:
    """Make a week of mean 1; neighbours of equal level are joined."""
    keep = np.append(True, level[1:] != level[:-1])
    edge, level = np.append(edge[:-1][keep], edge[-1]), level[keep]
    return Week(edge, level * (WEEK_S / float((np.diff(edge) * level).sum())))


KINDS: dict[str, type[Calendar]] = {"office": Office, "diurnal": Diurnal, "window": Window}


def parse_calendar(value: Any) -> Calendar:
    """Read a calendar: its spelling, or a list of 24 or 168 numbers; raises UnitError."""
    if isinstance(value, Calendar):
        return value
    if isinstance(value, str):
        return read("calendar", value, KINDS)
    if isinstance(value, Sequence):
        try:
            return Hours(tuple(float(v) for v in value))
        except (TypeError, ValueError) as error:
            raise UnitError(str(error), "write 24 or 168 plain numbers") from None
    forms = [kind.FORM for kind in KINDS.values()]
    raise UnitError("not a calendar", f"write it like {', '.join(forms)} or {Hours.FORM}")
