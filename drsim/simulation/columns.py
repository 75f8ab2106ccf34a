"""A first-in first-out queue of rows kept as parallel columns; popping shares memory where it can."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Floats

Column = NDArray[np.generic]


class ColumnQueue:
    """Rows in order, as chunks of ``width`` parallel arrays; the first column is a non-decreasing time."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._chunks: deque[tuple[Column, ...]] = deque()
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def push(self, *columns: Column) -> None:
        """Append rows; arrays of equal length, one per column."""
        if len(columns) != self._width:
            raise ValueError(f"{self._width} columns wanted, {len(columns)} given")
        if len(columns[0]):
            self._chunks.append(columns)
            self._rows += len(columns[0])

    def pop(self, rows: int) -> tuple[Column, ...]:
        """Take the first ``rows`` rows."""
        assert rows <= self._rows, "more rows asked for than there are"
        taken: list[tuple[Column, ...]] = []
        left = rows
        while left:
            chunk = self._chunks.popleft()
            size = len(chunk[0])
            if size > left:
                taken.append(tuple(column[:left] for column in chunk))
                self._chunks.appendleft(tuple(column[left:] for column in chunk))
                size = left
            else:
                taken.append(chunk)
            left -= size
        self._rows -= rows
        return _join(taken, self._width)

    def due(self, until: float) -> int:
        """How many rows have a time of at most ``until``."""
        count = 0
        for chunk in self._chunks:
            times = chunk[0]
            if times[-1] <= until:
                count += len(times)
                continue
            return count + int(np.searchsorted(times, until, side="right"))
        return count

    def pop_due(self, until: float) -> tuple[Column, ...]:
        """Take every row with a time of at most ``until``."""
        return self.pop(self.due(until))

    def head(self) -> tuple[Column, ...]:
        """The first chunk, without taking it; the queue must not be empty."""
        return self._chunks[0]

    def chunks(self) -> tuple[tuple[Column, ...], ...]:
        """All chunks in order, without taking them."""
        return tuple(self._chunks)

    def next_time(self) -> float:
        """Time of the first row, or inf."""
        return float(self._chunks[0][0][0]) if self._chunks else float("inf")

    def delay_until(self, at: float) -> None:
        """Raise every time to at least ``at``: rows that had to wait."""
        self._chunks = deque((_raise(chunk[0], at), *chunk[1:]) for chunk in self._chunks)

    def drop_last(self, rows: int) -> None:
        """Forget the newest ``rows`` rows."""
        self._rows -= rows
        while rows:
            chunk = self._chunks.pop()
            size = len(chunk[0])
            if size > rows:
                self._chunks.append(tuple(column[: size - rows] for column in chunk))
            rows -= min(size, rows)

    def last(self, rows: int) -> tuple[Column, ...]:
        """The newest ``rows`` rows, without taking them."""
        whole = _join(list(self._chunks), self._width)
        return tuple(column[len(column) - rows :] for column in whole)

    def delay_head(self, at: float) -> None:
        """Raise the first row's time to at least ``at``."""
        chunk = self._chunks.popleft()
        if len(chunk[0]) > 1:
            self._chunks.appendleft(tuple(column[1:] for column in chunk))
        first = tuple(column[:1] for column in chunk)
        self._chunks.appendleft((_raise(first[0], at), *first[1:]))

    def clear(self) -> None:
        """Forget every row."""
        self._chunks.clear()
        self._rows = 0


def _raise(times: Column, at: float) -> Floats:
    return np.maximum(times.astype(np.float64, copy=False), at)


def _join(chunks: list[tuple[Column, ...]], width: int) -> tuple[Column, ...]:
    if len(chunks) == 1:
        return chunks[0]
    if not chunks:
        return tuple(np.empty(0) for _ in range(width))
    return tuple(_concatenate(parts) for parts in zip(*chunks, strict=True))


def _concatenate(parts: tuple[Column, ...]) -> Column:
    """Join columns; one value that merely repeats stays one value in memory, however many rows it stands for."""
    if all(part.strides == (0,) for part in parts) and all(part[0] == parts[0][0] for part in parts):
        return np.broadcast_to(parts[0][0], (sum(map(len, parts)),))
    return np.concatenate(parts)
