"""The ordered way through a target: receive, stage, declare recoverable, destage."""

from __future__ import annotations

import math

import numpy as np

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.blocks.extents import written
from drsim.replication.actions import (
    AppendStaging,
    CutStaging,
    Disconnect,
    Noted,
    ReadStaging,
    Recoverable,
    Send,
    TrimStaging,
    WriteBlocks,
)
from drsim.replication.frames import Ack, Applied, Checkpoint, Data, Pause, Proceed
from drsim.replication.history import History
from drsim.replication.journal import Absent, Journal
from drsim.replication.leg import rows_at
from drsim.replication.states import Target
from drsim.replication.target_leg import TargetLeg


class Staging:
    """Staged writes, from the first not yet on the volumes.

    A folded cycle is kept back until its checkpoint has come and all of it is durable; then it is recoverable,
    confirmed and destaged as a whole.
    """

    def __init__(self, leg: TargetLeg) -> None:
        self.leg = leg
        self.store = Journal(None, leg.settings.resident, 4096)
        self.history = History(leg.settings.history, leg.settings.size)
        self._checkpoint: int | None = None
        self._names: list[str] = []
        """Markers of the place where the checkpoint is."""
        self._applied: int | None = None
        """A cycle's end whose arrival on the volumes is to be told."""
        self._reading = False
        self._paused = False

    @property
    def between(self) -> bool:
        """The volumes, once all that was issued is on them, hold one point of the order."""
        return self.leg.cycle_at(self.leg.issued) is None

    def is_point(self, seq: int) -> bool:
        """Whether the order has a point there, or a folded cycle runs over it."""
        return self.leg.cycle_at(seq) is None

    def point_before(self, seq: int) -> int:
        """Give the newest point of the order that is not beyond a place."""
        cycle = self.leg.cycle_at(seq)
        return seq if cycle is None else cycle[0]

    @property
    def quiet(self) -> bool:
        """Nothing received is under way to stable media."""
        return self.leg.staged == self.leg.received

    def data(self, frame: Data, at: Floats) -> None:
        """Writes came: drop what is known, refuse a gap, stage the rest."""
        leg, batch = self.leg, frame.batch
        if frame.previous != leg.received:
            if frame.previous > leg.received:
                leg.out.append(Disconnect("gap in the order"))
                return
            known = int(np.searchsorted(batch.seq, leg.received, side="right"))
            batch, at = batch.slice(known, len(batch)), at[known:]
            if not len(batch):
                return
        if frame.folded and leg.open is None:
            leg.open = leg.received
            leg.save()
        leg.received = batch.last
        if leg.state is Target.INCONSISTENT:
            leg.dirt.add(written(batch))
        self.store.append(batch)
        leg.out.append(AppendStaging(batch, at, frame.folded))
        self._press()

    def durable(self, seq: Ints, at: Floats) -> None:
        """The staging medium holds more."""
        leg = self.leg
        through = int(seq[-1])
        assert through <= leg.received, "staging holds what was never received"
        if through <= leg.staged:
            return
        leg.staged = through
        if leg.open is None:
            if leg.state is Target.FOLLOWING:
                leg.out.append(Recoverable(seq, at))
            if leg.session:
                leg.out.append(Send(Ack(leg.session, seq), at))
            self.destage(seq, at)
        else:
            self._complete(float(at[-1]))
        if leg.settings.resident is not None:
            self.store.evict(leg.staged)

    def checkpoint(self, frame: Checkpoint) -> None:
        """A cycle is whole, or an application marked a point."""
        leg = self.leg
        if leg.open is None or frame.seq <= leg.open:
            # In mid-cycle too a marker of before may be told again.
            if frame.name:
                leg.mark(frame.seq, [frame.name], there=self.is_point(frame.seq))
            if frame.seq <= leg.written:
                leg.send(Applied(leg.session, frame.seq))
            else:
                self._applied = max(frame.seq, self._applied or 0)
            return
        self._checkpoint = frame.seq
        self._names += [frame.name] if frame.name else []
        self._complete(leg.now)

    def ripen(self) -> None:
        """What has grown old enough since the last step went at its own instant, where that is told late."""
        if self.leg.late:
            self.destage(late=True)

    def destage(self, seq: Ints | None = None, at: Floats | None = None, *, late: bool = False) -> None:
        """Give the volumes what may go there, in order.

        Where age and room contest, only what is old at the last fact: others may follow that fill the room before now.
        """
        leg = self.leg
        known = leg.now if at is None or not self.history.contested else float(at[-1])
        while not self._reading and (not leg.frozen or not self.between):
            limit = self._limit(known)
            piece = self.store.piece(leg.issued, limit)
            if piece is None:
                return
            if leg.keeping and limit > leg.whole and (leg.cycles or leg.point is not None):
                leg.whole = limit
                leg.save()
            if isinstance(piece, Absent):
                self._reading = True
                leg.out.append(ReadStaging(piece.first, piece.last))
                return
            own = np.minimum(piece.time + self.history.delay, leg.now) if late else None
            self._write(piece, self._ready(piece, seq, at) if own is None else own)

    def read_back(self, batch: WriteBatch) -> None:
        """Staged writes came back from the medium."""
        if not self._reading:
            return
        self._reading = False
        batch = batch.after(self.leg.issued).through(self._limit(self.leg.now))
        if len(batch) and (not self.leg.frozen or not self.between):
            self._write(batch, np.full(len(batch), self.leg.now))
        self.destage()

    def written(self, seq: Ints) -> None:
        """The volumes hold more."""
        leg = self.leg
        leg.written = int(seq[-1])
        self.store.trim(leg.written)
        leg.marks = [mark for mark in leg.marks if mark[0] >= leg.written] if leg.marks else leg.marks
        while leg.cycles and leg.cycles[0][1] <= leg.written:
            del leg.cycles[0]
        leg.out.append(TrimStaging(leg.written))
        if self._applied is not None and leg.written >= self._applied:
            leg.send(Applied(leg.session, self._applied))
            self._applied = None
        self._relieve()
        if self._paused:
            self.destage()  # What has left memory counts as long as any of it is there: more of it may have to go.

    def session_over(self) -> None:
        """A checkpoint that was waiting for its rows will be sent again."""
        self._checkpoint = None
        self._names.clear()
        self._paused = False

    def cut(self, after: int) -> None:
        """Forget staged writes beyond ``after``; nothing may be under way."""
        leg = self.leg
        if leg.staged > after:
            assert self.quiet
            if leg.promoting:
                self.store.mark_beyond(after, leg.dirt)  # The old source was told we have these.
            leg.out.append(CutStaging(after))
            self.store.cut(after)
            leg.received = leg.staged = after
        leg.open = self._checkpoint = None

    def restart(self, base: int) -> None:
        """The order goes on at ``base + 1``; staging is empty."""
        leg = self.leg
        self.store.restart(base)
        leg.received = leg.staged = leg.issued = leg.written = base
        self._applied = None
        self.leg.cycles.clear()
        leg.whole = 0
        leg.marks.clear()

    def deadline(self) -> float | None:
        """Give when `destage` must be told that time has passed."""
        return None if self.leg.late else self.expiry()

    def expiry(self) -> float | None:
        """Give when the next write may go to the volumes, if it is held back by age; one yet to be written as well."""
        if not self.leg.keeping or self._reading or self.leg.frozen:
            return None
        if self.leg.issued >= self.leg.held:
            return self.leg.now + self.history.delay if self.history.contested else None
        # A cycle goes whole, when its last write is old enough.
        last = next((b for a, b in self.leg.cycles if a <= self.leg.issued < b), self.leg.issued + 1)
        oldest = self.store.time_after(last - 1)
        due = math.inf if oldest is None else oldest + self.history.delay
        return None if due == math.inf else due

    def headroom(self) -> int | None:
        """Give the bytes that may be received before the source must be told to pause."""
        size = self.leg.settings.size
        return None if size is None or self._paused else max(0, size - self.store.nbytes)

    def waiting(self) -> bool:
        """Say whether the next completion decides something; so does the first write that age and room contest for."""
        first = self.history.contested and self.leg.keeping and self.leg.issued >= self.leg.held
        return first or self._checkpoint is not None or self._applied is not None or self._paused

    def _complete(self, at: float) -> None:
        """The whole cycle is durable: it is an image now."""
        leg, seq = self.leg, self._checkpoint
        if seq is None or leg.staged < seq:
            return
        leg.cycles.append((leg.held, seq))
        self._checkpoint, leg.open = None, None
        if not self.leg.keeping:
            leg.whole = seq
        leg.mark(seq, self._names)
        self._names = []
        leg.save()
        when = np.array([at])
        if leg.state is Target.FOLLOWING:
            leg.out.append(Recoverable(np.array([seq]), when))
        leg.send(Ack(leg.session, np.array([seq])), when)
        if leg.keeping or not leg.settings.destage:
            leg.send(Applied(leg.session, seq))  # What is kept back on purpose holds no cycle up.
        else:
            self._applied = seq
        self.destage()

    def _limit(self, now: float) -> int:
        """Give the seq through which writes may go to the volumes, by their age at ``now``."""
        leg = self.leg
        begun = self.leg.cycle_at(leg.issued)
        if begun is not None:
            return begun[1]
        if leg.point is not None:
            return leg.point
        if not leg.settings.destage:
            return leg.issued
        if not self.leg.keeping:
            return leg.held
        limit = self.point_before(self.history.aged(self.store, leg.issued, now))
        crowded = self.history.crowded(self.store, leg.held)
        if crowded is not None:
            cycle = self.leg.cycle_at(crowded)
            limit = max(limit, crowded if cycle is None else cycle[1])
        return min(leg.held, limit)

    def _ready(self, batch: WriteBatch, seq: Ints | None, at: Floats | None) -> Floats:
        """Give when each write may go to the volumes: when it is durable, and no longer kept back."""
        if seq is None or at is None:
            return np.full(len(batch), self.leg.now)
        durable = rows_at(batch, seq, at)
        if not self.leg.keeping:
            return durable
        kept: Floats = np.minimum(self.history.leaving(self.store, batch, seq, at), self.leg.now)
        return np.maximum(durable, kept)

    def _write(self, batch: WriteBatch, ready: Floats) -> None:
        self.leg.issued = batch.last
        self.leg.out.append(WriteBlocks(self.leg.ticket(), batch, ready))

    def _press(self) -> None:
        """Staging is full: the source must wait."""
        size = self.leg.settings.size
        if size is not None and not self._paused and self.store.nbytes > size:
            self._paused = True
            self.leg.out.append(Noted("staging_overflows", 1, self.leg.now))
            self.leg.send(Pause(self.leg.session))

    def _relieve(self) -> None:
        size = self.leg.settings.size
        if size is not None and self._paused and self.store.nbytes <= size // 2:
            self._paused = False
            self.leg.send(Proceed(self.leg.session))
