"""What an engine asks of its world. ``ready`` columns say from when each row may be carried out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.blocks.extents import Extents
from drsim.replication.frames import Frame
from drsim.replication.headers import SourceHeader, TargetHeader


@dataclass(frozen=True, slots=True, eq=False)
class AppendJournal:
    """Put the batch on the source's journal medium; answer with `JournalDurable`.

    A world without such a medium answers at once with ``at=batch.time``. ``spilled`` rows go to the
    second medium, which is larger and slower.
    """

    batch: WriteBatch
    spilled: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TrimJournal:
    """The journal may forget writes through ``through``.

    A real journal forgets only what its own volume has flushed: after a crash it is replayed there too.
    """

    through: int


@dataclass(frozen=True, slots=True, eq=False)
class ReadJournal:
    """Read writes ``first..last`` back from the journal medium; answer with `JournalRead`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class MarkDirty:
    """Persist set (or cleared) bits of the dirty bitmap: durable before the next action is carried out."""

    extents: Extents
    dirty: bool


@dataclass(frozen=True, slots=True, eq=False)
class SaveHeader:
    """Persist the engine's few durable facts: durable before the next action is carried out."""

    header: SourceHeader | TargetHeader


@dataclass(frozen=True, slots=True, eq=False)
class SaveActivity:
    """Persist which extents are hot: durable before the next action is carried out."""

    volume: NDArray[np.uint16]
    extent: Ints
    hot: bool


@dataclass(frozen=True, slots=True, eq=False)
class Disconnect:
    """Drop the connection (the peer broke the protocol, or the group is suspended); answer: `LinkDown`."""

    cause: str


@dataclass(frozen=True, slots=True, eq=False)
class ReadBlocks:
    """Read extents of the own volumes now; answer with `BlocksRead`, one row an extent, in order."""

    ticket: int
    extents: Extents


@dataclass(frozen=True, slots=True, eq=False)
class WriteBlocks:
    """Write the batch to the volumes; answer with `BlocksWritten` once durable.

    The world carries these out in the order given, each row after ``ready``; they outlive a cut of the link.
    """

    ticket: int
    batch: WriteBatch
    ready: Floats


@dataclass(frozen=True, slots=True, eq=False)
class AppendStaging:
    """Put the batch on the target's staging medium; answer with `StagingDurable`.

    ``folded`` rows are part of a cycle: no image until its checkpoint.
    """

    batch: WriteBatch
    ready: Floats
    folded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TrimStaging:
    """The staging medium may forget writes through ``through``."""

    through: int


@dataclass(frozen=True, slots=True, eq=False)
class CutStaging:
    """The staging medium must forget writes after ``after`` (what was told durable; nothing is pending).

    With ``after`` below what was trimmed it also forgets that: those places will be used again, for other writes.
    """

    after: int


@dataclass(frozen=True, slots=True, eq=False)
class ReadStaging:
    """Read writes ``first..last`` back from the staging medium; answer with `StagingRead`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class Send:
    """Send a frame (or a train); member i may leave from ``ready[i]``. Order of sends is kept."""

    frame: Frame
    ready: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Acknowledge:
    """Tell the hosts that writes through ``seq[i]`` are done, at ``at[i]``.

    By then the writes must be visible on the source's own volumes: later `ReadBlocks` rely on it.
    """

    seq: Ints
    at: Floats


@dataclass(frozen=True, slots=True, eq=False)
class FailWrites:
    """Tell the hosts that writes ``seq`` failed; they never entered the order.

    They are always the last rows of a `HostWrites`; the next one begins again with ``seq[0]``.
    """

    seq: Ints


@dataclass(frozen=True, slots=True, eq=False)
class HoldHosts:
    """Give the engine no more host writes until `ReleaseHosts` (what it was given it keeps)."""


@dataclass(frozen=True, slots=True, eq=False)
class ReleaseHosts:
    """Host writes are welcome again."""


@dataclass(frozen=True, slots=True, eq=False)
class PaceHosts:
    """Delay each host write by ``delay_s`` seconds from now on (0 ends the pacing)."""

    delay_s: float


@dataclass(frozen=True, slots=True, eq=False)
class TakeSnapshot:
    """Keep the group's present image under ``name``; it is consistent at ``seq``. Answer: `SnapshotTaken`."""

    name: str
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class DropSnapshot:
    """The snapshot is no longer needed."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class RestoreSnapshot:
    """Make the volumes equal to the snapshot. Answer: `SnapshotTaken`."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Recoverable:
    """A failover at ``at[i]`` or later would find an image consistent at ``seq[i]``; both increase."""

    seq: Ints
    at: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Exposed:
    """From ``at`` there is no consistent image at the target, until the next `Recoverable`."""

    at: float


@dataclass(frozen=True, slots=True, eq=False)
class StateChanged:
    """The engine's state went from ``old`` to ``new`` at ``at``; ``cause`` is one of a closed vocabulary."""

    old: str
    new: str
    at: float
    cause: str


@dataclass(frozen=True, slots=True, eq=False)
class Noted:
    """A fact for the record: ``what`` names it (``folded_bytes``, ``resync_bytes`` …), with its ``value``."""

    what: str
    value: float
    at: float


Action = (
    AppendJournal
    | TrimJournal
    | ReadJournal
    | MarkDirty
    | SaveHeader
    | SaveActivity
    | Disconnect
    | ReadBlocks
    | WriteBlocks
    | AppendStaging
    | TrimStaging
    | CutStaging
    | ReadStaging
    | Send
    | Acknowledge
    | FailWrites
    | HoldHosts
    | ReleaseHosts
    | PaceHosts
    | TakeSnapshot
    | DropSnapshot
    | RestoreSnapshot
    | Recoverable
    | Exposed
    | StateChanged
    | Noted
)
