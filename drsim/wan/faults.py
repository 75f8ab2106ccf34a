"""What befalls a link: outages fixed, by chance or by calendar, and milder things at the same instants.

Three kinds say *when*; each may say *what*: nothing (the link is down), ``keeps: 30 %`` (a brown-out),
``loss: 2 %`` (a loss episode, which only TCP feels) or ``flap: {up: 5 s, down: 2 s}`` (down again and again).
``conduit`` names a shared risk: links with the same fault on the same conduit are hit at the same instants.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from drsim.randomness import generator, one_by_one
from drsim.units import Fraction
from drsim.wan.calendar import Interval, Once, Weekly, window_form
from drsim.wan.distribution import Chance

MOST_EPISODES = 1_000_000
"""Episodes of one fault within a horizon; a fault that would have more is refused."""

_FORM = ConfigDict(defer_build=True, extra="forbid", frozen=True, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault needs to know to happen.

    Attributes:
        seeds: the run's seed sequence (the same for all links, so that conduits can be shared).
        path: name of the fault's random stream.
        horizon: seconds up to which episodes begin.
        week_offset: seconds from Monday 00:00 to the run's start.
        folder: what file names are relative to.
    """

    seeds: np.random.SeedSequence
    path: tuple[str, ...]
    horizon: float
    week_offset: float = 0.0
    folder: Path | None = None

    def stream(self, name: str) -> np.random.Generator:
        """Give the named random stream of this fault."""
        return generator(self.seeds, *self.path, name)


@dataclass(frozen=True, slots=True)
class Episode:
    """One time during which a link is worse: ``keeps`` of its capacity, ``loss`` more packets lost.

    ``down`` tells a cut, which breaks connections, from a brown-out to nothing, which stalls them.
    """

    begin: float
    end: float
    cause: str
    down: bool = False
    keeps: float = 1.0
    loss: float = 0.0


class Flap(BaseModel):
    """Up and down in turn while the fault lasts, beginning with down."""

    model_config = _FORM

    up: Chance = Field(description="how long the link stays up between two drops")
    down: Chance = Field(description="how long each drop lasts")


class Fault(BaseModel, ABC):
    """What happens; subclasses say when."""

    model_config = _FORM

    name: str = Field(default="", description="what to call it in reports")
    keeps: Fraction | None = Field(default=None, description="share of capacity that remains (a brown-out)")
    loss: Fraction | None = Field(default=None, description="packets lost in addition (needs tcp)")
    flap: Flap | None = Field(default=None, description="up and down in turn while it lasts")
    conduit: str | None = Field(default=None, description="shared risk: same conduit, same instants")

    @model_validator(mode="after")
    def _one_effect(self) -> Fault:
        if sum(effect is not None for effect in (self.keeps, self.loss, self.flap)) > 1:
            raise ValueError("one fault has one effect: give keeps, loss or flap, or two faults")
        return self

    @abstractmethod
    def windows(self, scene: Scene) -> Iterator[Interval]:
        """Give the intervals in which it happens, in order."""

    @property
    def planned(self) -> bool:
        """Whether an operator knows of it in advance."""
        return True

    @property
    def cause(self) -> str:
        """What to put down as the cause."""
        if self.name:
            return self.name
        if self.flap is not None:
            return "flap"
        if self.keeps is not None:
            return "brownout"
        return "loss" if self.loss is not None else "outage"

    def episodes(self, scene: Scene) -> list[Episode]:
        """Give everything that happens up to the horizon. Raises ValueError beyond `MOST_EPISODES`."""
        found = list(itertools.islice(self._all(scene), MOST_EPISODES + 1))
        if len(found) > MOST_EPISODES:
            raise ValueError(f"{self.cause}: more than {MOST_EPISODES} episodes in {scene.horizon:g} s")
        return found

    def _all(self, scene: Scene) -> Iterator[Episode]:
        flap = self.flap
        if flap is not None:
            up = _draws(flap.up, scene, "flap up")
            down = _draws(flap.down, scene, "flap down")
            for begin, end in self.windows(scene):
                for first, last in _alternate(begin, end, down, up):
                    yield Episode(first, last, self.cause, down=True)
            return
        keeps = 1.0 if self.keeps is None else float(self.keeps)
        loss = 0.0 if self.loss is None else float(self.loss)
        cut = self.keeps is None and self.loss is None
        for begin, end in self.windows(scene):
            if end > begin:
                yield Episode(begin, end, self.cause, cut, keeps, loss)


class FixedFault(Fault, Once):
    """At a given moment."""

    def windows(self, scene: Scene) -> Iterator[Interval]:
        """Give the one window."""
        return self.intervals(scene.horizon, scene.week_offset)


class StochasticFault(Fault):
    """A renewal process that begins up: up for a draw of ``between_failures``, down for one of ``repair``.

    In the long run the fault is present for ``mean repair / (mean between + mean repair)`` of the time.
    """

    between_failures: Chance = Field(description="from the end of one to the begin of the next")
    repair: Chance = Field(description="how long each lasts")

    @property
    def planned(self) -> bool:
        """Chance is not planned."""
        return False

    def windows(self, scene: Scene) -> Iterator[Interval]:
        """Give the windows by chance; the two kinds of draw have streams of their own."""
        up = _draws(self.between_failures, scene, "between failures")
        down = _draws(self.repair, scene, "repair")
        yield from _alternate(next(up), scene.horizon, down, up, cut=False)


class MaintenanceFault(Fault, Weekly):
    """In weekly windows."""

    def windows(self, scene: Scene) -> Iterator[Interval]:
        """Give the windows of the calendar."""
        return self.intervals(scene.horizon, scene.week_offset)


KINDS: dict[str, type[Fault]] = {
    "fixed": FixedFault,
    "stochastic": StochasticFault,
    "maintenance": MaintenanceFault,
}


def fault_kind(value: object) -> str:
    """Tell which kind a mapping (or model) is, by its keys."""
    if not isinstance(value, dict):
        return next((name for name, kind in KINDS.items() if isinstance(value, kind)), "fixed")
    if value.keys() & {"between_failures", "repair"}:
        return "stochastic"
    return "maintenance" if window_form(value) == "weekly" else "fixed"


AnyFault = Annotated[
    Annotated[FixedFault, Tag("fixed")]
    | Annotated[StochasticFault, Tag("stochastic")]
    | Annotated[MaintenanceFault, Tag("maintenance")],
    Discriminator(fault_kind),
]
"""The pydantic type of one entry of ``outages:``, told apart by its keys."""


def _draws(chance: Chance, scene: Scene, name: str) -> Iterator[float]:
    stream = scene.stream(name)
    return one_by_one(lambda count: chance.draw(stream, count, scene.folder))


def _alternate(
    begin: float, end: float, down: Iterator[float], up: Iterator[float], *, cut: bool = True
) -> Iterator[Interval]:
    """Down and up in turn from ``begin`` while before ``end``; ``cut`` ends the last one there."""
    idle = 0
    while begin < end:
        stop = begin + next(down)
        if stop > begin:
            yield begin, min(stop, end) if cut else stop
        then = stop + next(up)
        idle = idle + 1 if then <= begin else 0
        if idle > MOST_EPISODES:
            raise ValueError("a fault that lasts no time and recurs at once never lets time pass")
        begin = then
