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


_ROOM = 1 << 24


@functools.cache
def _keep_freed_memory() -> None:
    """Let the C library keep the memory of freed arrays, once for the process.

    glibc hands an array of 128 KiB or more back to the system when it is freed, and each new one is paid for
    page by page: a third of the time of a meter. Having seen a larger one freed, it keeps those
    that are smaller ("dynamic mmap threshold", mallopt(3)). Elsewhere this does nothing.
    """
    room = np.empty(_ROOM, np.uint8)
    room[::4096] = 0


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
        self._buffer: list[Column] = [np.empty(size, dtype) for dtype in dtypes]
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
            for buffer, column in zip(self._buffer, columns, strict=True):
                buffer[self._filled : self._filled + step] = column[at : at + step]
            self._filled += step
            at += step
            if self._filled == self.size:
                yield self._buffer
                self._filled = 0

    def room(self) -> tuple[list[Column], int]:
        """The columns of the block being filled, and how many of their rows are: for a loop that goes on with them.

        Say with `filled` how far it went.
        """
        return self._buffer, self._filled

    def filled(self, rows: int) -> list[Column] | None:
        """``rows`` of the columns are filled: give them, valid until the next are asked for, if that is all."""
        self._filled = rows % self.size
        return self._buffer if rows == self.size else None

    def rest(self) -> list[Column]:
        """Give the rows of the last, unfilled block and forget them."""
        rows, self._filled = self._filled, 0
        return [column[:rows] for column in self._buffer]
