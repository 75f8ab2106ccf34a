"""How long a step takes: a duration, or a distribution of durations, spelt ``lognormal(45 min, 1.2)``."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from drsim.units import Quantity, UnitError, parse_duration
from drsim.workload.spelling import Spelled, argument, field_type, number, read


class Spread(Spelled, ABC):
    """A duration that may vary from one time to the next."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> float:
        """Draw one duration, seconds."""

    @property
    @abstractmethod
    def mean(self) -> float:
        """Mean duration, seconds."""


@dataclass(frozen=True)
class Fixed(Spread):
    """Always the same."""

    FORM: ClassVar[str] = "fixed(15 min)"
    duration: float = argument(parse_duration)

    def draw(self, rng: np.random.Generator) -> float:
        """The duration."""
        del rng
        return self.duration

    @property
    def mean(self) -> float:
        """The duration."""
        return self.duration


@dataclass(frozen=True)
class Exponential(Spread):
    """Memoryless: no idea how much longer it will take."""

    FORM: ClassVar[str] = "exponential(20 min)"
    average: float = argument(parse_duration)

    def draw(self, rng: np.random.Generator) -> float:
        """Draw by the mean."""
        return float(rng.exponential(self.average))

    @property
    def mean(self) -> float:
        """The mean given."""
        return self.average


@dataclass(frozen=True)
class Uniform(Spread):
    """Anything between two bounds."""

    FORM: ClassVar[str] = "uniform(5 min, 30 min)"
    low: float = argument(parse_duration)
    high: float = argument(parse_duration)

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("the first bound is above the second")

    def draw(self, rng: np.random.Generator) -> float:
        """Draw between the bounds."""
        return float(rng.uniform(self.low, self.high))

    @property
    def mean(self) -> float:
        """The middle."""
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class LogNormal(Spread):
    """Repair and decision times: ``median`` and ``sigma`` of the logarithm (mean: median * exp(sigma**2 / 2))."""

    FORM: ClassVar[str] = "lognormal(45 min, 1.2)"
    median: float = argument(parse_duration)
    sigma: float = argument(number)

    def __post_init__(self) -> None:
        if self.median <= 0 or not 0 <= self.sigma <= 5:
            raise ValueError("the median must be above zero and sigma lie in 0 to 5")

    def draw(self, rng: np.random.Generator) -> float:
        """Draw by median and sigma."""
        return float(rng.lognormal(math.log(self.median), self.sigma))

    @property
    def mean(self) -> float:
        """median * exp(sigma**2 / 2)."""
        return self.median * math.exp(self.sigma**2 / 2)


@dataclass(frozen=True)
class Triangular(Spread):
    """An expert's least, likeliest and most."""

    FORM: ClassVar[str] = "triangular(5 min, 10 min, 1 h)"
    least: float = argument(parse_duration)
    likely: float = argument(parse_duration)
    most: float = argument(parse_duration)

    def __post_init__(self) -> None:
        if not self.least <= self.likely <= self.most or self.least == self.most:
            raise ValueError("least, likeliest and most must be in order")

    def draw(self, rng: np.random.Generator) -> float:
        """Draw by the three."""
        return float(rng.triangular(self.least, self.likely, self.most))

    @property
    def mean(self) -> float:
        """A third of the sum."""
        return (self.least + self.likely + self.most) / 3


KINDS: dict[str, type[Spread]] = {
    "fixed": Fixed,
    "exponential": Exponential,
    "uniform": Uniform,
    "lognormal": LogNormal,
    "triangular": Triangular,
}


def parse_spread(value: Any) -> Spread:
    """Read ``5 min`` or a spelt distribution; raises UnitError.

    >>> parse_spread("triangular(5 min, 10 min, 1 h)").mean / 60
    25.0
    """
    if isinstance(value, Spread):
        return value
    text = str(value)
    if isinstance(value, (bool, list, dict)) or value is None:
        raise UnitError("not a duration", "write it like 15 min or lognormal(45 min, 1.2)")
    if text.strip()[:1].isalpha():
        return read("distribution", text, KINDS)
    duration = parse_duration(text)
    fixed = Fixed(Quantity(duration))
    object.__setattr__(fixed, "text", text.strip())
    return fixed


if TYPE_CHECKING:
    AnySpread = Spread
else:
    AnySpread = field_type(
        Spread, parse_spread, ["15 min", *(kind.FORM for kind in KINDS.values())], "how long it takes"
    )
