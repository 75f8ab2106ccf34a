"""Cutting a stream of columns into blocks of one fixed size, so that no sum depends on how it arrived."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Column = NDArray[Any]

BLOCK = 16384
"""Rows in a block. Sums are made block by block, and blocks start at multiples of this."""


_ROOM = (1 << 25) - (1 << 14)
"""Bytes: beyond 32 MiB the C library learns nothing."""


@functools.cache
def _keep_freed_memory() -> None:
    """Let the C library keep the memory of freed arrays, once for the process.

    glibc hands an array of 128 KiB or more back to the system when it is freed, and each new one is paid for
    page by page: a third of the time of a meter. Having seen a larger one freed, it keeps those
    that are smaller, and up to twice as much in all ("dynamic mmap threshold", mallopt(3)). Elsewhere this does
    nothing.
    """
    np.empty(_ROOM, np.uint8)


class Blocks:
    """Takes columns of any length and gives them back in blocks of exactly ``size`` rows.

    Args:
        dtypes: the dtype of each column.
        size: rows in a block.
    """

    __slots__ = ("_buffer", "_filled", "size")

    def __init__(self, *dtypes: type[np.generic], size: int = BLOCK) -> None:
        _keep_freed_memory()
        self.size = size
        self._buffer: list[Column] = [np.empty(0, dtype) for dtype in dtypes]
        self._filled = 0

    def add(self, *columns: Column) -> Iterator[list[Column]]:
        """Take rows (columns of equal length); yield each block that is now full.

        A yielded block is valid until the next one is asked for. The iterator must be exhausted.
        """
        rows = len(columns[0])
        at = 0
        while at < rows:
            if self._filled == 0 and rows - at >= self.size:
                yield [column[at : at + self.size] for column in columns]
                at += self.size
                continue
            step = min(rows - at, self.size - self._filled)
            self._reserve(self._filled + step)
            for buffer, column in zip(self._buffer, columns, strict=True):
                buffer[self._filled : self._filled + step] = column[at : at + step]
            self._filled += step
            at += step
            if self._filled == self.size:
                yield self._buffer
                self._filled = 0

    def _reserve(self, rows: int) -> None:
        """Grow by doubling: most meters of a large world never fill a block."""
        room = len(self._buffer[0])
        if rows > room:
            room = min(max(rows, 2 * room), self.size)
            self._buffer = [grown(column[: self._filled], room) for column in self._buffer]

    def rest(self) -> list[Column]:
        """Give the rows of the last, unfilled block and forget them."""
        rows, self._filled = self._filled, 0
        return [column[:rows] for column in self._buffer]


def grown(column: Column, rows: int) -> Column:
    """A copy with room for ``rows`` rows (the last axis); those beyond the given ones are 0."""
    wider = np.zeros((*column.shape[:-1], rows), column.dtype)
    wider[..., : column.shape[-1]] = column
    return wider


def uniform(column: Column) -> bool:
    """Whether all rows (there are some) are the same; one that is spread in memory over all rows is at a glance."""
    return column.strides == (0,) or bool((column == column[0]).all())


LANES = 128
"""Row i of a block is added to lane i modulo this, and the lanes are added up at its end: so loops and NumPy agree."""


def lane_sum(values: Floats) -> float:
    """The sum of a block or of less (float64[n], overwritten), by lanes."""
    total = Total()
    total.add(values)
    return total.value


class Total:
    """A running sum by lanes and blocks: it does not depend on how its rows arrive."""

    __slots__ = ("_whole", "lanes", "rows")

    def __init__(self) -> None:
        self._whole = 0.0
        self.lanes = np.zeros(LANES)
        """Those of the block under way, which has ``rows`` rows."""
        self.rows = 0

    def add(self, values: Floats) -> None:
        """Take rows: float64[n], overwritten."""
        while len(values):
            lane = self.rows % LANES
            whole = 0 if lane else min(self.room, len(values)) // LANES * LANES
            take = whole or min(self.room, LANES - lane)
            part, values = values[:take], values[take:]
            if not whole:
                self.lanes[lane : lane + len(part)] += part
            else:
                part = part.reshape(-1, LANES)
                part[0] += self.lanes
                np.add.reduce(part, axis=0, out=self.lanes)
            self.went(part.size)

    def went(self, rows: int) -> None:
        """So many more rows of this block are in the lanes."""
        self.rows += rows
        if self.rows == BLOCK:
            self._whole = self.value
            self.lanes[:] = 0.0
            self.rows = 0

    def idle(self, rows: int) -> None:
        """So many rows of nothing came."""
        while rows:
            take = min(rows, self.room)
            self.went(take)
            rows -= take

    def blocks(self, rows: int) -> Floats:
        """The lanes of the block under way and of the next ones, for a loop that adds ``rows`` rows or fewer."""
        table = np.zeros((1 + (self.rows + rows) // BLOCK, LANES))
        table[0] = self.lanes
        return table

    def filled(self, table: Floats, rows: int) -> None:
        """A loop has added so many rows to `blocks`."""
        whole, self.rows = divmod(self.rows + rows, BLOCK)
        for each in table[:whole].sum(axis=1).tolist():
            self._whole += each
        self.lanes = table[whole]

    @property
    def room(self) -> int:
        """Rows that the block under way still takes."""
        return BLOCK - self.rows

    @property
    def value(self) -> float:
        """The sum of all rows."""
        return self._whole + float(self.lanes.sum())
