"""Roles change hands: a promoted target becomes a source, an old source becomes a target. No new machine."""

from __future__ import annotations

from drsim.blocks.bitmap import Bitmap
from drsim.blocks.extents import written
from drsim.replication.bounds import clipped
from drsim.replication.generations import Lineage
from drsim.replication.settings import SourceSettings, TargetSettings
from drsim.replication.source import SourceEngine
from drsim.replication.states import Source, Target
from drsim.replication.target import TargetEngine


def take_over(target: TargetEngine, settings: SourceSettings) -> SourceEngine:
    """Give the source engine of a site that was promoted: the order goes on after the image it took over.

    Its peer (the old source) has at least that image, plus perhaps writes of its own, which it names when
    they meet; what it was told was safe here but was left out by the promotion (an older point, a protective
    snapshot) this site names itself. So the way back is a copy of the differences.
    """
    assert target.state is Target.PROMOTED, "only a promoted site may write"
    engine = SourceEngine(settings)
    leg, seq = engine.leg, target.leg.written
    leg.lineage, leg.seeded = target.leg.lineage, True
    leg.dirty.reset()
    leg.state = Source.BUFFERING
    leg.last = leg.durable = leg.acknowledged = leg.confirmed = seq
    leg.journal.restart(seq)
    leg.named = target.leg.named
    leave_out(engine, target)
    return engine


def leave_out(engine: SourceEngine, target: TargetEngine) -> None:
    """Tell a source not yet begun, or one that goes on, what its site left out when it was promoted as ``target``.

    Others may hold that: what was beyond an older point, or overwritten since an older image was taken.
    """
    leg = engine.leg
    if target.leg.dirt_known:  # In granules of its own, or of its snapshots.
        leg.dirty.mark(clipped(target.leg.dirt.extents(), leg.settings.volumes))
    else:
        engine.mark_everything()
    if leg.dirty:
        go_alone(engine)


def step_down(
    source: SourceEngine, settings: TargetSettings, taken_over_at: int | None = None
) -> TargetEngine:
    """Give the target engine of a site that was source (perhaps recovered after its disaster).

    All that its journal, its bitmap and its activity log name may differ from what the other site took over.
    With several targets the world adds what the other legs name, for any of their sites may yet be the successor. It
    keeps all that on its media until the target is FOLLOWING again. Whether this site's image has a
    place in the new order is known when the two meet, or at once by ``taken_over_at``, the seq the other site
    took over at (a planned failover).
    """
    leg = source.leg
    dirt = Bitmap(leg.settings.granularity)
    if taken_over_at != leg.last:  # Else the other site has all there is, whatever was still to be confirmed.
        dirt.merge(lacking(source))
    engine = TargetEngine(settings)
    engine.staging.restart(leg.last)
    engine.leg.lineage = leg.lineage
    engine.leg.dirt.mark(dirt.extents())
    engine.leg.retired = True
    same = not dirt and taken_over_at == leg.last
    engine.leg.state = Target.FOLLOWING if same else Target.INCONSISTENT
    engine.leg.base = None if same else leg.last
    return engine


def lacking(source: SourceEngine) -> Bitmap:
    """Give what a source's target may lack: all that journal, bitmap and the copy under way name."""
    dirt = Bitmap(source.leg.settings.granularity)
    source.leg.journal.mark_into(dirt)
    dirt.merge(source.leg.dirty)
    dirt.merge(source.copy.under_way())
    if source.leg.held is not None:  # Without room in this leg's journal, and perhaps on the volumes.
        dirt.mark(written(source.leg.held))
    return dirt


def hand_on(engine: SourceEngine, old: SourceEngine, held: int) -> None:
    """Tell a source not yet begun what its target lacks, as its predecessor ``old`` knew when it handed over.

    Both held the same image then (a planned failover), so what the one's target lacked the other's does. ``held`` is
    how far that target is; should it turn out to be elsewhere when the two meet, everything is copied.
    """
    leg, dirt = engine.leg, lacking(old)
    if dirt:
        leg.dirty.merge(dirt)
        leg.state, leg.confirmed = Source.TRACKING, min(held, leg.last)


def carry_on(
    engine: SourceEngine, lineage: Lineage, seq: int, target: TargetEngine, *, resume: bool = False
) -> None:
    """Let a source engine, whose session is over, go on under a new generation of its group.

    Its site passed the order on to the target and has taken over, or it was the source and passes it on from now
    on. What the target lacks is known, so nothing else is copied, and nothing at all while order is kept. A target in
    mid-copy, or with writes on their way to its staging, is met under the old generation, which the two alone know.

    Args:
        engine: goes on; not stepped since its link went down.
        lineage: of the site that has taken over.
        seq: the order goes on after this write, which is on the volumes the engine reads.
        target: as it is now.
        resume: it was suspended only because its volumes were no image.
    """
    leg, held = engine.leg, target.leg.held
    if resume:
        leg.suspended = False
    if leg.state is Source.BUFFERING and not leg.durable == leg.last == seq:
        leg.state = Source.TRACKING
        leg.dirty.merge(lacking(engine))
    if leg.state is Source.TRACKING:
        leg.last = leg.durable = leg.acknowledged = seq
        leg.journal.restart(seq)
    known = leg.confirmed <= held <= seq and target.state is Target.FOLLOWING and target.staging.quiet
    leg.confirmed = min(held if known else leg.confirmed, seq)
    if known and lineage.base == leg.lineage.current == target.leg.lineage.current:
        leg.lineage, leg.named = lineage, None
        leg.journal.trim(leg.confirmed)
    leg.started = False  # Its next step begins a new life, which says all this durably.


def know_nothing(engine: SourceEngine) -> None:
    """Tell a source not yet begun that nobody knows what its target lacks: everything must be copied."""
    engine.mark_everything()
    engine.leg.state = Source.TRACKING


def go_alone(engine: SourceEngine) -> None:
    """Tell a source that its target is away: it marks what changes, and keeps no journal."""
    leg = engine.leg
    leg.dirty.merge(lacking(engine))
    leg.state = Source.TRACKING
    leg.journal.restart(leg.last)
