"""The payload of a real batch: one bytes-like object a write, never copied until it must be joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drsim.blocks.batch import Ints, Payload

Chunk = bytes | bytearray | memoryview


class BytesPayload:
    """Bytes of writes, in order; rows without content (trim, zero) hold ``b""``."""

    __slots__ = ("chunks",)

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self.chunks: tuple[Chunk, ...] = tuple(chunks)

    def slice(self, start: int, stop: int) -> BytesPayload:
        """Give the payload of writes ``start..stop``."""
        return BytesPayload(self.chunks[start:stop])

    def take(self, rows: Ints) -> BytesPayload:
        """Give the payload of the chosen writes, in the order of ``rows``."""
        return BytesPayload(self.chunks[i] for i in rows.tolist())

    def concat(self, others: Sequence[Payload]) -> BytesPayload:
        """Give this payload followed by ``others``, which must be real ones too.

        Raises:
            TypeError: simulated and real payloads were mixed.
        """
        chunks = list(self.chunks)
        for other in others:
            if not isinstance(other, BytesPayload):
                raise TypeError("a real payload can only be joined with real ones")
            chunks.extend(other.chunks)
        return BytesPayload(chunks)

    def cut(self, rows: Ints, skip: Ints, length: Ints) -> BytesPayload:
        """Give bytes ``skip..skip+length`` of each of the chosen writes."""
        spans = zip(rows.tolist(), skip.tolist(), length.tolist(), strict=True)
        return BytesPayload(memoryview(self.chunks[i])[s : s + n] for i, s, n in spans)

    def of(self, row: int) -> bytes:
        """Give the bytes of one write."""
        return bytes(self.chunks[row])
