"""Sends the journal cycle by cycle: capture here, transmit when the previous one is applied, folded inside."""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import Floats, Ints, Kind, WriteBatch, concat
from drsim.blocks.fold import BLOCK, changed_blocks
from drsim.replication.actions import Noted, ReadJournal, Send
from drsim.replication.frames import Checkpoint, Data
from drsim.replication.journal import Absent
from drsim.replication.leg import Leg
from drsim.replication.policy import Closing
from drsim.replication.shipping import Shipper


class Cycles(Shipper):
    """One cycle is captured while at most one travels.

    A cycle closes at the time its `Closing` rule says (or sooner at its size), but never while the previous one
    has not been applied. It then covers everything taken so far, is recoverable as a whole, and is confirmed as
    a whole: until then the journal keeps it.

    Where the target has room for so much only (`SourceSettings.room`), a cycle travels in parts that fit, each one
    whole and an image, the next when the last has been applied.
    """

    def __init__(self, leg: Leg, rule: Closing) -> None:
        super().__init__(leg)
        self.rule = rule
        self.opened = 0.0
        """When the cycle being captured began."""
        self.closed = 0
        """Last seq of the newest closed cycle, or part of one."""
        self._goal = 0
        """Last seq of the cycle of which that is a part."""
        self._begin = 0
        """Where that part begins."""
        self.travelling = False
        self._closed_at = 0.0
        self._transfers: list[float] = []
        self._parts: list[WriteBatch] = []
        self._unsent = False
        self._last: int | None = None
        """Seq of the write that closes the cycle, because it comes when that is due."""

    def start(self, after: int) -> None:
        """Begin (again) behind ``after``: what the target has of a cycle it need not get again."""
        self.travelling = self._unsent = False
        self._parts = []
        self.closed = self._goal = self.leg.journal.trimmed
        super().start(after)
        self._mark_end()
        if self.leg.last > self.closed and (self.sent > self.closed or not self._ended()):
            self._close()  # What the target has in part, or needs to be whole again, does not wait.
        else:
            self._try_close()

    def stop(self) -> None:
        """The session is over; the cycle under way will be closed anew."""
        self._parts = []
        self.travelling = self._unsent = False
        super().stop()

    def pause(self, paused: bool) -> None:
        """The target has no room for another cycle, or has room again."""
        super().pause(paused)
        self._try_close()

    def admits(self, batch: WriteBatch) -> int:
        """Take writes up to the one that fills the cycle."""
        if self._overdue():
            # Writes of before it was due are of this cycle too; the first one since then is its last.
            first = int(batch.time.searchsorted(self._due_at(), side="left"))
            self._last = int(batch.seq[first]) if first < len(batch) else None
            return min(len(batch), first + 1)
        room = self.headroom()
        if room is None or batch.nbytes <= room:
            return len(batch)
        return min(len(batch), int(batch.spent.searchsorted(room, side="right")) + 1)

    def took(self) -> None:
        """Close when the cycle has its size, or was only waiting for a write."""
        if self.headroom() == 0 or (self._last is not None and self.leg.last >= self._last):
            self._close()

    def headroom(self) -> int | None:
        """Bytes left in the cycle, when its size (or its first write) may close it."""
        if not self._may_close():
            return None
        if self._overdue():
            return 0
        size = self.rule.bytes_limit
        return None if size is None else max(0, size - self._captured())

    def deadline(self) -> float | None:
        """When the cycle closes by time; None while the previous one, or a first write, must come first."""
        if not self._may_close() or self._overdue():
            return None
        return self._due_at()

    def due(self) -> None:
        """Time has passed."""
        self._try_close()

    def applied(self, seq: int) -> None:
        """The previous cycle is on the target's volumes: the next may close."""
        if not self.travelling or seq < self.closed:
            return
        self.travelling = False
        if self.closed >= self._goal:
            self._transfers = [*self._transfers[-14:], self.leg.now - self._closed_at]
        self._try_close()

    def durable(self, seq: Ints, at: Floats) -> None:
        """A closed cycle may have been waiting for its last writes to be durable."""
        del seq, at
        self.ship()

    def _ended(self) -> bool:
        return self.leg.end is None or self.sent >= self.leg.end

    def ship(self) -> None:
        """Send the closed cycle once it is whole: durable, and read back where it had left memory."""
        leg = self.leg
        if self.open and not self._unsent and not self.paused:
            self._send_markers()  # Of the place where the last cycle ended.
        if not self._unsent or not self.open or self.paused or self._reading:
            return
        if leg.durable < self.closed:
            return
        room = leg.settings.room
        first = max(self.sent, leg.journal.trimmed) if room is None else self._begin
        at = self._parts[-1].last if self._parts else first
        while at < self.closed:
            piece = leg.journal.piece(at, self.closed)
            if isinstance(piece, Absent):
                self._reading = True
                leg.out.append(ReadJournal(piece.first, piece.last))
                return
            assert piece is not None, "a closed cycle is in the journal"
            self._parts.append(piece)
            at = piece.last
        parts, self._parts = self._parts, []
        self._send(parts if room is None or not parts else [self._within(concat(parts), room)])

    def read_back(self, batch: WriteBatch) -> None:
        """A part of the cycle came back from the medium."""
        if self._reading:
            self._reading = False
            self._parts.append(batch)
            self.ship()

    def _send(self, parts: list[WriteBatch]) -> None:
        leg = self.leg
        rows, nbytes = sum(map(len, parts)), sum(part.nbytes for part in parts)
        if rows:
            kept = (changed_blocks if self.rule.folds else concat)(parts)
            if kept.nbytes < nbytes:
                leg.out.append(Noted("folded_bytes", nbytes - kept.nbytes, leg.now))
            leg.out.append(Noted("recovery_points_lost", rows - 1, leg.now))
            ready = np.full(len(kept), leg.now)
            leg.out.append(Send(Data(leg.session, kept, self.sent, folded=True), ready))
        self.sent, self._unsent = self.closed, False
        leg.send(Checkpoint(leg.session, self.closed))
        self._send_markers()
        self._mark_end()

    def _may_close(self) -> bool:
        return self.open and not self.travelling and not self.paused

    def _captured(self) -> int:
        return self.leg.journal.span(self.closed, self.leg.last)

    def _overdue(self) -> bool:
        """Whether the next write closes the cycle: it is time, nothing is in it, and the rule has no timetable."""
        waits = self._may_close() and not self.rule.on_grid and self.leg.last <= self.closed
        return waits and self._due_at() <= self.leg.now

    def _due_at(self) -> float:
        return self.rule.due(self.opened, self._transfers)

    def _try_close(self) -> None:
        if not self._may_close():
            return
        empty = self.leg.last <= self.closed
        size = self.rule.bytes_limit
        full = size is not None and not empty and self._captured() >= size
        begun = self.closed < self._goal
        if self._due_at() > self.leg.now and not full and not begun and self._ended():
            return  # But what an image needs to be whole again does not wait, nor does the rest of a cycle.
        if not empty:
            self._close()
        elif self.rule.on_grid:
            self.opened = self.leg.now

    def _close(self) -> None:
        leg = self.leg
        self._last = None
        if self.closed >= self._goal:
            self.opened = self._closed_at = leg.now
            marker = self._marker()  # A point that was asked for is the end of its cycle.
            self._goal = leg.last if marker is None or marker <= self.closed else max(marker, self.sent)
        self.closed = self._goal
        self._begin = leg.journal.trimmed
        if leg.settings.room is not None:  # No more is read than may travel.
            self.closed = min(
                self._goal, max(leg.journal.reach(self._begin, leg.settings.room), self.sent, self._begin + 1)
            )
        self.travelling, self._unsent = True, True
        self.ship()

    def _within(self, batch: WriteBatch, room: int) -> WriteBatch:
        """Give what travels of a cycle for which the target has ``room``: what was not sent, up to where that is full.

        A part that an earlier session sent had the same beginning, so it ended no later than this one; folding
        leaves less of both together than of the whole.
        """
        size = batch.room
        if self.rule.folds:
            blocks = (batch.stop - 1) // BLOCK - batch.offset // BLOCK + 1
            size = np.where(batch.kind == Kind.WRITE, blocks * BLOCK, size)
        rows = int(np.searchsorted(np.cumsum(size), room, side="right"))
        least = max(int(np.searchsorted(batch.seq, self.sent, side="right")), 1)
        batch = batch.slice(0, max(rows, least))
        self.closed = batch.last
        return batch.after(self.sent)
