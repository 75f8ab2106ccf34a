"""Engines that go on after a crash, from what their actions had made durable and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from drsim.blocks.batch import WriteBatch
from drsim.blocks.extents import Extents, none, written
from drsim.replication.activity import hot_extents
from drsim.replication.headers import SourceHeader, TargetHeader
from drsim.replication.settings import SourceSettings, TargetSettings
from drsim.replication.source import SourceEngine
from drsim.replication.states import Source, Target
from drsim.replication.target import TargetEngine


@dataclass(frozen=True, slots=True, eq=False)
class SavedSource:
    """What a source leg finds on its media.

    Attributes:
        header: the last `SaveHeader`.
        journal: the journal's records not yet trimmed, in order; a torn last record is left off.
        last: the highest seq that may be in use in the group: what the journal's medium ever held, or another
            leg knows. The next host write will be ``last + 1``.
        dirty: the bitmap's set bits.
        hot: the activity log, as (volume, extent).
        whole: the journal lost nothing that was ever durable.
    """

    header: SourceHeader
    journal: Sequence[WriteBatch] = ()
    last: int = 0
    dirty: Extents = field(default_factory=none)
    hot: Sequence[tuple[int, int]] = ()
    whole: bool = True


def recover_source(settings: SourceSettings, saved: SavedSource) -> SourceEngine:
    """Give the engine as it must go on.

    Order is kept when the header says so, no bit is set and the journal reaches from what the target confirmed
    to the last write. Otherwise all that the journal still names, all hot extents and all set bits are
    dirty; a journal that lost durable records makes everything dirty. Writes recovered from the journal count as
    acknowledged: the world carries them out on its own volumes first.
    """
    engine = SourceEngine(settings)
    leg, header = engine.leg, saved.header
    leg.lineage, leg.boot = header.lineage, header.boot
    leg.seeded, leg.named = header.seeded, header.named
    journal = [b for b in saved.journal if len(b)]
    last = max(saved.last, header.last, journal[-1].last if journal else 0)
    leg.last = leg.durable = leg.acknowledged = last
    leg.markers = [(seq, name) for seq, name in header.marks if seq <= last]
    base = journal[0].first - 1 if journal else last
    lost = not saved.whole or (bool(journal) and (journal[-1].last < last or _holes(journal)))
    leg.dirty.reset()
    leg.dirty.mark(saved.dirty)
    leg.confirmed = min(header.confirmed, last)
    if header.ordered and not leg.dirty and not lost and settings.activity is None:
        leg.state = Source.BUFFERING
        leg.confirmed = max(leg.confirmed, base)
        leg.journal.restart(base)
        for batch in journal:
            leg.journal.append(batch)
            leg.journal.evict(last)
        leg.journal.trim(leg.confirmed)
        return engine
    leg.state = Source.TRACKING
    leg.journal.restart(last)
    for batch in journal:
        leg.dirty.mark(written(batch))
    leg.dirty.mark(hot_extents(list(saved.hot), settings.volumes))
    if lost and header.ordered:
        engine.mark_everything()
    return engine


def recover_target(
    settings: TargetSettings,
    header: TargetHeader,
    staged: Sequence[WriteBatch] = (),
    applied: int = 0,
    snapshots: Sequence[str] = (),
) -> TargetEngine:
    """Give the engine as it must go on.

    Args:
        settings: as before the crash.
        header: the last `SaveHeader`; a target that never saved one is made anew instead.
        staged: staging's records in order, as far as they are whole; what is on the volumes may still be among
            them, it is destaged again.
        applied: the volumes certainly hold the order through here (through what staging was trimmed to).
        snapshots: names of the snapshots that exist, in the order they were taken.

    Rows of a cycle that was not complete are cut. A protective snapshot the header does not name was never
    needed; the world may drop it.
    """
    engine = TargetEngine(settings)
    leg = engine.leg
    leg.lineage, leg.base, leg.end, leg.protected = header.lineage, header.base, header.end, header.protected
    if header.promoted:
        leg.state = Target.PROMOTED
    else:
        leg.state = Target.FOLLOWING if header.base is None else Target.INCONSISTENT
    leg.retired, leg.feeder = header.retired, header.feeder
    leg.dirt_known = header.complete if header.promoted else header.base is None
    applied = header.applied if header.promoted else max(applied, header.applied)
    engine.staging.restart(applied)
    for batch in staged:
        rest = batch.after(applied)
        if len(rest):
            engine.staging.store.append(rest)
            leg.received = leg.staged = rest.last
    if header.open is not None and leg.staged > header.open:
        leg.open = header.open
    leg.whole, leg.since = header.whole, leg.held
    if leg.state is Target.FOLLOWING:
        leg.begun(min(header.whole, leg.held), header.cycles)
    leg.marks += [
        mark for mark in header.marks if applied <= mark[0] <= leg.held and leg.cycle_at(mark[0]) is None
    ]
    engine.roles.restore(snapshots)
    return engine


def _holes(journal: Sequence[WriteBatch]) -> bool:
    """Whether records are missing between the first and the last."""
    return sum(map(len, journal)) != journal[-1].last - journal[0].first + 1
