"""One entry of a host's ``writes:`` as plain data, and the writes it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from drsim.units import Fraction, Ratio
from drsim.workload import access, arrivals, calendars, sizes
from drsim.workload.columns import Writes
from drsim.workload.pace import WriteRate
from drsim.workload.spelling import field_type, read
from drsim.workload.synthetic import Recipe


def _arrivals(value: Any) -> arrivals.Arrivals:
    return value if isinstance(value, arrivals.Arrivals) else read("arrivals", str(value), arrivals.KINDS)


def _access(value: Any) -> access.Access:
    return value if isinstance(value, access.Access) else read("access", str(value), access.KINDS)


if TYPE_CHECKING:
    ArrivalsField = arrivals.Arrivals
    AccessField = access.Access
    SizesField = sizes.Sizes
    CalendarField = calendars.Calendar
else:
    _forms = lambda kinds: [kind.FORM for kind in kinds.values()]  # noqa: E731
    ArrivalsField = field_type(arrivals.Arrivals, _arrivals, _forms(arrivals.KINDS), "when writes come")
    AccessField = field_type(access.Access, _access, _forms(access.KINDS), "where writes go")
    SizesField = field_type(
        sizes.Sizes, sizes.parse_sizes, [sizes.Fixed.FORM, sizes.LogNormal.FORM], "how long writes are"
    )
    CalendarField = field_type(
        calendars.Calendar, calendars.parse_calendar, _forms(calendars.KINDS), "when in the week"
    )


class Stream(BaseModel):
    """Writes of one host to one volume.

    ``rate`` is the mean over the calendar's week, at the run's start; ``peak``, in its place, is the rate at
    the calendar's busiest time. Without more the stream is regular, sequential and of 4 KiB writes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    volume: str
    rate: WriteRate | None = None
    peak: WriteRate | None = None
    size: SizesField = sizes.parse_sizes("4 KiB")
    arrivals: ArrivalsField = _arrivals("constant")
    access: AccessField = _access("sequential")
    calendar: CalendarField | None = None
    growth: Ratio = 0.0
    trims: Fraction = 0.0
    area: tuple[Fraction, Fraction] = (0.0, 1.0)

    @model_validator(mode="after")
    def _whole(self) -> Stream:
        if (self.rate is None) == (self.peak is None):
            _refuse("a stream needs either 'rate' or 'peak'", "write rate: 2 MB/s")
        if not self.area[0] < self.area[1]:
            _refuse("the area ends before it begins", "write area: [0 %, 10 %]")
        return self

    @property
    def mean_rate(self) -> float:
        """Bytes/s, the mean over a week, at the run's start."""
        recipe = self.recipe()
        return recipe.rate * recipe.sizes.table().mean

    def recipe(self) -> Recipe:
        """Give what the stream is made of."""
        pace = self.rate if self.rate is not None else self.peak
        assert pace is not None
        rate = float(pace)
        if not pace.in_writes:
            rate /= self.size.table().mean
        if self.peak is not None and self.calendar is not None:
            rate /= self.calendar.week().peak
        area = float(self.area[0]), float(self.area[1])
        kinds = self.arrivals, self.access, self.size, self.calendar
        return Recipe(rate, *kinds, float(self.growth), float(self.trims), area)

    def blocks(
        self,
        seeds: np.random.SeedSequence,
        volume_size: int,
        folder: Path,  # noqa: ARG002
        week_offset_s: float = 0.0,
    ) -> Iterator[Writes]:
        """Give the writes in fixed-size blocks, times non-decreasing.

        Args:
            seeds: the stream's own seeds; children are taken from it by name.
            volume_size: bytes.
            folder: what relative paths are relative to.
            week_offset_s: the run's start, seconds after Monday 00:00.

        Raises:
            ValueError: a write cannot fit the volume.
        """
        return self.recipe().blocks(seeds, volume_size, week_offset_s)


def _refuse(problem: str, hint: str) -> None:
    raise PydanticCustomError("stream", "{problem}", {"problem": problem, "hint": hint})
