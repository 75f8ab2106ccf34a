"""The source engine: one group's writes to one target, through every state. Events in, actions out."""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.blocks.bitmap import Bitmap
from drsim.blocks.extents import Extents, of, written
from drsim.replication.actions import (
    Acknowledge,
    Action,
    AppendJournal,
    MarkDirty,
    SaveHeader,
    TrimJournal,
)
from drsim.replication.events import (
    BlocksRead,
    Command,
    Due,
    Event,
    HostWrites,
    JournalDurable,
    JournalRead,
    LinkDown,
    LinkUp,
    Received,
)
from drsim.replication.frames import Ack, Frame, Hello, Ready, Regained, ResyncAck, Welcome
from drsim.replication.headers import SourceHeader
from drsim.replication.leg import Leg
from drsim.replication.resync import Copy
from drsim.replication.settings import SourceSettings
from drsim.replication.states import Cause, Source
from drsim.replication.stream import Stream


class SourceEngine:
    """One leg's source.

    The world tells every host write of the group to every leg (`HostWrites`; the columns are shared), performs
    the actions in order, and promises that no write costing more than `headroom` is told together with others,
    that `Due` comes at `deadline`, and that facts come one by one while `waiting`.
    """

    def __init__(self, settings: SourceSettings) -> None:
        self.leg = Leg(settings)
        self.stream = Stream(self.leg)
        self.copy = Copy(self.leg)
        if not settings.in_sync:
            self.leg.state = Source.TRACKING
            self.leg.dirty.mark(_all(settings))

    @property
    def state(self) -> Source:
        """Where this leg stands."""
        return self.leg.state

    def deadline(self) -> float | None:
        """Give the time by which `Due` must come, None if nothing waits for time."""
        return None

    def headroom(self) -> int | None:
        """Give the bytes (`WriteBatch.spent`) that may be told before behaviour changes; None for no limit."""
        if self.leg.state is Source.TRACKING:
            return None
        return self.leg.settings.on_full.headroom(self)

    def waiting(self) -> bool:
        """Say whether the very next acknowledgement is needed at once."""
        return self.leg.settings.on_full.waiting(self) or self.stream.waiting()

    def step(self, event: Event, now: float) -> list[Action]:
        """Take one event; give what must be done, in order. No time in the event is later than ``now``."""
        leg = self.leg
        leg.now = now
        out: list[Action] = []
        leg.out = out
        if not leg.boot:
            self._start()
        match event:
            case HostWrites(batch):
                self._write(batch)
            case JournalDurable(seq, at):
                self._durable(seq, at)
            case Received(frame, _):
                self._receive(frame)
            case BlocksRead():
                self.copy.read(event)
            case JournalRead(batch):
                self.stream.read_back(batch)
            case LinkUp():
                self._link_up()
            case LinkDown():
                self._link_down()
            case Command(verb):
                self._command(verb)
            case Due():
                pass
            case _:
                raise TypeError(f"a source does not take {type(event).__name__}")
        return out

    def _start(self) -> None:
        """On the first step of a life: say durably what it starts from."""
        leg = self.leg
        leg.boot = 1
        leg.session = leg.boot << 32
        if leg.dirty:
            leg.out.append(MarkDirty(leg.dirty.extents(), dirty=True))
        self._save(ordered=leg.state is Source.BUFFERING)

    # Host writes.

    def _write(self, batch: WriteBatch) -> None:
        leg = self.leg
        assert batch.first == leg.last + 1, "host writes must continue the group's order"
        while len(batch):
            if leg.state is Source.TRACKING:
                self._track(batch)
                return
            count = leg.journal.fits(batch)
            if count == len(batch):
                self._append(batch)
                return
            if count:
                self._append(batch.slice(0, count))
                batch = batch.slice(count, len(batch))
            before = leg.last
            leg.settings.on_full.full(self, batch)
            if leg.last == before:
                return
            batch = batch.after(leg.last)

    def admits(self, batch: WriteBatch) -> int:
        """Say how many leading writes can be taken now."""
        return len(batch) if self.leg.state is Source.TRACKING else self.leg.journal.fits(batch)

    def admit(self, batch: WriteBatch) -> None:
        """Take writes that were held and can be taken now."""
        if self.leg.state is Source.TRACKING:
            self._track(batch)
        else:
            self._append(batch)

    def _append(self, batch: WriteBatch) -> None:
        leg = self.leg
        leg.journal.append(batch)
        leg.last = batch.last
        leg.out.append(AppendJournal(batch))
        leg.settings.on_full.filled(self)

    def _track(self, batch: WriteBatch) -> None:
        """Order is lost: remember where, then acknowledge."""
        leg = self.leg
        leg.last = batch.last
        extents = written(batch)
        if leg.dirty.mark(extents):
            leg.out.append(MarkDirty(extents, dirty=True))
        leg.acknowledged = batch.last
        leg.out.append(Acknowledge(batch.seq, batch.time))

    def _durable(self, seq: Ints, at: Floats) -> None:
        leg = self.leg
        through = int(seq[-1])
        if through <= leg.journal.trimmed:
            return  # Order was lost meanwhile: the bitmap has these, and hosts know.
        leg.durable = through
        if through > leg.acknowledged:
            if seq[0] <= leg.acknowledged:
                fresh = int(np.searchsorted(seq, leg.acknowledged, side="right"))
                seq, at = seq[fresh:], at[fresh:]
            leg.acknowledged = through
            leg.out.append(Acknowledge(seq, at))
        self.stream.durable(seq, at)
        if leg.journal.resident is not None:
            leg.journal.evict(leg.durable)

    # The peer.

    def _receive(self, frame: Frame) -> None:
        leg = self.leg
        if frame.session != leg.session or not leg.link:
            return  # Nothing of an earlier session counts.
        match frame:
            case Ack(_, seq):
                self._acked(int(seq[-1]))
            case Welcome():
                self._welcome(frame)
            case Ready(_, base):
                self.copy.ready(base)
                self._copied()
            case ResyncAck():
                self.copy.confirmed(frame)
                self._copied()
            case Regained(_, seq):
                self._regained(seq)
            case _:
                pass

    def _acked(self, through: int) -> None:
        leg = self.leg
        if through <= leg.confirmed or through > leg.last:
            return
        leg.confirmed = through
        if leg.journal.trim(min(through, leg.durable)):
            leg.out.append(TrimJournal(leg.journal.trimmed))
            leg.settings.on_full.eased(self)
        self.stream.confirmed()

    def _link_up(self) -> None:
        leg = self.leg
        if leg.link:
            self._link_down()
        leg.link = True
        if not leg.suspended:
            self._hello()

    def _hello(self) -> None:
        leg = self.leg
        leg.session += 1
        ordered = leg.state is Source.BUFFERING
        leg.send(
            Hello(leg.session, leg.settings.group, leg.lineage, leg.journal.trimmed + 1, leg.last, ordered)
        )

    def _welcome(self, frame: Welcome) -> None:
        leg = self.leg
        if leg.welcomed:
            return
        leg.welcomed = True
        known = max(leg.confirmed, leg.journal.trimmed) <= frame.held <= leg.last and frame.consistent
        if leg.state is Source.BUFFERING and not known:
            self._target_lacks()
            leg.become(Cause.TARGET_LACKS)
            leg.settings.on_full.eased(self)
        elif leg.state is Source.TRACKING and frame.held < leg.confirmed:
            self._target_lacks()
        leg.become(Cause.WELCOMED)
        if leg.state is Source.STREAMING:
            self._acked(frame.held)
            self.stream.start(frame.held)
        else:
            self.copy.begin()

    def _target_lacks(self) -> None:
        """What the target confirmed is gone there, or it never was seeded: everything may differ."""
        leg = self.leg
        everything = _all(leg.settings)
        leg.dirty.mark(everything)
        self._dirty_journal(everything)

    def _link_down(self) -> None:
        leg = self.leg
        leg.link = leg.welcomed = False
        self.stream.stop()
        if leg.state is Source.STREAMING:
            leg.become(Cause.LINK_DOWN)
        elif leg.state is Source.RESYNCING:
            self.copy.abort()
            self._dirty_journal()
            leg.become(Cause.LINK_DOWN)
            leg.settings.on_full.eased(self)

    # Order lost and regained.

    def lose_order(self, rest: WriteBatch, cause: Cause) -> None:
        """Turn the journal and the first write of ``rest`` into dirty bits, at that write's time."""
        leg = self.leg
        extents = written(rest.slice(0, 1))
        leg.dirty.mark(extents)
        leg.last = int(rest.seq[0])
        at = float(rest.time[0])
        self._dirty_journal(extents, at)
        if leg.state is Source.RESYNCING and cause is Cause.JOURNAL_FULL:
            cause = Cause.JOURNAL_FULL_AGAIN
        leg.become(cause, at)
        self.stream.stop()
        leg.end = None
        if cause is Cause.SUSPENDED:
            leg.suspended, leg.welcomed = True, False
            self.copy.abort()
        elif leg.state is Source.RESYNCING:
            self.copy.begin()

    def _dirty_journal(self, more: Extents | None = None, at: float | None = None) -> None:
        """Persist that all unconfirmed writes are dirty, acknowledge those still waiting, forget the order."""
        leg = self.leg
        fresh = Bitmap(leg.settings.granularity)
        if more is not None:
            fresh.mark(more)
        leg.journal.mark_into(fresh)
        leg.dirty.merge(fresh)
        if fresh:
            leg.out.append(MarkDirty(fresh.extents(), dirty=True))
        self._save(ordered=False)
        leg.out.append(TrimJournal(leg.last))
        leg.journal.restart(leg.last)
        leg.durable = leg.last
        if leg.acknowledged < leg.last:
            leg.acknowledged = leg.last
            leg.out.append(Acknowledge(np.array([leg.last]), np.array([leg.now if at is None else at])))

    def _copied(self) -> None:
        """When the copy is complete, redo what was journalled; past the copy's last read order is whole."""
        leg = self.leg
        if leg.state is Source.RESYNCING and self.copy.active and self.copy.done:
            self.copy.active = False
            leg.end = leg.last
            self.stream.start(leg.journal.trimmed)

    def _regained(self, seq: int) -> None:
        leg = self.leg
        if leg.state is not Source.RESYNCING or leg.end is None or seq < leg.end:
            return  # A pass that was given up meanwhile.
        leg.end = None
        self._save(ordered=True)
        leg.become(Cause.REGAINED)

    def _save(self, *, ordered: bool) -> None:
        leg = self.leg
        leg.out.append(SaveHeader(SourceHeader(leg.lineage, leg.boot, ordered, leg.last, leg.confirmed)))

    # The operator.

    def _command(self, verb: str) -> None:
        leg = self.leg
        if verb == "resume" and leg.suspended:
            leg.suspended = False
            if leg.link:
                self._hello()


def _all(settings: SourceSettings) -> Extents:
    count = len(settings.volumes)
    return of(list(range(count)), [0] * count, list(settings.volumes))
