"""What engines and media of a group's time at one site go on, or begin, as parts of its time at the next one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from drsim.replication.generations import Lineage, Outcome, compare
from drsim.replication.handover import carry_on, know_nothing, step_down
from drsim.replication.source import SourceEngine
from drsim.replication.states import Target
from drsim.replication.target import TargetEngine
from drsim.simulation.built import Built
from drsim.simulation.checker import judge_of
from drsim.simulation.crash import last_write, recovered_source, recovered_target
from drsim.simulation.gone import Gone
from drsim.simulation.leg import Leg
from drsim.simulation.tenure import Tenure
from drsim.simulation.ways import Way, source_settings, target_settings

_FOLLOWED = {Outcome.SAME, Outcome.DIFFERENCE, Outcome.ANCESTOR, Outcome.TARGET_NEW}


def in_step(leg: Leg, seq: int) -> bool:
    """Whether a leg's target holds exactly the image another one was promoted with."""
    return leg.sink.state is Target.FOLLOWING and leg.sink.leg.held == seq


def even(old: Tenure, site: str, seq: int) -> bool:
    """Whether a site held exactly this image when the group left its old one."""
    if site == old.source:
        return not old.down and old.direct[0].engine.leg.last == seq
    return site in old.legs and in_step(old.legs[site], seq)


def named(leg: Leg, promoted: Leg) -> bool:
    """Whether a leg's target holds an image in which the one that was promoted knows all that may differ from its own.

    Both must be images of the order that hosts wrote last: generations alone don't tell that down a cascade.
    """
    seq = promoted.sink.written
    first, last = promoted.sink.leg.named or (seq, seq)
    theirs = leg.sink.state is Target.FOLLOWING and not leg.probe.strange
    return theirs and not promoted.probe.strange and first <= leg.sink.leg.held <= last


def fed_by(old: Tenure, leg_from: str, target: str) -> Leg | None:
    """The old leg between the same two sites, in the same direction."""
    return old.legs[target] if old.feeders.get(target) == leg_from else None


def carried(old: Leg, lineage: Lineage, seq: int) -> SourceEngine:
    """The source engine of a leg that has stopped, as it goes on after ``seq`` (see `carry_on`)."""
    resume = old.relay is not None and old.relay.stopped
    carry_on(old.engine, lineage, seq, old.sink, resume=resume)
    return old.engine


def fresh_pair(
    built: Built, old: Tenure, way: Way, lineage: Lineage, seq: int, *, same: bool
) -> SourceEngine:
    """A source engine for two sites that were strangers.

    Args:
        built: the world.
        old: the group's time at its old site.
        way: from the one to the other.
        lineage: of the site that has taken over; taken on where the target can follow it.
        seq: what is on the volumes it reads.
        same: the target holds that image, too.
    """
    engine = SourceEngine(replace(source_settings(built.scenario, way), in_sync=True))
    leg, there = engine.leg, _lineage(old, way.target)
    leg.lineage = lineage if compare(lineage, there) in _FOLLOWED else there
    leg.last = leg.durable = leg.acknowledged = leg.confirmed = seq
    leg.journal.restart(seq)
    if not same:
        leg.confirmed = 0
        know_nothing(engine)
    return engine


def _lineage(old: Tenure, site: str) -> Lineage:
    if site == old.source:
        return old.direct[0].engine.leg.lineage
    return old.legs[site].sink.leg.lineage if site in old.legs else Lineage()


def new_target(built: Built, old: Tenure, site: str, way: Way, leg: Leg, at: float) -> None:
    """Give a new leg its target as it stands, once the group has gone from ``old`` to ``site``."""
    peer, image = way.target, old.legs[site].sink
    third, fed = old.legs.get(peer), old.feeders[site] == peer
    level = third is not None and in_step(third, image.written)
    leg.probe.strange = not level
    related = third is not None and third.sink.leg.lineage.current == image.leg.lineage.base
    if third is not None and (not fed or (level and related)):
        _inherit(leg, third, at)
        if peer not in built.lost and level:
            leg.probe.found(np.array([leg.sink.leg.held]), np.array([at]))
    elif peer not in built.lost:
        if third is not None:
            _give_up(third, at)
        leg.sink = leg.target.engine = _stepped_down(built, old, site, way)
    if peer in built.lost:
        leg.known = third is not None and not fed
        leg.target.engine = Gone()
        leg.there.snapshots.away(at)


def _inherit(leg: Leg, old: Leg, at: float) -> None:
    """The target is that of ``old``, whose source has handed over: all that is under way there goes on."""
    leg.sink, leg.there, leg.target = old.sink, old.there, old.target
    leg.keep(old.there.snapshots)
    there = leg.there
    there.ground, there.arrive, there.reconnect = leg.ground, leg.at_source, leg.reconnect
    there.checker = judge_of(leg.sink)
    there.comparer = None  # It knows the order as it was written at the old site.
    there.passed_on = []
    if leg.staging_room is not None:
        there.staging_room = leg.staging_room
        leg.staging_room.restart(at)


def _give_up(old: Leg, at: float) -> None:
    """A target becomes something else: what is under way to its media never gets there."""
    old.target.engine = Gone()
    media = old.ground.media
    for medium in (media.staging, media.volumes):
        if medium.station is not None:
            medium.station.cut(at, medium.klass)


def _blank(built: Built, way: Way) -> TargetEngine:
    """A target that has nothing."""
    return TargetEngine(replace(target_settings(built.scenario, way), in_sync=False))


def _stepped_down(built: Built, old: Tenure, site: str, way: Way, *, crashed: bool = False) -> TargetEngine:
    """The site that fed ``site``, or the old source, as a target now that ``site`` has taken over.

    The one that fed it knows in what the two may differ; of an old source further up, after a loss, nobody knows.
    """
    leg, peer = old.legs[site], way.target
    fed, source = old.feeders[site] == peer, old.source == peer
    if (source and old.wiped) or not (fed or (source and not old.down)):
        return _blank(built, way)
    engine = leg.engine if fed else old.direct[0].engine
    if source and old.down:
        engine = recovered_source(leg, last_write(old.direct))
    elif crashed and not source:
        engine = recovered_source(leg, engine.leg.last)
    return step_down(engine, target_settings(built.scenario, way), leg.sink.written)


def back_as_target(built: Built, tenure: Tenure, site: str) -> None:
    """A site is back to which a leg of this tenure goes: it is a target again, as far as its media know."""
    leg, way = tenure.legs[site], built.ways[tenure.way(site)]
    earlier = built.tenures[tenure.name][-2:-1]
    if leg.known and site not in built.wiped:
        engine = recovered_target(leg)
    elif site not in built.wiped and earlier and site in (earlier[0].source, *earlier[0].legs):
        engine = _stepped_down(built, earlier[0], tenure.source, way, crashed=True)
    else:
        engine = _blank(built, way)
    leg.there.snapshots.back(built.world.now, empty=not (leg.known and site not in built.wiped))
    leg.revive_target(engine)


def back_as_feeder(built: Built, tenure: Tenure, site: str) -> None:
    """A site is back that passes on what it gets: so it does again, as far as its media know."""
    for target, feeder in tenure.feeders.items():
        leg = tenure.legs[target]
        if feeder != site or leg.relay is None or leg.over:
            continue
        engine = leg.engine
        if site in built.wiped:
            engine = SourceEngine(replace(engine.leg.settings, in_sync=True))
            engine.leg.lineage = leg.sink.leg.lineage
            know_nothing(engine)
        elif engine.leg.started:
            engine = recovered_source(leg, engine.leg.last)
        leg.relay.foreign = leg.relay.foreign and not in_step(tenure.legs[site], tenure.group.after)
        leg.revive_source(engine)
