"""Host writes into the order, or under dirty bits when there is no order: nothing is acknowledged before."""

from __future__ import annotations

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.blocks.bitmap import Bitmap
from drsim.blocks.extents import Extents, of, written
from drsim.replication.acks import Acks
from drsim.replication.actions import Acknowledge, AppendJournal, MarkDirty, TrimJournal
from drsim.replication.activity import ActivityLog
from drsim.replication.events import Copied
from drsim.replication.leg import Leg
from drsim.replication.overflow import Spill
from drsim.replication.resync import Copy
from drsim.replication.settings import SourceSettings
from drsim.replication.shipping import Shipper
from drsim.replication.states import Cause, Source


class Intake:
    """Takes host writes; the doors out of a full journal that a policy may use."""

    def __init__(self, leg: Leg, shipper: Shipper, copy: Copy, acks: Acks) -> None:
        self.leg = leg
        self.shipper = shipper
        self.copy = copy
        self.acks = acks

    @property
    def marking(self) -> bool:
        """Whether writes are marked in the bitmap rather than journalled."""
        return self.leg.state is Source.TRACKING or self.leg.chasing

    def write(self, batch: WriteBatch) -> None:
        """Take host writes, cut wherever behaviour changes."""
        leg, first = self.leg, batch.first
        assert first == leg.last + 1, "host writes must continue the group's order"
        assert batch.last - first + 1 == len(batch), "the order has a hole"
        if leg.touched is not None:
            leg.touched.mark(written(batch))
        if leg.activity is not None:
            self._warm(leg.activity, batch)
        rest: WriteBatch | None = batch
        while rest is not None and len(rest):
            count = self.admits(rest)
            if count:
                part, rest = _split(rest, min(count, self.shipper.admits(rest)))
                self.admit(part)
                continue
            before = leg.last
            leg.settings.on_full.full(self, rest)
            if leg.last == before:
                return
            rest = rest.after(leg.last)

    def admits(self, batch: WriteBatch) -> int:
        """Say how many leading writes can be taken now."""
        return len(batch) if self.marking else self.leg.journal.fits(batch)

    def admit(self, batch: WriteBatch) -> None:
        """Take writes that can be taken now."""
        if self.marking:
            self._mark(batch)
            return
        leg = self.leg
        spilled = self._spilled(batch)
        leg.journal.append(batch)
        leg.last = batch.last
        first, rest = _split(batch, spilled)
        if len(first):
            leg.out.append(AppendJournal(first))
        if rest is not None:
            leg.out.append(AppendJournal(rest, spilled=True))
        leg.settings.on_full.filled(self)
        self.shipper.took()

    def durable(self, seq: Ints, at: Floats) -> None:
        """The journal medium holds more: acknowledge, send."""
        leg = self.leg
        through = int(seq[-1])
        if through <= leg.journal.trimmed:
            return  # Order was lost meanwhile: the bitmap has these, and hosts know.
        leg.durable = through
        self.acks.durable(seq, at)
        self.shipper.durable(seq, at)
        if leg.journal.resident is not None:
            leg.journal.evict(leg.durable)

    def lose_order(self, rest: WriteBatch, cause: Cause) -> None:
        """Turn the journal and the first write of ``rest`` into dirty bits, at that write's time."""
        leg = self.leg
        at = float(rest.time[0])
        leg.last = int(rest.seq[0])
        self.shipper.stop()
        self._dirty_journal(written(rest.slice(0, 1)))
        if leg.state is Source.RESYNCING and cause is Cause.JOURNAL_FULL:
            cause = Cause.JOURNAL_FULL_AGAIN
        leg.become(cause, at)
        leg.end = None
        self._forget_journal(at)
        if cause is Cause.SUSPENDED:
            leg.suspended, leg.welcomed = True, False
            self.copy.abort()
            self.acks.lost()
        elif leg.state is Source.RESYNCING:
            self.copy.begin()

    def give_up_order(self, cause: Cause, more: Extents | None = None, at: float | None = None) -> None:
        """Turn the journal (and ``more``) into dirty bits, for a reason other than its size."""
        self.shipper.stop()
        self._dirty_journal(more)
        self.leg.become(cause, at)
        self._forget_journal(self.leg.now if at is None else at)
        self.leg.settings.on_full.eased(self)

    def all_dirty(self) -> None:
        """Order is lost already, and now everything may differ."""
        self.also_dirty(whole(self.leg.settings))

    def also_dirty(self, extents: Extents) -> None:
        """Order is lost already, and these may differ as well."""
        self.leg.dirty.mark(extents)
        self.leg.out.append(MarkDirty(extents, dirty=True))

    def copied(self, event: Copied) -> None:
        """The own volumes are copied to from further up: the order is theirs to regain, places are ours to remember."""
        leg = self.leg
        assert leg.suspended, "a source that sends must not be copied to"
        if leg.state is Source.BUFFERING:
            self.give_up_order(Cause.FEEDER_COPIED, event.extents, event.at)
        else:
            self.also_dirty(event.extents)
        leg.last = leg.durable = leg.acknowledged = max(leg.last, event.through)
        leg.journal.restart(leg.last)

    def _dirty_journal(self, more: Extents | None) -> None:
        """Persist that all unconfirmed writes are dirty."""
        leg = self.leg
        fresh = Bitmap(leg.settings.granularity)
        if more is not None:
            fresh.mark(more)
        leg.journal.mark_into(fresh)
        leg.dirty.merge(fresh)
        if fresh:
            leg.out.append(MarkDirty(fresh.extents(), dirty=True))

    def _forget_journal(self, at: float) -> None:
        """The bits are durable: say durably that order is lost, only then forget the journal, then acknowledge."""
        leg = self.leg
        leg.save()
        leg.journal.restart(leg.last)
        leg.durable = leg.last
        leg.out.append(TrimJournal(leg.last))
        self.acks.all_through(leg.last, at)

    def _mark(self, batch: WriteBatch) -> None:
        """Order is lost: remember where, then acknowledge."""
        leg = self.leg
        leg.last = leg.durable = batch.last
        leg.journal.restart(leg.last)
        extents = written(batch)
        if leg.dirty.mark(extents):
            leg.out.append(MarkDirty(extents, dirty=True))
        leg.acknowledged = batch.last
        leg.out.append(Acknowledge(batch.seq, batch.time))

    def _warm(self, activity: ActivityLog, batch: WriteBatch) -> None:
        """With a journal that a crash loses, name the hot extents first; those of held writes too."""
        if not self.marking:
            self.leg.out.extend(activity.touch(batch))

    def _spilled(self, batch: WriteBatch) -> int:
        """Say how many leading rows go to the first medium."""
        policy, size = self.leg.settings.on_full, self.leg.settings.size
        if not isinstance(policy, Spill) or size is None:
            return len(batch)
        room = size - self.leg.journal.nbytes
        return int(batch.spent.searchsorted(room, side="right"))


def _split(batch: WriteBatch, count: int) -> tuple[WriteBatch, WriteBatch | None]:
    """The first ``count`` writes, and those after them, if there are any."""
    if count == len(batch):
        return batch, None
    return batch.slice(0, count), batch.slice(count, len(batch))


def whole(settings: SourceSettings) -> Extents:
    """Give every byte of every volume."""
    return _from_the_beginning(settings.volumes)


def in_use(settings: SourceSettings) -> Extents:
    """Give every byte that may differ from an empty volume when the group begins."""
    return _from_the_beginning(settings.allocated or settings.volumes)


def _from_the_beginning(sizes: tuple[int, ...]) -> Extents:
    used = [(index, size) for index, size in enumerate(sizes) if size]
    return of([index for index, _ in used], [0] * len(used), [size for _, size in used])
