"""Images compared block by block: every block carries its last writer, at the source and at every target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Ints, Kind, Payload, WriteBatch
from drsim.blocks.extents import Extents
from drsim.simulation.spill import Spill

BLOCK = 4096
"""Bytes of a block, the unit in which folding and copying judge (`drsim.blocks.fold`)."""
_VOLUME = 1 << 48
"""Names of blocks: volume × 2^48 + number."""


class Writers:
    """The content of a copied batch: for each row the last writer of each of its blocks (int64), not its bytes."""

    __slots__ = ("rows",)

    def __init__(self, rows: Sequence[Ints]) -> None:
        self.rows = tuple(rows)

    def slice(self, start: int, stop: int) -> Writers:
        """Give the content of rows ``start..stop``."""
        return Writers(self.rows[start:stop])

    def take(self, rows: Ints) -> Writers:
        """Give the content of the chosen rows."""
        return Writers([self.rows[i] for i in rows.tolist()])

    def concat(self, others: Sequence[Payload]) -> Writers:
        """Give this content followed by ``others``, which must be of this kind too."""
        rows = list(self.rows)
        for other in others:
            assert isinstance(other, Writers), "a copy with writers is joined with its like only"
            rows.extend(other.rows)
        return Writers(rows)

    def cut(self, rows: Ints, skip: Ints, length: Ints) -> Writers:
        """Give the blocks of bytes ``skip..skip+length`` of each of the chosen rows."""
        spans = zip(rows.tolist(), skip.tolist(), length.tolist(), strict=True)
        return Writers([self.rows[i][s // BLOCK : -(-(s + n) // BLOCK)] for i, s, n in spans])

    def of(self, row: int) -> bytes:  # noqa: ARG002
        """Nothing: there are no bytes."""
        return b""


class Names:
    """The blocks hosts ever wrote, numbered in the order of their first write; all others are alike everywhere."""

    def __init__(self) -> None:
        self._number: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._number)

    def give(self, keys: Ints) -> Ints:
        """Number blocks, new ones too: int64[n] of names to int64[n]."""
        known = self._number
        return np.fromiter((known.setdefault(key, len(known)) for key in keys.tolist()), np.int64, len(keys))

    def find(self, keys: Ints) -> Ints:
        """The numbers of blocks; -1 for one that no host ever wrote."""
        known = self._number
        return np.fromiter((known.get(key, -1) for key in keys.tolist()), np.int64, len(keys))


def blocks(volume: NDArray[np.uint16], start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """Each row's blocks: (row int64[m], name int64[m]), in order."""
    first, last = start // BLOCK, (stop - 1) // BLOCK
    count = last - first + 1
    row = np.repeat(np.arange(len(start)), count)
    number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count - first, count)
    return row, volume.astype(np.int64)[row] * _VOLUME + number


class Image:
    """The last writer of every block ever written (0: none, or it was trimmed or zeroed)."""

    def __init__(self, writer: Ints | None = None) -> None:
        self._writer = np.zeros(1024, np.int64) if writer is None else writer
        self._touched: list[Ints] = []

    def paint(self, number: Ints, writer: Ints) -> None:
        """Blocks ``number`` have been written by ``writer`` (int64[n] both); of equal ones the last one counts."""
        if len(number):
            self._reach(int(number.max()) + 1)
            self._writer[number] = writer
            self._touched.append(number)

    def read(self, number: Ints) -> Ints:
        """The last writers of blocks (-1 as a number: nobody)."""
        self._reach(int(number.max(initial=-1)) + 1)
        return np.where(number < 0, 0, self._writer[number])

    def touched(self) -> Ints:
        """Blocks painted since this was last asked; some more than once."""
        numbers, self._touched = self._touched, []
        return np.concatenate(numbers) if numbers else np.empty(0, np.int64)

    def copy(self) -> Image:
        """An image like this one, changed on its own."""
        return Image(self._writer.copy())

    def _reach(self, size: int) -> None:
        if size > len(self._writer):
            self._writer = np.concatenate([self._writer, np.zeros(max(size, len(self._writer)), np.int64)])


def paint(image: Image, names: Names, batch: WriteBatch) -> None:
    """Write a batch to an image: rows of the order leave their seq, copied ones what they carry."""
    if not len(batch):
        return
    row, keys = blocks(batch.volume, batch.offset, batch.stop)
    number = names.find(keys)
    if isinstance(batch.payload, Writers):
        writer = np.concatenate(batch.payload.rows)
    else:
        writer = np.where(batch.kind == Kind.WRITE, batch.seq, 0)[row]
    known = number >= 0
    image.paint(number[known], writer[known])


class Trail:
    """What the source was after its first ``seq`` writes: an image that follows the order, never goes back."""

    def __init__(self, names: Names) -> None:
        self.image = Image()
        self._names = names
        self.ahead = Spill()
        """The order's writes that were not followed yet."""

    def advance(self, seq: int) -> None:
        """Follow the order through ``seq``."""
        for batch in self.ahead.take(seq):
            paint(self.image, self._names, batch)


class Origin:
    """A group's order as hosts wrote it, for all who compare with it."""

    def __init__(self) -> None:
        self.names = Names()
        self._trails: list[Trail] = []

    def trail(self) -> Trail:
        """A new follower of the order, from its beginning."""
        self._trails.append(Trail(self.names))
        return self._trails[-1]

    def written(self, batch: WriteBatch) -> None:
        """Hosts wrote the order's next writes."""
        self.names.give(blocks(batch.volume, batch.offset, batch.stop)[1])
        for trail in self._trails:
            trail.ahead.append(batch)

    def failed(self, after: int) -> None:
        """Writes after ``after`` failed: they never entered the order."""
        for trail in self._trails:
            trail.ahead.cut(after)


def read(image: Image, names: Names, extents: Extents) -> Writers:
    """What a copy reads of an image: its extents' blocks with their writers."""
    row, keys = blocks(extents.volume, extents.start, extents.stop)
    writer = image.read(names.find(keys))
    edges = np.flatnonzero(np.diff(row)) + 1
    return Writers(np.split(writer, edges))
