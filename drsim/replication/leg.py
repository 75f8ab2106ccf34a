"""What the parts of one source leg share: a leg is a group's replication to one target."""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.blocks.bitmap import Bitmap
from drsim.replication.actions import Action, HoldHosts, ReleaseHosts, SaveHeader, Send, StateChanged
from drsim.replication.activity import ActivityLog
from drsim.replication.frames import Frame
from drsim.replication.generations import Lineage
from drsim.replication.headers import SourceHeader
from drsim.replication.journal import Journal
from drsim.replication.settings import SourceSettings
from drsim.replication.states import SOURCE, Cause, Source, follow


class Leg:
    """State of one leg, its actions of the current step, and nothing that can be derived.

    Invariants: ``confirmed <= sent <= durable <= last`` while order is kept; ``acknowledged <= last``.
    Every acknowledged write is durable at the target, in ``journal``, or under a bit of ``dirty`` or of a
    copy in flight.
    """

    def __init__(self, settings: SourceSettings) -> None:
        self.settings = settings
        self.journal = Journal(settings.limit, settings.resident, settings.granularity)
        self.dirty = Bitmap(settings.granularity)
        self.state = Source.BUFFERING
        self.lineage = Lineage()
        self.seeded = settings.in_sync
        """The target has had all the data."""
        self.boot = self.session = 0
        self.started = self.link = self.welcomed = self.suspended = False
        self.last = 0
        """Highest seq taken into the order."""
        self.durable = 0
        """Journal medium holds the order through here."""
        self.acknowledged = 0
        """Hosts were told of the order through here."""
        self.confirmed = 0
        """Target holds the order durably through here."""
        self.named: tuple[int, int] | None = None
        """After a takeover, until the two have met: see `TargetLeg.named`."""
        self.end: int | None = None
        """While a resync's redo runs: the seq at which the image is consistent again."""
        self.held: WriteBatch | None = None
        """Writes taken from hosts that do not fit yet; they are not in the order's journal."""
        self.chasing = False
        """While a resync's copy is far from done, writes are marked, not journalled."""
        self.level = 0
        """Strength of pacing now, in steps."""
        self.activity: ActivityLog | None = None
        """Hot extents, when a crash may lose the journal."""
        self.markers: list[tuple[int, str]] = []
        """Points that applications marked: (seq, name), until the target has certainly heard of them."""
        self.touched: Bitmap | None = None
        """While a slice is being verified: where hosts write meanwhile."""
        self.suspect = Bitmap(settings.granularity)
        """Where a verify found the target to differ."""
        self.holds: set[str] = set()
        """Why hosts are held."""
        self.now = 0.0
        self.out: list[Action] = []

    def send(self, frame: Frame, ready: Floats | None = None) -> None:
        """Ask for a frame to be sent; a control frame without ``ready`` may leave now."""
        self.out.append(Send(frame, np.array([self.now]) if ready is None else ready))

    def hold(self, why: str) -> None:
        """Hold the hosts for one more reason."""
        if not self.holds:
            self.out.append(HoldHosts())
        self.holds.add(why)

    def release(self, why: str) -> None:
        """One reason less; hosts go on when none is left."""
        if self.holds == {why}:
            self.out.append(ReleaseHosts())
        self.holds.discard(why)

    def save(self) -> None:
        """Make the few durable facts durable."""
        ordered = self.state in (Source.BUFFERING, Source.STREAMING)
        header = SourceHeader(
            self.lineage,
            self.boot,
            ordered,
            self.durable,
            self.confirmed,
            self.seeded,
            tuple(self.markers),
            self.named,
        )
        self.out.append(SaveHeader(header))

    def become(self, cause: Cause, at: float | None = None) -> None:
        """Change state as the table says, and say so."""
        old, self.state = self.state, follow(SOURCE, self.state, cause)
        at = self.now if at is None else at
        self.out.append(StateChanged(old.value, self.state.value, at, cause.value))


def rows_at(batch: WriteBatch, seq: Ints, at: Floats) -> Floats:
    """Spread facts (``seq[i]`` reached at ``at[i]``) over the rows of a batch: float64[len(batch)].

    Rows beyond the last fact take its time; the caller has cut them off or they are long since true.
    """
    if len(seq) == len(batch) and seq[0] == batch.seq[0] and seq[-1] == batch.seq[-1]:
        return at
    spread: Floats = at[np.minimum(np.searchsorted(seq, batch.seq, side="left"), len(seq) - 1)]
    return spread
