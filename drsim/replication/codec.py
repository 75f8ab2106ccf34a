"""Bodies of control frames as bytes and back: one pair of small functions a frame (docs/WIRE.md)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from drsim.blocks.extents import Extents
from drsim.replication import frames as fr
from drsim.replication.generations import HISTORY, Lineage


class WireError(ValueError):
    """Bytes that are no frame of this protocol. The connection they came by must be dropped."""


class Reader:
    """Takes values off a body, and refuses to read past its end or to leave anything over."""

    def __init__(self, body: bytes | memoryview) -> None:
        self._body = memoryview(body)
        self._at = 0

    def take(self, count: int) -> memoryview:
        """Give the next ``count`` bytes."""
        if count < 0 or self._at + count > len(self._body):
            raise WireError("a frame ends too early")
        self._at += count
        return self._body[self._at - count : self._at]

    def numbers(self, form: str) -> tuple[Any, ...]:
        """Give numbers by a struct format (little-endian)."""
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def column(self, kind: str, count: int) -> np.ndarray[Any, Any]:
        """Give ``count`` numbers of one numpy type."""
        dtype = np.dtype(kind)
        return np.frombuffer(self.take(dtype.itemsize * count), dtype).copy()

    def text(self) -> str:
        """Give a text that carries its length."""
        (count,) = self.numbers("H")
        try:
            return str(self.take(count), "utf-8")
        except UnicodeDecodeError:
            raise WireError("a text is not UTF-8") from None

    def done(self) -> None:
        """Say that nothing may be left.

        Raises:
            WireError: something is.
        """
        if self._at != len(self._body):
            raise WireError("a frame is longer than its content")


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 0xFFFF:
        raise ValueError("a text in a frame may have 65,535 bytes")
    return struct.pack("<H", len(raw)) + raw


def _lineage(lineage: Lineage) -> bytes:
    history = lineage.history[:HISTORY]
    return struct.pack(f"<QQB{len(history)}Q", lineage.current, lineage.base, len(history), *history)


def _read_lineage(body: Reader) -> Lineage:
    current, base, count = body.numbers("QQB")
    if count > HISTORY:
        raise WireError("a lineage is longer than any site remembers")
    return Lineage(current, base, body.numbers(f"{count}Q"))


def _extents(extents: Extents) -> bytes:
    columns = (extents.volume.astype("<u2"), extents.start.astype("<i8"), extents.stop.astype("<i8"))
    return struct.pack("<I", len(extents)) + b"".join(c.tobytes() for c in columns)


def _read_extents(body: Reader) -> Extents:
    (count,) = body.numbers("I")
    extents = Extents(body.column("<u2", count), body.column("<i8", count), body.column("<i8", count))
    if bool((extents.start < 0).any() or (extents.stop <= extents.start).any()):
        raise WireError("an extent is empty or negative")
    return extents


def _flag(value: int) -> bool:
    if value > 1:
        raise WireError("a flag is neither 0 nor 1")
    return bool(value)


def _pack_hello(f: fr.Hello) -> bytes:
    return _text(f.group) + _lineage(f.lineage) + struct.pack("<QQB", f.first, f.last, f.ordered)


def _read_hello(session: int, body: Reader) -> fr.Hello:
    group, lineage = body.text(), _read_lineage(body)
    first, last, ordered = body.numbers("QQB")
    return fr.Hello(session, group, lineage, first, last, _flag(ordered))


def _pack_welcome(f: fr.Welcome) -> bytes:
    return _lineage(f.lineage) + struct.pack("<QQB", f.held, f.partial, f.consistent)


def _read_welcome(session: int, body: Reader) -> fr.Welcome:
    lineage = _read_lineage(body)
    held, partial, consistent = body.numbers("QQB")
    return fr.Welcome(session, lineage, held, partial, _flag(consistent))


def _pack_hashes(f: fr.Hashes) -> bytes:
    return struct.pack("<QQ", f.ticket, f.seq) + _extents(f.extents) + f.digest.astype("<u8").tobytes()


def _read_hashes(session: int, body: Reader) -> fr.Hashes:
    ticket, seq = body.numbers("QQ")
    extents = _read_extents(body)
    return fr.Hashes(session, ticket, extents, body.column("<u8", len(extents)), seq)


def _pack_differ(f: fr.Differ) -> bytes:
    return struct.pack("<QI", f.ticket, len(f.rows)) + np.packbits(f.rows).tobytes()


def _read_differ(session: int, body: Reader) -> fr.Differ:
    ticket, count = body.numbers("QI")
    bits = body.column("u1", -(-count // 8))
    return fr.Differ(session, ticket, np.unpackbits(bits, count=count).astype(np.bool_))


def _read_dirt(session: int, body: Reader) -> fr.Dirt:
    (granularity,) = body.numbers("I")
    return fr.Dirt(session, _read_extents(body), granularity)


def _read_checkpoint(session: int, body: Reader) -> fr.Checkpoint:
    (seq,) = body.numbers("Q")
    return fr.Checkpoint(session, seq, body.text())


Pack = Callable[[Any], bytes]
Read = Callable[[int, Reader], fr.Frame]


def _numbers(form: str, *names: str) -> Pack:
    return lambda f: struct.pack("<" + form, *(getattr(f, name) for name in names))


def _read_numbers(make: Callable[..., fr.Frame], form: str) -> Read:
    return lambda session, body: make(session, *body.numbers(form))


BODIES: dict[int, tuple[type[fr.Frame], Pack, Read]] = {
    1: (fr.Hello, _pack_hello, _read_hello),
    2: (fr.Welcome, _pack_welcome, _read_welcome),
    3: (fr.Refuse, lambda f: _text(f.reason), lambda s, b: fr.Refuse(s, b.text())),
    6: (fr.Checkpoint, lambda f: struct.pack("<Q", f.seq) + _text(f.name), _read_checkpoint),
    7: (fr.Applied, _numbers("Q", "seq"), _read_numbers(fr.Applied, "Q")),
    8: (fr.ResyncBegin, _numbers("Q", "base"), _read_numbers(fr.ResyncBegin, "Q")),
    9: (fr.Ready, _numbers("Q", "base"), _read_numbers(fr.Ready, "Q")),
    11: (fr.ResyncAck, _numbers("QI", "ticket", "rows"), _read_numbers(fr.ResyncAck, "QI")),
    12: (fr.ResyncEnd, _numbers("Q", "seq"), _read_numbers(fr.ResyncEnd, "Q")),
    13: (fr.Regained, _numbers("Q", "seq"), _read_numbers(fr.Regained, "Q")),
    14: (fr.Hashes, _pack_hashes, _read_hashes),
    15: (fr.Differ, _pack_differ, _read_differ),
    16: (fr.Dirt, lambda f: struct.pack("<I", f.granularity) + _extents(f.extents), _read_dirt),
    17: (fr.Pause, lambda _: b"", lambda s, _: fr.Pause(s)),
    18: (fr.Proceed, lambda _: b"", lambda s, _: fr.Proceed(s)),
    19: (fr.Ping, lambda _: b"", lambda s, _: fr.Ping(s)),
    20: (fr.Pong, lambda _: b"", lambda s, _: fr.Pong(s)),
}
"""Frame type -> class, to bytes, from bytes. 4 (Data), 5 (Ack) and 10 (Resync) are trains: see wire."""

TYPE_OF: dict[type[fr.Frame], int] = {kind: number for number, (kind, _, _) in BODIES.items()}
