"""Bytes that arrived as requests: writes that differ only in place and content together, all others one by one."""

from __future__ import annotations

import numpy as np

from drsim.agent.nbd.exports import Asked, Reply, Request, Writes
from drsim.agent.nbd.handshake import RefusedError
from drsim.agent.nbd.protocol import MAX_PAYLOAD, PREFERRED_BLOCK, REQUEST, REQUEST_MAGIC, Command

_WRITE = int(Command.WRITE)
_NOTHING = memoryview(b"")
_FEW = 6  # fewer cost less one by one
_KIND = 8  # bytes of magic, flags and command
_LENGTH_AT = REQUEST.size - 4
_HEAD = np.dtype([("kind", "V8"), ("cookie", "V8"), ("offset", ">u8"), ("length", ">u4")])
_WORDS = REQUEST.size // 4
_SAME = [0, 1, _WORDS - 1]  # kind and length, in words


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
        data, count, need = _NOTHING, 1, REQUEST.size
        if command == _WRITE:
            if length > MAX_PAYLOAD:
                raise RefusedError(f"a write of {length} bytes")
            need += length
            if end - begin < need:
                return found, begin, need
            fitting = min((end - begin) // need, most, nbytes // (length or 1))
            if writes := _alike(view, begin, fitting, size, answers[1]):
                count = len(writes)
                found.append(writes)
            else:
                data = view[begin + REQUEST.size : begin + need]
        if count == 1:
            found.append(Request(command, flags, cookie, offset, length, data, answers[0]))
        begin += need * count
        most -= count
        nbytes -= length * count
    return found, begin, REQUEST.size


def _alike(view: memoryview, at: int, most: int, size: int, reply: Reply) -> Writes | None:
    """Give the writes from ``at`` on that are of one length, whole blocks and within ``size`` bytes.

    Args:
        most: requests of the first one's size that may be taken.

    Returns:
        None where there are few: one by one it is found out what they are.
    """
    if most < _FEW:
        return None
    length = int.from_bytes(view[at + _LENGTH_AT : at + REQUEST.size], "big")
    step = REQUEST.size + length
    far = at + (_FEW - 1) * step
    if length % PREFERRED_BLOCK or not length or view[at : at + _KIND] != view[far : far + _KIND]:
        return None
    if view[at + 4] or view[at + 5]:  # flags
        return None
    head = np.ndarray(most, _HEAD, view, at, (step,)).copy()
    words = head.view(np.uint32).reshape(most, _WORDS)
    offset = head["offset"].astype(np.int64)
    good = (words[:, _SAME] == words[0, _SAME]).all(axis=1)
    good &= (offset >= 0) & (offset <= size - length) & (offset % PREFERRED_BLOCK == 0)
    count = most if good.all() else int(good.argmin())
    if count < _FEW:
        return None
    first, last = at + REQUEST.size, at + count * step
    contents = [view[begin : begin + length] for begin in range(first, last, step)]
    return Writes(offset[:count], length, contents, head["cookie"][:count], reply)
