"""Rows that hosts wrote and that have no place in the order yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import RECORD, Kind, Some, WriteBatch, alone, repeated
from drsim.blocks.payload import BytesPayload, Chunk, Strip

_WRITE = int(Kind.WRITE)
Piece = tuple[int, list[int], int, int, Strip]  # volume, offsets, length, kind, contents


class Gathered:
    """Rows in order, in pieces that differ only in offset and content.

    Attributes:
        rows: how many.
        nbytes: of the contents.
    """

    def __init__(self) -> None:
        self.nbytes = self.rows = 0
        self._pieces: list[Piece] = []

    def append(self, volume: int, offsets: Sequence[int], contents: Strip) -> None:
        """Append writes, one for each offset and content."""
        count, pieces = len(offsets), self._pieces
        if pieces and pieces[-1][0] == volume and pieces[-1][4].goes_on(contents):
            pieces[-1][1].extend(offsets)
            pieces[-1][4].count += count
        else:
            pieces.append((volume, list(offsets), contents.length, _WRITE, contents.slice(0, count)))
        self.rows += count
        self.nbytes += count * contents.length

    def append_one(self, volume: int, offset: int, length: int, kind: int, content: Chunk) -> None:
        """Append a row; for what comes one by one this is quicker than looking for what it goes on."""
        self._pieces.append((volume, [offset], length, kind, Strip.of(content)))
        self.rows += 1
        self.nbytes += len(content)

    def affordable(self, limit: int, headroom: int) -> int:
        """Give how many rows from the first on cost no more than ``headroom``: ``limit`` at most, one at least."""
        limit = min(limit, self.rows)
        if self.nbytes + RECORD * limit <= headroom:
            return limit
        rows = 0
        for _, offsets, length, kind, _ in self._pieces:
            each = length if kind == _WRITE else RECORD
            fitting = headroom // each
            if fitting < len(offsets):
                rows += max(fitting, 0)
                break
            rows += len(offsets)
            headroom -= each * len(offsets)
        return max(1, min(rows, limit))

    def take(self, count: int, first: int, now: float) -> WriteBatch:
        """Take the first ``count`` rows out, as a batch with places from ``first`` on."""
        pieces = self._first(count)
        self.rows -= count
        if count == 1:
            ((volume, offsets, length, kind, strip),) = pieces
            self.nbytes -= strip.length
            return alone(first, now, volume, offsets[0], length, kind, BytesPayload(strip.chunks()))
        contents = BytesPayload.laid([piece[4] for piece in pieces])
        self.nbytes -= contents.nbytes
        rows = [len(piece[1]) for piece in pieces]
        return WriteBatch(
            np.arange(first, first + count, dtype=np.int64),
            repeated(np.array([now]), count),
            _column([piece[0] for piece in pieces], rows, np.uint16),
            np.array(list(chain.from_iterable([piece[1] for piece in pieces]))),
            _column([piece[2] for piece in pieces], rows, np.int64),
            _column([piece[3] for piece in pieces], rows, np.uint8),
            contents,
        )

    def _first(self, count: int) -> list[Piece]:
        if count == self.rows:
            found, self._pieces = self._pieces, []
            return found
        pieces, at = self._pieces, 0
        for at, (volume, offsets, length, kind, contents) in enumerate(pieces):  # noqa: B007
            if len(offsets) > count:
                break
            count -= len(offsets)
        found, self._pieces = pieces[:at], pieces[at:]
        if count:
            rest = self._pieces
            found.append((volume, offsets[:count], length, kind, contents.slice(0, count)))
            rest[0] = volume, offsets[count:], length, kind, contents.slice(count, len(offsets))
        return found

    def over(self, volume: int, start: int, stop: int) -> Iterator[tuple[int, int, Chunk]]:
        """Give the rows that touch a range: offset, length, content (empty means zeroes)."""
        for where, offsets, length, _, contents in self._pieces:
            if where == volume:
                for offset, content in zip(offsets, contents.chunks(), strict=True):
                    if offset < stop and offset + length > start:
                        yield offset, length, content

    def clear(self) -> None:
        """Forget all rows."""
        self.nbytes = self.rows = 0
        self._pieces = []


def _column(values: list[int], rows: list[int], kind: type[Some]) -> NDArray[Some]:
    """Give a column of so many rows of each value; one that merely repeats is one value in memory."""
    column = np.array(values, kind)
    same = len(values) == 1 or values.count(values[0]) == len(values)
    return repeated(column[:1], sum(rows)) if same else np.repeat(column, rows)


def lay(found: bytearray, start: int, offset: int, length: int, content: Chunk) -> None:
    """Lay one row over a range that begins at ``start``."""
    low, high = max(offset, start), min(offset + length, start + len(found))
    found[low - start : high - start] = (
        content[low - offset : high - offset] if content else bytes(high - low)
    )
