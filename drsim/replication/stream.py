"""Sends the journal in order, each write as soon as it is durable, never more than a window unconfirmed."""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import Floats, Ints, WriteBatch, repeated
from drsim.replication.actions import ReadJournal, Send
from drsim.replication.frames import Data
from drsim.replication.journal import Absent
from drsim.replication.leg import rows_at
from drsim.replication.shipping import Shipper


class Stream(Shipper):
    """A cursor over the journal: what was sent in this session."""

    def durable(self, seq: Ints, at: Floats) -> None:
        """More of the journal is on its medium: send it, each row when it became durable."""
        if self.open and not self.paused:
            self._ship(seq, at)

    def ship(self) -> None:
        """Send what may be sent now."""
        if self.open and not self.paused:
            self._ship(None, None)

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
        super().confirmed()
        if self.leg.settings.window is not None and self.sent < self.leg.durable:
            self.ship()

    def waiting(self) -> bool:
        """Say whether the window holds writes back."""
        return self.open and not self.paused and self.sent < self.leg.durable and not self._reading

    def _ship(self, seq: Ints | None, at: Floats | None) -> None:
        leg = self.leg
        while not self._reading:
            self._mark_end()
            self._send_markers()
            piece = leg.journal.piece(self.sent, self._limit())
            if piece is None:
                return
            if isinstance(piece, Absent):
                self._reading = True
                leg.out.append(ReadJournal(piece.first, piece.last))
            elif seq is None or at is None:
                self._send(piece, repeated(np.float64(leg.now), len(piece)))
            else:
                self._send(piece, rows_at(piece, seq, at))

    def _send(self, batch: WriteBatch, ready: Floats) -> None:
        self.leg.out.append(Send(Data(self.leg.session, batch, self.sent), ready))
        self.sent = batch.last

    def _limit(self) -> int:
        """The last seq that may be sent now."""
        leg = self.leg
        limit = leg.durable
        if leg.end is not None and self.sent < leg.end:
            limit = min(limit, leg.end)
        marker = self._marker()
        if marker is not None and self.sent < marker:
            limit = min(limit, marker)
        window = leg.settings.window
        if window is not None and limit > self.sent:
            low = max(leg.confirmed, leg.journal.trimmed)
            reach = leg.journal.reach(low, window)
            # A write larger than the window travels alone.
            limit = min(limit, low + 1 if reach == low else reach)
        return limit
