"""Bytes off a connection back into frames; whatever is not exactly right is refused whole."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import google_crc32c
import numpy as np
import zstandard

from drsim.blocks.batch import Kind, WriteBatch
from drsim.blocks.payload import BytesPayload
from drsim.replication import frames as fr
from drsim.replication.codec import BODIES, Reader, WireError
from drsim.replication.wire import (
    ACK,
    COMPRESSED,
    CRC_AT,
    DATA,
    FOLDED,
    HEAD_OF_ACK,
    HEAD_OF_DATA,
    HEAD_OF_RESYNC,
    LARGEST,
    MAGIC,
    PREFIX,
    RESYNC,
    VERSION,
)

_HEADS = {DATA: HEAD_OF_DATA, RESYNC: HEAD_OF_RESYNC, ACK: HEAD_OF_ACK}
_FIXED = struct.Struct("<HBBIQII")


class Decoder:
    """Turns one direction of one connection back into frames.

    Args:
        largest: bytes of the largest frame taken; memory held for an unfinished frame never exceeds it.

    After a `WireError` the decoder stays refused: the connection must be dropped.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._rest = bytearray()
        self._number = 0
        self._broken = False
        self._zstd = zstandard.ZstdDecompressor()

    def feed(self, data: bytes) -> list[fr.Frame]:
        """Take bytes as they come; give the frames they complete, neighbours joined into trains.

        Raises:
            WireError: bad magic, version, type, size, number, checksum or content. Nothing of the
                offending frame, nor of what follows it, is given.
        """
        if self._broken:
            raise WireError("the connection was refused before")
        self._rest += data
        try:
            return list(_trains(list(self._frames())))
        except WireError:
            self._broken = True
            raise

    def _frames(self) -> Iterator[tuple[int, int, bytes]]:
        """Cut whole frames off the buffer: (type, session, bytes)."""
        at = 0
        try:
            while len(self._rest) - at >= PREFIX.itemsize:
                magic, version, kind, size, session, number, crc = _FIXED.unpack_from(self._rest, at)
                self._admit(magic, version, kind, size)
                if len(self._rest) - at < size:
                    return
                raw = bytes(self._rest[at : at + size])
                if number != self._number:
                    raise WireError("a frame is missing, repeated or out of place")
                if google_crc32c.extend(google_crc32c.value(raw[:CRC_AT]), raw[CRC_AT + 4 :]) != crc:
                    raise WireError("a checksum is wrong")
                self._number = (number + 1) & 0xFFFFFFFF
                at += size
                yield kind, session, self._inflated(kind, raw)
        finally:
            del self._rest[:at]

    def _admit(self, magic: int, version: int, kind: int, size: int) -> None:
        if magic != MAGIC:
            raise WireError("these bytes are not of this protocol")
        if version != VERSION:
            raise WireError(f"protocol version {version} is not spoken here")
        head = _HEADS.get(kind, PREFIX if kind in BODIES else None)
        if head is None:
            raise WireError(f"frame type {kind} is unknown")
        if not head.itemsize <= size <= self._largest:
            raise WireError(f"a frame of {size} bytes is out of bounds")

    def _inflated(self, kind: int, raw: bytes) -> bytes:
        """Undo compression and check that the payload is as long as its head says."""
        if kind not in (DATA, RESYNC):
            return raw
        dtype = _HEADS[kind]
        head = np.frombuffer(raw, dtype, 1)[0]
        flags, length, tail = int(head["flags"]), int(head["length"]), raw[dtype.itemsize :]
        if int(head["kind"]) not in (Kind.WRITE, Kind.TRIM, Kind.ZERO) or flags & ~(FOLDED | COMPRESSED):
            raise WireError("a write of an unknown kind")
        if not 0 < length < 1 << 62 or int(head["offset"]) + length >= 1 << 63:
            raise WireError("a write out of any volume's range")
        expected = length if head["kind"] == Kind.WRITE else 0
        if flags & COMPRESSED:
            if expected > self._largest:
                raise WireError("a payload is out of bounds")
            try:
                tail = self._zstd.decompress(tail, max_output_size=expected, allow_extra_data=False)
            except zstandard.ZstdError:
                raise WireError("a payload cannot be decompressed") from None
        if len(tail) != expected:
            raise WireError("a payload is not as long as its write")
        return raw[: dtype.itemsize] + tail


def decode(data: bytes) -> fr.Frame:
    """Give the one frame (or train) that ``data`` is, as the first of its connection.

    Raises:
        WireError: it is not exactly one.
    """
    decoder = Decoder()
    found = decoder.feed(data)
    if len(found) != 1 or decoder._rest:
        raise WireError("not exactly one frame")
    return found[0]


def _trains(frames: list[tuple[int, int, bytes]]) -> Iterator[fr.Frame]:
    start = 0
    while start < len(frames):
        kind, session, raw = frames[start]
        stop = start + 1
        if kind in _HEADS:
            while stop < len(frames) and _together(frames[stop - 1], frames[stop]):
                stop += 1
            yield _train(kind, session, [f[2] for f in frames[start:stop]])
        else:
            body = Reader(raw[PREFIX.itemsize :])
            frame = BODIES[kind][2](session, body)
            body.done()
            yield frame
        start = stop


def _together(a: tuple[int, int, bytes], b: tuple[int, int, bytes]) -> bool:
    """Say whether ``b`` simply continues ``a``, so that both are one train."""
    if a[:2] != b[:2]:
        return False
    head = _HEADS[a[0]]
    x, y = np.frombuffer(a[2], head, 1)[0], np.frombuffer(b[2], head, 1)[0]
    if a[0] == DATA:
        return bool(
            y["previous"] == x["seq"] and y["seq"] > x["seq"] and not (x["flags"] ^ y["flags"]) & FOLDED
        )
    return bool(x["ticket"] == y["ticket"] if a[0] == RESYNC else y["seq"] > x["seq"])


def _train(kind: int, session: int, raws: list[bytes]) -> fr.Frame:
    dtype = _HEADS[kind]
    head = np.frombuffer(b"".join(raw[: dtype.itemsize] for raw in raws), dtype)
    if kind == ACK:
        return fr.Ack(session, head["seq"].astype(np.int64))
    payload = BytesPayload([memoryview(raw)[dtype.itemsize :] for raw in raws])
    if kind == RESYNC:
        return fr.Resync(
            session, int(head["ticket"][0]), _batch(head, payload, np.zeros(len(head), np.int64))
        )
    previous = int(head["previous"][0])
    if previous >= int(head["seq"][0]):
        raise WireError("a write does not follow the one before")
    batch = _batch(head, payload, head["seq"].astype(np.int64))
    return fr.Data(session, batch, previous, bool(head["flags"][0] & FOLDED))


def _batch(head: np.ndarray[Any, Any], payload: BytesPayload, seq: np.ndarray[Any, Any]) -> WriteBatch:
    time = head["time"].astype(np.float64) if "time" in (head.dtype.names or ()) else np.zeros(len(head))
    if not np.isfinite(time).all():
        raise WireError("a write at no time")
    return WriteBatch(
        seq,
        time,
        head["volume"].astype(np.uint16),
        head["offset"].astype(np.int64),
        head["length"].astype(np.int64),
        head["kind"].astype(np.uint8),
        payload,
    )
