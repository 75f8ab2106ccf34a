"""How long writes are: tables of lengths and their probabilities, so that means and moments are exact."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from drsim.units import UnitError, parse_fraction, parse_size
from drsim.workload.columns import Floats, Ints
from drsim.workload.spelling import Spelled, argument, number, read

_LARGEST = 1 << 30


@dataclass(frozen=True, eq=False)
class Table:
    """Lengths and how often each occurs.

    Attributes:
        length: int64[k], bytes, increasing.
        share: float64[k], probabilities, together 1.
    """

    length: Ints
    share: Floats

    @property
    def mean(self) -> float:
        """Mean length, bytes."""
        return float(self.length @ self.share)

    def draw(self, rng: np.random.Generator, count: int) -> Ints:
        """Draw ``count`` independent lengths, int64[count], bytes."""
        upto = np.cumsum(self.share)
        upto[-1] = 1.0
        return self.length[np.searchsorted(upto, rng.random(count), side="right")]


class Sizes(Spelled, ABC):
    """A distribution of write lengths."""

    @abstractmethod
    def table(self) -> Table:
        """Give the lengths and their probabilities."""


@dataclass(frozen=True)
class Fixed(Sizes):
    """Every write equally long."""

    FORM: ClassVar[str] = "8 KiB"
    length: int = 4096

    def __post_init__(self) -> None:
        if not 0 < self.length <= _LARGEST:
            raise ValueError("a write is longer than nothing and at most 1 GiB")

    def table(self) -> Table:
        return Table(np.array([self.length], np.int64), np.ones(1))


@dataclass(frozen=True)
class Mixed(Sizes):
    """Given lengths, each with its share of the writes."""

    FORM: ClassVar[str] = "{4 KiB: 70 %, 64 KiB: 30 %}"
    shares: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        if not self.shares or any(not 0 < n <= _LARGEST or p < 0 for n, p in self.shares):
            raise ValueError("a mix needs lengths above nothing and up to 1 GiB, with shares")
        total = math.fsum(p for _, p in self.shares)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares come to {total:.6g}, not 100 %")

    def table(self) -> Table:
        rows = sorted(self.shares)
        share = np.array([p for _, p in rows])
        return Table(np.array([n for n, _ in rows], np.int64), share / share.sum())


@dataclass(frozen=True)
class LogNormal(Sizes):
    """Lognormal with this median and sigma, rounded up to whole 4 KiB and cut off at ``largest``."""

    FORM: ClassVar[str] = "lognormal(16 KiB, 1.0)"
    BLOCK: ClassVar[int] = 4096
    median: int = argument(parse_size)
    sigma: float = argument(number)
    largest: int = argument(parse_size, 1 << 20)

    def __post_init__(self) -> None:
        if self.median <= 0 or self.sigma <= 0 or not self.BLOCK <= self.largest <= _LARGEST:
            raise ValueError("median and sigma must be above zero, the largest within 4 KiB to 1 GiB")

    def table(self) -> Table:
        from scipy.special import ndtr  # scipy is slow to import, and most runs need none of it

        length = np.arange(1, self.largest // self.BLOCK + 1, dtype=np.int64) * self.BLOCK
        upto = ndtr(np.log(length / self.median) / self.sigma)
        upto[-1] = 1.0
        share = np.diff(upto, prepend=0.0)
        return Table(length[share > 0], share[share > 0])


@dataclass(frozen=True)
class Exponential(Sizes):
    """Exponential with this mean, in steps of a thousandth of it: the memoryless service of an M/M/1 queue.

    Steps are geometric, ``P(length > i step) = (1 - step / mean)**i``, so the mean is exact, and the variance
    ``1 - step / mean`` of an exponential's. Longer ones than 40 means (4 in 10**18) do not occur.
    """

    FORM: ClassVar[str] = "exponential(16 KiB)"
    average: int = argument(parse_size)

    def __post_init__(self) -> None:
        if not 1 < self.average <= _LARGEST // 40:
            raise ValueError("the mean must be above one byte and at most 26 MiB")

    def table(self) -> Table:
        step = max(1, self.average // 1000)
        place = np.arange(1, 40 * self.average // step + 1, dtype=np.int64)
        share = np.exp((place - 1) * math.log1p(-step / self.average))
        return Table(place * step, share / share.sum())


KINDS: dict[str, type[Sizes]] = {"lognormal": LogNormal, "exponential": Exponential}


def parse_sizes(value: Any) -> Sizes:
    """Read lengths: a size, a mapping of sizes to shares, or a distribution; raises UnitError."""
    if isinstance(value, Sizes):
        return value
    if isinstance(value, str) and "(" in value:
        return read("size distribution", value, KINDS)
    try:
        made: Sizes
        if isinstance(value, Mapping):
            made = Mixed(tuple((parse_size(str(n)), parse_fraction(str(p))) for n, p in value.items()))
            text: Any = {str(n): str(p) for n, p in value.items()}
        else:
            made, text = Fixed(parse_size(str(value))), str(value).strip()
    except UnitError:
        raise
    except ValueError as error:
        raise UnitError(str(error), f"write it like {Fixed.FORM} or {Mixed.FORM}") from None
    object.__setattr__(made, "text", text)
    return made
