"""The newstyle handshake as a machine without sockets: bytes of options in, bytes of answers out."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from enum import Enum

from drsim.agent.nbd.exports import Export
from drsim.agent.nbd.protocol import (
    ALLOCATION,
    ALLOCATION_ID,
    GREETING_MAGIC,
    MAX_NAME,
    MAX_OPTION,
    MAX_PAYLOAD,
    OPTION,
    OPTION_MAGIC,
    OPTION_REPLY,
    OPTION_REPLY_MAGIC,
    PREFERRED_BLOCK,
    Answer,
    HandshakeFlag,
    Info,
    Option,
    Transmission,
)

_U32 = struct.Struct(">I")
_MAX_OPTIONS = 64  # a peer that asks more often than this is not a host that wants a disk


class Phase(Enum):
    """Where a handshake stands."""

    FLAGS = "flags"
    OPTIONS = "options"
    SECURING = "securing"  # the answer to STARTTLS is out; the next byte belongs to TLS
    DONE = "done"
    CLOSED = "closed"


class RefusedError(Exception):
    """The peer broke the protocol: the connection ends without an answer."""


class _MalformedError(Exception):
    """An option's data makes no sense: answered with INVALID, the handshake goes on."""


class Handshake:
    """One peer's way to an export.

    ``exports`` is looked at when the peer asks, so that exports may come and go. With ``tls``
    "off" STARTTLS is refused, with "required" nothing else is answered before it.
    """

    def __init__(self, exports: Mapping[str, Export], tls: str = "off") -> None:
        self.phase = Phase.FLAGS
        self.export: Export | None = None
        self.structured = False
        self.allocation = False  # base:allocation was negotiated, for the export named ``_context_of``
        self._context_of: str | None = None
        self._exports = exports
        self._tls = tls
        self._no_zeroes = False
        self._asked = 0
        self._table: dict[int, Callable[[bytes], bytes]] = {
            Option.EXPORT_NAME: self._export_name,
            Option.ABORT: self._abort,
            Option.LIST: self._list,
            Option.STARTTLS: self._starttls,
            Option.INFO: lambda data: self._info(Option.INFO, data),
            Option.GO: lambda data: self._info(Option.GO, data),
            Option.STRUCTURED_REPLY: self._structured_reply,
            Option.LIST_META_CONTEXT: lambda data: self._contexts(Option.LIST_META_CONTEXT, data),
            Option.SET_META_CONTEXT: lambda data: self._contexts(Option.SET_META_CONTEXT, data),
        }

    @staticmethod
    def greeting() -> bytes:
        """Give what the server says first."""
        flags = HandshakeFlag.FIXED_NEWSTYLE | HandshakeFlag.NO_ZEROES
        return GREETING_MAGIC + struct.pack(">H", flags)

    def secured(self) -> None:
        """TLS is in place: everything that was said in clear is forgotten, as the protocol demands."""
        self._tls, self.phase = "done", Phase.OPTIONS
        self.structured = self.allocation = False

    def needed(self, head: bytes | memoryview) -> int:
        """Give how many bytes the next message has, as far as ``head`` tells (more may be asked later)."""
        if self.phase is Phase.FLAGS:
            return 4
        if len(head) < OPTION.size:
            return OPTION.size
        magic, _, length = OPTION.unpack_from(head)
        if magic != OPTION_MAGIC or length > MAX_OPTION:
            raise RefusedError(f"an option of {length} bytes with magic {magic:#x}")
        return OPTION.size + int(length)

    def receive(self, message: bytes) -> bytes:
        """Take one whole message, of the length `needed` gave, and give the answer."""
        if self.phase is Phase.FLAGS:
            return self._flags(message)
        _, option, _ = OPTION.unpack_from(message)
        self._asked += 1
        if self._asked > _MAX_OPTIONS:
            raise RefusedError(f"more than {_MAX_OPTIONS} options")
        if self._tls == "required" and option not in (Option.STARTTLS, Option.ABORT):
            if option == Option.EXPORT_NAME:
                raise RefusedError("an export was chosen before TLS")
            return _answer(option, Answer.TLS_REQUIRED)
        act = self._table.get(option)
        if act is None:
            return _answer(option, Answer.UNSUPPORTED)
        try:
            return act(message[OPTION.size :])
        except _MalformedError as error:
            return _answer(option, Answer.INVALID, str(error).encode())

    def _flags(self, message: bytes) -> bytes:
        flags = _U32.unpack(message)[0]
        if flags & ~3 or not flags & HandshakeFlag.FIXED_NEWSTYLE:
            raise RefusedError(f"handshake flags {flags:#x}")
        self._no_zeroes = bool(flags & HandshakeFlag.NO_ZEROES)
        self.phase = Phase.OPTIONS
        return b""

    def _export_name(self, data: bytes) -> bytes:
        export = self._exports.get(_text(data))
        if export is None:  # this old option has no way to say no
            raise RefusedError("an unknown export")
        self._choose(export)
        padding = b"" if self._no_zeroes else bytes(124)
        return struct.pack(">QH", export.size, self.transmission_flags(export)) + padding

    def _choose(self, export: Export) -> None:
        self.export, self.phase = export, Phase.DONE
        self.allocation = self.allocation and self._context_of == export.name

    def _abort(self, _: bytes) -> bytes:
        self.phase = Phase.CLOSED
        return _answer(Option.ABORT, Answer.ACK)

    def _list(self, data: bytes) -> bytes:
        if data:
            raise _MalformedError("LIST takes no data")
        named = b"".join(
            _answer(Option.LIST, Answer.SERVER, _U32.pack(len(name.encode())) + name.encode())
            for name in self._exports
        )
        return named + _answer(Option.LIST, Answer.ACK)

    def _starttls(self, data: bytes) -> bytes:
        if data:
            raise _MalformedError("STARTTLS takes no data")
        if self._tls == "off":
            return _answer(Option.STARTTLS, Answer.POLICY, b"this server has no certificate")
        if self._tls == "done":
            raise _MalformedError("TLS is already in place")
        self.phase = Phase.SECURING
        return _answer(Option.STARTTLS, Answer.ACK)

    def _structured_reply(self, data: bytes) -> bytes:
        if data:
            raise _MalformedError("STRUCTURED_REPLY takes no data")
        self.structured = True
        return _answer(Option.STRUCTURED_REPLY, Answer.ACK)

    def _info(self, option: Option, data: bytes) -> bytes:
        name, rest = _counted_name(data)
        if len(rest) < 2 or len(rest) != 2 + 2 * struct.unpack_from(">H", rest)[0]:
            raise _MalformedError("the count of information requests is wrong")
        export = self._exports.get(name)
        if export is None:
            return _answer(option, Answer.UNKNOWN, b"no such export")
        facts = struct.pack(">HQH", Info.EXPORT, export.size, self.transmission_flags(export))
        sizes = struct.pack(">HIII", Info.BLOCK_SIZE, export.minimum_block, PREFERRED_BLOCK, MAX_PAYLOAD)
        described = struct.pack(">H", Info.DESCRIPTION) + export.description.encode()
        wanted = struct.unpack_from(f">{(len(rest) - 2) // 2}H", rest, 2)
        answer = _answer(option, Answer.INFO, facts) + _answer(option, Answer.INFO, sizes)
        if Info.NAME in wanted:
            answer += _answer(option, Answer.INFO, struct.pack(">H", Info.NAME) + export.name.encode())
        if Info.DESCRIPTION in wanted:
            answer += _answer(option, Answer.INFO, described)
        if option is Option.GO:
            self._choose(export)
        return answer + _answer(option, Answer.ACK)

    def _contexts(self, option: Option, data: bytes) -> bytes:
        if not self.structured:
            raise _MalformedError("meta contexts need structured replies")
        name, rest = _counted_name(data)
        queries = _queries(rest)
        if name not in self._exports:
            return _answer(option, Answer.UNKNOWN, b"no such export")
        listing = option is Option.LIST_META_CONTEXT
        found = ALLOCATION in queries or (listing and (not queries or "base:" in queries))
        if not listing:
            self.allocation, self._context_of = found, name
        identity = _U32.pack(ALLOCATION_ID if not listing else 0) + ALLOCATION.encode()
        answer = _answer(option, Answer.META_CONTEXT, identity) if found else b""
        return answer + _answer(option, Answer.ACK)

    def transmission_flags(self, export: Export) -> int:
        """Give what the export can do, as the protocol's flags."""
        flags = Transmission.HAS_FLAGS | Transmission.SEND_FLUSH | Transmission.MULTI_CONN
        if export.read_only:
            flags |= Transmission.READ_ONLY
        else:
            flags |= Transmission.SEND_FUA | Transmission.SEND_TRIM | Transmission.SEND_WRITE_ZEROES
        if self.structured:
            flags |= Transmission.SEND_DF
        return int(flags)


def _answer(option: int, kind: Answer, data: bytes = b"") -> bytes:
    return OPTION_REPLY.pack(OPTION_REPLY_MAGIC, option, kind, len(data)) + data


def _text(data: bytes) -> str:
    if len(data) > MAX_NAME:
        raise _MalformedError("the name is too long")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _MalformedError("the name is not UTF-8") from None


def _counted_name(data: bytes) -> tuple[str, bytes]:
    if len(data) < 4:
        raise _MalformedError("the name's length is missing")
    length = _U32.unpack_from(data)[0]
    if length > len(data) - 4:
        raise _MalformedError("the name is cut short")
    return _text(data[4 : 4 + length]), data[4 + length :]


def _queries(data: bytes) -> list[str]:
    if len(data) < 4:
        raise _MalformedError("the count of queries is missing")
    count, rest = _U32.unpack_from(data)[0], data[4:]
    found = []
    for _ in range(count):  # each query takes at least four bytes, so a huge count ends at once
        query, rest = _counted_name(rest)
        found.append(query)
    if rest:
        raise _MalformedError("data after the last query")
    return found
