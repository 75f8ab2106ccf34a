"""The unordered copy of a resync: dirty extents go once, in windowed slices; bits fall only when confirmed."""

from __future__ import annotations

from dataclasses import dataclass

from drsim.blocks.bitmap import Bitmap
from drsim.blocks.extents import Extents
from drsim.replication.actions import MarkDirty, Noted, ReadBlocks, Send
from drsim.replication.events import BlocksRead
from drsim.replication.frames import Resync, ResyncAck, ResyncBegin
from drsim.replication.leg import Leg


@dataclass(slots=True)
class Flight:
    """One slice on its way: dirty until the target has confirmed every row of it."""

    extents: Extents
    nbytes: int
    rows: int | None = None
    """Rows still unconfirmed; None until the blocks were read."""


class Copy:
    """A pass over the dirty bitmap, block after block, volume after volume.

    The bits of a slice on its way are out of ``leg.dirty`` but persist on the medium; a disconnect puts them back.
    """

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.active = False
        """A pass was asked for and is not complete."""
        self.base = 0
        """Seq at which the order restarts."""
        self._ready = False
        self._flights: dict[int, Flight] = {}
        self._ticket = 0
        self._cursor = (0, 0)

    @property
    def done(self) -> bool:
        """Nothing is left to copy or to be confirmed."""
        return self._ready and not self._flights and not self.leg.dirty

    def begin(self) -> None:
        """Ask the target to make ready; the order restarts after the present last write."""
        leg = self.leg
        assert not leg.journal.nbytes, "what is journalled must be marked before the order restarts"
        leg.journal.restart(leg.last)
        leg.durable = leg.last
        self.active, self._ready, self.base = True, False, leg.last
        leg.send(ResyncBegin(leg.session, self.base))

    def ready(self, base: int) -> None:
        """The target is ready for the pass that began at ``base``."""
        if self.active and base == self.base:
            self._ready = True
            self.pump()

    def pump(self) -> None:
        """Read slices while the window has room."""
        leg, resync = self.leg, self.leg.settings.resync
        flying = sum(f.nbytes for f in self._flights.values())
        while self._ready and flying < resync.window:
            extents = self._next(min(resync.slice, resync.window - flying))
            if not len(extents):
                return
            self._ticket += 1
            nbytes = extents.nbytes
            self._flights[self._ticket] = Flight(extents, nbytes)
            flying += nbytes
            leg.out.append(ReadBlocks(self._ticket, extents))

    def read(self, event: BlocksRead) -> None:
        """Blocks were read: send them, unless the session they were meant for is over."""
        flight = self._flights.get(event.ticket)
        if flight is None:
            return
        leg, batch = self.leg, event.batch
        assert len(batch) == len(flight.extents), "one row an extent was asked for"
        flight.rows = len(batch)
        leg.out.append(Send(Resync(leg.session, event.ticket, batch), batch.time))
        leg.out.append(Noted("resync_bytes", batch.nbytes, leg.now))

    def confirmed(self, frame: ResyncAck) -> None:
        """The target durably holds more rows of a slice; with the last of them its bits fall."""
        flight = self._flights.get(frame.ticket)
        if flight is None or flight.rows is None:
            return
        flight.rows -= frame.rows
        assert flight.rows >= 0, "more rows were confirmed than sent"
        if flight.rows == 0:
            del self._flights[frame.ticket]
            self._clean(flight.extents)
        self.pump()

    def abort(self) -> None:
        """The session is over: what was on its way is dirty as before."""
        for flight in self._flights.values():
            self.leg.dirty.mark(flight.extents)
        self._flights.clear()
        self.active = self._ready = False
        self.leg.end = None

    def _clean(self, extents: Extents) -> None:
        """Persist that these granules are clean, but for those that became dirty again meanwhile."""
        clean = Bitmap(self.leg.settings.granularity)
        clean.mark(extents)
        clean.subtract(self.leg.dirty)
        for flight in self._flights.values():
            again = Bitmap(self.leg.settings.granularity)
            again.mark(flight.extents)
            clean.subtract(again)
        if clean:
            self.leg.out.append(MarkDirty(clean.extents(), dirty=False))

    def _next(self, limit: int) -> Extents:
        """Take the next slice at or after the cursor, going round once."""
        dirty = self.leg.dirty
        volumes = dirty.volumes()
        volume, start = self._cursor
        order = [v for v in volumes if v >= volume] + [v for v in volumes if v < volume]
        for v in [*order, *order[:1]]:
            found = dirty.pop(limit, v, start if v == volume else 0)
            if len(found):
                self._cursor = (v, int(found.stop[-1]))
                return found.split(self.leg.settings.resync.row)
            start = 0
        return dirty.pop(0, 0, 0)
