"""A queue of columns ordered by the first one: append whole batches, take everything up to a bound."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import joined

Column = NDArray[Any]
Columns = tuple[Column, ...]

_GLANCE = 64


class ColumnQueue:
    """Rows with a non-decreasing first column, kept as the chunks they came in.

    Taking costs the rows taken, never the rows left, so a backlog of any length is harmless.
    Chunks are treated as read-only and may be shared with the caller and with copies.
    """

    __slots__ = ("_chunks", "_length", "_none")

    def __init__(self, *kinds: type) -> None:
        self._none: Columns = tuple(np.empty(0, kind) for kind in kinds)
        self._chunks: deque[Columns] = deque()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Columns]:
        return iter(self._chunks)

    @property
    def none(self) -> Columns:
        """The columns of no rows."""
        return self._none

    def push_front(self, *columns: Column) -> None:
        """Put rows back before all others (columns of equal length n)."""
        if len(columns[0]):
            self._chunks.appendleft(columns)
            self._length += len(columns[0])

    def append(self, *columns: Column) -> None:
        """Add rows at the end (columns of equal length n)."""
        if len(columns[0]):
            self._chunks.append(columns)
            self._length += len(columns[0])

    def take(self, bound: float, side: Literal["left", "right"]) -> Columns:
        """Remove and give the rows with first column below ``bound`` (``right``: or equal to it)."""
        return self._join(self.take_chunks(bound, side))

    def take_chunks(self, bound: float, side: Literal["left", "right"]) -> list[Columns]:
        """`take`, leaving the rows in the chunks they came in."""
        parts: list[Columns] = []
        while self._chunks:
            chunk = self._chunks[0]
            last = chunk[0][-1]
            if last < bound or (side == "right" and last == bound):
                parts.append(self._chunks.popleft())
                continue
            count = int(chunk[0].searchsorted(bound, side=side))
            if count:
                parts.append(tuple(column[:count] for column in chunk))
                self._chunks[0] = tuple(column[count:] for column in chunk)
            break
        self._length -= sum(len(part[0]) for part in parts)
        return parts

    def take_one(self) -> Columns:
        """Remove and give the first row, if there is one."""
        if not self._chunks:
            return self._none
        chunk = self._chunks.popleft()
        if len(chunk[0]) > 1:
            self._chunks.appendleft(tuple(column[1:] for column in chunk))
        self._length -= 1
        return tuple(column[:1] for column in chunk)

    def all(self) -> Columns:
        """Give all rows, joined; the queue keeps them (as one chunk)."""
        joined = self._join(list(self._chunks))
        self._chunks = deque([joined] if len(joined[0]) else [])
        return joined

    def clear(self) -> None:
        """Forget all rows."""
        self._chunks.clear()
        self._length = 0

    def nth(self, column: int, value: int, index: int) -> tuple[Any, ...]:
        """Give, as scalars, row ``index`` among those with ``value`` in ``column``.

        Raises IndexError beyond the end.
        """
        for chunk in self._chunks:
            if chunk[column].strides == (0,):  # one value for all
                if chunk[column][0] != value:
                    continue
                if index < len(chunk[0]):
                    return tuple(each[index] for each in chunk)
                index -= len(chunk[0])
                continue
            start, width = 0, _GLANCE
            while start < len(chunk[0]):
                rows = np.flatnonzero(chunk[column][start : start + width] == value)
                if index < len(rows):
                    return tuple(each[start + rows[index]] for each in chunk)
                index -= len(rows)
                start, width = start + width, 4 * width
        raise IndexError("no such row")

    def copy(self) -> ColumnQueue:
        """Give a queue with the same rows that can be changed on its own."""
        twin = ColumnQueue()
        twin._none, twin._chunks, twin._length = self._none, self._chunks.copy(), self._length
        return twin

    def _join(self, parts: list[Columns]) -> Columns:
        if not parts:
            return self._none
        if len(parts) == 1:
            return parts[0]
        return tuple(joined(column) for column in zip(*parts, strict=True))
