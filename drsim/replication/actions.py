"""What an engine asks of its world. ``ready`` columns say from when each row may be carried out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.replication.frames import Frame


@dataclass(frozen=True, slots=True, eq=False)
class AppendJournal:
    """Put the batch on the source's journal medium; answer with `JournalDurable`."""

    batch: WriteBatch


@dataclass(frozen=True, slots=True, eq=False)
class TrimJournal:
    """The journal may forget writes through ``through``."""

    through: int


@dataclass(frozen=True, slots=True, eq=False)
class ReadJournal:
    """Read writes ``first..last`` back from the journal medium; answer with `JournalRead`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class MarkDirty:
    """Persist the dirty bitmap's set (or cleared) bits before anything that depends on them."""

    volume: NDArray[np.uint16]
    start: Ints
    stop: Ints
    dirty: bool


@dataclass(frozen=True, slots=True, eq=False)
class ReadBlocks:
    """Read extents (bytes ``start..stop`` of ``volume``, columns) now; answer with `BlocksRead`."""

    ticket: int
    volume: NDArray[np.uint16]
    start: Ints
    stop: Ints


@dataclass(frozen=True, slots=True, eq=False)
class WriteBlocks:
    """Write the batch to the target's volumes in order; answer with `BlocksWritten`."""

    ticket: int
    batch: WriteBatch
    ready: Floats


@dataclass(frozen=True, slots=True, eq=False)
class AppendStaging:
    """Put the batch on the target's staging medium; answer with `StagingDurable`."""

    batch: WriteBatch
    ready: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TrimStaging:
    """The staging medium may forget writes through ``through``."""

    through: int


@dataclass(frozen=True, slots=True, eq=False)
class Send:
    """Send a frame (or a train); member i may leave from ``ready[i]``. Order of sends is kept."""

    frame: Frame
    ready: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Acknowledge:
    """Tell the hosts that writes through ``seq[i]`` are done, at ``at[i]``."""

    seq: Ints
    at: Floats


@dataclass(frozen=True, slots=True, eq=False)
class FailWrites:
    """Tell the hosts that writes ``seq`` failed; they never entered the order."""

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
    | ReadBlocks
    | WriteBlocks
    | AppendStaging
    | TrimStaging
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
