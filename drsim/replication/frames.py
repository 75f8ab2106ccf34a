"""What travels between source and target. A train is many equal frames in one value.

``Data`` of n writes is a train of n frames on the wire, each with its own header and checksum, so
that the wire size of a batch does not depend on how it was cut into batches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Ints, WriteBatch


@dataclass(frozen=True, slots=True, eq=False)
class Hello:
    """Source opens a session: who it is, its generation, and the first seq it can still send in order."""

    session: int
    group: str
    generation: int
    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class Welcome:
    """Target answers: the seq through which it durably holds the order, and its own generation."""

    session: int
    generation: int
    held: int
    consistent: bool


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Writes in order (train of ``len(batch)``)."""

    session: int
    batch: WriteBatch


@dataclass(frozen=True, slots=True, eq=False)
class Resync:
    """Content of dirty extents, without order (train of ``len(batch)``)."""

    session: int
    ticket: int
    batch: WriteBatch


@dataclass(frozen=True, slots=True, eq=False)
class ResyncBegin:
    """An unordered copy starts: the target keeps a protective snapshot before it writes any of it."""

    session: int
    base: int


@dataclass(frozen=True, slots=True, eq=False)
class ResyncEnd:
    """The copy is complete; the image is consistent again once the order is applied through ``seq``."""

    session: int
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The image is consistent at ``seq`` once everything sent before this frame is applied."""

    session: int
    seq: int
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Ack:
    """Target holds the order durably through ``seq[i]`` (train of ``len(seq)``)."""

    session: int
    seq: Ints


@dataclass(frozen=True, slots=True, eq=False)
class ResyncAck:
    """Target wrote the extents of ``ticket``."""

    session: int
    ticket: int


@dataclass(frozen=True, slots=True, eq=False)
class Hashes:
    """Digests of extents, to find out which differ (checksum resync, online verify)."""

    session: int
    ticket: int
    volume: NDArray[np.uint16]
    start: Ints
    stop: Ints
    digest: NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Ping:
    """Heartbeat; the peer answers with `Pong`."""

    session: int


@dataclass(frozen=True, slots=True, eq=False)
class Pong:
    """Answer to `Ping`."""

    session: int


Frame = (
    Hello
    | Welcome
    | Data
    | Resync
    | ResyncBegin
    | ResyncEnd
    | Checkpoint
    | Ack
    | ResyncAck
    | Hashes
    | Ping
    | Pong
)
