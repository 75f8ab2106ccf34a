"""Writes as records in a file: one record a commit, its columns and its bytes each under a digest.

Layout, little-endian::

    magic "DRJ1" or "DRJ2" · count u32 · payload bytes u64 · first seq i64 · last seq i64 · payload digest u64
    head digest u64 (XXH3-64 of everything before it and of the columns, seeded by the file's number)
    columns: seq i64[n] time f64[n] volume u16[n] offset i64[n] length i64[n] kind u8[n]
    payload: the bytes of the writes, in order (trims and zeroes have none)
    after "DRJ2" what follows begins at the next whole block of 4 KiB, whatever lies in between

The seed tells records from those an earlier life of the same file has left behind: a file that is used
again need not be cleared. Two digests, because a record whose bytes are damaged but whose columns are whole
still says which blocks it touched: those can be resynced, instead of everything.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64, xxh3_64_intdigest

from drsim import __version__
from drsim.agent.disk import Buffer
from drsim.blocks.batch import Kind, WriteBatch
from drsim.blocks.payload import BytesPayload, Strip

_HEAD = struct.Struct("<4sIQqqQ")
_DIGEST = struct.Struct("<Q")
_MAGIC, _PADDED = _KNOWN = b"DRJ1", b"DRJ2"
_NAMES = " and ".join(magic.decode() for magic in _KNOWN)
_NAME = re.compile(rb"DRJ[0-9A-Za-z]")
_COLUMNS = (("<i8", 8), ("<f8", 8), ("<u2", 2), ("<i8", 8), ("<i8", 8), ("u1", 1))
_ROW = struct.Struct("<qdHqqB")  # the columns of one write
HEAD_BYTES = _HEAD.size + _DIGEST.size
ROW_BYTES = sum(width for _, width in _COLUMNS)
BLOCK = 4096
_SMALL = 32 << 10  # pieces smaller than this on average are copied together first
MAX_COUNT = 1 << 20
_WRITE = int(Kind.WRITE)
MAX_PAYLOAD = 1 << 30


@dataclass(frozen=True, slots=True)
class Record:
    """Where a record lies in its file, and what its head says.

    Attributes:
        at: byte of the record's start.
        count, first, last: the writes it holds and their places.
        payload_bytes: of the writes' content.
        digest: of the content.
        padded: what follows begins at a whole block.
    """

    at: int
    count: int
    first: int
    last: int
    payload_bytes: int
    digest: int
    padded: bool = False

    @property
    def payload_at(self) -> int:
        """Byte at which the content starts."""
        return self.at + HEAD_BYTES + ROW_BYTES * self.count

    @property
    def end(self) -> int:
        """Byte at which the next record begins."""
        end = self.payload_at + self.payload_bytes
        return -(-end // BLOCK) * BLOCK if self.padded else end


class DamagedError(Exception):
    """What lies at ``at`` is no whole record; ``record`` and ``batch`` tell what can be trusted of it.

    ``foreign``: it seems to be a whole one, in a format of which nothing is known here.
    """

    def __init__(
        self,
        path: str,
        at: int,
        why: str,
        record: Record | None = None,
        batch: WriteBatch | None = None,
        *,
        foreign: bool = False,
    ) -> None:
        super().__init__(f"{path}: byte {at}: {why}")
        self.at = at
        self.record = record
        self.batch = batch
        self.foreign = foreign


class FormatError(OSError):
    """A later version has written what is here: going on without it would lose it."""


def size(batch: WriteBatch) -> int:
    """Give the bytes of the record that holds ``batch``, without padding."""
    return HEAD_BYTES + ROW_BYTES * len(batch) + _payload(batch).nbytes


def encode(batch: WriteBatch, seed: int = 0, *, padded: bool = False) -> list[Buffer]:
    """Give the buffers of one record that holds ``batch`` (at least one write); the padding is not among them."""
    payload = _payload(batch)
    nbytes = payload.nbytes
    if len(batch) > 1 and len(batch) * _SMALL > nbytes:
        chunks: list[Buffer] = [payload.joined()]
    else:
        chunks = list(filter(len, payload.chunks))
    content = xxh3_64()
    for chunk in chunks:
        content.update(chunk)
    magic = _PADDED if padded else _MAGIC
    head = _HEAD.pack(magic, len(batch), nbytes, batch.first, batch.last, content.intdigest())
    columns = _packed(batch)
    digest = _DIGEST.pack(xxh3_64_intdigest(head + columns, seed))
    return [head + digest + columns, *chunks]


def _packed(batch: WriteBatch) -> bytes:
    """Give the columns of a record."""
    if len(batch) == 1:
        seq, time, volume, offset, length, kind = _of(batch)
        return _ROW.pack(seq.item(), time.item(), volume.item(), offset.item(), length.item(), kind.item())
    return b"".join(
        [
            column.astype(kind, copy=False).tobytes()
            for column, (kind, _) in zip(_of(batch), _COLUMNS, strict=True)
        ]
    )


def _payload(batch: WriteBatch) -> BytesPayload:
    assert isinstance(batch.payload, BytesPayload), "only real writes go to disk"
    return batch.payload


def _of(batch: WriteBatch) -> tuple[NDArray[Any], ...]:
    return batch.seq, batch.time, batch.volume, batch.offset, batch.length, batch.kind


def read_head(fd: int, at: int, size: int, path: str, seed: int = 0) -> tuple[Record, WriteBatch]:
    """Read a record's head and columns (the batch has no content yet).

    Args:
        size: the file's size, beyond which nothing can be.

    Raises:
        DamagedError: there is no whole head with its columns at ``at``.
    """
    head = os.pread(fd, HEAD_BYTES, at)
    if len(head) < HEAD_BYTES:
        raise DamagedError(path, at, "the head is cut short")
    magic, count, nbytes, first, last, digest = _HEAD.unpack_from(head)
    record = Record(at, count, first, last, nbytes, digest, magic == _PADDED)
    if magic not in _KNOWN and _NAME.fullmatch(magic) and not _was_known(fd, head, record, seed):
        why = f"a record in format {magic.decode()}, and drsim {__version__} reads {_NAMES}"
        raise DamagedError(path, at, why, foreign=True)
    if magic not in _KNOWN or not 0 < count <= MAX_COUNT or nbytes > MAX_PAYLOAD or record.payload_at > size:
        raise DamagedError(path, at, "no head of a record")
    columns = os.pread(fd, ROW_BYTES * count, at + HEAD_BYTES)
    wanted = _DIGEST.unpack_from(head, _HEAD.size)[0]
    if xxh3_64_intdigest(head[: _HEAD.size] + columns, seed) != wanted:
        raise DamagedError(path, at, "the head's digest is wrong")
    return record, _columns(columns, count)


def _was_known(fd: int, head: bytes, record: Record, seed: int) -> bool:
    """Whether a head is whole but for the name of its format: that was damaged, and is not another one."""
    if not 0 < record.count <= MAX_COUNT:
        return False
    rest = head[4 : _HEAD.size] + os.pread(fd, ROW_BYTES * record.count, record.at + HEAD_BYTES)
    wanted = _DIGEST.unpack_from(head, _HEAD.size)[0]
    return any(xxh3_64_intdigest(magic + rest, seed) == wanted for magic in _KNOWN)


def _columns(raw: bytes, count: int) -> WriteBatch:
    columns = []
    at = 0
    for kind, width in _COLUMNS:
        columns.append(np.frombuffer(raw, kind, count, at))
        at += width * count
    seq, time, volume, offset, length, kinds = columns
    return WriteBatch(seq, time, volume, offset, length, kinds, BytesPayload([b""] * count))


def read(fd: int, at: int, size: int, path: str, seed: int = 0) -> tuple[Record, WriteBatch]:
    """Read a whole record with its content.

    Raises:
        DamagedError: anything of it is missing or changed; ``batch`` says which blocks, if known.
    """
    record, batch = read_head(fd, at, size, path, seed)
    content = memoryview(os.pread(fd, record.payload_bytes, record.payload_at))
    if len(content) < record.payload_bytes or xxh3_64_intdigest(content) != record.digest:
        raise DamagedError(path, at, "the content's digest is wrong", record, batch)
    return record, replace(batch, payload=_contents(batch, content))


def _contents(batch: WriteBatch, content: memoryview) -> BytesPayload:
    """Give what the rows of a record carry, which lies one behind another."""
    first = int(batch.length[0])
    if not batch.kind.any() and (batch.length == first).all():
        return BytesPayload.laid([Strip(content, 0, first, first, len(batch))])
    strips, begin = [], 0
    for length, kind in zip(batch.length.tolist(), batch.kind.tolist(), strict=True):
        strips.append(Strip(content, begin, length, length if kind == _WRITE else 0, 1))
        begin += strips[-1].length
    return BytesPayload.laid(strips)


Found = tuple[Record, WriteBatch] | DamagedError


def scan(fd: int, path: str, at: int = 0, end: int | None = None, seed: int = 0) -> Iterator[Found]:
    """Walk a file's records in order from byte ``at`` to ``end`` (the file's).

    A damaged record with a trusted head is given as the error it is, and the walk goes on behind it;
    any other damage is the last thing given.
    """
    size = os.fstat(fd).st_size if end is None else end
    while at < size:
        try:
            record, batch = read(fd, at, size, path, seed)
        except DamagedError as damage:
            yield damage
            if damage.record is None:
                return
            at = damage.record.end
        else:
            yield record, batch
            at = record.end
