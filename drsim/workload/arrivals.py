"""When writes come: a base process in unit time, bent by bursts (random) before a calendar bends it (fixed).

All kinds are exact time changes of a base process (Daley and Vere-Jones, An Introduction to the Theory of
Point Processes, 2nd ed. 2003, section 7.4): arrival ``i`` of the base process at unit time ``x_i`` happens at
``M^-1(x_i / rate)``, with M the cumulative intensity of the bursts, of mean 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from drsim.randomness import generator
from drsim.units import parse_duration
from drsim.workload import loops
from drsim.workload.columns import Floats
from drsim.workload.spelling import Spelled, argument, number, whole

Segments = Iterator[tuple[Floats, Floats]]
_DRAWS = 1024
_TURNS = 64


class Base(ABC):
    """A point process of one arrival a unit of time, given block by block."""

    @abstractmethod
    def block(self, count: int) -> Floats:
        """Give the next ``count`` instants, float64[count], unit time, non-decreasing."""


class Regular(Base):
    """Arrival i (from 1) at exactly i: computed from its index, so nothing accumulates."""

    def __init__(self) -> None:
        self._done = 0

    def block(self, count: int) -> Floats:
        first = self._done + 1
        self._done += count
        return np.arange(first, first + count, dtype=np.float64)


class Memoryless(Base):
    """A Poisson process of rate 1: exponential gaps, summed in the block and carried on."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._carry = 0.0

    def block(self, count: int) -> Floats:
        gaps = self._rng.standard_exponential(count)
        twin = loops.added_up.worth(count)
        if twin is not None:
            self._carry = float(twin(gaps, self._carry))
            return gaps
        gaps[0] += self._carry
        instants: Floats = np.cumsum(gaps, out=gaps)
        self._carry = float(instants[-1])
        return instants


class Arrivals(Spelled, ABC):
    """An arrival process of mean rate 1, in seconds of a rate of one write a second."""

    def base(self, seeds: np.random.SeedSequence) -> Base:
        """Give the base process; Poisson unless a kind says otherwise."""
        return Memoryless(generator(seeds, "gaps"))

    def bursts(self, seeds: np.random.SeedSequence) -> Segments | None:  # noqa: ARG002
        """Give (seconds f64[k], relative intensity f64[k]) of mean intensity 1 without end; None for none."""
        return None


@dataclass(frozen=True)
class Constant(Arrivals):
    """A write every 1/rate, the first one 1/rate after the start."""

    FORM: ClassVar[str] = "constant"

    def base(self, seeds: np.random.SeedSequence) -> Base:  # noqa: ARG002
        return Regular()


@dataclass(frozen=True)
class Poisson(Arrivals):
    """Independent writes: exponential gaps."""

    FORM: ClassVar[str] = "poisson"


@dataclass(frozen=True)
class OnOff(Arrivals):
    """An interrupted Poisson process: Poisson while on, silent while off; both times exponential.

    Mean rate over all time is the stream's rate, so it writes at ``rate * (on + off) / on`` while on.
    Index of dispersion of counts tends to ``1 + 2 * rate * off**2 / (on + off)`` (rate in writes/s;
    Fischer and Meier-Hellstern, Performance Evaluation 18, 1993).
    """

    FORM: ClassVar[str] = "onoff(10 s, 50 s)"
    on: float = argument(parse_duration)
    off: float = argument(parse_duration)

    def __post_init__(self) -> None:
        if self.on <= 0 or self.off <= 0:
            raise ValueError("the times on and off must be above zero")

    def bursts(self, seeds: np.random.SeedSequence) -> Segments:
        peak = (self.on + self.off) / self.on
        return _alternating(generator(seeds, "bursts"), (self.on, self.off), (peak, 0.0))


@dataclass(frozen=True)
class Mmpp(Arrivals):
    """A Markov-modulated Poisson process of two states: bursts are ``factor`` times as fast as calm."""

    FORM: ClassVar[str] = "mmpp(10, 1 min, 20 min)"
    factor: float = argument(number)
    burst: float = argument(parse_duration)
    calm: float = argument(parse_duration)

    def __post_init__(self) -> None:
        if self.factor <= 0 or self.burst <= 0 or self.calm <= 0:
            raise ValueError("the factor and the times must be above zero")

    def bursts(self, seeds: np.random.SeedSequence) -> Segments:
        quiet = (self.burst + self.calm) / (self.burst * self.factor + self.calm)
        return _alternating(generator(seeds, "bursts"), (self.calm, self.burst), (quiet, quiet * self.factor))


@dataclass(frozen=True)
class Pareto(Arrivals):
    """Self-similar traffic: many sources, each on and off for Pareto-distributed times.

    ``alpha`` in (1, 2) gives a Hurst parameter of ``(3 - alpha) / 2`` (Willinger, Taqqu, Sherman and Wilson,
    IEEE/ACM Transactions on Networking 5, 1997). ``mean`` is the mean time on, and the mean time off.
    """

    FORM: ClassVar[str] = "pareto(1.4, 100, 10 s)"
    alpha: float = argument(number)
    sources: int = argument(whole)
    mean: float = argument(parse_duration, 10.0)

    def __post_init__(self) -> None:
        if not 1 < self.alpha < 2:
            raise ValueError("alpha must lie between 1 and 2")
        if not 1 <= self.sources <= 1000 or self.mean <= 0:
            raise ValueError("there must be 1 to 1000 sources and a mean time above zero")

    def bursts(self, seeds: np.random.SeedSequence) -> Segments:
        return _superposed(generator(seeds, "bursts"), self.sources, self.alpha, self.mean)


@dataclass(frozen=True)
class BModel(Arrivals):
    """The b-model: each half of a period gets ``bias`` or ``1 - bias`` of its writes, and so on downwards.

    Wang, Madhyastha, Chan, Papadimitriou and Faloutsos, Data mining meets performance evaluation,
    ICDE 2002; they fit disk traces with a bias of 0.6 to 0.8. Twelve halvings: an hour has steps of 0.88 s.
    """

    FORM: ClassVar[str] = "bmodel(0.7, 1 h)"
    LEVELS: ClassVar[int] = 12
    bias: float = argument(number)
    period: float = argument(parse_duration, 3600.0)

    def __post_init__(self) -> None:
        if not 0.5 <= self.bias < 1 or self.period <= 0:
            raise ValueError("the bias must lie in 0.5 to 1 and the period must be above zero")

    def bursts(self, seeds: np.random.SeedSequence) -> Segments:
        rng = generator(seeds, "bursts")
        steps = 2**self.LEVELS
        while True:
            weight = np.ones(1)
            for _ in range(self.LEVELS):
                left = np.where(rng.random(len(weight)) < 0.5, self.bias, 1 - self.bias)
                weight = np.column_stack([weight * left * 2, weight * (1 - left) * 2]).ravel()
            yield np.full(steps, self.period / steps), weight


def _alternating(
    rng: np.random.Generator, means: tuple[float, float], levels: tuple[float, float]
) -> Segments:
    """Two states in turn, exponential times; the first is drawn by its share of time: a steady start."""
    first = int(rng.random() >= means[0] / (means[0] + means[1]))
    order = [first, 1 - first]
    mean = np.tile(np.array(means)[order], _DRAWS)
    level = np.tile(np.array(levels)[order], _DRAWS)
    while True:
        yield rng.standard_exponential(2 * _DRAWS) * mean, level


def _superposed(rng: np.random.Generator, sources: int, alpha: float, mean: float) -> Segments:
    """Active sources over expected ones, their times on and off being Pareto of shape ``alpha``."""
    scale = mean * (alpha - 1) / alpha
    on = rng.random(sources) < 0.5
    last = _residual(rng, sources, alpha, scale)
    at, step = last.copy(), np.where(on, -1, 1)
    # An even number of changes is drawn at a time, so a source's next change always has the same sign.
    turns = np.outer(-step, np.tile([1, -1], _TURNS // 2))
    active, now, window = int(on.sum()), 0.0, mean * max(16.0, 4096.0 / sources)
    while True:
        end = now + window
        while len(short := np.flatnonzero(last < end)):
            stays = scale * (1 - rng.random((len(short), _TURNS))) ** (-1 / alpha)
            flips = last[short, None] + np.cumsum(stays, axis=1)
            last[short] = flips[:, -1]
            at, step = np.append(at, flips), np.append(step, turns[short])
        order = np.argsort(at, kind="stable")
        at, step = at[order], step[order]
        due = int(np.searchsorted(at, end))
        edges = np.concatenate([[now], at[:due], [end]])
        number = active + np.concatenate([[0], np.cumsum(step[:due])])
        yield np.diff(edges), number / (sources / 2)
        active, now, at, step = int(number[-1]), end, at[due:], step[due:]


def _residual(rng: np.random.Generator, count: int, alpha: float, scale: float) -> Floats:
    """Time left of a Pareto period in progress: P(R>r) = 1 - r (a-1)/(a s) below s, (r/s)**(1-a)/a above."""
    u = 1 - rng.random(count)
    tail = scale * (alpha * np.minimum(u, 1 / alpha)) ** (1 / (1 - alpha))
    body = (1 - u) * alpha * scale / (alpha - 1)
    return np.where(u < 1 / alpha, tail, body)


KINDS: dict[str, type[Arrivals]] = {
    "constant": Constant,
    "poisson": Poisson,
    "onoff": OnOff,
    "mmpp": Mmpp,
    "pareto": Pareto,
    "bmodel": BModel,
}
