"""The unordered copy of a resync: dirty extents go once, in slices; bits fall only when confirmed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drsim.blocks.batch import WriteBatch
from drsim.blocks.bitmap import Bitmap
from drsim.blocks.digest import digests
from drsim.blocks.extents import Extents
from drsim.replication.actions import Disconnect, MarkDirty, Noted, ReadBlocks, Send
from drsim.replication.bounds import clipped
from drsim.replication.events import BlocksRead
from drsim.replication.frames import Differ, Hashes, Resync, ResyncAck, ResyncBegin
from drsim.replication.leg import Leg
from drsim.replication.pacing import Pacing


@dataclass(slots=True)
class Flight:
    """One slice on its way: dirty until the target has confirmed every row of it."""

    bits: Bitmap
    round: int
    """Which time through the volumes: slices of one have no bit in common."""
    runs: Extents
    """All of its bits, also beyond the end of a volume."""
    extents: Extents
    nbytes: int
    asked: float
    flying: int
    """Bytes on their way when it was asked for, its own among them."""
    rows: int | None = None
    """Rows still unconfirmed; None until they were sent."""
    batch: WriteBatch | None = None
    """Content kept while its hashes are being compared."""


class Copy:
    """A pass over the dirty bitmap.

    The bits of a slice on its way are out of ``leg.dirty`` but persist on the medium; a disconnect puts them
    back. When the policy says so the pass begins with a chase: host writes are only marked until little is left.
    """

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.pacing = Pacing(leg.settings.resync)
        self.active = False
        """A pass was asked for and is not complete."""
        self.base = 0
        """Seq at which the order restarts."""
        self.flying = 0
        """Bytes that were taken from the bitmap and are not confirmed yet."""
        self._ready = False
        self._flights: dict[int, Flight] = {}
        self._ticket = 0
        self._round = 0
        self._cursor: dict[int, int] = {}
        self._turn = 0
        self._copied = self._left = 0

    @property
    def done(self) -> bool:
        """Nothing is left to copy or to be confirmed."""
        return self._ready and not self._flights and not self.leg.dirty and not self.leg.chasing

    def under_way(self) -> Bitmap:
        """Give what is on its way."""
        flying = Bitmap(self.leg.settings.granularity)
        for flight in self._flights.values():
            flying.mark(flight.extents)
        return flying

    def begin(self) -> None:
        """Ask the target to make ready; the order restarts after the present last write."""
        leg = self.leg
        assert not leg.journal.nbytes, "what is journalled must be marked before the order restarts"
        leg.journal.restart(leg.last)
        leg.durable = leg.last
        leg.chasing = not self._near()
        leg.save()
        self.active, self._ready, self.base = True, False, leg.last
        self._copied, self._left = 0, leg.dirty.nbytes
        leg.send(ResyncBegin(leg.session, self.base))

    def ready(self, base: int) -> None:
        """The target is ready for the pass that began at ``base``."""
        if self.active and base == self.base:
            self._ready = True
            self.pump()

    def due(self) -> None:
        """Time has passed: the rate limit may allow more."""
        if self.active:
            self.pump()

    def deadline(self) -> float | None:
        """Give the time by which `due` must be called."""
        due = self.pacing.deadline(self.flying) if self.active and self._ready else None
        return due if due is not None and self.leg.dirty else None

    def pump(self) -> None:
        """Read slices while the window has room; end the chase when little is left."""
        leg = self.leg
        if leg.chasing and self._ready and self._near():
            self.begin()
            return
        while self._ready:
            room = self.pacing.room(self.flying, leg.now)
            bits = self._next(room) if room else None
            if not bits:
                return
            runs = bits.extents()
            extents = clipped(runs, leg.settings.volumes).split(leg.settings.resync.row)
            self._ticket += 1
            nbytes = extents.nbytes
            self.flying += nbytes
            self._flights[self._ticket] = Flight(
                bits, self._round, runs, extents, nbytes, leg.now, self.flying
            )
            self.pacing.sent(nbytes, leg.now)
            leg.out.append(ReadBlocks(self._ticket, extents))

    def read(self, event: BlocksRead) -> None:
        """Blocks were read: send them, or their hashes first, unless the session is over."""
        flight = self._flights.get(event.ticket)
        if flight is None:
            return
        assert len(event.batch) == len(flight.extents), "one row an extent was asked for"
        if self.leg.settings.resync.checksum:
            flight.batch = event.batch
            self.leg.send(Hashes(self.leg.session, event.ticket, flight.extents, digests(event.batch), 0))
        else:
            self._send(event.ticket, flight, event.batch)

    def differ(self, frame: Differ) -> None:
        """The target compared: only what differs travels."""
        flight = self._flights.get(frame.ticket)
        if flight is None or flight.batch is None or len(frame.rows) != len(flight.batch):
            return
        batch = flight.batch.take(np.flatnonzero(frame.rows))
        self.leg.out.append(Noted("matched_bytes", flight.nbytes - int(batch.length.sum()), self.leg.now))
        flight.batch = None
        if len(batch):
            self._send(frame.ticket, flight, batch)
        else:
            self._land(frame.ticket, flight)

    def confirmed(self, frame: ResyncAck) -> None:
        """The target durably holds more rows of a slice; with the last of them its bits fall."""
        flight = self._flights.get(frame.ticket)
        if flight is None or flight.rows is None:
            return
        if frame.rows > flight.rows:
            self.leg.out.append(Disconnect("more rows were confirmed than sent"))
            return
        flight.rows -= frame.rows
        if flight.rows == 0:
            self._land(frame.ticket, flight)

    def abort(self) -> None:
        """The session is over: what was on its way is dirty as before."""
        for flight in self._flights.values():
            self.leg.dirty.mark(flight.extents)
        self._flights.clear()
        self.flying = 0
        self.active = self._ready = self.leg.chasing = False
        self.leg.end = None

    def _send(self, ticket: int, flight: Flight, batch: WriteBatch) -> None:
        leg = self.leg
        flight.rows = len(batch)
        leg.out.append(Send(Resync(leg.session, ticket, batch), np.maximum(batch.time, flight.asked)))
        leg.out.append(Noted("resync_bytes", batch.nbytes, leg.now))

    def _land(self, ticket: int, flight: Flight) -> None:
        del self._flights[ticket]
        self.flying -= flight.nbytes
        self.pacing.confirmed(self.leg.now - flight.asked, flight.flying)
        self._clean(flight)
        self._copied += flight.nbytes
        self._judge()
        self.pump()

    def _judge(self) -> None:
        """Once as much was copied as was left at the last look: is less left now? If not, say so."""
        if self._copied < self._left or not self.leg.dirty:
            return
        left = self.leg.dirty.nbytes + self.flying
        if left >= self._left:
            # Writes dirty blocks at least as fast as the link carries them away.
            self.leg.out.append(Noted("resync_not_converging: writes outrun the copy", left, self.leg.now))
        self._copied, self._left = 0, left

    def _near(self) -> bool:
        """Whether so little is left to copy that host writes should be journalled from now on."""
        limit = self.leg.settings.on_full.chase_until(self.leg.settings.size)
        if limit:  # Less than one granule can never be left.
            limit = max(limit, self.leg.settings.granularity)
        return limit is None or self.leg.dirty.nbytes + self.flying <= limit

    def _clean(self, landed: Flight) -> None:
        """Persist that the granules of a slice are clean, but for those that became dirty again meanwhile."""
        clean = landed.bits
        others = [self.leg.dirty, *(f.bits for f in self._flights.values() if f.round != landed.round)]
        again = [bits for bits in others if clean.meets(bits)]
        for bits in again:
            clean.subtract(bits)
        if clean:
            self.leg.out.append(MarkDirty(clean.extents() if again else landed.runs, dirty=False))

    def _next(self, limit: int) -> Bitmap | None:
        """Take the next slice: on through a volume and round, one volume after another or in turn."""
        dirty, resync = self.leg.dirty, self.leg.settings.resync
        volumes = dirty.volumes()
        if not volumes:
            return None
        if resync.volumes == "side by side":
            self._turn += 1
        volume = volumes[self._turn % len(volumes)]
        found = dirty.pop(limit, volume, self._cursor.get(volume, 0))
        if not found:
            self._round += 1
            found = dirty.pop(limit, volume, 0)
        self._cursor[volume] = found.end(volume)
        return found
