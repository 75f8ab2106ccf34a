"""One entry of a host's ``writes:`` as plain data, and the writes it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from drsim.randomness import child
from drsim.units import Duration, Fraction, Ratio
from drsim.workload.columns import Writes
from drsim.workload.fields import (
    AccessField,
    AppField,
    ArrivalsField,
    CalendarField,
    DeviceLabel,
    SizesField,
    TraceNames,
    parse_access,
    parse_arrivals,
)
from drsim.workload.merge import merge
from drsim.workload.pace import WriteRate, bytes_a_second
from drsim.workload.sizes import parse_sizes
from drsim.workload.spelling import unknown
from drsim.workload.synthetic import Recipe

if TYPE_CHECKING:
    from drsim.workload.traces.replay import Replay

_MADE = {"rate", "peak", "size", "arrivals", "access", "calendar", "growth", "trims", "area"}
_OF_AN_APP = {"app", "part"}
_OF_A_TRACE = {"format", "device", "speed", "scale", "repeat", "period", "fit", "bad"}


class Stream(BaseModel):
    """Writes of one host to one volume: made from kinds, or an application's.

    ``rate`` is the mean over the calendar's week, at the run's start; ``peak``, in its place, is the rate at
    the calendar's busiest time. Without more the stream is regular, sequential and of 4 KiB writes.

    ``app`` names a composition of such streams (see `drsim.workload.apps`) whose ``rate`` is shared by its
    parts; ``part`` takes one of them. Other keys beside it replace those of the parts.

    ``off: true`` switches the entry off, so that designs with and without it can be held against each other.

    ``trace`` replays a file instead (or several, one after another; see `drsim.workload.traces.replay`):
    ``device`` chooses one of its devices, ``speed: 200 %`` replays in half the time, ``scale: 150 %`` makes
    three writes of two, ``repeat: 3`` or ``forever`` starts it again, every ``period``.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    volume: str
    rate: WriteRate | None = None
    peak: WriteRate | None = None
    size: SizesField = parse_sizes("4 KiB")
    arrivals: ArrivalsField = parse_arrivals("constant")
    access: AccessField = parse_access("sequential")
    calendar: CalendarField | None = None
    growth: Ratio = 0.0
    trims: Fraction = 0.0
    area: tuple[Fraction, Fraction] = (0.0, 1.0)
    app: AppField | None = None
    part: str | None = None
    trace: TraceNames | None = None
    format: str | None = None
    device: DeviceLabel | None = None
    speed: Ratio = 1.0
    scale: Ratio = 1.0
    repeat: Annotated[int, Field(ge=1)] | Literal["forever"] = 1
    period: Duration | None = None
    fit: Literal["refuse", "wrap", "drop"] = "refuse"
    bad: Literal["refuse", "skip"] = "refuse"
    off: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Stream:
        stray = self.model_fields_set & (_MADE | _OF_AN_APP if self.trace is not None else _OF_A_TRACE)
        if stray:
            of = "beside a trace" if self.trace is not None else "without a trace"
            _refuse(f"'{min(stray)}' means nothing {of}", "leave it out")
        if self.trace is not None:
            if not self.speed or not self.scale:
                _refuse("speed and scale must be above zero", "write speed: 200 %")
        elif self.app is not None:
            self._check_app()
        elif self.part is not None:
            _refuse("there is a 'part' of no application", "write app: oltp beside it")
        elif (self.rate is None) == (self.peak is None):
            _refuse("a stream needs either 'rate' or 'peak'", "write rate: 2 MB/s")
        if not self.area[0] < self.area[1]:
            _refuse("the area ends before it begins", "write area: [0 %, 10 %]")
        return self

    def _check_app(self) -> None:
        assert self.app is not None
        parts = self.app.parts()
        if self.part is not None and self.part not in parts:
            error = unknown(f"part of {self.app.text}", self.part, parts)
            _refuse(error.problem, error.hint)
        if self.peak is not None:
            _refuse("an application has no 'peak'", "write its mean rate: 2 MB/s")
        if self.rate is None and self.app.rate is None:
            _refuse(f"'{self.app.text}' needs a 'rate'", "write rate: 2 MB/s, of all its parts together")

    @property
    def finite(self) -> bool:
        """Whether the writes come to an end."""
        return self.off or (self.trace is not None and self.repeat != "forever")

    @property
    def mean_rate(self) -> float | None:
        """Bytes/s, the mean over a week, at the run's start; None for a trace."""
        if self.off:
            return 0.0
        if self.trace is not None:
            return None
        return sum(recipe.rate * recipe.sizes.table().mean for recipe in self.recipes().values())

    def replay(self) -> Replay:
        """Give what of which trace is replayed; the stream must be of a trace."""
        # Reading traces needs pyarrow, which is slow to import, and most scenarios have none.
        from drsim.workload.traces.replay import Replay

        assert self.trace is not None
        return Replay(
            self.trace,
            self.format,
            self.device,
            float(self.speed),
            float(self.scale),
            None if self.repeat == "forever" else self.repeat,
            None if self.period is None else float(self.period),
            self.fit,
            self.bad,
        )

    def recipes(self) -> dict[str, Recipe]:
        """Give what the stream is made of, by part (of the name "" where there is no application)."""
        if self.app is None:
            return {"": self._recipe()}
        return {name: part._recipe() for name, part in self._parts().items()}

    def _parts(self) -> dict[str, Stream]:
        assert self.app is not None
        shares = self.app.parts()
        own = {key: getattr(self, key) for key in self.model_fields_set & _MADE - {"rate"}}
        parts = {
            name: Stream(volume=self.volume, rate=bytes_a_second(1), **_but_share(entry) | own)
            for name, entry in shares.items()
        }
        total = self._app_rate(parts)
        return {
            name: part.model_copy(update={"rate": bytes_a_second(total * shares[name]["share"])})
            for name, part in parts.items()
            if self.part in (None, name)
        }

    def _app_rate(self, parts: dict[str, Stream]) -> float:
        """Bytes/s of the whole application."""
        assert self.app is not None
        if self.rate is None:
            assert self.app.rate is not None
            return self.app.rate
        if not self.rate.in_writes:
            return float(self.rate)
        shares = self.app.parts()
        writes_a_byte = sum(float(shares[n]["share"]) / p.size.table().mean for n, p in parts.items())
        return float(self.rate) / writes_a_byte

    def _recipe(self) -> Recipe:
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
        folder: Path,
        week_offset_s: float = 0.0,
    ) -> Iterator[Writes]:
        """Give the writes in blocks, times non-decreasing; no consumer can influence them.

        Args:
            seeds: the stream's own seeds; children are taken from it by name.
            volume_size: bytes.
            folder: what relative paths are relative to.
            week_offset_s: the run's start, seconds after Monday 00:00.

        Raises:
            ValueError: a write cannot fit the volume, or (TraceError) a trace cannot be used.
        """
        if self.off:
            return iter(())
        if self.trace is not None:
            return self.replay().blocks(seeds, volume_size, folder)
        return merge(
            [
                recipe.blocks(child(seeds, name) if name else seeds, volume_size, week_offset_s)
                for name, recipe in self.recipes().items()
            ]
        )


def _but_share(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "share"}


def _refuse(problem: str, hint: str) -> None:
    raise PydanticCustomError("stream", "{problem}", {"problem": problem, "hint": hint})
