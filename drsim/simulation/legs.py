"""Makes legs, at the beginning and whenever a group has moved, and ties them to the order that feeds them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from drsim.blocks.extents import Extents
from drsim.measure.snapshots import HistoryMeter, SnapshotLog
from drsim.replication import events as on
from drsim.replication.source import SourceEngine
from drsim.replication.target import TargetEngine
from drsim.simulation.built import Built
from drsim.simulation.comparer import Comparer
from drsim.simulation.content import Origin, Writers, read
from drsim.simulation.group import Group
from drsim.simulation.leg import Leg
from drsim.simulation.media import Expiring, KeptBack, Queued
from drsim.simulation.ports import Ground
from drsim.simulation.probe import LegProbe
from drsim.simulation.snapshots import Snapshots
from drsim.simulation.ways import Way, history_of, journal_of, wanted
from drsim.simulation.world import World


def make_probe(built: Built, way: Way, since: float = 0.0, after: int = 0) -> LegProbe:
    """The meters of a leg on a way, from ``since`` (seconds) on, for the order after ``after``."""
    group = built.scenario.groups[way.group]
    journal = journal_of(group, way.source, way.target)
    limit = journal.on_full.capacity(journal.size)
    at = wanted(group, way.source, way.target)
    points = (at.mode or group.mode).closing() is not None
    probe = LegProbe(at.rpo, limit, since, after, points=points)
    probe.kept = SnapshotLog(after) if at.snapshots else None
    if (keep := history_of(at)) is not None:
        probe.history = HistoryMeter(keep.window)
    return probe


def make_leg(built: Built, way: Way, probe: LegProbe, source: SourceEngine, target: TargetEngine) -> Leg:
    """Two engines on a way's ground."""
    world = built.world
    ground = Ground(built.paths[way.key], built.media[way.key], probe, lambda: world.now)
    leg = Leg(f"{way.group}/{way.target}", ground, source, target, _Clock(world))
    leg.sent_before = sent(built, way)
    leg.keep(Snapshots(wanted(built.scenario.groups[way.group], way.source, way.target).snapshot_store))
    if way.group in built.tenures and way.target == built.scenario.groups[way.group].source:
        home = built.tenures[way.group][0].group.kept
        leg.there.beside = None if home is None else home.kept
    world.listeners.append(leg)
    _keep_back(world, leg, ground.media.kept)
    world.waiting.append((lambda: leg.sink.roles.draining, [Queued(ground.media.volumes)]))
    if leg.valve is not None:
        world.waiting.append((partial(getattr, leg.valve, "holding"), [leg.valve.horizon()]))
    world.on_settled.append(leg.settled)
    return leg


def _keep_back(world: World, leg: Leg, kept: KeptBack | None) -> None:
    """Let somebody look after what the leg's target keeps back, and say where a decision waits for it."""
    if kept is None:
        world.waiting.append((leg.waiting, leg.nodes))
        return

    def expiry() -> float:
        engine = leg.target.engine
        due = engine.staging.expiry() if isinstance(engine, TargetEngine) and engine.leg.late else None
        return math.inf if due is None else due

    kept.expiry, kept.ring = expiry, lambda: leg.target.deliver(on.Due())
    world.waiting.append((leg.waiting, [*leg.nodes, Expiring(kept)]))


def compare(leg: Leg, origin: Origin, feeder: Leg | None) -> None:
    """Give a leg's copies their content, and let its target's images be compared with what hosts wrote.

    A copy finds on the source's volumes what the journal has on its medium, or the bitmap names (a write gets to them
    no sooner, so one that a crash forgets was never there), or, down a cascade, what is on the feeding target's.

    Args:
        leg: whose images.
        origin: what hosts wrote.
        feeder: the leg whose target this one reads, in a cascade.
    """
    settings = leg.sink.leg.settings
    leg.there.comparer = Comparer(origin, in_sync=settings.in_sync, cycles=leg.there.decides)
    upstream = feeder.there.comparer if feeder is not None else None
    volumes = origin.trail() if upstream is None else None

    def content(extents: Extents) -> Writers:
        if upstream is not None:
            return read(upstream.volumes, origin.names, extents)
        assert volumes is not None
        volumes.advance(leg.engine.leg.durable)
        volumes.image.touched()
        return read(volumes.image, origin.names, extents)

    leg.here.content = content


def sent(built: Built, way: Way) -> int:
    """Bytes of a group that a way's link has carried in its direction so far."""
    circuit = built.circuits[way.link]
    return circuit.usage[0 if circuit.link.between[0] == way.source else 1].total(way.group)


def wire(world: World, group: Group, legs: list[Leg], hops: list[Leg]) -> None:
    """Let a group feed these legs, which feed ``hops``; a host is told when every leg has acknowledged."""
    world.groups.append(group)
    for number, leg in enumerate([*legs, *hops]):
        group.probes.append(leg.probe)
        if leg.relay is not None:
            group.relays.append(leg.relay)
        hooks = leg.hooks
        if leg not in hops:
            group.legs.append(leg)
            hooks.acknowledged = partial(group.acknowledged, number, len(legs))
        hooks.hold = partial(_hold, world, group, number)
        hooks.pace = partial(group.pace, number)
        hooks.failed = group.failed


def _hold(world: World, group: Group, number: int, held: bool) -> None:
    if held:
        group.hold(number)
    else:
        group.unhold(number, world.now)


@dataclass(frozen=True, slots=True)
class _Clock:
    """The drivers' view of the world's time."""

    world: World

    def now(self) -> float:
        return self.world.now

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        self.world.call_at(when, callback)
