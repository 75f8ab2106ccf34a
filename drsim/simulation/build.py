"""Puts a scenario's parts together: the only file that knows every part of the world."""

from __future__ import annotations

from functools import partial

from drsim.replication.source import SourceEngine
from drsim.replication.target import TargetEngine
from drsim.scenario.models import Scenario
from drsim.scenario.site import Site
from drsim.simulation.built import Built, Place
from drsim.simulation.circuits import classes, make_circuit, wire_bytes
from drsim.simulation.content import Origin
from drsim.simulation.disks import SiteDisk
from drsim.simulation.faults import Line, link_outages
from drsim.simulation.group import Group
from drsim.simulation.legs import compare, make_leg, make_probe, wire
from drsim.simulation.media import KeptBack, Media, Path, nodes
from drsim.simulation.order import settle_order
from drsim.simulation.people import make_hosts
from drsim.simulation.rounds import DiskPace
from drsim.simulation.snapshots import AtSource
from drsim.simulation.stages import slowed_disk
from drsim.simulation.tenure import Tenure
from drsim.simulation.valve import Valve
from drsim.simulation.waits import close_loops
from drsim.simulation.ways import (
    Way,
    feeders,
    history_of,
    hosts_may_come,
    journal_of,
    source_settings,
    target_settings,
    timetables,
    wanted,
    ways,
)
from drsim.simulation.world import Environment, Node, World


def build(scenario: Scenario, horizon: float, *, content: bool, writes_per_settle: int) -> Built:
    """Build the world of a scenario.

    Args:
        scenario: what to run.
        horizon: seconds; the links' and disks' stories are told that far.
        content: addresses of all writes are needed, for comparing images.
        writes_per_settle: the size of batches aimed at; no result depends on it.
    """
    world = World(Environment(), writes_per_settle=writes_per_settle)
    built = Built(scenario, world)
    known = ways(scenario)
    built.ways = {way.key: way for way in known}
    for name in scenario.links:
        built.circuits[name] = make_circuit(scenario, name, horizon, known)
    for name in scenario.sites:
        built.places[name] = _place(scenario, name, horizon, known)
    for name in scenario.groups:
        built.groups[name] = Group(name, origin=Origin() if content else None)
        built.outcomes[name] = []
    for way in known:
        built.paths[way.key] = _path(built, way)
        built.media[way.key] = media = _media(built, way)
        built.paths[way.key].volumes = media.volumes
    for way in known:
        if way.planned:
            _first_leg(built, way)
    for name in scenario.groups:
        _first_tenure(built, name)
    built.hosts, built.intakes, built.streams = make_hosts(
        scenario, built.groups, lambda site: _pace(built.places[site]), content=content
    )
    world.intakes.extend(built.intakes.values())
    close_loops(built)
    passed: dict[tuple[str, str, str], tuple[Path, list[Node]]] = {
        key: (built.paths[key], [*nodes(built.paths[key], media)]) for key, media in built.media.items()
    }
    world.nodes = settle_order(scenario, _disks(built), passed)
    for name, circuit in built.circuits.items():
        legs = [leg for (g, t), leg in built.legs.items() if scenario.route(g, t) == name]
        line = built.lines[name] = Line([circuit.forward, circuit.reverse], legs)
        world.env.process(link_outages(world, circuit.timeline.cuts, line))
    return built


def _place(scenario: Scenario, name: str, horizon: float, known: list[Way]) -> Place:
    site = scenario.sites[name]
    counts: dict[str, dict[str, int]] = {"disk": {}, "journal_disk": {}}

    def count(medium: str, level: str) -> None:
        if medium in counts:
            counts[medium][level] = counts[medium].get(level, 0) + 1

    for way in known:
        if way.source == name:
            count(journal_of(scenario.groups[way.group], name, way.target).medium, "journal")
            count("disk", "volumes")  # reads for a copy
    for group, target in dict.fromkeys((way.group, way.target) for way in known):
        if target == name:
            count(_staging_medium(scenario, group, target), "staging")
            count("disk", "volumes")
    disks: list[SiteDisk | None] = []
    for kind in ("disk", "journal_disk"):
        model = getattr(site, kind)
        if model is None:
            disks.append(None)
            continue
        steps = _disk_steps(model.write, site, scenario, horizon) if kind == "disk" else [(0.0, model.write)]
        steps = slowed_disk(scenario, name, steps)
        writers = kind == "disk" and hosts_may_come(scenario, name)
        disks.append(SiteDisk(model, counts[kind], steps, horizon, hosts=writers))
    return Place(*disks)


def _disk_steps(rate: float, site: Site, scenario: Scenario, horizon: float) -> list[tuple[float, float]]:
    """The disk's rate in time: what backups read is gone for writing."""
    edges: dict[float, float] = {0.0: 0.0}
    for backup in site.backup:
        for begin, end in backup.intervals(horizon, scenario.week_offset):
            edges[begin] = edges.get(begin, 0.0) + backup.read
            edges[end] = edges.get(end, 0.0) - backup.read
    steps, load = [], 0.0
    for at in sorted(edges):
        load += edges[at]
        steps.append((at, max(rate - load, 0.0)))
    return steps


def _staging_medium(scenario: Scenario, group: str, target: str) -> str:
    at = scenario.groups[group].targets.get(target)
    return "ideal" if at is None else at.staging.medium


def _disks(built: Built) -> dict[str, SiteDisk]:
    """Every disk there is, by ``site.disk`` or ``site.journal_disk``."""
    found = {f"{n}.disk": place.disk for n, place in built.places.items()}
    found |= {f"{n}.journal_disk": place.journal_disk for n, place in built.places.items()}
    return {name: disk for name, disk in found.items() if disk is not None}


def _path(built: Built, way: Way) -> Path:
    circuit = built.circuits[way.link]
    forward = circuit.link.between[0] == way.source
    out, back = (circuit.forward, circuit.reverse) if forward else (circuit.reverse, circuit.forward)
    usage = circuit.usage[0 if forward else 1]
    names = classes(circuit.link, way.group)
    flows = [out.join(lambda finish, cost: usage.feed(way.group, finish, cost)) for _ in names]
    charge = partial(wire_bytes, circuit.timeline.charge, circuit.link.efficiency is not None)
    path = Path(out, back, flows[0], flows[-1], charge, restart=circuit.link.restart(forward=forward))
    size = wanted(built.scenario.groups[way.group], way.source, way.target).staging.size
    if size is not None:
        path.valve = Valve(size, back.propagation_s)
    return path


def _media(built: Built, way: Way) -> Media:
    """A way's media. What is behind the staging of a site is the same wherever writes come from."""
    group = built.scenario.groups[way.group]
    here, there = built.places[way.source], built.places[way.target]
    same = next((m for k, m in built.media.items() if (k[0], k[2]) == (way.group, way.target)), None)
    media = Media() if same is None else Media(staging=same.staging, volumes=same.volumes)
    if (disk := _chosen(here, journal_of(group, way.source, way.target).medium)) is not None:
        media.journal = disk.medium("journal")
    if here.disk is not None:
        media.reads = here.disk.reads(here.disk.medium("volumes"))
    at = wanted(group, way.source, way.target)
    media.kept = None if history_of(at) is None else KeptBack()
    if same is None:
        staging = at.staging
        if (disk := _chosen(there, staging.medium)) is not None:
            media.staging = disk.medium("staging")
        if there.disk is not None:
            media.volumes = there.disk.medium("volumes", staging.amplification)
    return media


def _first_leg(built: Built, way: Way) -> None:
    """A leg as the scenario has it."""
    group, probe = built.scenario.groups[way.group], make_probe(built, way)
    source, target = source_settings(built.scenario, way), target_settings(built.scenario, way)
    leg = built.legs[way.group, way.target] = make_leg(
        built, way, probe, SourceEngine(source), TargetEngine(target)
    )
    via = group.targets[way.target].via
    feeder = built.legs[way.group, via] if via is not None else None
    if feeder is not None:
        feeder.feeds(leg)
    origin = built.groups[way.group].origin
    if origin is not None:
        compare(leg, origin, feeder)


def _first_tenure(built: Built, name: str) -> None:
    """A group at the site where it begins."""
    settings, group = built.scenario.groups[name], built.groups[name]
    legs = {target: built.legs[name, target] for target in settings.targets}
    direct = [legs[target] for target, at in settings.targets.items() if at.via is None]
    tree = feeders(built.scenario, name, settings.source)
    built.tenures[name] = [Tenure(name, settings.source, group, legs, tree)]
    wire(built.world, group, direct, [leg for leg in legs.values() if leg not in direct])
    if settings.snapshots:
        when = timetables(built.scenario, settings.snapshots)
        store, world = settings.snapshot_store, built.world
        at_issue = store.kind == "copy-on-write" and built.places[settings.source].disk is not None
        last = partial(_taken_at_home, built, name, at_issue=at_issue)
        kept = AtSource(store, when, last, world.call_at, at_issue=at_issue)
        if at_issue:
            world.halts.append(kept.halt)
        group.kept = kept
        built.world.on_settled.append(lambda _: kept.kept.settled(built.tenures[name][-1].group.taken))


def _taken_at_home(built: Built, name: str, *, at_issue: bool) -> int | None:
    """The last write handed over (or issued) to a group at its first source; None while hosts do not write there."""
    tenure = built.tenures[name][-1]
    if not tenure.running or tenure.source != built.tenures[name][0].source:
        return None
    group, intake = tenure.group, built.intakes.get(tenure.source)
    coming = group.waits + intake.under_way(group) if at_issue and intake is not None else 0
    return group.taken + coming


def _chosen(place: Place, medium: str) -> SiteDisk | None:
    return {"disk": place.disk, "journal_disk": place.journal_disk}.get(medium)


def _pace(place: Place) -> DiskPace | None:
    return place.disk.hosts() if place.disk is not None else None
