"""What ships the journal to the target: write by write (stream) or cycle by cycle."""

from __future__ import annotations

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.replication.frames import Checkpoint, ResyncEnd
from drsim.replication.leg import Leg


class Shipper:
    """Base of both ways; also carries out the redo of a resync."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.open = False
        self.paused = False
        self.sent = 0
        """Highest seq sent in this session."""
        self._reading = False
        self._end_sent = False
        self._told = 0
        """Leading markers that were sent in this session."""

    def start(self, after: int) -> None:
        """Begin (again) behind ``after``, which the target has."""
        self.open, self.sent = True, after
        self._reading = self._end_sent = False
        self._told = 0
        self._forget_markers()
        self.ship()

    def stop(self) -> None:
        """The session is over; nothing sent and unconfirmed counts as arrived."""
        self.open = self.paused = self._reading = False

    def pause(self, paused: bool) -> None:
        """The target has no room, or has room again."""
        self.paused = paused
        if self.open and not paused:
            self.ship()

    def admits(self, batch: WriteBatch) -> int:
        """Say how many leading host writes may be taken before behaviour changes."""
        return len(batch)

    def took(self) -> None:
        """Host writes were taken."""

    def durable(self, seq: Ints, at: Floats) -> None:
        """More of the journal is on its medium."""
        raise NotImplementedError

    def ship(self) -> None:
        """Send what may be sent now."""
        raise NotImplementedError

    def read_back(self, batch: WriteBatch) -> None:
        """Writes came back from the medium."""
        raise NotImplementedError

    def confirmed(self) -> None:
        """The target confirmed more."""
        self._forget_markers()

    def applied(self, seq: int) -> None:
        """The target's volumes hold a cycle."""

    def due(self) -> None:
        """Time has passed."""

    def deadline(self) -> float | None:
        """Give the time by which `due` must be called."""
        return None

    def headroom(self) -> int | None:
        """Give the bytes host writes may bring before behaviour changes."""
        return None

    def waiting(self) -> bool:
        """Say whether the next acknowledgement is needed at once."""
        return False

    def ending(self) -> bool:
        """Say whether a frame will leave behind a write that is not durable or not sent yet."""
        return (self.leg.end is not None and not self._end_sent) or self._marker() is not None

    def _marker(self) -> int | None:
        """Give the place of the next marker to be sent."""
        markers = self.leg.markers
        return markers[self._told][0] if self._told < len(markers) else None

    def _send_markers(self) -> None:
        """A marker leaves directly behind the write it follows."""
        leg = self.leg
        while (place := self._marker()) is not None and place <= self.sent:
            leg.send(Checkpoint(leg.session, *leg.markers[self._told]))
            self._told += 1

    def _forget_markers(self) -> None:
        """A target that holds a write behind a marker has heard of the marker first."""
        leg = self.leg
        while leg.markers and leg.markers[0][0] < leg.confirmed:
            del leg.markers[0]
            self._told = max(0, self._told - 1)

    def _mark_end(self) -> None:
        """`ResyncEnd` leaves directly behind the write that completes the redo."""
        leg = self.leg
        if leg.end is not None and self.sent >= leg.end and not self._end_sent:
            self._end_sent = True
            leg.send(ResyncEnd(leg.session, leg.end))
