"""What travels between source and target. A train is many equal frames in one value.

``Data`` of n writes is a train of n frames on the wire, each with its own header and checksum, so
that the wire size of a batch does not depend on how it was cut into batches. ``Data``, ``Resync``
and ``Ack`` are trains; all others are control frames: an engine may decide something on each.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Ints, WriteBatch
from drsim.blocks.extents import Extents
from drsim.replication.generations import Lineage


@dataclass(frozen=True, slots=True, eq=False)
class Hello:
    """Source opens a session: who it is, its lineage, the first seq it can still send and its last.

    ``ordered`` says whether the source still knows the order from ``first`` on.
    """

    session: int
    group: str
    lineage: Lineage
    first: int
    last: int
    ordered: bool


@dataclass(frozen=True, slots=True, eq=False)
class Welcome:
    """Target answers: where its consistent image stands, and its lineage.

    ``held``: the seq through which it durably holds the order. ``partial``: the last row it durably
    has of a cycle that is not complete; equal to ``held`` when there is none. ``consistent`` is false in
    the middle of an unordered copy and on a disk that was never seeded.
    """

    session: int
    lineage: Lineage
    held: int
    partial: int
    consistent: bool


@dataclass(frozen=True, slots=True, eq=False)
class Refuse:
    """Target will not take part: why, in words (split brain, unrelated data, wrong group)."""

    session: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Writes in order (train of ``len(batch)``).

    ``previous`` is the seq sent before the first of them, so that a gap shows; inside the train each
    row follows the row before. A ``folded`` row is recoverable only once its `Checkpoint` has come.
    """

    session: int
    batch: WriteBatch
    previous: int
    folded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Ack:
    """Target holds the order durably through ``seq[i]`` (train of ``len(seq)``)."""

    session: int
    seq: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The image is consistent at ``seq`` once everything sent before this frame is applied.

    A name makes it a marker an application asked for; the target's history can be rolled back to it.
    """

    session: int
    seq: int
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """Target's volumes hold the whole cycle that ended at ``seq``, or keep it back on purpose; the next may close."""

    session: int
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class ResyncBegin:
    """An unordered copy starts; order goes on at ``base + 1``. Target keeps a protective snapshot first."""

    session: int
    base: int


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """Target has drained its staging and kept its snapshot: the copy may come. ``base`` as it was asked."""

    session: int
    base: int


@dataclass(frozen=True, slots=True, eq=False)
class Resync:
    """Content of dirty extents, without order (train of ``len(batch)``)."""

    session: int
    ticket: int
    batch: WriteBatch


@dataclass(frozen=True, slots=True, eq=False)
class ResyncAck:
    """Target's volumes durably hold ``rows`` more extents of ``ticket``."""

    session: int
    ticket: int
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class ResyncEnd:
    """The copy is complete and the order sent through ``seq``: there the image is consistent again."""

    session: int
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class Regained:
    """Target's image is consistent again, durably, at ``seq``; the bitmap is no longer needed."""

    session: int
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class Hashes:
    """Digests of extents, to find out which differ (checksum resync, online verify).

    The target compares once its volumes hold the order through ``seq``, and answers `Differ`.
    """

    session: int
    ticket: int
    extents: Extents
    digest: NDArray[np.uint64]
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class Differ:
    """Target's answer to `Hashes`: bool[n], which of the extents differ."""

    session: int
    ticket: int
    rows: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Dirt:
    """Where the target differs from what the lineage's base point held (its own unshared writes)."""

    session: int
    extents: Extents
    granularity: int = field(default=4096)


@dataclass(frozen=True, slots=True, eq=False)
class Pause:
    """Target's staging is full: send no more `Data`."""

    session: int


@dataclass(frozen=True, slots=True, eq=False)
class Proceed:
    """Target has room again."""

    session: int


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
    | Refuse
    | Data
    | Ack
    | Checkpoint
    | Applied
    | ResyncBegin
    | Ready
    | Resync
    | ResyncAck
    | ResyncEnd
    | Regained
    | Hashes
    | Differ
    | Dirt
    | Pause
    | Proceed
    | Ping
    | Pong
)
