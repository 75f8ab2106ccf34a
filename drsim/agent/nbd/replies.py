"""Replies as bytes: simple ones, and the structured ones of reads and block status."""

from __future__ import annotations

import struct
from typing import cast

from drsim.agent.nbd.exports import Extents, Request, Writes
from drsim.agent.nbd.protocol import (
    ALLOCATION_ID,
    CHUNK,
    CHUNK_DONE,
    EXTENT,
    HOLE_AND_ZERO,
    SIMPLE_REPLY,
    SIMPLE_REPLY_MAGIC,
    STRUCTURED_REPLY_MAGIC,
    Chunk,
    Command,
    error_on_wire,
)

_HEAD = struct.Struct(">II")
_ANSWERED = frozenset((int(Command.READ), int(Command.BLOCK_STATUS)))
DONE = _HEAD.pack(SIMPLE_REPLY_MAGIC, 0)  # and the cookie


def single(
    out: list[bytes], request: Request, error: int, data: bytes | Extents, *, structured: bool
) -> None:
    """Append the reply of one request, structured where the peer asked for such and it is one that answers more."""
    if structured and request.command in _ANSWERED:
        _structured(out, request, error, data)
    else:
        _simple(out, request, error, cast(bytes, data))


def _simple(out: list[bytes], request: Request, error: int, data: bytes) -> None:
    """Append a simple reply; what was read follows it unless there was an error."""
    code = error_on_wire(error) if error else 0
    out.append(SIMPLE_REPLY.pack(SIMPLE_REPLY_MAGIC, code, request.cookie))
    if data and not error:
        out.append(data)


def together(writes: Writes, error: int = 0) -> bytes:
    """Give the simple replies of writes that are answered together."""
    head = _HEAD.pack(SIMPLE_REPLY_MAGIC, error_on_wire(error)) if error else DONE
    return head.join([b"", *writes.cookies])


def _structured(out: list[bytes], request: Request, error: int, data: bytes | Extents) -> None:
    """Append the one chunk that answers a read or a block status, where the peer asked for structured replies."""
    if error:
        body = error_on_wire(error).to_bytes(4, "big") + b"\0\0"
        kind = Chunk.ERROR
    elif isinstance(data, list):
        kind = Chunk.BLOCK_STATUS
        body = ALLOCATION_ID.to_bytes(4, "big") + b"".join(
            EXTENT.pack(length, 0 if allocated else HOLE_AND_ZERO) for length, allocated in data
        )
    elif not data:
        kind, body = Chunk.NONE, b""
    else:
        kind, body = Chunk.OFFSET_DATA, request.offset.to_bytes(8, "big")
    payload = data if isinstance(data, bytes) and not error else b""
    head = CHUNK.pack(STRUCTURED_REPLY_MAGIC, CHUNK_DONE, kind, request.cookie, len(body) + len(payload))
    out += (head, body, payload)
