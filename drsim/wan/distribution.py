"""Durations by chance, written as text: ``exponential(20 d)``, ``lognormal(45 min, 1.2)`` …

The arguments say what an operator knows: an exponential by its mean, a lognormal by its *median* and the
standard deviation of the logarithm, a Weibull by its scale (63 % are shorter) and shape. A bare duration is
fixed. ``empirical(file.csv)`` repeats what was seen.
"""

from __future__ import annotations

import difflib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import InstanceOf, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from drsim.units import UnitError, parse_call, parse_duration

Floats = NDArray[np.float64]

_SECONDS = "seconds"


@dataclass(frozen=True)
class Distribution(ABC):
    """A distribution of durations, seconds; ``text`` is how the user wrote it."""

    FORM: ClassVar[str]
    text: str

    @classmethod
    @abstractmethod
    def read(cls, text: str, arguments: list[str]) -> Self:
        """Make it from its arguments' texts; raises UnitError."""

    @abstractmethod
    def draw(self, generator: np.random.Generator, count: int, folder: Path | None = None) -> Floats:
        """Draw ``count`` durations (float64[count], seconds); files are relative to ``folder``."""

    @abstractmethod
    def mean(self, folder: Path | None = None) -> float:
        """Give the mean, seconds."""


@dataclass(frozen=True)
class Fixed(Distribution):
    """Always the same."""

    FORM: ClassVar[str] = "fixed(2 h)"
    value: float

    @classmethod
    def read(cls, text: str, arguments: list[str]) -> Self:
        (value,) = _exactly(cls.FORM, arguments, 1)
        return cls(text, parse_duration(value))

    def draw(self, generator: np.random.Generator, count: int, folder: Path | None = None) -> Floats:
        del generator, folder
        return np.full(count, self.value)

    def mean(self, folder: Path | None = None) -> float:
        del folder
        return self.value


@dataclass(frozen=True)
class Exponential(Distribution):
    """Without memory; the argument is the mean."""

    FORM: ClassVar[str] = "exponential(20 d)"
    average: float

    @classmethod
    def read(cls, text: str, arguments: list[str]) -> Self:
        (average,) = _exactly(cls.FORM, arguments, 1)
        return cls(text, _positive(average))

    def draw(self, generator: np.random.Generator, count: int, folder: Path | None = None) -> Floats:
        del folder
        return generator.exponential(self.average, count)

    def mean(self, folder: Path | None = None) -> float:
        del folder
        return self.average


@dataclass(frozen=True)
class Weibull(Distribution):
    """Scale and shape: below 1 failures come in clusters, above 1 things wear out."""

    FORM: ClassVar[str] = "weibull(20 d, 0.7)"
    scale: float
    shape: float

    @classmethod
    def read(cls, text: str, arguments: list[str]) -> Self:
        scale, shape = _exactly(cls.FORM, arguments, 2)
        return cls(text, _positive(scale), _number(shape))

    def draw(self, generator: np.random.Generator, count: int, folder: Path | None = None) -> Floats:
        del folder
        return generator.weibull(self.shape, count) * self.scale

    def mean(self, folder: Path | None = None) -> float:
        del folder
        return self.scale * math.gamma(1 + 1 / self.shape)


@dataclass(frozen=True)
class Lognormal(Distribution):
    """Median and sigma (of the logarithm); the mean is ``median x exp(sigma**2 / 2)``."""

    FORM: ClassVar[str] = "lognormal(45 min, 1.2)"
    median: float
    sigma: float

    @classmethod
    def read(cls, text: str, arguments: list[str]) -> Self:
        median, sigma = _exactly(cls.FORM, arguments, 2)
        return cls(text, _positive(median), _number(sigma))

    def draw(self, generator: np.random.Generator, count: int, folder: Path | None = None) -> Floats:
        del folder
        return self.median * np.exp(self.sigma * generator.standard_normal(count))

    def mean(self, folder: Path | None = None) -> float:
        del folder
        return self.median * math.exp(self.sigma**2 / 2)


@dataclass(frozen=True)
class Uniform(Distribution):
    """Anywhere between two durations."""

    FORM: ClassVar[str] = "uniform(1 h, 3 h)"
    low: float
    high: float

    @classmethod
    def read(cls, text: str, arguments: list[str]) -> Self:
        low, high = (parse_duration(argument) for argument in _exactly(cls.FORM, arguments, 2))
        if low > high:
            raise UnitError(f"'{text}': the first duration is the longer one", f"write it like {cls.FORM}")
        return cls(text, low, high)

    def draw(self, generator: np.random.Generator, count: int, folder: Path | None = None) -> Floats:
        del folder
        return generator.uniform(self.low, self.high, count)

    def mean(self, folder: Path | None = None) -> float:
        del folder
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class Empirical(Distribution):
    """Any of the durations that were seen, each as likely: listed here, or one a line in a file."""

    FORM: ClassVar[str] = "empirical(repairs.csv)"
    values: tuple[float, ...]
    file: str

    @classmethod
    def read(cls, text: str, arguments: list[str]) -> Self:
        if not arguments:
            raise UnitError(f"'{text}' has no file and no durations", f"write it like {cls.FORM}")
        if len(arguments) == 1 and not arguments[0][0].isdigit():
            return cls(text, (), arguments[0])
        return cls(text, tuple(parse_duration(argument) for argument in arguments), "")

    def draw(self, generator: np.random.Generator, count: int, folder: Path | None = None) -> Floats:
        seen = np.array(self.seen(folder))
        return seen[generator.integers(0, len(seen), count)]

    def mean(self, folder: Path | None = None) -> float:
        return float(np.mean(self.seen(folder)))

    def seen(self, folder: Path | None = None) -> Sequence[float]:
        """Give the durations seen, seconds, reading the file if there is one.

        A file has one duration with its unit a line, or plain numbers below the heading ``seconds``.
        Raises ValueError naming file and line of the first bad one, OSError where it cannot be read.
        """
        if not self.file:
            return self.values
        path = (folder or Path()) / self.file
        rows = [(i, line.strip()) for i, line in enumerate(path.read_text().splitlines(), start=1)]
        rows = [(i, row) for i, row in rows if row and not row.startswith("#")]
        plain = bool(rows) and rows[0][1].lower() == _SECONDS
        found = [_duration_in(path, i, row, plain=plain) for i, row in rows[plain:]]
        if not found:
            raise ValueError(f"{path}: no durations in it")
        return found


KINDS: dict[str, type[Distribution]] = {
    "fixed": Fixed,
    "exponential": Exponential,
    "weibull": Weibull,
    "lognormal": Lognormal,
    "uniform": Uniform,
    "empirical": Empirical,
}


def parse_distribution(text: str) -> Distribution:
    """Make the distribution that ``text`` spells; raises UnitError with a hint.

    >>> parse_distribution("lognormal(45 min, 1.2)").median
    2700.0
    >>> parse_distribution("2 h").mean()
    7200.0
    """
    text = text.strip()
    if text[:1].isdigit():
        return Fixed(text, parse_duration(text))
    name, arguments = parse_call(text)
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(KINDS)}"
        raise UnitError(f"there is no distribution '{name[:40]}'", hint)
    return KINDS[name].read(text, arguments)


def _validate(value: object) -> Distribution:
    if isinstance(value, Distribution):
        return value
    try:
        return parse_distribution(str(value))
    except UnitError as error:
        context = {"problem": error.problem, "hint": error.hint}
        raise PydanticCustomError("distribution", "{problem}", context) from None


Chance = Annotated[
    InstanceOf[Distribution],
    PlainValidator(_validate),
    PlainSerializer(lambda value: value.text, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "examples": ["2 h", *(kind.FORM for kind in KINDS.values())],
            "description": "a duration, or a distribution of durations",
        }
    ),
]
"""The pydantic type of a field that holds a distribution of durations."""


def _exactly(form: str, arguments: list[str], count: int) -> list[str]:
    if len(arguments) != count:
        raise UnitError(
            f"{form.partition('(')[0]} takes {count} argument{'s' * (count > 1)}, not {len(arguments)}",
            f"write it like {form}",
        )
    return arguments


def _positive(text: str) -> float:
    value = parse_duration(text)
    if value <= 0:
        raise UnitError(f"'{text}' must be more than 0", "write it like 45 min")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UnitError(f"'{text}' is not a number", "write it like 1.2, without a unit") from None
    if not 0 < value < math.inf:
        raise UnitError(f"'{text}' must be more than 0", "write it like 1.2")
    return value


def _duration_in(path: Path, line: int, row: str, *, plain: bool) -> float:
    try:
        value = float(row) if plain else parse_duration(row)
    except ValueError as error:
        raise ValueError(f"{path}:{line}: {error}") from None
    if not 0 <= value < math.inf:
        raise ValueError(f"{path}:{line}: '{row}' is not a duration")
    return value
