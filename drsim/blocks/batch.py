"""The only thing that flows: consecutive writes of one group as parallel columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.undrawn import concatenated

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Some = TypeVar("Some", bound=np.generic)


class Kind(IntEnum):
    """What a write does to its range."""

    WRITE = 0
    TRIM = 1
    ZERO = 2


class Payload(Protocol):
    """The bytes of a batch, if this world has any; the engine slices it and never looks inside."""

    def slice(self, start: int, stop: int) -> Payload:
        """Give the payload of writes ``start..stop``."""

    def take(self, rows: Ints) -> Payload:
        """Give the payload of the chosen writes, in the order of ``rows``."""

    def concat(self, others: Sequence[Payload]) -> Payload:
        """Give this payload followed by ``others``."""

    def cut(self, rows: Ints, skip: Ints, length: Ints) -> Payload:
        """Give bytes ``skip..skip+length`` of each of the chosen writes."""

    def of(self, row: int) -> bytes:
        """Give the bytes of one write (empty for a trim, a zero, or a simulated write)."""


class _NoPayload:
    """The null payload: a simulated write is its columns."""

    __slots__ = ()

    def slice(self, start: int, stop: int) -> _NoPayload:  # noqa: ARG002
        return self

    def take(self, rows: Ints) -> _NoPayload:  # noqa: ARG002
        return self

    def concat(self, others: Sequence[Payload]) -> _NoPayload:  # noqa: ARG002
        return self

    def cut(self, rows: Ints, skip: Ints, length: Ints) -> _NoPayload:  # noqa: ARG002
        return self

    def of(self, row: int) -> bytes:  # noqa: ARG002
        return b""

    def __repr__(self) -> str:
        return "NO_PAYLOAD"


NO_PAYLOAD = _NoPayload()
RECORD = 64
"""Bytes charged in a journal for a write that carries none (a trim, a zero), so that a flood of them is bounded too."""


@dataclass(slots=True, eq=False)
class WriteBatch:
    """Writes of one consistency group, in order, as columns of equal length ``n``.

    Attributes:
        seq: int64[n], place in the group's order, from 1, strictly increasing
            (consecutive, unless the batch was folded).
        time: float64[n], seconds, when the write was handed to the engine; non-decreasing.
        volume: uint16[n], index of the volume in its group.
        offset: int64[n], bytes from the volume's start; maybe `Undrawn`.
        length: int64[n], bytes.
        kind: uint8[n], a `Kind`.
        payload: the bytes, or `NO_PAYLOAD`.

    Nothing of it is ever changed after birth, so batches share columns freely. (It is not ``frozen``, with which
    it would take three times as long to make.)
    """

    seq: Ints
    time: Floats
    volume: NDArray[np.uint16]
    offset: Ints
    length: Ints
    kind: NDArray[np.uint8]
    payload: Payload = NO_PAYLOAD
    _spent: Ints | None = field(default=None, repr=False)
    _nbytes: int | None = field(default=None, repr=False)
    _last: int | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.seq)

    @property
    def room(self) -> Ints:
        """Room each write takes in a journal: int64[n], bytes."""
        if not self._plain:
            return np.where(self.kind == Kind.WRITE, self.length, RECORD)
        return self.length

    @property
    def _plain(self) -> bool:
        """Whether every row is a write."""
        return not (self.kind[0] if self.kind.strides == (0,) and len(self.kind) else self.kind.any())

    @property
    def spent(self) -> Ints:
        """Room the writes take in a journal, summed up to and with each: int64[n], bytes.

        A write takes its length; a trim or a zero takes `RECORD`. Worked out where a place within the batch
        is asked for, and then kept, because every leg of a fan-out asks for the same column.
        """
        if self._spent is None:
            room = self.room
            same = room.strides == (0,) and len(room)
            count = np.arange(1, len(room) + 1, dtype=np.int64)
            self._spent = count * room[0] if same else np.cumsum(room, dtype=np.int64)
        return self._spent

    def spent_by(self, rows: int) -> int:
        """Room the first ``rows`` writes take, bytes."""
        room = self.room
        if room.strides == (0,):
            return rows * int(room[0])
        return int(self.spent[rows - 1]) if rows else 0

    @property
    def nbytes(self) -> int:
        """Room all writes together take in a journal, bytes."""
        if self._nbytes is None:
            self._nbytes = sum_of(self.room)
        return self._nbytes

    @property
    def stop(self) -> Ints:
        """Byte after each write's range: int64[n]."""
        return self.offset + self.length

    @property
    def first(self) -> int:
        """The lowest seq; the batch must not be empty."""
        return self.seq.item(0)

    @property
    def last(self) -> int:
        """The highest seq; the batch must not be empty. Kept: a batch that waits in a file is not read for it."""
        if self._last is None:
            self._last = self.seq.item(-1)
        return self._last

    def slice(self, start: int, stop: int) -> WriteBatch:
        """Give writes ``start..stop`` as views; memory is shared."""
        return WriteBatch(
            self.seq[start:stop],
            self.time[start:stop],
            self.volume[start:stop],
            self.offset[start:stop],
            self.length[start:stop],
            self.kind[start:stop],
            self.payload.slice(start, stop),
        )

    def take(self, rows: Ints) -> WriteBatch:
        """Give the chosen rows, in the order of ``rows`` (int64[m])."""
        return WriteBatch(
            self.seq.take(rows),
            self.time.take(rows),
            chosen(self.volume, rows),
            chosen(self.offset, rows),
            chosen(self.length, rows),
            chosen(self.kind, rows),
            self.payload.take(rows),
        )

    def after(self, seq: int) -> WriteBatch:
        """Give the writes with a place beyond ``seq``."""
        return self.slice(int(np.searchsorted(self.seq, seq, side="right")), len(self))

    def through(self, seq: int) -> WriteBatch:
        """Give the writes with a place up to and including ``seq``."""
        return self.slice(0, int(np.searchsorted(self.seq, seq, side="right")))


def alone(
    seq: int, time: float, volume: int, offset: int, length: int, kind: int, payload: Payload
) -> WriteBatch:
    """A batch of one write."""
    places, nbytes = np.array([offset]), RECORD if kind else length
    where, size, what = _volume(volume), _length(length), _kind(kind)
    return WriteBatch(
        np.array([seq]), np.array([time]), where, places, size, what, payload, None, nbytes, seq
    )


@lru_cache(1024)
def _volume(volume: int) -> NDArray[np.uint16]:
    return np.array([volume], np.uint16)


@lru_cache(1024)
def _length(length: int) -> Ints:
    return np.array([length])


@lru_cache(4)
def _kind(kind: int) -> NDArray[np.uint8]:
    return np.array([kind], np.uint8)


def joined(parts: Sequence[NDArray[Some]]) -> NDArray[Some]:
    """Join columns; one value that merely repeats stays one value in memory, however many rows it stands for."""
    if len(parts) == 1:
        return parts[0]
    if all(len(part) and part.strides == (0,) and part[0] == parts[0][0] for part in parts):
        return repeated(parts[0][0], sum(map(len, parts)))
    return concatenated(parts)


def sum_of(column: Ints) -> int:
    """The sum of a column; of one value that repeats, without looking through it."""
    rows = len(column)
    return int(column[0]) * rows if rows == 1 or (rows and column.strides == (0,)) else int(column.sum())


def repeated(value: NDArray[Some] | Some, rows: int) -> NDArray[Some]:
    """A column of ``rows`` times a value, or the first of some, which is one in memory (not to be written to)."""
    return np.ndarray((rows,), value.dtype, value, strides=(0,))


def stretched(column: NDArray[Some], rows: Ints) -> NDArray[Some]:
    """Each value so many times (int64[n]); a single one stays one in memory."""
    return repeated(column, int(rows[0])) if len(column) == 1 else np.repeat(column, rows)


def once(column: NDArray[Some]) -> NDArray[Some]:
    """A column; where all rows have one value, as one value in memory."""
    if len(column) and column[0] == column[-1] and bool((column == column[0]).all()):
        return repeated(column[:1].copy(), len(column))
    return column


def row_by_row(body: Callable[[Ints], Ints], column: Ints) -> Ints:
    """``body`` of a column, each row of which depends on the same row alone; of one value that repeats, once."""
    return repeated(body(column[:1]), len(column)) if column.strides == (0,) and len(column) else body(column)


def narrow(column: NDArray[Some]) -> NDArray[Some]:
    """A contiguous column for a loop that takes the last row where there are no more: one that repeats is one row."""
    return np.ascontiguousarray(column[:1] if column.strides == (0,) else column)


def chosen(column: NDArray[Some], rows: Ints) -> NDArray[Some]:
    """Give the chosen rows of a column; one value that merely repeats stays one value in memory."""
    return repeated(column[0], len(rows)) if column.strides == (0,) and len(column) else column.take(rows)


def concat(batches: Sequence[WriteBatch]) -> WriteBatch:
    """Join batches in order; one batch is given back as it is."""
    if len(batches) == 1:
        return batches[0]
    if not batches:
        return empty()
    head, *tail = batches
    return WriteBatch(
        np.concatenate([b.seq for b in batches]),
        np.concatenate([b.time for b in batches]),
        joined([b.volume for b in batches]),
        joined([b.offset for b in batches]),
        joined([b.length for b in batches]),
        joined([b.kind for b in batches]),
        head.payload.concat([b.payload for b in tail]),
    )


def empty() -> WriteBatch:
    """Give a batch of no writes."""
    none = np.empty(0, np.int64)
    return WriteBatch(
        none, np.empty(0), np.empty(0, np.uint16), none, none, np.empty(0, np.uint8), NO_PAYLOAD
    )
