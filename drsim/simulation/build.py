"""Puts a scenario's parts together: the only file that knows every part of the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from drsim.replication.source import SourceEngine
from drsim.replication.target import TargetEngine
from drsim.scenario.models import Scenario
from drsim.scenario.site import Site
from drsim.simulation.circuits import Circuit, classes, make_circuit, wire_bytes
from drsim.simulation.disks import SiteDisk
from drsim.simulation.faults import Line, link_outages
from drsim.simulation.group import Group
from drsim.simulation.hosts import HostProbe
from drsim.simulation.intake import Feed, Intake
from drsim.simulation.leg import Leg
from drsim.simulation.media import Media, Path
from drsim.simulation.order import settle_order
from drsim.simulation.outcome import Outcome
from drsim.simulation.ports import Ground
from drsim.simulation.probe import LegProbe
from drsim.simulation.streams import stream
from drsim.simulation.tenure import Tenure
from drsim.simulation.ways import (
    Way,
    hosts_may_come,
    journal_of,
    source_settings,
    target_settings,
    wanted,
    ways,
)
from drsim.simulation.world import Environment, World


@dataclass(slots=True, eq=False)
class Place:
    """A site in the world: its disk and its journal disk, where it has them."""

    disk: SiteDisk | None
    journal_disk: SiteDisk | None


@dataclass(slots=True, eq=False)
class Built:
    """A world ready to run, with its parts by name."""

    scenario: Scenario
    world: World
    circuits: dict[str, Circuit] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    legs: dict[tuple[str, str], Leg] = field(default_factory=dict)
    hosts: dict[str, HostProbe] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    intakes: dict[str, Intake] = field(default_factory=dict)
    feeds: dict[str, list[Feed]] = field(default_factory=dict)
    ways: dict[tuple[str, str, str], Way] = field(default_factory=dict)
    paths: dict[tuple[str, str, str], Path] = field(default_factory=dict)
    media: dict[tuple[str, str, str], Media] = field(default_factory=dict)
    tenures: dict[str, list[Tenure]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    for_good: set[str] = field(default_factory=set)
    wiped: set[str] = field(default_factory=set)
    holds: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)

    def connect(self) -> None:
        """Every link is there: all engines learn of it."""
        for leg in self.legs.values():
            leg.begin()


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
        built.groups[name] = Group(name)
        built.outcomes[name] = []
    for way in known:
        built.paths[way.key] = _path(built, way)
        built.media[way.key] = _media(built, way)
    for way in known:
        if way.planned:
            _first_leg(built, way)
    for name in scenario.groups:
        _first_tenure(built, name)
    _hosts(built, content=content)
    nodes = {key: (built.paths[key], media) for key, media in built.media.items()}
    world.nodes = settle_order(scenario, _disks(built), nodes)
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
    return Path(out, back, flows[0], flows[-1], charge)


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
    if same is None:
        staging = wanted(group, way.source, way.target).staging
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
    if via is not None:
        built.legs[way.group, via].feeds(leg)


def make_probe(built: Built, way: Way, since: float = 0.0, after: int = 0) -> LegProbe:
    """The meters of a leg on a way, from ``since`` (seconds) on, for the order after ``after``."""
    group = built.scenario.groups[way.group]
    journal = journal_of(group, way.source, way.target)
    limit = journal.on_full.capacity(journal.size)
    return LegProbe(wanted(group, way.source, way.target).rpo, limit, since, after)


def make_leg(built: Built, way: Way, probe: LegProbe, source: SourceEngine, target: TargetEngine) -> Leg:
    """Two engines on a way's ground."""
    world = built.world
    ground = Ground(built.paths[way.key], built.media[way.key], probe, lambda: world.now)
    leg = Leg(f"{way.group}/{way.target}", ground, source, target, _Clock(world))
    leg.sent_before = sent(built, way)
    world.waiting.append((leg.waiting, leg.nodes))
    world.on_settled.append(probe.settled)
    return leg


def sent(built: Built, way: Way) -> int:
    """Bytes of a group that a way's link has carried in its direction so far."""
    circuit = built.circuits[way.link]
    return circuit.usage[0 if circuit.link.between[0] == way.source else 1].total(way.group)


def _first_tenure(built: Built, name: str) -> None:
    """A group at the site where it begins."""
    settings, group = built.scenario.groups[name], built.groups[name]
    legs = {target: built.legs[name, target] for target in settings.targets}
    direct = [legs[target] for target, at in settings.targets.items() if at.via is None]
    built.tenures[name] = [Tenure(name, settings.source, group, legs)]
    wire(built.world, group, direct, [leg for leg in legs.values() if leg not in direct])


def wire(world: World, group: Group, legs: list[Leg], hops: list[Leg]) -> None:
    """Let a group feed these legs, which feed ``hops``; a host is told when every leg has acknowledged."""
    world.groups.append(group)
    for number, leg in enumerate([*legs, *hops]):
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


def _chosen(place: Place, medium: str) -> SiteDisk | None:
    return {"disk": place.disk, "journal_disk": place.journal_disk}.get(medium)


@dataclass(frozen=True, slots=True)
class _Clock:
    """The drivers' view of the world's time."""

    world: World

    def now(self) -> float:
        return self.world.now

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        self.world.call_at(when, callback)


def _hosts(built: Built, *, content: bool) -> None:
    scenario = built.scenario
    feeds: dict[str, list[Feed]] = {}
    built.feeds = {name: [] for name in scenario.groups}
    for name, host in scenario.hosts.items():
        probe = built.hosts[name] = HostProbe()
        for index, write in enumerate(host.writes):
            group, _, volume = write.volume.partition("/")
            settings = scenario.groups[group]
            blocks = write.blocks(
                stream(scenario.seed, "hosts", name, str(index)),
                settings.volumes[volume].size,
                scenario.folder,
                scenario.week_offset,
            )
            place = list(settings.volumes).index(volume)
            addresses = content or _needs_addresses(scenario, group, host.site)
            feed = Feed(blocks, built.groups[group], place, probe, addresses=addresses)
            feeds.setdefault(host.site, []).append(feed)
            built.feeds[group].append(feed)
    for site in scenario.sites:
        if hosts_may_come(scenario, site):
            feeds.setdefault(site, [])
    for site, those in feeds.items():
        disk = built.places[site].disk
        built.intakes[site] = Intake(those, disk.hosts() if disk is not None else None)
    built.world.intakes.extend(built.intakes.values())


def _needs_addresses(scenario: Scenario, group: str, site: str) -> bool:
    """Whether anything but order and size of a group's writes can matter to the result."""
    settings = scenario.groups[group]
    places = [scenario.sites[site], *(scenario.sites[t] for t in settings.targets)]
    if any(disk is not None and disk.kind == "hdd" for p in places for disk in (p.disk, p.journal_disk)):
        return True
    for target, at in settings.targets.items():
        journal, mode = settings.journal_at(target), settings.mode_at(target)
        if mode.closing() is not None or at.seed != "in-sync":
            return True
        if journal.size is not None and not journal.on_full.keeps_order:
            return True
        if at.history is not None or at.snapshots:
            return True
    return bool(settings.snapshots or scenario.disasters or scenario.operations)
