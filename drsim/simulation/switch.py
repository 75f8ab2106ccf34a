"""A group arrives at another site: hosts write there, the order goes on, and the old sites become its targets."""

from __future__ import annotations

from dataclasses import replace

from drsim.replication.handover import go_alone, hand_on, know_nothing, step_down, take_over
from drsim.replication.source import SourceEngine
from drsim.replication.states import Target
from drsim.replication.target import TargetEngine
from drsim.simulation.built import Built
from drsim.simulation.crash import last_write, recovered_source, recovered_target
from drsim.simulation.group import Group
from drsim.simulation.leg import Gone, Leg
from drsim.simulation.legs import make_leg, make_probe, sent, wire
from drsim.simulation.tenure import Tenure
from drsim.simulation.ways import Way, source_settings, target_settings


def leave(built: Built, tenure: Tenure, at: float) -> None:
    """The group's time at a site is over: ``at`` is when it last wrote there."""
    tenure.stop(at)
    for target, leg in tenure.legs.items():
        way = built.ways.get((tenure.name, tenure.source, target))
        if way is not None:
            leg.sent_through = sent(built, way)
            built.lines[way.link].detach(leg)


def arrive(built: Built, group: str, site: str, at: float) -> None:
    """Hosts write at ``site`` from now on; the site was promoted, and the group has left where it was.

    The order goes on after the image that was taken over. Every site of the group that a link joins with this one
    becomes a target, unless it is lost for good; one that is away is waited for. What hosts would have
    written since they stopped is never written; from here on they write what they would have written anyway.
    """
    old = built.tenures[group][-1]
    promoted = old.legs[site].sink
    fresh = Tenure(group, site, Group(group, promoted.written), begin=at)
    for way in built.ways.values():
        if (way.group, way.source) == (group, site) and way.target not in built.for_good:
            fresh.legs[way.target] = _leg(built, old, promoted, way, at)
    built.tenures[group].append(fresh)
    wire(built.world, fresh.group, list(fresh.legs.values()), [])
    go_on(built, fresh, at)
    for target, leg in fresh.legs.items():
        built.lines[built.ways[group, site, target].link].attach(leg)
        leg.begin()


def go_on(built: Built, tenure: Tenure, at: float) -> None:
    """The hosts of a group write at its site from ``at`` on."""
    feeds = built.feeds[tenure.name]
    for feed in feeds:
        feed.move(tenure.group, at)
    if tenure.source in built.intakes:
        built.intakes[tenure.source].start(feeds)


def _leg(built: Built, old: Tenure, promoted: TargetEngine, way: Way, at: float) -> Leg:
    """A leg to one of the other sites, with what is known of the difference between the two."""
    peer, planned = way.target, not old.down
    source = take_over(promoted, source_settings(built.scenario, way))
    third = old.legs.get(peer)
    if peer != old.source and third is None:
        know_nothing(source)
    elif third is not None and planned:
        hand_on(source, third.engine, third.sink.leg.held)
    elif third is not None and not _in_step(third.sink, promoted.written):
        know_nothing(source)
    if peer in built.lost:
        go_alone(source)
    leg = make_leg(built, way, make_probe(built, way, at, promoted.written), source, _blank(built, way))
    leg.probe.expose(at)
    if third is not None:
        leg.inherit(third)
        if peer not in built.lost and _in_step(third.sink, promoted.written):
            leg.tell_held(at)
    elif peer == old.source and peer not in built.lost:
        leg.sink = leg.target.engine = _stepped_down(built, old, way)
    if peer in built.lost:
        leg.known = third is not None
        leg.target.engine = Gone()
    return leg


def _in_step(target: TargetEngine, seq: int) -> bool:
    """Whether a target holds exactly the image another one was promoted with."""
    return target.state is Target.FOLLOWING and target.leg.held == seq


def _blank(built: Built, way: Way) -> TargetEngine:
    """A target that has nothing."""
    return TargetEngine(replace(target_settings(built.scenario, way), in_sync=False))


def _stepped_down(built: Built, old: Tenure, way: Way) -> TargetEngine:
    """The old source as target of the site (``way.source``) that took over from it."""
    leg = old.legs[way.source]
    engine: SourceEngine = leg.engine
    if old.wiped:
        return _blank(built, way)
    if old.down:
        engine = recovered_source(leg, last_write(old.legs.values()))
    return step_down(engine, target_settings(built.scenario, way), leg.sink.written)


def back_as_target(built: Built, tenure: Tenure, site: str) -> None:
    """A site is back to which a leg of this tenure goes: it is a target again, as far as its media know."""
    leg, way = tenure.legs[site], built.ways[tenure.name, tenure.source, site]
    earlier = built.tenures[tenure.name][-2:-1]
    if leg.known and site not in built.wiped:
        engine = recovered_target(leg)
    elif site not in built.wiped and earlier and earlier[0].source == site:
        engine = _stepped_down(built, earlier[0], way)
    else:
        engine = _blank(built, way)
    leg.there.snapshots.back(built.world.now, empty=not (leg.known and site not in built.wiped))
    leg.revive_target(engine)
