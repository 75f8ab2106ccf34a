"""The payload of a real batch: bytes of writes where they lie, never copied until they must be joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Ints, Payload

Chunk = bytes | bytearray | memoryview
Bytes = NDArray[np.uint8]


class Strip:
    """Contents of one length that lie in one buffer at equal distances, as they came off a wire.

    Attributes:
        buffer: contiguous bytes.
        start, step: where the first lies, and the distance from each to the next, bytes.
        length, count: bytes of each, and how many.
    """

    __slots__ = ("buffer", "count", "length", "start", "step")

    def __init__(self, buffer: Chunk, start: int, step: int, length: int, count: int) -> None:
        self.buffer = buffer
        self.start = start
        self.step = step
        self.length = length
        self.count = count

    @classmethod
    def of(cls, content: Chunk) -> Strip:
        """Give one content as a strip."""
        return cls(content, 0, len(content), len(content), 1)

    def slice(self, start: int, stop: int) -> Strip:
        """Give contents ``start..stop``, within `count`."""
        return Strip(self.buffer, self.start + start * self.step, self.step, self.length, stop - start)

    def goes_on(self, other: Strip) -> bool:
        """Whether ``other`` lies right behind this one: both are one strip."""
        return (
            other.buffer is self.buffer
            and other.start == self.start + self.count * self.step
            and other.step == self.step
            and other.length == self.length
        )

    def chunks(self) -> list[Chunk]:
        """Give the contents one by one, without copying."""
        buffer, start, length, step = self.buffer, self.start, self.length, self.step
        if length == len(buffer):
            return [buffer] * self.count
        view = memoryview(buffer)
        if self.count == 1 or not step:
            return [view[start : start + length]] * self.count
        return [view[at : at + length] for at in range(start, start + self.count * step, step)]

    def rows(self) -> Bytes:
        """Give the contents as a table: uint8[count, length], where they lie."""
        shape, strides = (self.count, self.length), (self.step, 1)
        return np.ndarray(shape, np.uint8, self.buffer, self.start, strides)


class BytesPayload:
    """Bytes of writes, in order; rows without content (trim, zero) hold ``b""``.

    Attributes:
        strips: the same contents as `Strip`s, where that is known; it spares making an object for each write.
    """

    __slots__ = ("_chunks", "strips")

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks: tuple[Chunk, ...] | None = tuple(chunks)
        self.strips: tuple[Strip, ...] | None = None

    @classmethod
    def laid(cls, strips: Iterable[Strip]) -> BytesPayload:
        """Give the contents of strips, in order."""
        made = cls.__new__(cls)
        made._chunks, made.strips = None, tuple(strips)
        return made

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """One bytes-like object a write."""
        if self._chunks is None:
            assert self.strips is not None
            self._chunks = tuple(chain.from_iterable(strip.chunks() for strip in self.strips))
        return self._chunks

    @property
    def nbytes(self) -> int:
        """Bytes of all contents."""
        if self.strips is not None:
            return sum(strip.length * strip.count for strip in self.strips)
        return sum(map(len, self.chunks))

    @property
    def alike(self) -> int | None:
        """Bytes of each content, if all have as many; None if not, or there are none."""
        sizes = (
            list(map(len, self.chunks)) if self.strips is None else [strip.length for strip in self.strips]
        )
        return sizes[0] if sizes and sizes.count(sizes[0]) == len(sizes) else None

    def joined(self) -> Chunk:
        """Give all contents as one piece."""
        if self.strips is None or len(self.strips) > _SHORT * len(self) or self.nbytes < _SMALL:
            return b"".join(self.chunks)
        whole = np.empty(self.nbytes, np.uint8)
        at = 0
        for strip in self.strips:
            if strip.length:
                end = at + strip.length * strip.count
                whole[at:end].reshape(strip.count, strip.length)[:] = strip.rows()
                at = end
        return whole.data

    def lay(self, table: Bytes) -> None:
        """Copy the contents, which are `alike`, into the rows of a table: uint8[n, length]."""
        if self.strips is None:
            table[:] = np.frombuffer(b"".join(self.chunks), np.uint8).reshape(table.shape)
            return
        at = 0
        for strip in self.strips:
            table[at : at + strip.count] = strip.rows()
            at += strip.count

    def __len__(self) -> int:
        """Writes."""
        return len(self.chunks) if self.strips is None else sum(strip.count for strip in self.strips)

    def slice(self, start: int, stop: int) -> BytesPayload:
        """Give the payload of writes ``start..stop``."""
        if self.strips is not None:
            return BytesPayload.laid(_between(self.strips, start, stop))
        return BytesPayload(self.chunks[start:stop])

    def take(self, rows: Ints) -> BytesPayload:
        """Give the payload of the chosen writes, in the order of ``rows``."""
        return BytesPayload(self.chunks[i] for i in rows.tolist())

    def concat(self, others: Sequence[Payload]) -> BytesPayload:
        """Give this payload followed by ``others``, which must be real ones too.

        Raises:
            TypeError: simulated and real payloads were mixed.
        """
        parts: list[BytesPayload] = [self]
        for other in others:
            if not isinstance(other, BytesPayload):
                raise TypeError("a real payload can only be joined with real ones")
            parts.append(other)
        if any(part.strips is None for part in parts):
            return BytesPayload(chain.from_iterable(part.chunks for part in parts))
        return BytesPayload.laid(chain.from_iterable(part.strips or () for part in parts))

    def cut(self, rows: Ints, skip: Ints, length: Ints) -> BytesPayload:
        """Give bytes ``skip..skip+length`` of each of the chosen writes."""
        spans = zip(rows.tolist(), skip.tolist(), length.tolist(), strict=True)
        return BytesPayload(memoryview(self.chunks[i])[s : s + n] for i, s, n in spans)

    def of(self, row: int) -> bytes:
        """Give the bytes of one write."""
        return bytes(self.chunks[row])


_SMALL = 128 << 10  # bytes that are joined chunk by chunk
_SHORT = 0.25  # strips a write, beyond which joining them one by one takes longer than joining chunks


def _between(strips: Sequence[Strip], start: int, stop: int) -> Iterator[Strip]:
    """Give what lies in rows ``start..stop``."""
    at = 0
    for strip in strips:
        low, high = max(start - at, 0), min(stop - at, strip.count)
        if low < high:
            yield strip.slice(low, high)
        at += strip.count
