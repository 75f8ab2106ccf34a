"""Flight recording: every step of an engine in a file, so that it can be flown again.

A record is two lengths (u32, little-endian), a JSON tree, and the bytes the tree refers to: events
whole, actions as a digest of the same form. Reading makes only objects of the engine's own vocabulary.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_128_hexdigest

from drsim.blocks.batch import NO_PAYLOAD, WriteBatch
from drsim.blocks.extents import Extents
from drsim.blocks.payload import BytesPayload
from drsim.replication import actions, events, frames
from drsim.replication.actions import Action, Send
from drsim.replication.events import Event
from drsim.replication.generations import Lineage
from drsim.replication.headers import SourceHeader, TargetHeader
from drsim.replication.wire import encode

_LENGTHS = struct.Struct("<II")
_WORDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for room in (events, actions, frames)
    for kind in vars(room).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
} | {kind.__name__: kind for kind in (WriteBatch, Extents, Lineage, SourceHeader, TargetHeader)}


def pack(value: Any) -> bytes:
    """Give a value of the engine's vocabulary as bytes; equal values give equal bytes."""
    blobs: list[bytes] = []
    tree = json.dumps(_down(value, blobs), separators=(",", ":")).encode()
    content = b"".join(blobs)
    return _LENGTHS.pack(len(tree), len(content)) + tree + content


def _down(value: Any, blobs: list[bytes]) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f.name for f in dataclasses.fields(value) if not f.name.startswith("_")]
        return {"is": type(value).__name__, **{name: _down(getattr(value, name), blobs) for name in fields}}
    if isinstance(value, np.ndarray):
        blobs.append(np.ascontiguousarray(value).tobytes())
        return {"is": "array", "of": value.dtype.str, "bytes": len(blobs[-1])}
    if isinstance(value, BytesPayload):
        blobs.extend(bytes(chunk) for chunk in value.chunks)
        return {"is": "payload", "bytes": [len(chunk) for chunk in value.chunks]}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | list):
        return [_down(item, blobs) for item in value]
    return None if value is NO_PAYLOAD else value


class _Reader:
    """Takes bytes off the end of a record as its tree asks for them."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, count: int) -> bytes:
        self._at += count
        return self._content[self._at - count : self._at]

    def up(self, tree: Any) -> Any:
        """Make the value a tree describes."""
        if isinstance(tree, list):
            return tuple(self.up(item) for item in tree)
        if not isinstance(tree, dict):
            return tree
        kind = tree["is"]
        if kind == "array":
            return np.frombuffer(self.take(tree["bytes"]), np.dtype(tree["of"]))
        if kind == "payload":
            return BytesPayload([self.take(count) for count in tree["bytes"]])
        fields = {name: self.up(item) for name, item in tree.items() if name != "is"}
        if kind == "WriteBatch" and fields["payload"] is None:
            fields["payload"] = NO_PAYLOAD
        return _WORDS[kind](**fields)


def unpack(data: bytes) -> Any:
    """Give back what `pack` was given."""
    length, _ = _LENGTHS.unpack_from(data)
    tree = json.loads(data[_LENGTHS.size : _LENGTHS.size + length])
    return _Reader(data[_LENGTHS.size + length :]).up(tree)


def digest(done: list[Action]) -> str:
    """Give a digest of what an engine asked for in one step; frames count as the bytes they are sent as."""
    return xxh3_128_hexdigest(b"".join(map(_shown, done)))


def _shown(action: Action) -> bytes:
    if isinstance(action, Send):
        return b"Send" + pack(action.ready) + encode(action.frame)
    return pack(action)


class Recorder:
    """An observer that writes every step to a file, buffered: a crash may lose the newest steps."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb", buffering=1 << 18)

    def __call__(self, now: float, event: Event, done: list[Action]) -> None:
        """Write one step."""
        self._file.write(pack([now, event, digest(done)]))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def steps(path: Path) -> Iterator[tuple[float, Event, str]]:
    """Read a recording: time, event, digest of the actions of each step, as far as the file is whole."""
    with path.open("rb") as file:
        while len(head := file.read(_LENGTHS.size)) == _LENGTHS.size:
            count = sum(_LENGTHS.unpack(head))
            body = file.read(count)
            if len(body) < count:
                return
            now, event, done = unpack(head + body)
            yield now, event, done
