"""Bytes off a connection back into frames; whatever is not exactly right is refused whole."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
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
    checksum,
)

_HEADS = {DATA: HEAD_OF_DATA.itemsize, RESYNC: HEAD_OF_RESYNC.itemsize, ACK: HEAD_OF_ACK.itemsize}
_FIXED = struct.Struct("<HBBIQII")
_DATA = struct.Struct("<QQdHBBQQ")
_RESYNC = struct.Struct("<QHBBQQ")
_ACK = struct.Struct("<Q")
_NOTHING = memoryview(b"")
_NUMBERS = 1 << 32


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


class Decoder:
    """Turns one direction of one connection back into frames.

    Args:
        largest: bytes of the largest frame taken; no frame that says it is larger is waited for.
        side_by_side: the connection carries some of a link's frames, others come by other ones: numbers
            increase, with gaps. Read with `numbered`.

    Attributes:
        largest: may be changed between frames.
        need: bytes of the frame that is not whole yet, counted from its first (of its prefix, while
            even that is missing).

    After a `WireError` the decoder stays refused: the connection must be dropped.
    """

    def __init__(self, largest: int = LARGEST, *, side_by_side: bool = False) -> None:
        self.largest = largest
        self._side_by_side = side_by_side
        self.need = PREFIX.itemsize
        self._rest = b""
        self._number = 0
        self._broken = False
        self._zstd = zstandard.ZstdDecompressor()

    def feed(self, data: bytes) -> list[fr.Frame]:
        """Take bytes as they come; give the frames they complete, neighbours joined into trains.

        Raises:
            WireError: bad magic, version, type, size, number, checksum or content. Nothing of the
                offending frame, nor of what follows it, is given.
        """
        return [frame for _, frame in self.numbered(data)]

    def numbered(self, data: bytes) -> list[tuple[int, fr.Frame]]:
        """Take bytes as they come; give the frames they complete, each with the number of its first member.

        Raises:
            WireError: as for `feed`.
        """
        self._rest += data
        frames, used = self._whole_frames(memoryview(self._rest))
        self._rest = self._rest[used:]
        return frames

    def read(self, view: memoryview) -> tuple[list[fr.Frame], int]:
        """Give the whole frames that ``view`` begins with, and the bytes they take.

        What writes carry is not copied but left in ``view``, whose bytes must not change any more.

        Raises:
            WireError: as for `feed`.
        """
        frames, used = self._whole_frames(view)
        return [frame for _, frame in frames], used

    def _whole_frames(self, view: memoryview) -> tuple[list[tuple[int, fr.Frame]], int]:
        if self._broken:
            raise WireError("the connection was refused before")
        found: list[tuple[int, _Row | fr.Frame]] = []
        at = 0
        try:
            while len(view) - at >= PREFIX.itemsize:
                self.need = self._size(view[at:])
                if len(view) - at < self.need:
                    break
                found.append(self._whole(view[at : at + self.need]))
                at += self.need
                self.need = PREFIX.itemsize
            return list(_trains(found)), at
        except WireError:
            self._broken = True
            raise

    def _size(self, view: memoryview) -> int:
        magic, version, kind, size, *_ = _FIXED.unpack_from(view)
        self._admit(magic, version, kind, size)
        return int(size)

    def _whole(self, view: memoryview) -> tuple[int, _Row | fr.Frame]:
        """Check one frame and take it apart."""
        _, _, kind, _, session, number, crc = _FIXED.unpack_from(view)
        if number != self._number:
            ahead = (number - self._number) % _NUMBERS
            if not self._side_by_side or ahead >= _NUMBERS // 2:
                raise WireError("a frame is missing, repeated or out of place")
        body = view[PREFIX.itemsize :]
        if checksum(body, google_crc32c.value(bytes(view[:CRC_AT]))) != crc:
            raise WireError("a checksum is wrong")
        self._number = (number + 1) % _NUMBERS
        return number, self._frame(kind, session, body)

    def _frame(self, kind: int, session: int, body: memoryview) -> _Row | fr.Frame:
        if kind == DATA:
            seq, previous, time, volume, what, flags, offset, length = _DATA.unpack_from(body)
            tail = self._tail(body[_DATA.size :], what, flags, offset, length)
            if not math.isfinite(time):
                raise WireError("a write at no time")
            if not previous < seq < 1 << 63:
                raise WireError("a write does not follow the one before")
            mark = flags & FOLDED
            return _Row(kind, session, mark, seq, previous, time, volume, what, offset, length, tail)
        if kind == RESYNC:
            ticket, volume, what, flags, offset, length = _RESYNC.unpack_from(body)
            tail = self._tail(body[_RESYNC.size :], what, flags, offset, length)
            return _Row(kind, session, ticket, 0, 0, 0.0, volume, what, offset, length, tail)
        if kind == ACK:
            (seq,) = _ACK.unpack(body)
            if seq >= 1 << 63:
                raise WireError("an acknowledgement out of range")
            return _Row(kind, session, 0, seq, 0, 0.0, 0, 0, 0, 0, _NOTHING)
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
        if not head <= size <= self.largest or (kind == ACK and size != head):
            raise WireError(f"a frame of {size} bytes is out of bounds")

    def _tail(self, tail: memoryview, what: int, flags: int, offset: int, length: int) -> memoryview:
        """Undo compression and check that the payload is as long as its head says."""
        if what > Kind.ZERO or flags & ~(FOLDED | COMPRESSED):
            raise WireError("a write of an unknown kind")
        if not 0 < length < 1 << 62 or offset + length >= 1 << 63:
            raise WireError("a write out of any volume's range")
        expected = length if what == Kind.WRITE else 0
        if flags & COMPRESSED:
            if expected > self.largest:
                raise WireError("a payload is out of bounds")
            try:
                found = self._zstd.decompress(tail, max_output_size=expected, allow_extra_data=False)
            except zstandard.ZstdError:
                raise WireError("a payload cannot be decompressed") from None
            tail = memoryview(found)
        if len(tail) != expected:
            raise WireError("a payload is not as long as its write")
        return tail if expected else _NOTHING


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


def _trains(frames: list[tuple[int, _Row | fr.Frame]]) -> Iterator[tuple[int, fr.Frame]]:
    """Join neighbours that simply continue each other."""
    train: list[_Row] = []
    first = 0
    for number, frame in frames:
        follows = bool(train) and number == (first + len(train)) % _NUMBERS
        if train and not (follows and isinstance(frame, _Row) and _together(train[-1], frame)):
            yield first, _train(train)
            train = []
        if isinstance(frame, _Row):
            first = first if train else number
            train.append(frame)
        else:
            yield number, frame
    if train:
        yield first, _train(train)


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
