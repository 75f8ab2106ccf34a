"""Bytes that arrived as requests: writes that differ only in place and content together, all others one by one."""

from __future__ import annotations

import struct
from functools import lru_cache

from drsim.agent.nbd.exports import Asked, Reply, Request, Writes
from drsim.agent.nbd.handshake import RefusedError
from drsim.agent.nbd.protocol import MAX_PAYLOAD, PREFERRED_BLOCK, REQUEST, REQUEST_MAGIC, Command
from drsim.blocks.payload import Strip

_WRITE = int(Command.WRITE)
_NOTHING = memoryview(b"")
_HEAD = struct.Struct(">8s8sQI")  # kind, cookie, offset, length
_WITHIN = (PREFERRED_BLOCK - 1).__and__  # a block: how far from its beginning
_MOST = 64  # writes that are looked at at once
_PLAIN = struct.pack(">IHH", REQUEST_MAGIC, 0, _WRITE)


def requests(
    view: memoryview, begin: int, end: int, size: int, room: tuple[int, int], answers: tuple[Reply, Reply]
) -> tuple[list[Asked], int, int]:
    """Take whole requests off ``view[begin:end]``.

    Args:
        size: bytes that may be written to.
        room: requests, and bytes of them, after which no more are taken.
        answers: how to answer a request, and how to answer several writes.

    Returns:
        The requests, where what is left begins, and the size of the request that it begins with, as far as known.

    Raises:
        RefusedError: these are no requests.
    """
    found: list[Asked] = []
    most, nbytes = room
    need = REQUEST.size
    while end - begin >= REQUEST.size and most > 0 and nbytes > 0:
        magic, flags, command, cookie, offset, length = REQUEST.unpack_from(view, begin)
        if magic != REQUEST_MAGIC:
            raise RefusedError(f"request magic {magic:#x}")
        data, need = _NOTHING, REQUEST.size
        if command == _WRITE:
            if length > MAX_PAYLOAD:
                raise RefusedError(f"a write of {length} bytes")
            need += length
            if end - begin < need:
                return found, begin, need
            if not (flags or not length or length % PREFERRED_BLOCK):
                fitting = min((end - begin) // need, most, nbytes // length)
                if writes := _alike(view, begin, fitting, length, size, answers[1]):
                    found.append(writes)
                    begin += need * len(writes)
                    most -= len(writes)
                    nbytes -= length * len(writes)
                    continue
            data = view[begin + REQUEST.size : begin + need]
        found.append(Request(command, flags, cookie, offset, length, data, answers[0]))
        begin += need
        most -= 1
        nbytes -= length
    return found, begin, REQUEST.size


def alone(view: memoryview, begin: int, end: int, size: int) -> tuple[int, memoryview, bytes] | None:
    """Give offset, content and cookie if ``view[begin:end]`` is one plain write of blocks within ``size`` bytes."""
    if end - begin <= REQUEST.size:
        return None
    kind, cookie, offset, length = _HEAD.unpack_from(view, begin)
    begin += REQUEST.size
    if kind != _PLAIN or length != end - begin or offset + length > size or _WITHIN(offset | length):
        return None
    return offset, view[begin:end], cookie


def plain(view: memoryview, begin: int, end: int, size: int, reply: Reply) -> Writes | None:
    """Take the plain writes of one length that ``view[begin:end]`` begins with: blocks within ``size`` bytes."""
    if end - begin <= REQUEST.size:
        return None
    kind, _, _, length = _HEAD.unpack_from(view, begin)
    if kind != _PLAIN or not length or length % PREFERRED_BLOCK:
        return None
    return _alike(view, begin, (end - begin) // (REQUEST.size + length), length, size, reply)


def _alike(view: memoryview, at: int, most: int, length: int, size: int, reply: Reply) -> Writes | None:
    """Take the plain writes of ``length`` bytes from ``at`` on, at most so many: whole blocks within ``size`` bytes."""
    most = min(most, _MOST)
    found = _heads(most, length).unpack_from(view, at)
    kinds, offsets, lengths = found[::4], found[2::4], found[3::4]
    last = size - length
    count = most
    if (
        kinds.count(_PLAIN) < most
        or lengths.count(length) < most
        or max(offsets, default=0) > last
        or any(map(_WITHIN, offsets))
    ):
        good = (
            kind == _PLAIN and nbytes == length and offset <= last and not _WITHIN(offset)
            for kind, offset, nbytes in zip(kinds, offsets, lengths, strict=True)
        )
        count = next(row for row, fits in enumerate(good) if not fits)
        offsets = offsets[:count]
    if not count:
        return None
    contents = Strip(view, at + REQUEST.size, REQUEST.size + length, length, count)
    return Writes(offsets, length, contents, found[1 : 4 * count : 4], reply)


@lru_cache(256)
def _heads(count: int, length: int) -> struct.Struct:
    """Give the heads of writes of one length, whose contents are passed over."""
    return struct.Struct(">" + f"8s8sQI{length}x" * count)
