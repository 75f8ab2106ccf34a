"""Which sites of a group may ever send to which: a way for each leg it has, or may have after it has moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from drsim.replication import shelf
from drsim.replication.history import Keep
from drsim.replication.policy import Mode
from drsim.replication.settings import SourceSettings, TargetSettings
from drsim.replication.shelf import Timetable
from drsim.scenario.group import Group, GroupJournal, History, Schedule, Target
from drsim.scenario.models import Scenario

OPEN_HORIZON = 3 * 366 * 86400.0
"""Seconds of stories told for a run without ``duration``."""


@dataclass(frozen=True, slots=True)
class Way:
    """A group's writes from one site to another, over one link.

    ``planned``: the scenario names this target itself; the others are ways back, used once the group has moved.
    """

    group: str
    source: str
    target: str
    link: str
    planned: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """Group, source, target."""
        return self.group, self.source, self.target


def ways(scenario: Scenario) -> list[Way]:
    """Every way of every group, each after the one that feeds it, ways back last."""
    found = [
        Way(name, feeder, target, scenario.route(name, target), planned=True)
        for name, group in scenario.groups.items()
        for target, feeder in feeders(scenario, name, group.source).items()
    ]
    return found + _back(scenario, found)


def _back(scenario: Scenario, planned: list[Way]) -> list[Way]:
    known = {way.key for way in planned}
    found = []
    for name, group in scenario.groups.items():
        sites = [group.source, *group.targets] if movable(scenario, name) else []
        for source in sites:
            for target in sites:
                link = link_between(scenario, name, source, target)
                if source != target and link and (name, source, target) not in known:
                    found.append(Way(name, source, target, link, planned=False))
    return found


def feeders(scenario: Scenario, group: str, source: str) -> dict[str, str]:
    """Which site sends to which while a group is at ``source``: by target, those nearer to the source first.

    At home it is as the scenario says. Elsewhere the source sends to every site that a link joins with it, and to
    the others the sites on the shortest way, where such a hop can be (`can_relay`); what is left has no feeder.
    """
    settings = scenario.groups[group]
    if source == settings.source:
        graph = {t: {each.via} if each.via else set() for t, each in settings.targets.items()}
        return {t: settings.feeder(t) for t in TopologicalSorter(graph).static_order()}
    sites, reached = [settings.source, *settings.targets], [source]
    found: dict[str, str] = {}
    for site in reached:
        for target in sites:
            if target in reached or link_between(scenario, group, site, target) is None:
                continue
            if site == source or can_relay(settings, found[site], site, target):
                found[target] = site
                reached.append(target)
    return found


def can_relay(group: Group, feeder: str, middle: str, target: str) -> bool:
    """Whether a target can pass on to another one: an image at every write, no host that waits for what is beyond."""
    holds = holds_hosts(journal_of(group, middle, target))
    whole = mode_of(group, feeder, middle).closing() is not None
    return not (whole or holds or mode_of(group, middle, target).kind == "sync")


def mode_of(group: Group, source: str, target: str) -> Mode:
    """The mode in force from a source to a target."""
    return wanted(group, source, target).mode or group.mode


def hops(scenario: Scenario) -> list[tuple[str, str, str, str]]:
    """Every hop of a cascade there is or may be: group, feeder, the site that passes on, target."""
    found = []
    for name, group in scenario.groups.items():
        for source in (group.source, *group.targets) if movable(scenario, name) else (group.source,):
            tree = feeders(scenario, name, source)
            found += [(name, tree[middle], middle, t) for t, middle in tree.items() if middle != source]
    return found


def movable(scenario: Scenario, group: str) -> bool:
    """Whether anything in the scenario can make the group run elsewhere."""
    if any(disaster.site == scenario.groups[group].source for disaster in scenario.disasters):
        return True
    return any(op.group == group and op.do in ("failover", "failback") for op in scenario.operations)


def hosts_may_come(scenario: Scenario, site: str) -> bool:
    """Whether hosts write at a site, or may come there with a group."""
    if any(host.site == site for host in scenario.hosts.values()):
        return True
    return any(movable(scenario, n) and site in (g.source, *g.targets) for n, g in scenario.groups.items())


def link_between(scenario: Scenario, group: str, one: str, other: str) -> str | None:
    """The link that carries a group between two sites, either way: the one it uses already, else the first."""
    settings = scenario.groups[group]
    for target in settings.targets:
        if {settings.feeder(target), target} == {one, other}:
            return scenario.route(group, target)
    return next((n for n, link in scenario.links.items() if set(link.between) == {one, other}), None)


def wanted(group: Group, source: str, target: str) -> Target:
    """What a group wants of a target; of its old source, once it has moved, what it wanted of the new one."""
    if target in group.targets:
        return group.targets[target]
    there = group.targets[source]
    return Target(rpo=there.rpo, rto=there.rto, mode=there.mode, journal=there.journal)


def journal_of(group: Group, source: str, target: str) -> GroupJournal:
    """The journal in force from a source to a target."""
    return wanted(group, source, target).journal or group.journal


def holds_hosts(journal: GroupJournal) -> bool:
    """Whether hosts may have to wait, or fail, because of a journal that is full."""
    return journal.size is not None and journal.on_full.kind in ("block", "pace", "fail")


def source_settings(scenario: Scenario, way: Way) -> SourceSettings:
    """Settings of a way's source engine."""
    group = scenario.groups[way.group]
    at, journal = wanted(group, way.source, way.target), journal_of(group, way.source, way.target)
    return SourceSettings(
        group=way.group,
        volumes=tuple(volume.size for volume in group.volumes.values()),
        allocated=tuple(volume.in_use for volume in group.volumes.values()),
        mode=mode_of(group, way.source, way.target),
        on_full=journal.on_full,
        size=journal.size,
        resident=journal.resident,
        room=_room(at),
        resync=group.resync,
        in_sync=at.seed == "in-sync",
        akin=any(each.seed == "in-sync" for each in group.targets.values()),
        origin=_origin(group, way.source),
    )


def _room(at: Target) -> int | None:
    """What staging takes of one cycle: half of it may be a history's (`History`)."""
    size = at.staging.size
    return size // 2 if size is not None and history_of(at) is not None else size


def horizon(scenario: Scenario) -> float:
    """How far the stories of links, disks and timetables are told, seconds."""
    return scenario.duration if scenario.duration is not None else OPEN_HORIZON


def timetables(scenario: Scenario, schedules: Sequence[Schedule]) -> tuple[Timetable, ...]:
    """A scenario's schedules of snapshots, as shelves want them."""
    return tuple(
        shelf.Schedule(every=each.every, first=each.first, keep=each.keep, age=each.age)
        if each.every is not None
        else shelf.Moments(tuple(each.moments(horizon(scenario), scenario.week_offset)), each.keep, each.age)
        for each in schedules
    )


def target_settings(scenario: Scenario, way: Way) -> TargetSettings:
    """Settings of a way's target engine."""
    group = scenario.groups[way.group]
    at = wanted(group, way.source, way.target)
    return TargetSettings(
        group=way.group,
        protect=group.resync.protect,
        in_sync=at.seed == "in-sync",
        origin=_origin(group, way.target),
        size=at.staging.size,
        history=history_of(at),
        snapshots=timetables(scenario, at.snapshots),
        late=True,
    )


def _origin(group: Group, site: str) -> int:
    """A number for a site, unique within the group."""
    return 1 + [group.source, *group.targets].index(site)


def history_of(at: Target) -> Keep | None:
    """A delay and a history are one thing: destaging held back."""
    kept = at.history or History()
    window = max(at.delay, kept.keep or 0.0) or None
    return Keep(window=window, size=kept.space) if window or kept.space else None
