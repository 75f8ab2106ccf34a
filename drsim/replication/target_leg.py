"""What the parts of one target share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from drsim.blocks.batch import Floats
from drsim.blocks.bitmap import Bitmap
from drsim.replication.actions import Action, Noted, SaveHeader, Send, StateChanged
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

    since = 0
    """The order came here without a copy in between since this place."""
    named: tuple[int, int] | None = None
    """Once it has taken over: images of the order it followed, from the first to the second of these places, differ
    from its own in ``dirt`` at most. None: only one at its own place, which does not differ."""

    def __init__(self, settings: TargetSettings) -> None:
        self.settings = settings
        self.state = Target.FOLLOWING if settings.in_sync else Target.INCONSISTENT
        self.lineage = Lineage(FIRST if settings.in_sync else 0)
        self.session = 0
        self.received = self.staged = 0
        """Order received through here, and durably staged through here."""
        self.issued = self.written = 0
        """Given to the volumes through here, and on them through here."""
        self.open: int | None = None
        """Seq of the last checkpoint, while a folded cycle is being received."""
        self.whole = 0
        """The volumes may hold a part of what was staged through here: no image before all of it is there."""
        self.cycles: list[tuple[int, int]] = []
        """Whole cycles not yet on the volumes, each as (seq before it, its last): no image in between."""
        self.marks: list[tuple[int, str]] = []
        """Points that applications marked, as (seq, name), in order; the volumes have not passed them."""
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
        self.caller = self.feeder = 0
        """Generation of the source of this session; of the one whose copy was begun last, 0 when none was."""
        self.dirt_known = True
        """False when a crash in mid-copy forgot ``dirt``: everything may differ."""
        self.now, self._ticket = 0.0, 0
        self.out: list[Action] = []

    @property
    def held(self) -> int:
        """The order is durably held through here, as an image: an open cycle does not count."""
        return self.staged if self.open is None else self.open

    @property
    def keeping(self) -> bool:
        """Whether writes that may go to the volumes are kept back for the sake of older points."""
        asked = self.settings
        return asked.history is not None and asked.destage and self.state is Target.FOLLOWING

    @property
    def late(self) -> bool:
        """Whether they go at their own instants, whenever that is told: nothing but their age keeps them."""
        asked = self.settings
        alone = asked.history is not None and asked.history.size is None and asked.size is None
        plain = asked.resident is None and self.point is None and not self.frozen and not self.cycles
        return asked.late and alone and plain and self.keeping

    def ticket(self) -> int:
        """Give a new ticket."""
        self._ticket += 1
        return self._ticket

    def send(self, frame: Frame, ready: Floats | None = None) -> None:
        """Ask for a frame to be sent, if there is a session."""
        if self.session:
            self.out.append(Send(frame, np.array([self.now]) if ready is None else ready))

    def names_all(self, generation: int) -> bool:
        """Say whether an old source knows in what it may differ from where a source of this generation took over.

        What another source copied since is known as long as no crash has forgotten it.
        """
        return self.retired and (self.dirt_known or self.feeder in (0, generation))

    def cycle_at(self, seq: int) -> tuple[int, int] | None:
        """Give the cycle that runs over a place, None at a point of the order."""
        return next((cycle for cycle in self.cycles if cycle[0] < seq < cycle[1]), None)

    def begun(self, through: int, ends: Sequence[int]) -> None:
        """After a crash: cycles end at ``ends``; the volumes hold perhaps a part of all through ``through``."""
        partly = self.written < through
        first = [self.written - 1, through] if partly else [self.written]
        self.cycles = list(pairwise([*first, *(end for end in ends if first[-1] < end <= self.held)]))

    def mark(self, seq: int, names: Sequence[str], *, there: bool = True) -> None:
        """Applications marked a place: durably a point to return to, if it is ``there`` and not passed yet."""
        if names and (seq < self.written or not there):
            self.out.append(Noted("markers_missed", len(names), self.now))
        elif fresh := {(seq, name) for name in names} - {*self.marks}:  # Each session tells them again.
            self.marks = sorted([*self.marks, *fresh])
            self.save()

    def marked(self, name: str) -> int | None:
        """Give the newest place so named."""
        return next((seq for seq, known in reversed(self.marks) if known == name), None)

    def become(self, cause: Cause) -> None:
        """Change state as the table says, and say so."""
        old, self.state = self.state, follow(TARGET, self.state, cause)
        self.out.append(StateChanged(old.value, self.state.value, self.now, cause.value))

    def _even(self) -> bool:
        """Whether an image at the place where the site took over is the one it took over."""
        return self.named is None or self.named[0] <= self.written

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
            complete=promoted and self.dirt_known and not self.dirt and self._even(),
            retired=self.retired,
            feeder=self.feeder,
            whole=self.whole,
            marks=tuple(self.marks),
            cycles=tuple(last for _, last in self.cycles),
        )
        self.out.append(SaveHeader(header))
