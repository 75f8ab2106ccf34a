"""Puts a scenario's parts together: the only file that knows every part of the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter

from drsim.replication.history import Keep
from drsim.replication.settings import SourceSettings, TargetSettings
from drsim.scenario.group import Target
from drsim.scenario.models import Scenario
from drsim.scenario.site import Site
from drsim.simulation.circuits import Circuit, classes, make_circuit, wire_bytes
from drsim.simulation.disks import SiteDisk
from drsim.simulation.faults import Line, link_outages
from drsim.simulation.group import Group
from drsim.simulation.horizon import Horizon
from drsim.simulation.hosts import HostProbe
from drsim.simulation.intake import DiskPace, Intake
from drsim.simulation.leg import Leg
from drsim.simulation.media import Media, Path
from drsim.simulation.order import settle_order
from drsim.simulation.outcome import Outcome
from drsim.simulation.people import make_hosts
from drsim.simulation.ports import Ground
from drsim.simulation.probe import LegProbe
from drsim.simulation.world import Awaited, Environment, World


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
    lost: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
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
    for name in scenario.links:
        built.circuits[name] = make_circuit(scenario, name, horizon)
    for name in scenario.sites:
        built.places[name] = _place(scenario, name, horizon)
    for name in scenario.groups:
        built.groups[name] = Group(name)
        built.outcomes[name] = []
    world.groups = list(built.groups.values())
    for group, settings in scenario.groups.items():
        for target in _hops(scenario, group):
            _leg(built, group, target)
        _acknowledge(built.groups[group], [built.legs[group, t] for t in settings.targets])
    built.hosts, built.intakes = make_hosts(
        scenario, built.groups, lambda site: _pace(built.places[site]), content=content
    )
    world.intakes.extend(built.intakes.values())
    world.nodes = settle_order(scenario, _disks(built), built.legs)
    for leg in built.legs.values():
        world.waiting.append((leg.waiting, leg.nodes))
        if (valve := leg.here.valve) is not None:
            world.waiting.append((lambda valve=valve: valve.holding, [valve.horizon()]))  # type: ignore[misc]
        world.on_settled.append(leg.settled)
    _close_loops(built)
    for name, circuit in built.circuits.items():
        legs = [leg for (g, t), leg in built.legs.items() if scenario.route(g, t) == name]
        line = built.lines[name] = Line([circuit.forward, circuit.reverse], legs)
        world.env.process(link_outages(world, circuit.timeline.cuts, line))
    return built


def _place(scenario: Scenario, name: str, horizon: float) -> Place:
    site = scenario.sites[name]
    counts: dict[str, dict[str, int]] = {"disk": {}, "journal_disk": {}}

    def count(medium: str, level: str) -> None:
        if medium in counts:
            counts[medium][level] = counts[medium].get(level, 0) + 1

    for group in scenario.groups.values():
        for t, target in group.targets.items():
            if group.feeder(t) == name:
                count(group.journal_at(t).medium, "journal")
                count("disk", "volumes")  # reads for a copy
            if t == name:
                count(target.staging.medium, "staging")
                count("disk", "volumes")
    disks: list[SiteDisk | None] = []
    for kind in ("disk", "journal_disk"):
        model = getattr(site, kind)
        if model is None:
            disks.append(None)
            continue
        steps = _disk_steps(model.write, site, scenario, horizon) if kind == "disk" else [(0.0, model.write)]
        writers = kind == "disk" and any(host.site == name for host in scenario.hosts.values())
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


def _hops(scenario: Scenario, group: str) -> list[str]:
    """Targets in an order in which each comes after the one that feeds it."""
    targets = scenario.groups[group].targets
    graph = {name: {t.via} if t.via else set() for name, t in targets.items()}
    return list(TopologicalSorter(graph).static_order())


def _disks(built: Built) -> dict[str, SiteDisk]:
    """Every disk there is, by ``site.disk`` or ``site.journal_disk``."""
    found = {f"{n}.disk": place.disk for n, place in built.places.items()}
    found |= {f"{n}.journal_disk": place.journal_disk for n, place in built.places.items()}
    return {name: disk for name, disk in found.items() if disk is not None}


def _leg(built: Built, group: str, target: str) -> None:
    scenario, world = built.scenario, built.world
    settings = scenario.groups[group]
    at = settings.targets[target]
    circuit = built.circuits[scenario.route(group, target)]
    forward = circuit.link.between[0] == settings.feeder(target)
    out, back = (circuit.forward, circuit.reverse) if forward else (circuit.reverse, circuit.forward)
    usage = circuit.usage[0 if forward else 1]
    charge = circuit.timeline.charge
    flows = [
        out.join(lambda finish, cost: usage.feed(group, finish, cost)) for _ in classes(circuit.link, group)
    ]
    journal = settings.journal_at(target)
    probe = LegProbe(at.rpo, journal.on_full.capacity(journal.size))
    path = Path(
        out, back, flows[0], flows[-1], partial(wire_bytes, charge, circuit.link.efficiency is not None)
    )
    leg = Leg(
        f"{group}/{target}",
        Ground(path, _media(built, group, target), probe, lambda: world.now),
        _source_settings(scenario, group, target),
        TargetSettings(
            group=group,
            protect=settings.resync.protect,
            in_sync=at.seed == "in-sync",
            size=at.staging.size,
            history=_history(at),
        ),
        _Clock(world),
    )
    built.legs[group, target] = leg
    if at.via is None:
        built.groups[group].legs.append(leg)
    else:
        built.legs[group, at.via].feeds(leg)
    owner, number = built.groups[group], len(built.legs)
    leg.hooks.hold = lambda held: owner.hold(number) if held else owner.unhold(number, world.now)
    leg.hooks.pace = lambda delay: owner.pace(number, delay)
    leg.hooks.failed = owner.failed


def _history(at: Target) -> Keep | None:
    """A delay and a history are one thing: destaging held back."""
    kept = at.history.keep if at.history is not None else None
    window = max(at.delay, kept or 0.0)
    return Keep(window=window, size=at.history.space if at.history is not None else None) if window else None


def _source_settings(scenario: Scenario, group: str, target: str) -> SourceSettings:
    settings = scenario.groups[group]
    journal = settings.journal_at(target)
    return SourceSettings(
        group=group,
        volumes=tuple(volume.size for volume in settings.volumes.values()),
        mode=settings.mode_at(target),
        on_full=journal.on_full,
        size=journal.size,
        resident=journal.resident,
        resync=settings.resync,
        in_sync=settings.targets[target].seed == "in-sync",
    )


def _media(built: Built, group: str, target: str) -> Media:
    settings = built.scenario.groups[group]
    here, there = built.places[settings.feeder(target)], built.places[target]
    journal, staging = settings.journal_at(target), settings.targets[target].staging
    media = Media()
    if (disk := _chosen(here, journal.medium)) is not None:
        media.journal = disk.medium("journal")
    if (disk := _chosen(there, staging.medium)) is not None:
        media.staging = disk.medium("staging")
    if there.disk is not None:
        media.volumes = there.disk.medium("volumes", staging.amplification)
    if here.disk is not None:
        media.reads = here.disk.reads(here.disk.medium("volumes"))
    return media


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


def _acknowledge(group: Group, legs: list[Leg]) -> None:
    """A host is told when every leg that is fed by it has acknowledged."""
    direct = [leg for leg in legs if leg in group.legs]
    for number, leg in enumerate(direct):
        leg.hooks.acknowledged = partial(group.acknowledged, number, len(direct))


def _pace(place: Place) -> DiskPace | None:
    return place.disk.hosts() if place.disk is not None else None


def _close_loops(built: Built) -> None:
    """Where hosts wait for their writes, let the world know what tells them that they are done."""
    paths: list[tuple[Intake, list[Awaited]]] = []
    for intake in built.intakes.values():
        if intake.loops:
            direct = [leg for leg in built.legs.values() if any(leg in group.legs for group in intake.groups)]
            paths.append((intake, [part for leg in direct for part in leg.acknowledging()]))
    if paths:
        world = built.world
        world.horizon = Horizon(world.intakes, world.groups, paths, world.next_decision)
