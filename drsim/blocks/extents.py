"""Runs of bytes on volumes as three parallel columns, and the set arithmetic on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Ints, WriteBatch


@dataclass(frozen=True, slots=True, eq=False)
class Extents:
    """Runs ``start..stop`` (bytes) of ``volume`` (index in the group): columns of equal length n."""

    volume: NDArray[np.uint16]
    start: Ints
    stop: Ints

    def __len__(self) -> int:
        return len(self.start)

    @property
    def nbytes(self) -> int:
        """Bytes covered (runs that overlap count twice; `merged` has none)."""
        return int((self.stop - self.start).sum())

    def rows(self) -> Iterator[tuple[int, int, int]]:
        """Walk (volume, start, stop); for a few extents, not for writes."""
        return zip(self.volume.tolist(), self.start.tolist(), self.stop.tolist(), strict=True)

    def merged(self) -> Extents:
        """Give the same bytes as sorted runs that neither overlap nor touch."""
        if len(self) < 2:
            return self
        order = np.lexsort((self.start, self.volume))
        volume, start, stop = self.volume[order], self.start[order], self.stop[order]
        # Lifting each volume above the last byte of those before it makes one running maximum serve all.
        span = int(stop.max()) + 1
        lift = volume.astype(np.int64) * span
        reach = np.maximum.accumulate(stop + lift)
        fresh = np.empty(len(order), np.bool_)
        fresh[0] = True
        fresh[1:] = (start + lift)[1:] > reach[:-1]
        fresh[1:] |= volume[1:] != volume[:-1]
        heads = np.flatnonzero(fresh)
        tails = np.append(heads[1:], len(order)) - 1
        return Extents(volume[heads], start[heads], (reach - lift)[tails])

    def split(self, limit: int) -> Extents:
        """Cut each run into pieces of at most ``limit`` bytes, in order."""
        length = self.stop - self.start
        if not len(self) or int(length.max()) <= limit:
            return self
        pieces = -(-length // limit)
        row = np.repeat(np.arange(len(self)), pieces)
        first = np.cumsum(pieces) - pieces
        start = self.start[row] + (np.arange(len(row)) - first[row]) * limit
        return Extents(self.volume[row], start, np.minimum(start + limit, self.stop[row]))


def of(volume: NDArray[np.uint16] | list[int], start: Ints | list[int], stop: Ints | list[int]) -> Extents:
    """Make extents from anything array-like."""
    return Extents(np.asarray(volume, np.uint16), np.asarray(start, np.int64), np.asarray(stop, np.int64))


def none() -> Extents:
    """Give no extents."""
    return of([], [], [])


def written(batch: WriteBatch) -> Extents:
    """Give the ranges a batch writes, one a write."""
    return Extents(batch.volume, batch.offset, batch.stop)


def join(parts: list[Extents]) -> Extents:
    """Put extents one after another."""
    if len(parts) < 2:
        return parts[0] if parts else none()
    return Extents(
        np.concatenate([p.volume for p in parts]),
        np.concatenate([p.start for p in parts]),
        np.concatenate([p.stop for p in parts]),
    )
