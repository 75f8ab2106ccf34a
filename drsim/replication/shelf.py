"""Snapshots by timetable: which are due, which are kept, which go. Several timetables may hold for one group."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from drsim.units import Duration


class Timetable(Protocol):
    """When snapshots are due, and how many of them stay."""

    @property
    def keep(self) -> int | None:
        """How many are kept, the newest; None for all."""

    @property
    def age(self) -> float | None:
        """How old they grow, seconds: when one is taken those that are as old go. None for no limit."""

    def time(self, number: int) -> float:
        """When the one of that number is due, seconds."""

    def after(self, now: float) -> tuple[int, float] | None:
        """Give number and time (seconds) of the first one due after ``now``; None when there is none."""


class Schedule(BaseModel):
    """One entry of ``snapshots:`` of a target: a group snapshot ``every`` so long from ``first`` on.

    The newest ``keep`` of them stay, as long as they are younger than ``age``.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)
    every: Duration = Field(gt=0)
    first: Duration = 0.0
    keep: int | None = Field(default=24, ge=1)
    age: Duration | None = Field(default=None, gt=0)

    def time(self, number: int) -> float:
        """``first`` plus so many times ``every``."""
        return self.first + number * self.every

    def after(self, now: float) -> tuple[int, float]:
        """The next one, by the clock alone: the first is due after 0."""
        number = max(math.floor((now - self.first) / self.every) + 1, 0)
        number += self.time(number) <= now  # The division may have come out a hair too small.
        return number, self.time(number)


@dataclass(frozen=True, slots=True)
class Moments:
    """A timetable that someone else worked out (a calendar): increasing times, seconds."""

    times: tuple[float, ...]
    keep: int | None = None
    age: float | None = None

    def time(self, number: int) -> float:
        """The time of that number; numbers count from 1."""
        return self.times[number - 1]

    def after(self, now: float) -> tuple[int, float] | None:
        """The first of the times after ``now``; numbers count from 1."""
        place = bisect_right(self.times, now)
        return None if place == len(self.times) else (place + 1, self.times[place])


class Shelf:
    """The snapshots of one group at one site, each ``schedule-TIMETABLE-NUMBER``.

    A target engine keeps one of itself (`TargetSettings.snapshots`). At a source nothing need wait for a
    snapshot, so no engine is asked: its world takes each when it is due, of the image after the writes that are
    acknowledged by then, and uses a shelf to know when, and what goes.

    Example:
        >>> shelf = Shelf([Schedule(every="10 s", keep=1), Moments((10.0, 25.0))])
        >>> shelf.deadline(), shelf.due(10.0)
        (10.0, ['schedule-0-1', 'schedule-1-1'])
        >>> [shelf.taken(name) for name in ("schedule-0-1", "schedule-1-1")]
        [[], []]
        >>> shelf.due(20.0), shelf.taken("schedule-0-2")
        (['schedule-0-2'], ['schedule-0-1'])
    """

    def __init__(self, timetables: Sequence[Timetable]) -> None:
        self._timetables = tuple(timetables)
        self._next = [t.after(0.0) for t in self._timetables]
        self._kept: list[list[str]] = [[] for _ in self._timetables]

    @property
    def kept(self) -> list[str]:
        """Names of all that were taken and have not gone, oldest first within each timetable."""
        return [name for names in self._kept for name in names]

    def deadline(self) -> float | None:
        """Give when the next one is due, seconds; None when none will be."""
        return min((place[1] for place in self._next if place is not None), default=None)

    def due(self, now: float) -> list[str]:
        """Give the names of what is due by ``now``, one a timetable; of several missed moments, the last."""
        names = []
        for i, timetable in enumerate(self._timetables):
            name = None
            while (place := self._next[i]) is not None and place[1] <= now:
                name = f"schedule-{i}-{place[0]}"
                self._next[i] = timetable.after(place[1])
            if name is not None and name not in self._kept[i]:
                names.append(name)
        return names

    def taken(self, name: str) -> list[str]:
        """A snapshot was taken: keep it; give the names of those that must go for it."""
        number = self.timetable_of(name)
        assert number is not None, "only what was due is taken"
        names, timetable = self._kept[number], self._timetables[number]
        names.append(name)
        many = 0 if timetable.keep is None else max(len(names) - timetable.keep, 0)
        if timetable.age is not None:
            oldest = self.due_at(name) - timetable.age
            many = max(many, sum(self.due_at(each) <= oldest for each in names))
        gone = names[:many]
        del names[:many]
        return gone

    def lost(self, name: str) -> None:
        """A snapshot is gone before its time; one of another name is nobody's here."""
        for names in self._kept:
            if name in names:
                names.remove(name)

    def due_at(self, name: str) -> float:
        """When a snapshot of a timetable was due, seconds."""
        _, number, place = name.split("-")
        return self._timetables[int(number)].time(int(place))

    def timetable_of(self, name: str) -> int | None:
        """Give the place of the timetable that a snapshot was taken for; None for any other snapshot."""
        _, _, rest = name.partition("schedule-")
        number = rest.partition("-")[0]
        return int(number) if number.isdigit() and int(number) < len(self._timetables) else None

    def restore(self, names: Sequence[str]) -> list[str]:
        """After a crash, these exist (in the order they were taken): keep what is ours, give the others."""
        others = []
        for name in names:
            number = self.timetable_of(name)
            if number is None:
                others.append(name)
            else:
                self._kept[number].append(name)
        return others
