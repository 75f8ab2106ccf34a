"""When hosts are told that a write is done: when the journal holds it, or (sync) when the target does."""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import Floats, Ints
from drsim.replication.actions import Acknowledge
from drsim.replication.leg import Leg
from drsim.replication.policy import Sync
from drsim.replication.states import Source


class Acks:
    """Acknowledges in order.

    In sync mode the leg is ``protected`` while every acknowledged write is on the target. It stops being so
    when the link is lost, and is so again once little is unconfirmed (`Sync.rejoin`).
    """

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        mode = leg.settings.mode
        self._sync = mode if isinstance(mode, Sync) else None
        self.protected = False

    def durable(self, seq: Ints, at: Floats) -> None:
        """The journal medium holds more."""
        if self._sync is None or not (self.protected or self._stopped()):
            self._tell(seq, at)

    def confirmed(self, seq: Ints, at: Floats) -> None:
        """The target holds more."""
        if self._sync is None:
            return
        kept = int(np.searchsorted(seq, self.leg.durable, side="right"))
        if kept:
            self._tell(seq[:kept], at[:kept])
        if not self.protected:
            self._rejoin()

    def welcomed(self) -> None:
        """A session began."""
        if self._sync is None:
            return
        if self.leg.state is Source.STREAMING:
            self._rejoin()
        self.leg.release("target lost")

    def lost(self) -> None:
        """The session is over."""
        leg = self.leg
        if self._sync is None or not self.protected:
            return
        self.protected = False
        if self._sync.on_loss == "stop":
            leg.hold("target lost")
        elif leg.acknowledged < leg.durable:
            self.all_through(leg.durable, leg.now)

    def all_through(self, seq: int, at: float) -> None:
        """Acknowledge what waits, through ``seq``: it is safe otherwise (a dirty bit, an accepted risk)."""
        if seq > self.leg.acknowledged:
            self._tell(np.array([seq]), np.array([at]))

    def waiting(self) -> bool:
        """Say whether acknowledgements decide something: becoming synchronous again."""
        return self._sync is not None and not self.protected and self.leg.state is Source.STREAMING

    def _stopped(self) -> bool:
        """Hosts were stopped with these writes under way: only the target's word completes them."""
        return self._sync is not None and self._sync.on_loss == "stop" and "target lost" in self.leg.holds

    def _rejoin(self) -> None:
        leg = self.leg
        assert self._sync is not None
        if leg.state is Source.STREAMING and leg.journal.nbytes <= self._sync.rejoin:
            self.protected = True

    def _tell(self, seq: Ints, at: Floats) -> None:
        leg = self.leg
        through = int(seq[-1])
        if through <= leg.acknowledged:
            return
        if seq[0] <= leg.acknowledged:
            fresh = int(np.searchsorted(seq, leg.acknowledged, side="right"))
            seq, at = seq[fresh:], at[fresh:]
        leg.acknowledged = through
        leg.out.append(Acknowledge(seq, at))
