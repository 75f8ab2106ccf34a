"""What the parts of one target share."""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import Floats
from drsim.blocks.bitmap import Bitmap
from drsim.replication.actions import Action, SaveHeader, Send, StateChanged
from drsim.replication.frames import Frame
from drsim.replication.generations import FIRST, Lineage
from drsim.replication.headers import TargetHeader
from drsim.replication.settings import TargetSettings
from drsim.replication.states import TARGET, Cause, Target, follow


class TargetLeg:
    """State of one target, its actions of the current step, and nothing that can be derived.

    Invariants: ``written <= issued <= staged <= received`` and ``written <= held <= staged``. Staging durably
    holds writes after ``written`` through ``staged``, in order; the volumes hold the order through ``written``.
    The image a failover finds is consistent at ``held`` when the state is FOLLOWING, else at the protective
    snapshot, if there is one.
    """

    def __init__(self, settings: TargetSettings) -> None:
        self.settings = settings
        self.state = Target.FOLLOWING if settings.in_sync else Target.INCONSISTENT
        self.lineage = Lineage(FIRST if settings.in_sync else 0)
        self.session = 0
        self.received = 0
        """Order received through here."""
        self.staged = 0
        """Order durably staged through here."""
        self.issued = 0
        """Given to the volumes through here."""
        self.written = 0
        """On the volumes through here."""
        self.open: int | None = None
        """Seq of the last checkpoint, while a folded cycle is being received."""
        self.whole = 0
        """Last seq of the newest cycle that came whole."""
        self.base: int | None = None if settings.in_sync else 0
        self.end: int | None = None
        self.protected: tuple[str, int] | None = None
        self.frozen = False
        """Nothing more is given to the volumes until a snapshot is taken or the site has changed its role."""
        self.point: int | None = None
        """Nothing beyond this seq is destaged: a copy or a promotion is about to begin."""
        self.promoting = False
        self.wish: int | None = None
        """Seq at which the site is to take over."""
        self.dirt = Bitmap(4096)
        """Where this site may differ from what its peer counts on: what an old source wrote on its own; what was
        copied since the protective snapshot; what a promotion to an older point leaves out."""
        self.retired = False
        """The site was source: ``dirt`` is all in which it may differ from what its successor took over."""
        self.dirt_known = True
        """False when a crash in mid-copy forgot ``dirt``: everything may differ."""
        self.now = 0.0
        self.out: list[Action] = []
        self._ticket = 0

    @property
    def held(self) -> int:
        """The order is durably held through here, as an image: an open cycle does not count."""
        return self.staged if self.open is None else self.open

    def ticket(self) -> int:
        """Give a new ticket."""
        self._ticket += 1
        return self._ticket

    def send(self, frame: Frame, ready: Floats | None = None) -> None:
        """Ask for a frame to be sent, if there is a session."""
        if self.session:
            self.out.append(Send(frame, np.array([self.now]) if ready is None else ready))

    def become(self, cause: Cause) -> None:
        """Change state as the table says, and say so."""
        old, self.state = self.state, follow(TARGET, self.state, cause)
        self.out.append(StateChanged(old.value, self.state.value, self.now, cause.value))

    def save(self) -> None:
        """Make the few durable facts durable."""
        promoted = self.state is Target.PROMOTED
        header = TargetHeader(
            lineage=self.lineage,
            applied=self.written,
            open=self.open,
            base=self.base,
            end=self.end,
            protected=self.protected,
            promoted=promoted,
            complete=promoted and self.dirt_known and not self.dirt,
            retired=self.retired,
            whole=self.whole,
        )
        self.out.append(SaveHeader(header))
