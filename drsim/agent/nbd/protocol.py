"""Numbers and layouts of the NBD protocol, as its public document `doc/proto.md` names them."""

from __future__ import annotations

import errno
import struct
from enum import IntEnum, IntFlag

GREETING_MAGIC = b"NBDMAGICIHAVEOPT"
OPTION_MAGIC = 0x49484156454F5054
OPTION_REPLY_MAGIC = 0x3E889045565A9
REQUEST_MAGIC = 0x25609513
SIMPLE_REPLY_MAGIC = 0x67446698
STRUCTURED_REPLY_MAGIC = 0x668E33EF

OPTION = struct.Struct(">QII")
OPTION_REPLY = struct.Struct(">QIII")
REQUEST = struct.Struct(">IHHQQI")
SIMPLE_REPLY = struct.Struct(">IIQ")
CHUNK = struct.Struct(">IHHQI")
EXTENT = struct.Struct(">II")

MAX_PAYLOAD = 32 << 20
MAX_OPTION = 16 << 10
MAX_NAME = 4096
PREFERRED_BLOCK = 4096
ALLOCATION = "base:allocation"
ALLOCATION_ID = 1


class HandshakeFlag(IntFlag):
    """What both sides say about the handshake itself."""

    FIXED_NEWSTYLE = 1
    NO_ZEROES = 2


class Option(IntEnum):
    """What a peer may ask before it chooses an export."""

    EXPORT_NAME = 1
    ABORT = 2
    LIST = 3
    STARTTLS = 5
    INFO = 6
    GO = 7
    STRUCTURED_REPLY = 8
    LIST_META_CONTEXT = 9
    SET_META_CONTEXT = 10


class Answer(IntEnum):
    """Replies to an option; those with the top bit set are refusals."""

    ACK = 1
    SERVER = 2
    INFO = 3
    META_CONTEXT = 4
    UNSUPPORTED = 0x80000001
    POLICY = 0x80000002
    INVALID = 0x80000003
    TLS_REQUIRED = 0x80000005
    UNKNOWN = 0x80000006
    TOO_BIG = 0x80000009


class Info(IntEnum):
    """Facts about an export that GO and INFO may carry."""

    EXPORT = 0
    NAME = 1
    DESCRIPTION = 2
    BLOCK_SIZE = 3


class Transmission(IntFlag):
    """What an export can do."""

    HAS_FLAGS = 1
    READ_ONLY = 2
    SEND_FLUSH = 4
    SEND_FUA = 8
    SEND_TRIM = 32
    SEND_WRITE_ZEROES = 64
    SEND_DF = 128
    MULTI_CONN = 256
    FAST_ZERO = 2048


class Command(IntEnum):
    """Requests in the transmission phase."""

    READ = 0
    WRITE = 1
    DISCONNECT = 2
    FLUSH = 3
    TRIM = 4
    WRITE_ZEROES = 6
    BLOCK_STATUS = 7


class CommandFlag(IntFlag):
    """What a request asks beside its command."""

    FUA = 1
    NO_HOLE = 2
    DF = 4
    REQ_ONE = 8
    FAST_ZERO = 16


class Chunk(IntEnum):
    """Kinds of structured replies."""

    NONE = 0
    OFFSET_DATA = 1
    BLOCK_STATUS = 5
    ERROR = 32769


CHUNK_DONE = 1
HOLE_AND_ZERO = 3

# The protocol has its own closed list of errors; every other one travels as EIO.
ERRORS = {
    errno.EPERM: 1,
    errno.EROFS: 1,
    errno.EIO: 5,
    errno.ENOMEM: 12,
    errno.EINVAL: 22,
    errno.ENOSPC: 28,
    errno.EDQUOT: 28,
    errno.EFBIG: 28,
    errno.EOVERFLOW: 75,
    errno.ENOTSUP: 95,
    errno.ESHUTDOWN: 108,
}


def error_on_wire(code: int) -> int:
    """Give the protocol's number for an errno; 0 stays 0."""
    return ERRORS.get(code, 5) if code else 0
