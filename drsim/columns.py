"""Columns that wait, first-in first-out: parallel arrays in chunks, which lie in a file where there are too many.

A backlog has no bound of its own: a terabyte of 8 KiB writes is 125 million rows in each of several queues. So all
queues of a process together keep a certain number of values in memory, and beyond it a long queue puts new rows into
an unlinked file (in ``TMPDIR``), mapped into memory. An array that lies there is an array like any other, shared
by all who hold it, and its room is free when the last of them lets go. Nothing but memory depends on where it lies.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections import deque
from collections.abc import Iterator
from typing import Any, Literal
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import joined, once

Column = NDArray[Any]
Columns = tuple[Column, ...]

IN_MEMORY = 1 << 23
"""Values that wait in memory before others go to a file; of all queues together, shared ones counted twice."""
LONG = 1 << 15
"""Rows that wait in a queue before others go to a file: what only passes through stays in memory."""

_GLANCE = 64
_FILE = 1 << 26
_ALIGNED = 64
_READ = 1 << 25


class ColumnQueue:
    """Rows in order, as chunks of parallel arrays; where rows are taken by it, the first column does not decrease.

    Taking costs the rows taken, never the rows left. Chunks are read-only, and may be shared with the caller
    and with copies.

    Args:
        kinds: the type of each column.
    """

    __slots__ = ("_chunks", "_rows", "none")

    def __init__(self, *kinds: type) -> None:
        self.none: Columns = tuple(np.empty(0, kind) for kind in kinds)
        """The columns of no rows."""
        self._chunks: deque[Columns] = deque()
        self._rows = 0

    def __del__(self) -> None:
        _attic.waiting -= self._rows * len(self.none)

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[Columns]:
        return iter(self._chunks)

    def push(self, *columns: Column) -> None:
        """Append rows (columns of equal length)."""
        rows = len(columns[0])
        if rows:
            self._chunks.append(stowed(columns, self._rows))
            self._count(rows)
            touched(rows)

    def push_front(self, *columns: Column) -> None:
        """Put rows back before all others (columns of equal length)."""
        rows = len(columns[0])
        if rows:
            self._chunks.appendleft(columns)
            self._count(rows)

    def pop(self, rows: int) -> Columns:
        """Take the first ``rows`` rows."""
        return self._joined(self.pop_chunks(rows))

    def pop_chunks(self, rows: int) -> list[Columns]:
        """`pop`, leaving the rows in the chunks they came in."""
        assert rows <= self._rows, "more rows asked for than there are"
        parts: list[Columns] = []
        left = rows
        while left > 0:
            chunk = self._chunks.popleft()
            if len(chunk[0]) > left:
                self._chunks.appendleft(tuple(column[left:] for column in chunk))
                chunk = tuple(column[:left] for column in chunk)
            parts.append(chunk)
            left -= len(chunk[0])
        self._took(rows)
        return parts

    def due(self, until: float) -> int:
        """How many rows have a first column of at most ``until``."""
        count = 0
        for chunk in self._chunks:
            if chunk[0][-1] > until:
                return count + int(chunk[0].searchsorted(until, side="right"))
            count += len(chunk[0])
        return count

    def take(
        self, bound: float, side: Literal["left", "right"] = "right", rows: int | None = None
    ) -> Columns:
        """Take the rows with a first column below ``bound`` (``right``: or equal to it).

        With ``rows``, no more than whole chunks until there are so many.
        """
        return self._joined(self.take_chunks(bound, side, rows))

    def take_chunks(
        self, bound: float, side: Literal["left", "right"] = "right", rows: int | None = None
    ) -> list[Columns]:
        """`take`, leaving the rows in the chunks they came in."""
        parts: list[Columns] = []
        count = 0
        while self._chunks and (rows is None or count < rows):
            chunk = self._chunks[0]
            last = chunk[0][-1]
            if last < bound or (side == "right" and last == bound):
                parts.append(self._chunks.popleft())
                count += len(chunk[0])
                continue
            due = int(chunk[0].searchsorted(bound, side=side))
            if due:
                parts.append(tuple(column[:due] for column in chunk))
                self._chunks[0] = tuple(column[due:] for column in chunk)
                count += due
            break
        self._took(count)
        return parts

    def take_one(self) -> Columns:
        """Take the first row, if there is one."""
        return self.pop(min(1, self._rows))

    def first(self) -> float:
        """The first row's first column, or inf."""
        return float(self._chunks[0][0][0]) if self._chunks else float("inf")

    def last(self) -> float:
        """The last row's first column, or -inf."""
        return float(self._chunks[-1][0][-1]) if self._chunks else float("-inf")

    def raise_all(self, at: float) -> None:
        """Raise every first column to at least ``at``: rows that had to wait."""
        self._chunks = deque((np.maximum(chunk[0], at), *chunk[1:]) for chunk in self._chunks)

    def raise_first(self, at: float) -> None:
        """Raise the first row's first column to at least ``at``."""
        time, *rest = self.take_one()
        self.push_front(np.maximum(time, at), *rest)

    def newest(self, rows: int) -> Columns:
        """The newest ``rows`` rows, without taking them."""
        return tuple(column[self._rows - rows :] for column in self.all())

    def drop_newest(self, rows: int) -> None:
        """Forget the newest ``rows`` rows."""
        self._count(-rows)
        while rows:
            chunk = self._chunks.pop()
            size = len(chunk[0])
            if size > rows:
                self._chunks.append(tuple(column[: size - rows] for column in chunk))
            rows -= min(size, rows)

    def all(self) -> Columns:
        """All rows, joined, without taking them."""
        return self._joined(list(self._chunks))

    def clear(self) -> None:
        """Forget all rows."""
        self._count(-self._rows)
        self._chunks.clear()

    def nth(self, column: int, value: int, index: int) -> tuple[Any, ...]:
        """Give, as scalars, row ``index`` among those with ``value`` in ``column``; IndexError beyond the end."""
        for chunk in self._chunks:
            start, width, size = 0, _GLANCE, len(chunk[0])
            if chunk[column].strides == (0,):
                if chunk[column][0] == value and index < size:
                    return tuple(each[index] for each in chunk)
                index -= size if chunk[column][0] == value else 0
                continue
            while start < size:
                there = chunk[column][start : start + width] == value
                count = int(np.count_nonzero(there))
                if index < count:
                    row = start + int(np.flatnonzero(there)[index])
                    return tuple(each[row] for each in chunk)
                index -= count
                start, width = start + width, 4 * width
        raise IndexError("no such row")

    def copy(self) -> ColumnQueue:
        """Give a queue with the same rows that can be changed on its own."""
        twin = ColumnQueue()
        twin.none, twin._chunks = self.none, self._chunks.copy()
        twin._count(self._rows)
        return twin

    def _count(self, rows: int) -> None:
        self._rows += rows
        _attic.waiting += rows * len(self.none)

    def _took(self, rows: int) -> None:
        self._count(-rows)
        touched(rows * len(self.none))

    def _joined(self, parts: list[Columns]) -> Columns:
        if len(parts) == 1:
            return parts[0]
        return tuple(joined(each) for each in zip(*parts, strict=True)) if parts else self.none


def stowed(columns: Columns, rows: int) -> Columns:
    """The columns, in a file if too much waits in memory and ``rows`` rows wait already where these will."""
    if rows < LONG or _attic.waiting < IN_MEMORY:
        return columns
    return tuple(_attic.put(column) for column in columns)


def touched(values: int) -> None:
    """So many values of columns that wait are being looked at: if they lie in the file, their pages come to memory."""
    if _attic.used:
        _attic.read(values)


class _Attic:
    """Unlinked files whose pages come to memory as they are read, and are let go of again after a while.

    A file's room is free when the last column in it is. Where nothing more can be written, columns stay in memory.
    """

    def __init__(self) -> None:
        self.used = False
        self.waiting = 0  # values in all queues of the process
        self._owner = 0
        self._room: mmap.mmap | None = None
        self._at = 0
        self._maps: WeakSet[mmap.mmap] = WeakSet()
        self._read = 0

    def put(self, column: Column) -> Column:
        """The same values, in a file or, where all are one, as one."""
        if column.strides == (0,) or _lies_in_file(column):
            return column
        column = once(column)
        if column.strides == (0,):
            return column
        room = self._find_room(column.nbytes)
        if room is None:
            return column
        there = np.ndarray(column.shape, column.dtype, room, self._at)
        self._at += -(-column.nbytes // _ALIGNED) * _ALIGNED
        there[:] = column
        self.read(len(column))
        return there

    def read(self, values: int) -> None:
        """So many values were written or may have been read: now and then their pages are let go of."""
        self._read += 8 * values
        if self._read >= _READ and hasattr(mmap, "MADV_DONTNEED"):
            self._read = 0
            for each in self._maps:
                each.madvise(mmap.MADV_DONTNEED)

    def _find_room(self, nbytes: int) -> mmap.mmap | None:
        if self._owner != os.getpid():  # A fork must not write where its parent does.
            self._owner, self._room = os.getpid(), None
        if self._room is None or self._at + nbytes > len(self._room):
            size = max(nbytes, _FILE)
            try:
                with tempfile.TemporaryFile() as file:
                    os.posix_fallocate(file.fileno(), 0, size)
                    self._room, self._at = mmap.mmap(file.fileno(), size), 0
            except OSError:
                return None
            self._maps.add(self._room)
            self.used = True
        return self._room


_attic = _Attic()


def _lies_in_file(column: Column) -> bool:
    base = column.base
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, mmap.mmap)
