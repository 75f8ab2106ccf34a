"""Windows in time: weekly ones (office hours, nights, maintenance weekends) and single ones; no DST."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from drsim.units import Days, Duration, Moment, TimeOfDay

DAY = 86_400.0
WEEK = 7 * DAY

Interval = tuple[float, float]


class Weekly(BaseModel):
    """A window on days of the week; one that ends at or before its start runs past midnight."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, populate_by_name=True)

    days: Days = Field(default=frozenset(range(7)), description="days on which the window begins")
    start: TimeOfDay = Field(alias="from", description="when it begins")
    stop: TimeOfDay = Field(alias="to", description="when it ends; at or before its start: the next day")
    every: int = Field(
        default=1, ge=1, description="in every n-th week only, the first week of the run being one"
    )

    def intervals(self, horizon: float, week_offset: float) -> Iterator[Interval]:
        """Give the windows that touch [0, horizon), in order; what is before 0 is cut off.

        Args:
            horizon: seconds.
            week_offset: seconds from Monday 00:00 to the run's start.
        """
        length = (self.stop - self.start) % DAY or DAY
        first, last = -1, int((horizon + week_offset) // WEEK) + 1
        for week in range(first, last):
            if week % self.every:
                continue
            for day in sorted(self.days):
                begin = week * WEEK + day * DAY + self.start - week_offset
                if begin < horizon and begin + length > 0:
                    yield max(begin, 0.0), begin + length


class Once(BaseModel):
    """One window."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, populate_by_name=True)

    at: Moment = Field(description="when it begins, since the run's start")
    length: Duration = Field(alias="for", description="how long it lasts")

    @model_validator(mode="after")
    def _some_time(self) -> Once:
        if self.length <= 0:
            raise ValueError("a window of no length: 'for' must be more than 0")
        return self

    def intervals(self, horizon: float, week_offset: float) -> Iterator[Interval]:
        """Give the window if it begins before ``horizon``; ``week_offset`` does not matter."""
        del week_offset
        if self.at < horizon:
            yield float(self.at), float(self.at + self.length)


def window_form(value: object) -> str:
    """Tell which form a mapping (or model) has: ``once`` (at, for) or ``weekly`` (days, from, to)."""
    if isinstance(value, dict):
        return "weekly" if value.keys() & {"from", "to", "days", "every", "start", "stop"} else "once"
    return "weekly" if isinstance(value, Weekly) else "once"


Window = Annotated[
    Annotated[Once, Tag("once")] | Annotated[Weekly, Tag("weekly")], Discriminator(window_form)
]
"""Either form of window, told apart by its keys."""


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Merge intervals that overlap or touch; the result is in order and apart."""
    merged: list[Interval] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif end > begin:
            merged.append((begin, end))
    return merged


def total(intervals: Iterable[Interval]) -> float:
    """Seconds covered by any of the intervals."""
    return sum(end - begin for begin, end in union(intervals))
