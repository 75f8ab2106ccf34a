"""Sends the journal in order, each write as soon as it is durable, never more than a window unconfirmed."""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.replication.actions import ReadJournal, Send
from drsim.replication.frames import Data, ResyncEnd
from drsim.replication.journal import Absent
from drsim.replication.leg import Leg, rows_at


class Stream:
    """A cursor over the journal: what was sent in this session.

    Also carries out the redo of a resync: `ResyncEnd` leaves directly behind the write that completes it.
    """

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.open = False
        self.paused = False
        self.sent = 0
        self._reading = False
        self._end_sent = False

    def start(self, after: int) -> None:
        """Begin (again) behind ``after``, which the target has."""
        self.open, self.sent = True, after
        self._reading = self._end_sent = False
        self.ship()

    def stop(self) -> None:
        """The session is over; nothing sent and unconfirmed counts as arrived."""
        self.open = self.paused = self._reading = False

    def durable(self, seq: Ints, at: Floats) -> None:
        """More of the journal is on its medium: send it."""
        if self.open and not self.paused:
            self.ship(seq, at)

    def ship(self, seq: Ints | None = None, at: Floats | None = None) -> None:
        """Send what may be sent; rows are ready at the times given, or now."""
        leg = self.leg
        if self.paused:
            return
        while not self._reading:
            self._mark_end()
            piece = leg.journal.piece(self.sent, self._limit())
            if piece is None:
                return
            if isinstance(piece, Absent):
                self._reading = True
                leg.out.append(ReadJournal(piece.first, piece.last))
                return
            if seq is None or at is None:
                self._send(piece, np.full(len(piece), leg.now))
            else:
                self._send(piece, rows_at(piece, seq, at))

    def read_back(self, batch: WriteBatch) -> None:
        """Writes came back from the medium; send those not yet sent."""
        if not self._reading:
            return
        self._reading = False
        batch = batch.after(self.sent).through(self._limit())
        if len(batch):
            self._send(batch, np.full(len(batch), self.leg.now))
        self.ship()

    def confirmed(self) -> None:
        """The window may have opened."""
        if self.open and self.sent < self.leg.durable and self.leg.settings.window is not None:
            self.ship()

    def waiting(self) -> bool:
        """Say whether the window holds writes back."""
        return self.open and not self.paused and self.sent < self.leg.durable and not self._reading

    def _send(self, batch: WriteBatch, ready: Floats) -> None:
        self.leg.out.append(Send(Data(self.leg.session, batch, self.sent), ready))
        self.sent = batch.last

    def _limit(self) -> int:
        """The last seq that may be sent now."""
        leg = self.leg
        limit = leg.durable
        if leg.end is not None and self.sent < leg.end:
            limit = min(limit, leg.end)
        window = leg.settings.window
        if window is not None and limit > self.sent:
            limit = min(limit, self._window_reach(window))
        return limit

    def _window_reach(self, window: int) -> int:
        leg = self.leg
        low = max(leg.confirmed, leg.journal.trimmed)
        reach = leg.journal.reach(low, window)
        # A write larger than the window travels alone.
        return low + 1 if reach == low else reach

    def _mark_end(self) -> None:
        leg = self.leg
        if leg.end is not None and self.sent >= leg.end and not self._end_sent:
            self._end_sent = True
            leg.send(ResyncEnd(leg.session, leg.end))
