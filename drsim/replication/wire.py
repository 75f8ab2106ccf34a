"""Frames as bytes and back. ``len(encode(frame)) == wire_size(frame)``; CRC32C on every frame (docs/WIRE.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import google_crc32c
import numpy as np
import zstandard
from numpy.typing import NDArray

from drsim.blocks.batch import Ints, Kind, WriteBatch
from drsim.blocks.payload import BytesPayload, Chunk
from drsim.replication import frames as fr
from drsim.replication.codec import BODIES, TYPE_OF, WireError

MAGIC, VERSION = 0x5244, 1
DATA, ACK, RESYNC = 4, 5, 10
FOLDED, COMPRESSED = 1, 2
LARGEST = 64 << 20
"""Bytes of the largest frame a decoder takes by default; a larger one is refused as hostile."""
NUMBERS = 1 << 32
"""Frames are numbered modulo this."""

_PREFIX = [
    ("magic", "<u2"),
    ("version", "u1"),
    ("type", "u1"),
    ("size", "<u4"),
    ("session", "<u8"),
    ("number", "<u4"),
    ("crc", "<u4"),
]
PREFIX = np.dtype(_PREFIX)
_RANGE = [("volume", "<u2"), ("kind", "u1"), ("flags", "u1"), ("offset", "<u8"), ("length", "<u8")]
HEAD_OF_DATA = np.dtype([*_PREFIX, ("seq", "<u8"), ("previous", "<u8"), ("time", "<f8"), *_RANGE])
HEAD_OF_RESYNC = np.dtype([*_PREFIX, ("ticket", "<u8"), *_RANGE])
HEAD_OF_ACK = np.dtype([*_PREFIX, ("seq", "<u8")])
CRC_AT = PREFIX.fields["crc"][1]  # type: ignore[index]
_FEW = 32


def payload_sizes(frame: fr.Frame) -> Ints:
    """Give the payload bytes of each frame of a train: int64[n]; zeros for frames that carry none."""
    match frame:
        case fr.Data(_, batch) | fr.Resync(_, _, batch):
            return np.where(batch.kind == Kind.WRITE, batch.length, 0) if batch.kind.any() else batch.length
        case fr.Ack(_, seq):
            return np.zeros(len(seq), np.int64)
    return np.zeros(1, np.int64)


def header_size(frame: fr.Frame) -> int:
    """Give the bytes each frame of a train has beside its payload."""
    match frame:
        case fr.Data():
            return HEAD_OF_DATA.itemsize
        case fr.Resync():
            return HEAD_OF_RESYNC.itemsize
        case fr.Ack():
            return HEAD_OF_ACK.itemsize
    return PREFIX.itemsize + len(BODIES[TYPE_OF[type(frame)]][1](frame))


def wire_sizes(frame: fr.Frame) -> Ints:
    """Give the wire bytes of each frame of a train, uncompressed: int64[n]."""
    return payload_sizes(frame) + header_size(frame)


def wire_size(frame: fr.Frame) -> int:
    """Give the wire bytes of a frame or train, uncompressed; nothing is encoded to find out."""
    return int(wire_sizes(frame).sum())


def checksum(content: Chunk, begun: int = 0) -> int:
    """Give the CRC32C of bytes, going on from one that has begun; the library takes arrays as they lie."""
    if not len(content):
        return begun
    return int(google_crc32c.extend(begun, np.frombuffer(content, np.uint8)))


class Encoder:
    """Turns frames into bytes for one direction of one connection, numbering them from 0.

    Args:
        level: zstd level for payloads, None to leave them as they are. A payload that would grow stays.
    """

    def __init__(self, level: int | None = None) -> None:
        self._number = 0
        self._zstd = None if level is None else zstandard.ZstdCompressor(level, write_content_size=True)

    def encode(self, frame: fr.Frame) -> bytes:
        """Give the bytes of a frame, or of all frames of a train."""
        return b"".join(self.parts(frame))

    def parts(self, frame: fr.Frame) -> list[Chunk]:
        """Give the bytes of `encode` in pieces; a write's content is the very object the batch holds."""
        match frame:
            case fr.Data(_, batch, previous, folded):
                head = np.zeros(len(batch), HEAD_OF_DATA)
                head["seq"], head["time"] = batch.seq, batch.time
                head["previous"][:1], head["previous"][1:] = previous, batch.seq[:-1]
                return self._batch(frame, DATA, head, batch, FOLDED if folded else 0)
            case fr.Resync(_, ticket, batch):
                head = np.zeros(len(batch), HEAD_OF_RESYNC)
                head["ticket"] = ticket
                return self._batch(frame, RESYNC, head, batch, 0)
            case fr.Ack(_, seq):
                head = np.zeros(len(seq), HEAD_OF_ACK)
                head["seq"] = seq
                return self._seal(frame, ACK, head, [b""] * len(seq))
        kind = TYPE_OF[type(frame)]
        return self._seal(frame, kind, np.zeros(1, PREFIX), [BODIES[kind][1](frame)])

    def _batch(
        self, frame: fr.Data | fr.Resync, kind: int, head: NDArray[Any], batch: WriteBatch, flags: int
    ) -> list[Chunk]:
        head["volume"], head["kind"] = batch.volume, batch.kind
        head["offset"], head["length"], head["flags"] = batch.offset, batch.length, flags
        tails = list(batch.payload.chunks) if isinstance(batch.payload, BytesPayload) else []
        sizes = np.fromiter(map(len, tails), np.int64, len(tails))
        if not np.array_equal(sizes, payload_sizes(frame)):
            raise ValueError("a simulated batch has no bytes to encode")
        if self._zstd is not None:
            for i, tail in enumerate(tails):
                packed = self._zstd.compress(tail) if tail else tail
                if len(packed) < len(tail):
                    tails[i] = packed
                    head["flags"][i] |= COMPRESSED
        return self._seal(frame, kind, head, tails)

    def _seal(self, frame: fr.Frame, kind: int, head: NDArray[Any], tails: Sequence[Chunk]) -> list[Chunk]:
        """Fill in the prefixes and checksums and put heads and tails together."""
        count, width = len(head), head.dtype.itemsize
        head["magic"], head["version"], head["type"] = MAGIC, VERSION, kind
        head["size"] = width + np.fromiter(map(len, tails), np.int64, count)
        head["session"] = frame.session
        head["number"] = (self._number + np.arange(count)) % NUMBERS
        self._number = (self._number + count) % NUMBERS
        crcs = map(google_crc32c.value, bare(head))
        head["crc"] = [checksum(tail, crc) for tail, crc in zip(tails, crcs, strict=True)]
        raw = head.tobytes()
        parts: list[Chunk] = []
        for at, tail in zip(range(0, len(raw), width), tails, strict=True):
            parts += (raw[at : at + width], tail)
        return parts


def bare(head: NDArray[Any]) -> list[bytes]:
    """Give what a frame's checksum covers of its head: all but the checksum itself."""
    raw, width, cut = head.tobytes(), head.dtype.itemsize, CRC_AT + 4
    if len(head) < _FEW:
        return [raw[at : at + CRC_AT] + raw[at + cut : at + width] for at in range(0, len(raw), width)]
    table = np.frombuffer(raw, np.uint8).reshape(-1, width)
    kept = np.concatenate((table[:, :CRC_AT], table[:, cut:]), axis=1).tobytes()
    return [kept[at : at + width - 4] for at in range(0, len(kept), width - 4)]


def encode(frame: fr.Frame) -> bytes:
    """Give the bytes of a frame as the first of its connection."""
    return Encoder().encode(frame)


__all__ = [
    "LARGEST",
    "NUMBERS",
    "Encoder",
    "WireError",
    "bare",
    "checksum",
    "encode",
    "header_size",
    "payload_sizes",
    "wire_size",
    "wire_sizes",
]
