"""Segments of a journal: files of records, and what is under way to the end of the newest one."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from drsim.agent import records
from drsim.agent.direct import Direct
from drsim.agent.disk import Buffer, sync_directory
from drsim.blocks.batch import WriteBatch

_STRIDE = 1 << 20  # a place of the index every so many bytes of a segment


@dataclass(slots=True)
class Segment:
    """One file of records.

    Attributes:
        first: the place in the order from which on it holds writes; its records are seeded by it.
        size: bytes that are on stable media; nobody reads beyond.
        taken: bytes that have been given to records, those under way included.
        named: the file's name is on stable media.
        room: of the file: an append within changes no metadata.
        places: (first seq, byte) of records, about `_STRIDE` apart.
    """

    path: Path
    fd: int
    first: int
    end: Direct
    size: int = 0
    taken: int = 0
    room: int = 0
    named: bool = False
    places: list[tuple[int, int]] = field(default_factory=list)

    def close(self) -> None:
        """Close the file."""
        self.end.close()
        os.close(self.fd)

    def name(self) -> None:
        """See to it that the file will be found: before anything in it is taken as durable (any thread may ask)."""
        if not self.named:
            sync_directory(self.path.parent)
            self.named = True

    def note(self, first: int, at: int) -> None:
        """Remember where a record lies."""
        if not self.places or at >= self.places[-1][1] + _STRIDE:
            self.places.append((first, at))

    def place(self, seq: int) -> int:
        """Give a byte at or before the record that holds ``seq``."""
        index = bisect_right(self.places, (seq, 1 << 62)) - 1
        return self.places[max(index, 0)][1] if self.places else 0

    @property
    def can_share(self) -> bool:
        """Whether records may be written beside those under way: they share no block with them."""
        return not self.taken % records.BLOCK and self.end.ready

    def take(self, batches: list[WriteBatch], durable: Callable[[Append], None], *, padded: bool) -> Append:
        """Give batches their place behind all others, a record each; ``durable`` is told by `Append.settle`."""
        start = self.taken
        for batch in batches:
            self.note(batch.first, self.taken)
            self.taken += records.size(batch)
        if padded:
            self.taken = -(-self.taken // records.BLOCK) * records.BLOCK
        return Append(self, batches, start, self.taken, padded, durable)


@dataclass(slots=True, eq=False)
class Append:
    """Batches that have their place in a segment, and are on their way to it."""

    segment: Segment
    batches: list[WriteBatch]
    start: int
    end: int
    padded: bool
    durable: Callable[[Append], None]

    def buffers(self) -> list[Buffer]:
        """Give the bytes of the records."""
        found: list[Buffer] = []
        for batch in self.batches:
            padded = self.padded and batch is self.batches[-1]
            found += records.encode(batch, self.segment.first, padded=padded)
        return found

    def write(self) -> None:
        """Write them while others are under way; on stable media on return. Any thread may ask.

        Raises:
            OSError: they may not be taken as durable.
        """
        self.segment.end.beside(self.buffers(), self.start)
        self.segment.name()

    def settle(self) -> None:
        """This append and all before it are on stable media."""
        self.durable(self)
