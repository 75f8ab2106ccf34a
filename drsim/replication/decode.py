"""Bytes off a connection back into frames; whatever is not exactly right is refused whole."""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import google_crc32c
import numpy as np
import zstandard

from drsim.blocks.batch import Ints, Kind, WriteBatch
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

_HEADS = {DATA: HEAD_OF_DATA.itemsize, RESYNC: HEAD_OF_RESYNC.itemsize, ACK: HEAD_OF_ACK.itemsize}
_FIXED = struct.Struct("<HBBIQII")
_DATA = struct.Struct("<QQdHBBQQ")
_RESYNC = struct.Struct("<QHBBQQ")
_ACK = struct.Struct("<Q")


class _Row(NamedTuple):
    """One frame of a train, its head taken apart; ``mark`` is what it must share with its neighbours."""

    kind: int
    session: int
    mark: int
    seq: int
    previous: int
    time: float
    volume: int
    what: int
    offset: int
    length: int
    tail: memoryview


class _Pieces:
    """Bytes as they came, taken off in order; what is taken is copied once, however it was cut."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces: deque[memoryview] = deque()

    def add(self, data: bytes) -> None:
        """Put bytes at the end."""
        if data:
            self._pieces.append(memoryview(data))
            self.size += len(data)

    def peek(self, count: int) -> bytes:
        """Give the next ``count`` bytes, of which there must be so many, and leave them."""
        first = self._pieces[0]
        if len(first) >= count:
            return bytes(first[:count])
        few = islice(self._pieces, count)  # no piece is empty
        return b"".join(few)[:count]

    def take(self, count: int) -> bytes:
        """Give the next ``count`` bytes, of which there must be so many."""
        self.size -= count
        found = []
        while count:
            first = self._pieces[0]
            if len(first) > count:
                found.append(first[:count])
                self._pieces[0] = first[count:]
                break
            found.append(self._pieces.popleft())
            count -= len(first)
        return bytes(found[0]) if len(found) == 1 else b"".join(found)


class Decoder:
    """Turns one direction of one connection back into frames.

    Args:
        largest: bytes of the largest frame taken; memory held for an unfinished frame never exceeds it.

    After a `WireError` the decoder stays refused: the connection must be dropped.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._pieces = _Pieces()
        self._need = PREFIX.itemsize
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
        self._pieces.add(data)
        try:
            return list(_trains(list(self._frames())))
        except WireError:
            self._broken = True
            raise

    def _frames(self) -> Iterator[_Row | fr.Frame]:
        """Take whole frames off what has come."""
        pieces = self._pieces
        while pieces.size >= self._need:
            prefix = pieces.peek(PREFIX.itemsize)
            magic, version, kind, size, session, number, crc = _FIXED.unpack(prefix)
            self._admit(magic, version, kind, size)
            self._need = size
            if pieces.size < size:
                return
            self._need = PREFIX.itemsize
            pieces.take(PREFIX.itemsize)
            body = pieces.take(size - PREFIX.itemsize)
            if number != self._number:
                raise WireError("a frame is missing, repeated or out of place")
            if google_crc32c.extend(google_crc32c.value(prefix[:CRC_AT]), body) != crc:
                raise WireError("a checksum is wrong")
            self._number = (number + 1) & 0xFFFFFFFF
            yield self._frame(kind, session, body)

    def _frame(self, kind: int, session: int, body: bytes) -> _Row | fr.Frame:
        if kind == DATA:
            seq, previous, time, volume, what, flags, offset, length = _DATA.unpack_from(body)
            tail = self._tail(memoryview(body)[_DATA.size :], what, flags, offset, length)
            if not math.isfinite(time):
                raise WireError("a write at no time")
            if not previous < seq < 1 << 63:
                raise WireError("a write does not follow the one before")
            mark = flags & FOLDED
            return _Row(kind, session, mark, seq, previous, time, volume, what, offset, length, tail)
        if kind == RESYNC:
            ticket, volume, what, flags, offset, length = _RESYNC.unpack_from(body)
            tail = self._tail(memoryview(body)[_RESYNC.size :], what, flags, offset, length)
            return _Row(kind, session, ticket, 0, 0, 0.0, volume, what, offset, length, tail)
        if kind == ACK:
            (seq,) = _ACK.unpack(body)
            if seq >= 1 << 63:
                raise WireError("an acknowledgement out of range")
            return _Row(kind, session, 0, seq, 0, 0.0, 0, 0, 0, 0, memoryview(b""))
        reader = Reader(body)
        frame = BODIES[kind][2](session, reader)
        reader.done()
        return frame

    def _admit(self, magic: int, version: int, kind: int, size: int) -> None:
        if magic != MAGIC:
            raise WireError("these bytes are not of this protocol")
        if version != VERSION:
            raise WireError(f"protocol version {version} is not spoken here")
        head = _HEADS.get(kind, PREFIX.itemsize if kind in BODIES else None)
        if head is None:
            raise WireError(f"frame type {kind} is unknown")
        if not head <= size <= self._largest or (kind == ACK and size != head):
            raise WireError(f"a frame of {size} bytes is out of bounds")

    def _tail(self, tail: memoryview, what: int, flags: int, offset: int, length: int) -> memoryview:
        """Undo compression and check that the payload is as long as its head says."""
        if what > Kind.ZERO or flags & ~(FOLDED | COMPRESSED):
            raise WireError("a write of an unknown kind")
        if not 0 < length < 1 << 62 or offset + length >= 1 << 63:
            raise WireError("a write out of any volume's range")
        expected = length if what == Kind.WRITE else 0
        if flags & COMPRESSED:
            if expected > self._largest:
                raise WireError("a payload is out of bounds")
            try:
                found = self._zstd.decompress(tail, max_output_size=expected, allow_extra_data=False)
            except zstandard.ZstdError:
                raise WireError("a payload cannot be decompressed") from None
            tail = memoryview(found)
        if len(tail) != expected:
            raise WireError("a payload is not as long as its write")
        return tail


def decode(data: bytes) -> fr.Frame:
    """Give the one frame (or train) that ``data`` is, as the first of its connection.

    Raises:
        WireError: it is not exactly one.
    """
    decoder = Decoder()
    found = decoder.feed(data)
    if len(found) != 1 or decoder._pieces.size:
        raise WireError("not exactly one frame")
    return found[0]


def _trains(frames: list[_Row | fr.Frame]) -> Iterator[fr.Frame]:
    """Join neighbours that simply continue each other."""
    train: list[_Row] = []
    for frame in frames:
        if train and not (isinstance(frame, _Row) and _together(train[-1], frame)):
            yield _train(train)
            train = []
        if isinstance(frame, _Row):
            train.append(frame)
        else:
            yield frame
    if train:
        yield _train(train)


def _together(a: _Row, b: _Row) -> bool:
    """Say whether ``b`` simply continues ``a``, so that both are one train."""
    if a.kind != b.kind or a.session != b.session or a.mark != b.mark:
        return False
    if a.kind == DATA:
        return b.previous == a.seq
    return a.kind == RESYNC or b.seq > a.seq


def _train(rows: list[_Row]) -> fr.Frame:
    head = rows[0]
    seq = np.array([row.seq for row in rows], np.int64)
    if head.kind == ACK:
        return fr.Ack(head.session, seq)
    batch = _batch(rows, seq)
    if head.kind == RESYNC:
        return fr.Resync(head.session, head.mark, batch)
    return fr.Data(head.session, batch, head.previous, bool(head.mark))


def _batch(rows: list[_Row], seq: Ints) -> WriteBatch:
    _, _, _, _, _, time, volume, what, offset, length, tails = zip(*rows, strict=True)
    return WriteBatch(
        seq,
        np.array(time, np.float64),
        np.array(volume, np.uint16),
        np.array(offset, np.int64),
        np.array(length, np.int64),
        np.array(what, np.uint8),
        BytesPayload(tails),
    )
