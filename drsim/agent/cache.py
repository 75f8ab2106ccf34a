"""What hosts were answered for before it was on stable media: kept where a crash of the agent does not reach it.

A ring in a file that is mapped into memory, never waited for. The kernel has what was stored there even when the
process is killed; when the machine stops it is void, as the cache of a disk is. Layout, little-endian::

    boot digest u64 · begin u64 · end u64          (places in the ring count on and on)
    records: first place i64, rows u32, bytes behind this head u64, digest of those u64 (seeded by place and rows)
    and behind that head: offset i64[rows] length i64[rows] bytes u32[rows] volume u16[rows] kind u8[rows], the contents
"""

from __future__ import annotations

import mmap
import os
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from xxhash import xxh3_64_intdigest

from drsim.agent.disk import Buffer
from drsim.agent.logs import log
from drsim.agent.nbd.exports import Writes
from drsim.agent.watermark import this_boot
from drsim.blocks.batch import Kind
from drsim.blocks.payload import Strip

Row = tuple[int, int, int, int, "bytes | memoryview"]  # volume, offset, length, kind, content

_HEAD = struct.Struct("<QQQ")
_POSITION = struct.Struct("<Q")
_BEGIN_AT, _END_AT = 8, 16
_RECORD = struct.Struct("<qIQQ")
_WRITE = bytes([Kind.WRITE])
_OFFSET = struct.Struct("<q")
_ONE = struct.Struct("<qqIHB")
_ROW = 8 + 8 + 4 + 2 + 1
_MIX, _MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1
_ANY_BOOT = xxh3_64_intdigest(b"left in order")


class WriteCache:
    """Rows that hosts were answered for and that are not on the volumes yet, in order.

    Behind a row that found no room nothing may be put before the volumes hold it (`Intake` sees to it): what a kill
    leaves is the result of the first writes, without a gap.

    Args:
        path: the file; made anew, with the rows of ``kept`` in it.
        nbytes: of the ring; 0 for none but what is kept: nothing more may be put then.
        kept: rows that an earlier life left behind, with the places they will get now.
    """

    def __init__(self, path: Path, nbytes: int, kept: Sequence[tuple[int, Row]] = ()) -> None:
        self.nbytes = max(nbytes, sum(_RECORD.size + _ROW + len(row[4]) for _, row in kept))
        self._path = path
        fresh = path.with_name(path.name + ".new")
        self._fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.posix_fallocate(self._fd, 0, _HEAD.size + self.nbytes)  # else a full disk would be a SIGBUS
        self._map = mmap.mmap(self._fd, _HEAD.size + self.nbytes)
        _HEAD.pack_into(self._map, 0, xxh3_64_intdigest(this_boot()), 0, 0)
        self._view = memoryview(self._map)[_HEAD.size :]
        self._begin = self._end = 0
        self._held: deque[tuple[int, int]] = deque()  # (place, where its record ends)
        self.open = True
        for place, row in kept:
            self.put(place, [row])
        self.open = nbytes > 0
        fresh.replace(path)

    @property
    def held(self) -> int:
        """Bytes in use."""
        return self._end - self._begin

    def fits(self, rows: int, nbytes: int) -> bool:
        """Say whether there is room for rows of so many bytes when nothing else is kept."""
        return self.open and _RECORD.size + _ROW * rows + nbytes <= self.nbytes

    def put(self, last: int, rows: Sequence[Row]) -> bool:
        """Keep rows whose last has place ``last``; say whether there was room (else nothing is kept)."""
        if len(rows) == 1:
            row = rows[0]
            columns = _ONE.pack(row[1], row[2], len(row[4]), row[0], row[3])
            return self._put(last, 1, columns, (row[4],), len(row[4]))
        volume, offset, length, kind, content = zip(*rows, strict=True)
        sizes = list(map(len, content))
        columns = struct.pack(_columns(len(rows)), *offset, *length, *sizes, *volume, *kind)
        return self._put(last, len(rows), columns, content, sum(sizes))

    def put_alike(self, last: int, volume: int, writes: Writes) -> bool:
        """Keep whole writes of one length, as `put` does."""
        n, length, contents = len(writes.offsets), writes.length, writes.contents
        columns = b"".join(map(_OFFSET.pack, writes.offsets)) + _same(n, length, volume)
        return self._put(last, n, columns, contents if n > 1 else contents.chunks(), n * length)

    def _put(
        self, last: int, n: int, columns: bytes, contents: Sequence[Buffer] | Strip, nbytes: int
    ) -> bool:
        view, size = self._view, len(columns) + nbytes
        if not self.open or self._end - self._begin + _RECORD.size + size > self.nbytes:
            return False
        at, seed = self._end % self.nbytes, _seed(last - n + 1, n)
        body, stop = at + _RECORD.size, at + _RECORD.size + size
        if stop <= self.nbytes:
            _copy(view, body, columns, contents)
            _RECORD.pack_into(view, at, last - n + 1, n, size, xxh3_64_intdigest(view[body:stop], seed))
        else:
            whole = b"".join((columns, *(contents.chunks() if isinstance(contents, Strip) else contents)))
            head = _RECORD.pack(last - n + 1, n, size, xxh3_64_intdigest(whole, seed))
            whole, part = head + whole, self.nbytes - at
            view[at:] = whole[:part]
            view[: len(whole) - part] = whole[part:]
        self._end += _RECORD.size + size
        self._held.append((last, self._end))
        _POSITION.pack_into(self._map, _END_AT, self._end)  # only now does the record count
        return True

    def drop(self, through: int) -> None:
        """Forget rows through a place: the volumes hold them, and whatever makes them durable."""
        begin = self._begin
        while self._held and self._held[0][0] <= through:
            begin = self._held.popleft()[1]
        if begin != self._begin:
            self._begin = begin
            _POSITION.pack_into(self._map, _BEGIN_AT, begin)

    def close(self) -> None:
        """Close the file; what is still in it is made durable, and will count whenever it is opened again."""
        if self._held:
            _POSITION.pack_into(self._map, 0, _ANY_BOOT)
            self._map.flush()
            os.fsync(self._fd)
        self._view.release()
        self._map.close()
        os.close(self._fd)
        if not self._held:
            self._path.unlink(missing_ok=True)


def kept_rows(path: Path) -> list[tuple[int, Row]]:
    """Give what a life that ended left in its cache: (place, row), in order; nothing once the machine restarted."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return []
    if len(raw) <= _HEAD.size:
        return []
    boot, begin, end = _HEAD.unpack_from(raw)
    nbytes = len(raw) - _HEAD.size
    if boot not in (xxh3_64_intdigest(this_boot()), _ANY_BOOT) or not 0 <= end - begin <= nbytes:
        return []
    start = begin % nbytes
    ring = memoryview(raw)[_HEAD.size :]
    content = memoryview(b"".join((ring[start:], ring[:start])))[: end - begin]
    return list(_records(content))


def _records(ring: memoryview) -> list[tuple[int, Row]]:
    found: list[tuple[int, Row]] = []
    at = 0
    while at + _RECORD.size <= len(ring):
        first, n, size, digest = _RECORD.unpack_from(ring, at)
        body = ring[at + _RECORD.size : at + _RECORD.size + size]
        if len(body) < max(size, _ROW * n) or xxh3_64_intdigest(body, _seed(first, n)) != digest:
            log.error("cache damaged", extra={"lost_bytes": len(ring) - at})
            break
        found += enumerate(_rows(body, n), first)
        at += _RECORD.size + size
    return found


def _rows(body: memoryview, n: int) -> Iterator[Row]:
    numbers = struct.unpack_from(_columns(n), body)
    at = _ROW * n
    for row in range(n):
        offset, length, size, volume, kind = numbers[row::n]
        yield volume, offset, length, kind, body[at : at + size]
        at += size


def _copy(view: memoryview, at: int, columns: bytes, contents: Sequence[Buffer] | Strip) -> None:
    end = at + len(columns)
    view[at:end] = columns
    if isinstance(contents, Strip):
        np.ndarray((contents.count, contents.length), np.uint8, view, end)[:] = contents.rows()
        return
    for piece in contents:
        at, end = end, end + len(piece)
        view[at:end] = piece


@lru_cache(256)
def _same(n: int, length: int, volume: int) -> bytes:
    """Give the columns behind the offsets for whole writes of one length."""
    return (
        struct.pack("<q", length) * n
        + struct.pack("<I", length) * n
        + struct.pack("<H", volume) * n
        + _WRITE * n
    )


def _columns(n: int) -> str:
    return f"<{n}q{n}q{n}I{n}H{n}B"


def _seed(first: int, n: int) -> int:
    return (first * _MIX ^ n) & _MASK
