"""A group arrives at another site: hosts write there, the order goes on, and the old sites become its targets."""

from __future__ import annotations

from drsim.replication.handover import go_alone, hand_on, know_nothing, leave_out, take_over
from drsim.replication.source import SourceEngine
from drsim.replication.target import TargetEngine
from drsim.simulation.built import Built
from drsim.simulation.group import Group
from drsim.simulation.inheritance import carried, even, fed_by, fresh_pair, in_step, named, new_target
from drsim.simulation.leg import Leg
from drsim.simulation.legs import make_leg, make_probe, sent, wire
from drsim.simulation.tenure import Tenure
from drsim.simulation.waits import watch_loops
from drsim.simulation.ways import Way, feeders, source_settings, target_settings


def leave(built: Built, tenure: Tenure, at: float, to: str) -> None:
    """The group's time at a site is over, and it goes ``to`` another one: ``at`` is when it last wrote there.

    What the next site passes on goes on until hosts write there.
    """
    tenure.end = at
    for target in tenure.legs:
        tenure.legs[target].probe.close(at)
        if tenure.feeders[target] != to:
            _stop(built, tenure, target, at)


def _stop(built: Built, tenure: Tenure, target: str, at: float) -> None:
    leg, way = tenure.legs[target], built.ways[tenure.way(target)]
    if not leg.over:
        leg.stop(at)
        leg.sent_through = sent(built, way)
        built.lines[way.link].detach(leg)


def arrive(built: Built, group: str, site: str, at: float) -> None:
    """Hosts write at ``site`` from now on; the site was promoted, and the group has left where it was.

    The order goes on after the image that was taken over. Every site of the group that a link joins with this one
    becomes a target, and others are fed by those (`feeders`), unless they are lost for good; one that is away is
    waited for. What hosts would have written since they stopped is never written; from here on they write what they
    would have written anyway.
    """
    old = built.tenures[group][-1]
    for target in old.legs:
        _stop(built, old, target, at)
    promoted = old.legs[site].sink
    fresh = Tenure(group, site, Group(group, promoted.written), begin=at)
    fresh.group.kept = old.group.kept
    if fresh.group.kept is not None:
        fresh.group.kept.log.moved(promoted.written)
    for target, feeder in feeders(built.scenario, group, site).items():
        if target not in built.for_good and (feeder == site or feeder in fresh.legs):
            fresh.feeders[target] = feeder
            way = built.ways[group, feeder, target]
            fresh.legs[target] = (
                _leg(built, old, way, at) if feeder == site else _hop(built, old, fresh, way, at)
            )
    built.tenures[group].append(fresh)
    built.world.groups.remove(old.group)
    direct = fresh.direct
    wire(built.world, fresh.group, direct, [leg for leg in fresh.legs.values() if leg not in direct])
    go_on(built, fresh, at)
    for target, leg in fresh.legs.items():
        built.lines[built.ways[fresh.way(target)].link].attach(leg)
        leg.begin()


def go_on(built: Built, tenure: Tenure, at: float) -> None:
    """The hosts of a group write at its site from ``at`` on.

    A closed loop that writes to other groups too waits until all of them are there: it is one application.
    """
    streams = built.streams[tenure.name]
    if tenure.source in built.intakes:
        here = {
            name: tenures[-1].group
            for name, tenures in built.tenures.items()
            if tenures[-1].source == tenure.source and tenures[-1].running and not tenures[-1].halted
        }
        whole = [loop for loop in streams.loops if {group.name for group in loop.groups} <= {*here}]
        wanted = {tenure.name, *(group.name for loop in whole for group in loop.groups)}
        now = {name: group for name, group in here.items() if name in wanted}
        built.intakes[tenure.source].start(streams.feeds, whole, now, at)
    watch_loops(built)


def _leg(built: Built, old: Tenure, way: Way, at: float) -> Leg:
    """A leg to one of the other sites, with what is known of the difference between the two."""
    promoted = old.legs[way.source].sink
    before = fed_by(old, way.source, way.target)
    if before is not None:
        source = carried(before, promoted.leg.lineage, promoted.written)
        if promoted.roles.rolled_back:
            leave_out(source, promoted)
    else:
        source = _source(built, old, way)
    if way.target in built.lost:
        go_alone(source)
    return _made(built, old, way.source, way, at, source)


def _source(built: Built, old: Tenure, way: Way) -> SourceEngine:
    """A new source engine of the site that took over, towards one that it did not feed before."""
    promoted, planned = old.legs[way.source].sink, not old.down
    source = take_over(promoted, source_settings(built.scenario, way))
    if old.feeders[way.source] == way.target:
        return source  # That one knows all in which the two may differ, and names it when they meet.
    third = old.legs.get(way.target)
    beside = old.feeders[way.source] == old.feeders.get(way.target) == old.source
    if third is not None and planned and beside:
        hand_on(source, third.engine, third.sink.leg.held)
    elif not (named(third, old.legs[way.source]) if third else even(old, way.target, promoted.written)):
        know_nothing(source)
    return source


def _hop(built: Built, old: Tenure, fresh: Tenure, way: Way, at: float) -> Leg:
    """A leg from one of the new source's targets to another site."""
    middle, promoted = fresh.legs[way.source], old.legs[fresh.source].sink
    there, after = way.source not in built.lost, promoted.written
    level = in_step(middle, after)
    known = there and level
    before = fed_by(old, way.source, way.target)
    if before is not None and there:
        source = carried(before, promoted.leg.lineage, middle.sink.written if known else after)
    else:
        same = known and even(old, way.target, after)
        seq = middle.sink.written if known else 0
        source = fresh_pair(built, old, way, promoted.leg.lineage, seq, same=same)
    if way.target in built.lost:
        go_alone(source)
    leg = _made(built, old, fresh.source, way, at, source)
    middle.feeds(leg, foreign=not level)
    if not there:
        leg.lose_source()
    return leg


def _made(built: Built, old: Tenure, site: str, way: Way, at: float, source: SourceEngine) -> Leg:
    """The leg of a source engine, with its target as that stands now that ``site`` has taken over."""
    probe = make_probe(built, way, at, old.legs[site].sink.written)
    leg = make_leg(built, way, probe, source, TargetEngine(target_settings(built.scenario, way)))
    leg.probe.expose(at)
    if (before := fed_by(old, way.source, way.target)) is not None and before.engine is source:
        leg.here.spill, leg.here.header = before.here.spill, before.here.header
    new_target(built, old, site, way, leg, at)
    return leg
