"""What may happen to an engine. An event is a batch of facts: its columns carry each fact's own time.

In the real world a column holds one element, or a few with the same time. In the simulated
world it holds thousands, each with its exact time. All times are at most the ``now`` of the step.
"""

from __future__ import annotations

from dataclasses import dataclass

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.blocks.extents import Extents
from drsim.replication.frames import Frame


@dataclass(frozen=True, slots=True, eq=False)
class HostWrites:
    """Hosts wrote; the batch continues the group's order. ``batch.time`` is when each was handed over.

    A write may reach the source's own volume only after the engine has been told of it (so that what
    `BlocksRead` finds there is never newer than what the engine knows).
    """

    batch: WriteBatch


@dataclass(frozen=True, slots=True, eq=False)
class JournalDurable:
    """The source's journal is on stable media through ``seq[i]`` since ``at[i]``; both increase."""

    seq: Ints
    at: Floats


@dataclass(frozen=True, slots=True, eq=False)
class JournalRead:
    """Answer to `ReadJournal`: writes that had left memory."""

    batch: WriteBatch


@dataclass(frozen=True, slots=True, eq=False)
class BlocksRead:
    """Answer to `ReadBlocks`: the content of dirty extents, one row an extent.

    ``batch.seq`` is all zeros: what a fuzzy copy reads has no place in the order of its own.
    """

    ticket: int
    batch: WriteBatch


@dataclass(frozen=True, slots=True, eq=False)
class Copied:
    """The own volumes changed outside of the order: in a cascade, the target they belong to is copied to.

    ``through`` is the seq they have reached, as far as they are in order at all; ``at`` is when the first of these
    places changed. To be told to a suspended source, which goes on (``resume``) once the volumes are an image again.
    """

    extents: Extents
    through: int
    at: float


@dataclass(frozen=True, slots=True, eq=False)
class LinkUp:
    """A connection to the peer exists from now on; nothing of an earlier one will arrive any more."""


@dataclass(frozen=True, slots=True, eq=False)
class LinkDown:
    """The connection is gone; what was sent and is not acknowledged may or may not have arrived."""


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A frame (or a train of equal frames) arrived whole; ``at`` is float64[members of the train].

    ``number``: the wire's number of its first member, where several connections carry one link side by side: frames may
    then arrive in any order and more than once, and the engine acts on them in the order of their numbers. Every frame
    the peer sent since `LinkUp`, heartbeats too, must then be told with its number. None: what arrives is in order.
    """

    frame: Frame
    at: Floats
    number: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StagingDurable:
    """The target's staging is on stable media through ``seq[i]`` since ``at[i]``."""

    seq: Ints
    at: Floats


@dataclass(frozen=True, slots=True, eq=False)
class BlocksWritten:
    """Answer to `WriteBlocks`: the volumes durably hold ``len(seq)`` more rows of ``ticket``, since ``at``.

    ``seq`` repeats the rows' own seq (zeros for a copy). A batch may be answered in several parts, in order; batches
    of the order that follow each other, while nothing is `waiting`, together, by the ticket of the last.
    """

    ticket: int
    seq: Ints
    at: Floats


@dataclass(frozen=True, slots=True, eq=False)
class StagingRead:
    """Answer to `ReadStaging`: writes that had left memory."""

    batch: WriteBatch


@dataclass(frozen=True, slots=True, eq=False)
class SnapshotTaken:
    """Answer to `TakeSnapshot` or `RestoreSnapshot`: done.

    ``overwritten``, of one that was put back: all that was given to the volumes since it was taken, or more; None when
    nobody knows.
    """

    name: str
    overwritten: Extents | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SnapshotLost:
    """A snapshot could not be kept (its room ran out) and is gone since ``at``, without having been dropped."""

    name: str
    at: float


@dataclass(frozen=True, slots=True, eq=False)
class Due:
    """The deadline the engine asked for has come (it may come early, or for nothing)."""


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """The operator's word: ``suspend``, ``resume``, ``promote``, ``demote``, ``close_cycle``, ``verify`` …"""

    verb: str
    argument: str = ""


Event = (
    HostWrites
    | JournalDurable
    | JournalRead
    | BlocksRead
    | Copied
    | LinkUp
    | LinkDown
    | Received
    | StagingDurable
    | BlocksWritten
    | StagingRead
    | SnapshotTaken
    | SnapshotLost
    | Due
    | Command
)
