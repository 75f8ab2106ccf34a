"""Writes made from kinds: arrivals x access x sizes x calendar, in fixed-size blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from drsim.blocks import Kind
from drsim.blocks.undrawn import undrawn
from drsim.randomness import generator
from drsim.workload.access import Access, Pattern, Place
from drsim.workload.arrivals import Arrivals
from drsim.workload.calendars import Calendar
from drsim.workload.columns import Floats, Ints, Kinds, Writes
from drsim.workload.sizes import Sizes, Table
from drsim.workload.timechange import Growth, Steps, TimeChange, Weekly

DRAWS = 16_384
BLOCK = 4_096


@dataclass(frozen=True)
class Recipe:
    """What a made stream is made of.

    Attributes:
        rate: writes/s, the mean over the calendar's week, at the run's start.
        arrivals, access, sizes, calendar: the kinds; no calendar means the same all week.
        growth: share by which the rate grows in a year (0.3 for 30 %).
        trims: share of the writes that are trims.
        area: the part of the volume written to, as shares of it.
    """

    rate: float
    arrivals: Arrivals
    access: Access
    sizes: Sizes
    calendar: Calendar | None = None
    growth: float = 0.0
    trims: float = 0.0
    area: tuple[float, float] = (0.0, 1.0)

    def bounds(self, volume_size: int) -> tuple[int, int]:
        """Give the bytes of the volume where the area begins and ends.

        Raises ValueError if a write is longer than that.
        """
        begin = int(self.area[0] * volume_size) // BLOCK * BLOCK
        end = volume_size if self.area[1] == 1 else int(self.area[1] * volume_size) // BLOCK * BLOCK
        longest = int(self.sizes.table().length[-1])
        if longest > end - begin:
            raise ValueError(f"a write of {longest} bytes does not fit into {max(end - begin, 0)} bytes")
        return begin, end

    def blocks(
        self, seeds: np.random.SeedSequence, volume_size: int, week_offset_s: float
    ) -> Iterator[Writes]:
        """Give the writes without end (unless growth below zero ends them), `DRAWS` at a time.

        Each purpose (gaps, bursts, sizes, trims, access) has a child stream of ``seeds`` by name.
        ``volume_size`` in bytes; ``week_offset_s`` is the run's start in seconds after Monday 00:00.
        Raises ValueError if a write is longer than the area.
        """
        table = self.sizes.table()
        ground = _Ground.of(self.access, table, self.bounds(volume_size), seeds)
        clock = _Clock(self, seeds, week_offset_s)
        lengths, kinds = _Lengths(table, seeds), _Trims(self.trims, seeds)
        index = nbytes = 0
        while True:
            time = clock.block()
            place = Place(index, nbytes, lengths.block())
            offset = undrawn(DRAWS, partial(ground.offsets, index // DRAWS, place))
            block = Writes(time, offset, place.length, kinds.block())
            index += DRAWS
            nbytes += lengths.nbytes
            if time[-1] == np.inf:
                yield block.slice(0, int(np.searchsorted(time, np.inf)))
                return
            yield block


class _Clock:
    """Instants: base process, then bursts, then growth, then the calendar."""

    def __init__(self, recipe: Recipe, seeds: np.random.SeedSequence, week_offset_s: float) -> None:
        self._base = recipe.arrivals.base(seeds)
        self._rate = recipe.rate
        self._changes: list[TimeChange] = []
        bursts = recipe.arrivals.bursts(seeds)
        if bursts is not None:
            self._changes.append(Steps(bursts))
        if recipe.growth:
            self._changes.append(Growth(recipe.growth))
        if recipe.calendar is not None:
            self._changes.append(Weekly(recipe.calendar.week(), week_offset_s))

    def block(self) -> Floats:
        t = self._base.block(DRAWS)
        t /= self._rate
        for change in self._changes:
            t = change.when(t)
        return t


class _Lengths:
    """Lengths; one value in memory where they are all the same."""

    def __init__(self, table: Table, seeds: np.random.SeedSequence) -> None:
        self._table = table
        self._rng = generator(seeds, "sizes")
        self.nbytes = 0
        self._same: Ints | None = None
        if len(table.length) == 1:
            self._same = np.broadcast_to(table.length[0], (DRAWS,))
            self.nbytes = int(table.length[0]) * DRAWS

    def block(self) -> Ints:
        if self._same is not None:
            return self._same
        length = self._table.draw(self._rng, DRAWS)
        self.nbytes = int(length.sum())
        return length


class _Trims:
    """Which writes are trims; one shared read-only column where none is."""

    def __init__(self, share: float, seeds: np.random.SeedSequence) -> None:
        self._share = share
        self._rng = generator(seeds, "trims")
        self._none: Kinds = np.broadcast_to(np.uint8(Kind.WRITE), (DRAWS,))

    def block(self) -> Kinds:
        if not self._share:
            return self._none
        trimmed = self._rng.random(DRAWS) < self._share
        return np.where(trimmed, np.uint8(Kind.TRIM), np.uint8(Kind.WRITE))


@dataclass(frozen=True, slots=True)
class _Ground:
    """The area of the volume that is written to, in slots."""

    pattern: Pattern
    begin: int
    end: int
    grain: int
    seeds: np.random.SeedSequence
    fits: bool

    @staticmethod
    def of(
        access: Access,
        table: Table,
        bounds: tuple[int, int],
        seeds: np.random.SeedSequence,
    ) -> _Ground:
        grain = int(table.length[0]) if len(table.length) == 1 else min(BLOCK, int(table.length[0]))
        begin, end = bounds
        pattern = access.bind((end - begin) // grain, grain, generator(seeds, "places"))
        return _Ground(pattern, begin, end, grain, seeds, len(table.length) == 1)

    def offsets(self, block: int, place: Place) -> Ints:
        slots = self.pattern.slots(generator(self.seeds, "access", block), place)
        slots *= self.grain
        slots += self.begin
        if not self.fits:
            # A long write near the end starts early enough to fit.
            last = self.begin + (self.end - self.begin - place.length) // self.grain * self.grain
            np.minimum(slots, last, out=slots)
        return slots
