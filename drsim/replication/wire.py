"""Frames as bytes and back. ``len(encode(frame)) == wire_size(frame)``; CRC32C on every frame (docs/WIRE.md)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import google_crc32c
import numpy as np
import zstandard
from numpy.typing import NDArray

from drsim.blocks.batch import Ints, Kind
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
FIXED = struct.Struct("<HBBIQI")
"""A prefix as far as its checksum."""
DATA_BODY, RESYNC_BODY, ACK_BODY = struct.Struct("<QQdHBBQQ"), struct.Struct("<QHBBQQ"), struct.Struct("<Q")
_CRC = struct.Struct("<I")
NUMBER_AT = PREFIX.fields["number"][1]  # type: ignore[index]
_FEW = 16  # frames that cost less one by one
_TOGETHER = 256 << 10  # bytes that stay in a processor's cache from the copy until they are sent
_LARGE = 64 << 10  # a write of so many bytes is not copied


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

    def parts(self, frame: fr.Frame) -> Iterator[Chunk]:
        """Give the bytes of `encode` in pieces, each made when it is asked for.

        A piece is whole frames, or one frame is in two: then what it carries is the very object the batch holds.

        Raises:
            ValueError: writes without the bytes they are said to carry.
        """
        match frame:
            case fr.Data() | fr.Resync():
                return self._writes(frame)
            case fr.Ack(_, seq):
                return self._one_by_one(frame.session, ACK, map(ACK_BODY.pack, seq.tolist()), repeat(b""))
        kind = TYPE_OF[type(frame)]
        return self._one_by_one(frame.session, kind, [BODIES[kind][1](frame)], repeat(b""))

    def _writes(self, frame: fr.Data | fr.Resync) -> Iterator[Chunk]:
        batch = frame.batch
        payload = batch.payload if isinstance(batch.payload, BytesPayload) else BytesPayload(())
        sizes = payload_sizes(frame)
        if self._zstd is None and _FEW <= len(sizes) == len(payload):
            length = payload.alike
            if length is not None and length < _LARGE and (sizes == length).all():
                return self._together(frame, payload, length)
        tails = list(payload.chunks)
        if list(map(len, tails)) != sizes.tolist():
            raise ValueError("a simulated batch has no bytes to encode")
        mark = FOLDED if isinstance(frame, fr.Data) and frame.folded else 0
        flags = [mark] * len(tails)
        if self._zstd is not None:
            for i, tail in enumerate(tails):
                packed = self._zstd.compress(tail) if tail else tail
                if len(packed) < len(tail):
                    tails[i], flags[i] = packed, mark | COMPRESSED
        ranges = (c.tolist() for c in (batch.volume, batch.kind, batch.offset, batch.length))
        volume, what, offset, length = ranges
        if isinstance(frame, fr.Resync):
            bodies = map(RESYNC_BODY.pack, repeat(frame.ticket), volume, what, flags, offset, length)
            return self._one_by_one(frame.session, RESYNC, bodies, tails)
        seq = batch.seq.tolist()
        before = [frame.previous, *seq[:-1]]
        data = map(DATA_BODY.pack, seq, before, batch.time.tolist(), volume, what, flags, offset, length)
        return self._one_by_one(frame.session, DATA, data, tails)

    def _one_by_one(
        self, session: int, kind: int, bodies: Iterable[bytes], tails: Iterable[Chunk]
    ) -> Iterator[Chunk]:
        ready: list[Chunk] = []
        nbytes = 0
        for body, tail in zip(bodies, tails, strict=False):
            size = PREFIX.itemsize + len(body) + len(tail)
            fixed = FIXED.pack(MAGIC, VERSION, kind, size, session, self._number)
            self._number = (self._number + 1) % NUMBERS
            ready += (fixed, _CRC.pack(checksum(tail, google_crc32c.value(fixed + body))), body)
            if len(tail) < _LARGE:
                ready.append(tail)
                nbytes += size
                if nbytes < _TOGETHER:
                    continue
            yield b"".join(ready)
            if len(tail) >= _LARGE:
                yield tail
            ready.clear()
            nbytes = 0
        if ready:
            yield b"".join(ready)

    def _together(self, frame: fr.Data | fr.Resync, payload: BytesPayload, length: int) -> Iterator[Chunk]:
        """Give frames of one size: what they carry is copied once, and digested where it lies then."""
        head = self._heads(frame, length)
        width, size = head.dtype.itemsize, head.dtype.itemsize + length
        raw = head.view(np.uint8).reshape(-1, width)
        begun = checksums_begun(raw[0, :NUMBER_AT].tobytes(), head["number"])
        rows = max(1, _TOGETHER // size)
        for at in range(0, len(head), rows):
            part = raw[at : at + rows]
            frames = np.empty((len(part), size), np.uint8)
            frames[:, :width] = part
            payload.slice(at, at + len(part)).lay(frames[:, width:])
            slots = np.ndarray(len(part), head.dtype, frames, 0, (size,))
            slots["crc"] = checksums(begun[at : at + rows], frames)
            yield frames.data.cast("B")

    def _heads(self, frame: fr.Data | fr.Resync, length: int) -> NDArray[Any]:
        batch, count = frame.batch, len(frame.batch)
        if isinstance(frame, fr.Data):
            head = np.zeros(count, HEAD_OF_DATA)
            head["type"], head["flags"] = DATA, FOLDED if frame.folded else 0
            head["seq"], head["time"] = batch.seq, batch.time
            head["previous"][:1], head["previous"][1:] = frame.previous, batch.seq[:-1]
        else:
            head = np.zeros(count, HEAD_OF_RESYNC)
            head["type"], head["ticket"] = RESYNC, frame.ticket
        head["magic"], head["version"], head["size"] = MAGIC, VERSION, head.dtype.itemsize + length
        head["session"], head["number"] = frame.session, numbers(self._number, count)
        head["volume"], head["kind"] = batch.volume, batch.kind
        head["offset"], head["length"] = batch.offset, batch.length
        self._number = (self._number + count) % NUMBERS
        return head


def numbers(first: int, count: int) -> NDArray[np.uint32]:
    """Give the numbers of frames in a row: uint32[count]."""
    return np.arange(first, first + count).astype(np.uint32)


def _digests(at: int) -> NDArray[np.uint32]:
    """Give what two bytes at one place change in the checksum of what is before the checksum itself: uint32[65536]."""
    none = google_crc32c.value(bytes(CRC_AT))
    low, high = (
        np.array(
            [
                google_crc32c.value(bytes(a) + bytes([byte]) + bytes(CRC_AT - 1 - a)) ^ none
                for byte in range(256)
            ],
            np.uint32,
        )
        for a in (at, at + 1)
    )
    return (high[:, np.newaxis] ^ low).ravel()


_LOW, _HIGH = _digests(NUMBER_AT), _digests(NUMBER_AT + 2)


def checksums_begun(fixed: bytes, number: NDArray[np.uint32]) -> list[int]:
    """Give the checksums of many frames as far as the checksum itself.

    A CRC is linear: it is put together, for all frames at once, from what the two halves of a number change.

    Args:
        fixed: what is before the number, in all of them.
        number: uint32[n], of each.
    """
    same = google_crc32c.value(fixed + bytes(CRC_AT - len(fixed)))
    begun = _LOW.take(number & 0xFFFF) ^ _HIGH.take(number >> 16) ^ np.uint32(same)
    found: list[int] = begun.tolist()
    return found


def checksums(begun: list[int], frames: NDArray[np.uint8]) -> list[int]:
    """Give the checksums of many frames of one size (uint8[n, size]) that have begun so."""
    return list(map(google_crc32c.extend, begun, frames[:, CRC_AT + 4 :]))


def encode(frame: fr.Frame) -> bytes:
    """Give the bytes of a frame as the first of its connection."""
    return Encoder().encode(frame)


__all__ = [
    "LARGEST",
    "NUMBERS",
    "Encoder",
    "WireError",
    "checksum",
    "checksums",
    "checksums_begun",
    "encode",
    "header_size",
    "payload_sizes",
    "wire_size",
    "wire_sizes",
]
