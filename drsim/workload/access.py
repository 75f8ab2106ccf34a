"""Where writes go: pure functions from a block's own random stream and its place in the stream to addresses.

No state is carried but the number of writes and bytes before the block, so a block nobody looked at costs
nothing. A *slot* is one aligned place a write can start at.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from drsim.units import parse_fraction, parse_size
from drsim.workload import loops
from drsim.workload.columns import Floats, Ints
from drsim.workload.spelling import Spelled, argument, number
from drsim.workload.zipf import zipf_cells


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block of draws stands in its stream.

    Attributes:
        index: writes before it.
        nbytes: bytes written before it.
        length: int64[n], bytes of each write of the block.
    """

    index: int
    nbytes: int
    length: Ints


class Pattern(ABC):
    """An access kind bound to a volume: ``slots`` places of ``grain`` bytes."""

    @abstractmethod
    def slots(self, rng: np.random.Generator, place: Place) -> Ints:
        """Give the slot of each write, int64[n], in 0..slots-1."""


class Access(Spelled, ABC):
    """An access kind."""

    @abstractmethod
    def bind(self, slots: int, grain: int, rng: np.random.Generator) -> Pattern:
        """Bind to ``slots`` slots of ``grain`` bytes; ``rng`` draws, once, where hot places lie."""


@dataclass(frozen=True)
class Sequential(Access):
    """One after another from the volume's start, and round again."""

    FORM: ClassVar[str] = "sequential"

    def bind(self, slots: int, grain: int, rng: np.random.Generator) -> Pattern:  # noqa: ARG002
        return _Sequential(slots, grain)


@dataclass(frozen=True, slots=True)
class _Sequential(Pattern):
    count: int
    grain: int

    def slots(self, rng: np.random.Generator, place: Place) -> Ints:  # noqa: ARG002
        before = np.cumsum(place.length) - place.length
        before += place.nbytes
        before //= self.grain
        before %= self.count
        return before


@dataclass(frozen=True)
class Strided(Access):
    """Every ``stride`` bytes, wrapping round one slot further each pass."""

    FORM: ClassVar[str] = "strided(1 MiB)"
    stride: int = argument(parse_size)

    def __post_init__(self) -> None:
        if self.stride <= 0:
            raise ValueError("the stride must be above zero")

    def bind(self, slots: int, grain: int, rng: np.random.Generator) -> Pattern:  # noqa: ARG002
        return _Strided(slots, min(max(self.stride // grain, 1), slots))


@dataclass(frozen=True, slots=True)
class _Strided(Pattern):
    count: int
    step: int

    def slots(self, rng: np.random.Generator, place: Place) -> Ints:  # noqa: ARG002
        index = np.arange(place.index, place.index + len(place.length), dtype=np.int64)
        index %= self.count
        # Lane l holds slots l, l + step, ...: the first `long` lanes are one longer than the rest.
        height, long = divmod(self.count, self.step)
        edge = long * (height + 1)
        below = index < edge
        lane = np.where(below, index // (height + 1), long + (index - edge) // height)
        turn = np.where(below, index % (height + 1), (index - edge) % height)
        slot: Ints = lane + turn * self.step
        return slot


@dataclass(frozen=True)
class Uniform(Access):
    """Every slot as likely as any other; n writes touch N(1 - (1 - 1/N)^n) of N slots."""

    FORM: ClassVar[str] = "uniform"

    def bind(self, slots: int, grain: int, rng: np.random.Generator) -> Pattern:  # noqa: ARG002
        return _Uniform(slots)


@dataclass(frozen=True, slots=True)
class _Uniform(Pattern):
    count: int

    def slots(self, rng: np.random.Generator, place: Place) -> Ints:
        return rng.integers(0, self.count, len(place.length))


@dataclass(frozen=True)
class Hot(Access):
    """A share of the volume takes a share of the writes; both parts are uniform inside.

    The hot part is scattered over the volume in pieces of ``run`` bytes.
    """

    FORM: ClassVar[str] = "hot(10 %, 90 %)"
    space: float = argument(parse_fraction)
    writes: float = argument(parse_fraction)
    run: int = argument(parse_size, 1 << 20)

    def __post_init__(self) -> None:
        if not 0 < self.space < 1 or not 0 < self.writes < 1:
            raise ValueError("both shares must lie between 0 % and 100 %")

    def bind(self, slots: int, grain: int, rng: np.random.Generator) -> Pattern:
        hot = min(max(round(slots * self.space), 1), max(slots - 1, 1))
        return _Hot(slots, hot, self.writes, Scatter(slots, max(self.run // grain, 1), rng))


@dataclass(frozen=True, slots=True)
class _Hot(Pattern):
    count: int
    hot: int
    share: float
    scatter: Scatter

    def slots(self, rng: np.random.Generator, place: Place) -> Ints:
        n = len(place.length)
        which, where = rng.random(n), rng.random(n)
        cold, skip = max(self.count - self.hot, 1), min(self.hot, self.count - 1)
        if (twin := loops.hot.worth(n)) is not None:
            slot = np.empty(n, np.int64)
            twin(which, where, self.share, self.hot, cold, skip, self.scatter.steps, slot)
            return slot
        warm = which < self.share
        size = np.where(warm, self.hot, cold)
        where *= size
        rank = where.astype(np.int64)
        np.minimum(rank, size - 1, out=rank)
        rank += np.where(warm, 0, skip)
        return self.scatter(rank)


@dataclass(frozen=True)
class Zipf(Access):
    """The k-th most popular slot is written in proportion to ``k ** -exponent``; popular slots lie scattered.

    With ``run``, neighbours in popularity lie together in pieces of that many bytes.
    """

    FORM: ClassVar[str] = "zipf(0.9)"
    exponent: float = argument(number)
    run: int = argument(parse_size, 0)

    def __post_init__(self) -> None:
        if not 0 <= self.exponent <= 4:
            raise ValueError("the exponent must lie in 0 to 4")

    def bind(self, slots: int, grain: int, rng: np.random.Generator) -> Pattern:
        scatter = Scatter(slots, max(self.run // grain, 1), rng)
        return _Zipf(*zipf_cells(slots, self.exponent), scatter)


@dataclass(frozen=True, slots=True, eq=False)
class _Zipf(Pattern):
    """Cells of equal-looking ranks picked by Walker's alias method (Vose, IEEE TSE 17, 1991)."""

    first: Ints
    width: Ints
    keep: Floats
    alias: Ints
    scatter: Scatter

    def slots(self, rng: np.random.Generator, place: Place) -> Ints:
        n = len(place.length)
        u, where = rng.random(n), rng.random(n)
        if (twin := loops.zipf.worth(n)) is not None:
            slot = np.empty(n, np.int64)
            twin(u, where, self.first, self.width, self.keep, self.alias, self.scatter.steps, slot)
            return slot
        u *= len(self.keep)
        cell = u.astype(np.int64)
        u -= cell
        cell = np.where(u < self.keep[cell], cell, self.alias[cell])
        where *= self.width[cell]
        rank = where.astype(np.int64)
        rank += self.first[cell]
        return self.scatter(rank)


class Scatter:
    """A bijection of 0..count-1 that spreads neighbours.

    Runs of ``run`` move as wholes: run k goes to (a k + c) mod runs, with a near the golden section of runs.
    """

    __slots__ = ("_runs", "_shift", "_step", "run", "whole")

    def __init__(self, count: int, run: int, rng: np.random.Generator) -> None:
        self.run = min(run, count)
        self._runs = max(count // self.run, 1)
        self.whole = self._runs * self.run
        step = max(min(int(self._runs * 0.6180339887498949), (1 << 62) // self._runs), 1)
        while math.gcd(step, self._runs) != 1:
            step += 1
        self._step = step
        self._shift = int(rng.integers(self._runs))

    @property
    def steps(self) -> tuple[int, int, int, int]:
        """What it does in numbers: slots of a run, runs, a, c."""
        return self.run, self._runs, self._step, self._shift

    def __call__(self, rank: Ints) -> Ints:
        """Give the slot of each rank; ranks in the last, incomplete run stay where they are."""
        lot = rank // self.run if self.run > 1 else rank
        moved = lot * self._step
        moved += self._shift
        turn = (
            moved // self._runs
        )  # a division by one number for all is several times faster than a remainder
        turn *= self._runs
        moved -= turn
        if self.run == 1:
            return moved
        moved -= lot
        moved *= self.run
        moved += rank
        return np.where(rank < self.whole, moved, rank)


KINDS: dict[str, type[Access]] = {
    "sequential": Sequential,
    "strided": Strided,
    "uniform": Uniform,
    "hot": Hot,
    "zipf": Zipf,
}
