"""Bytes off a connection back into frames; whatever is not exactly right is refused whole."""

from __future__ import annotations

import math
import struct

import google_crc32c
import zstandard

from drsim.blocks.batch import Kind
from drsim.replication import frames as fr
from drsim.replication import several
from drsim.replication.codec import BODIES, Reader, WireError
from drsim.replication.rows import Row, Rows, trains
from drsim.replication.wire import (
    ACK,
    ACK_BODY,
    COMPRESSED,
    CRC_AT,
    DATA,
    DATA_BODY,
    FOLDED,
    HEAD_OF_ACK,
    HEAD_OF_DATA,
    HEAD_OF_RESYNC,
    LARGEST,
    MAGIC,
    NUMBERS,
    PREFIX,
    RESYNC,
    RESYNC_BODY,
    VERSION,
    checksum,
)

_HEADS = {DATA: HEAD_OF_DATA.itemsize, RESYNC: HEAD_OF_RESYNC.itemsize, ACK: HEAD_OF_ACK.itemsize}
_FIXED = struct.Struct("<HBBIQII")
_NOTHING = memoryview(b"")
_WRITE, _ZERO = int(Kind.WRITE), int(Kind.ZERO)  # plain numbers: these are asked of every frame


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
        self._doubted = 0  # frames to be taken one by one before many are tried again
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
        found: list[tuple[int, Row | Rows | fr.Frame]] = []
        at = 0
        try:
            while (left := len(view) - at) >= PREFIX.itemsize:
                fixed = _FIXED.unpack_from(view, at)
                self.need = size = self._admitted(fixed)
                if left < size:
                    break
                if fixed[2] == DATA and left > size and not self._doubted:
                    rows, count, end = several.taken(view, at, self.largest, self._number)
                    if rows is not None:
                        found.append((self._number, rows))
                        self._number, at = (self._number + count) % NUMBERS, end
                        self.need = PREFIX.itemsize
                        continue
                    self._doubted = count
                self._doubted = max(0, self._doubted - 1)
                found.append(self._whole(fixed, view[at : at + size]))
                at += size
                self.need = PREFIX.itemsize
            return list(trains(found)), at
        except WireError:
            self._broken = True
            raise

    def _whole(self, fixed: tuple[int, ...], view: memoryview) -> tuple[int, Row | fr.Frame]:
        """Check one frame and take it apart."""
        _, _, kind, _, session, number, crc = fixed
        if number != self._number:
            ahead = (number - self._number) % NUMBERS
            if not self._side_by_side or ahead >= NUMBERS // 2:
                raise WireError("a frame is missing, repeated or out of place")
        body = view[PREFIX.itemsize :]
        if checksum(body, google_crc32c.value(bytes(view[:CRC_AT]))) != crc:
            raise WireError("a checksum is wrong")
        self._number = (number + 1) % NUMBERS
        return number, self._frame(kind, session, body)

    def _frame(self, kind: int, session: int, body: memoryview) -> Row | fr.Frame:
        if kind == DATA:
            seq, previous, time, volume, what, flags, offset, length = DATA_BODY.unpack_from(body)
            tail = self._tail(body[DATA_BODY.size :], what, flags, offset, length)
            if not math.isfinite(time):
                raise WireError("a write at no time")
            if not previous < seq < 1 << 63:
                raise WireError("a write does not follow the one before")
            mark = flags & FOLDED
            return Row(kind, session, mark, seq, previous, time, volume, what, offset, length, tail)
        if kind == RESYNC:
            ticket, volume, what, flags, offset, length = RESYNC_BODY.unpack_from(body)
            tail = self._tail(body[RESYNC_BODY.size :], what, flags, offset, length)
            return Row(kind, session, ticket, 0, 0, 0.0, volume, what, offset, length, tail)
        if kind == ACK:
            (seq,) = ACK_BODY.unpack(body)
            if seq >= 1 << 63:
                raise WireError("an acknowledgement out of range")
            return Row(kind, session, 0, seq, 0, 0.0, 0, 0, 0, 0, _NOTHING)
        reader = Reader(body)
        frame = BODIES[kind][2](session, reader)
        reader.done()
        return frame

    def _admitted(self, fixed: tuple[int, ...]) -> int:
        """Give the size of the frame that begins so, if it may be taken."""
        magic, version, kind, size, *_ = fixed
        if magic != MAGIC:
            raise WireError("these bytes are not of this protocol")
        if version != VERSION:
            raise WireError(f"protocol version {version} is not spoken here")
        head = _HEADS.get(kind, PREFIX.itemsize if kind in BODIES else None)
        if head is None:
            raise WireError(f"frame type {kind} is unknown")
        if not head <= size <= self.largest or (kind == ACK and size != head):
            raise WireError(f"a frame of {size} bytes is out of bounds")
        return size

    def _tail(self, tail: memoryview, what: int, flags: int, offset: int, length: int) -> memoryview:
        """Undo compression and check that the payload is as long as its head says."""
        if what > _ZERO or flags & ~(FOLDED | COMPRESSED):
            raise WireError("a write of an unknown kind")
        if not 0 < length < 1 << 62 or offset + length >= 1 << 63:
            raise WireError("a write out of any volume's range")
        expected = length if what == _WRITE else 0
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
