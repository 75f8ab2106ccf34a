"""Online verify: hashes of all blocks are compared while hosts write on; what hosts touch meanwhile does not count."""

from __future__ import annotations

import numpy as np

from drsim.blocks.bitmap import Bitmap
from drsim.blocks.digest import comparable, digests
from drsim.blocks.extents import Extents, written
from drsim.replication.actions import Noted, ReadBlocks
from drsim.replication.events import BlocksRead
from drsim.replication.frames import Differ, Hashes
from drsim.replication.leg import Leg
from drsim.replication.states import Source

TICKETS = 1 << 62
"""Tickets from here on are verify's, so that a copy's answers are never taken for them."""


class Verify:
    """One slice at a time through every volume.

    A row that differs is a difference only if no write touched it from before it was read until the answer came
    (DRBD calls the rest false positives). What was found stays in ``leg.suspect`` until ``repair`` copies it.
    """

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.running = False
        self._ticket = TICKETS
        self._place = (0, 0)
        self._asked: Extents | None = None
        self._found = 0

    def start(self) -> None:
        """Begin at the first block."""
        self.running, self._place, self._found = True, (0, 0), 0
        self.leg.suspect.reset()
        self._next()

    def stop(self) -> None:
        """The session is over; so is the verify, with what it found so far."""
        self.running = False
        self._asked = self.leg.touched = None

    def read(self, event: BlocksRead) -> None:
        """The slice was read: send its hashes."""
        if not self._on() or event.ticket != self._ticket or self._asked is None:
            return
        if not comparable(event.batch):
            self.leg.out.append(Noted("verify refused: this world has no content", 1, self.leg.now))
            self.stop()
            return
        self.leg.send(
            Hashes(self.leg.session, self._ticket, self._asked, digests(event.batch), self.leg.last)
        )

    def differ(self, frame: Differ) -> None:
        """The target answered: keep what differs and nobody touched."""
        leg = self.leg
        if not self._on() or frame.ticket != self._ticket or self._asked is None or leg.touched is None:
            return
        rows = list(self._asked.rows())
        for i in np.flatnonzero(frame.rows).tolist():
            volume, start, stop = rows[i]
            if not leg.touched.touches(volume, start, stop):
                leg.suspect.mark(Extents(*(np.array([x], t) for x, t in zip(rows[i], "Hqq", strict=True))))
                self._found += stop - start
        self._next()

    def _on(self) -> bool:
        """A verify ends when order is lost: the copy makes the two equal anyway."""
        if self.running and self.leg.state is not Source.STREAMING:
            self.leg.out.append(Noted("verify given up: order was lost", 1, self.leg.now))
            self.stop()
        return self.running

    def _next(self) -> None:
        """Ask for the next slice, or report."""
        leg = self.leg
        volume, start = self._place
        sizes = leg.settings.volumes
        while volume < len(sizes) and start >= sizes[volume]:
            volume, start = volume + 1, 0
        if volume == len(sizes):
            leg.out.append(Noted("verify_mismatched_bytes", self._found, leg.now))
            self.stop()
            return
        stop = min(start + leg.settings.resync.slice, sizes[volume])
        self._place = (volume, stop)
        columns = np.array([volume], np.uint16), np.array([start]), np.array([stop])
        self._asked = Extents(*columns).split(leg.settings.resync.granularity)
        self._ticket += 1
        leg.touched = Bitmap(leg.settings.granularity)
        # A write told and not yet acknowledged may reach the volume only after it was read.
        leg.journal.mark_beyond(leg.acknowledged, leg.touched)
        if leg.held is not None:  # So may one that waits for room in the journal.
            leg.touched.mark(written(leg.held))
        leg.out.append(ReadBlocks(self._ticket, self._asked))
