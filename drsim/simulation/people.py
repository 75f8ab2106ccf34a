"""The hosts of a scenario, put at their sites: open streams and closed loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from numpy.random import PCG64, Generator

from drsim.blocks.batch import Floats
from drsim.randomness import stream
from drsim.scenario.host import Host
from drsim.scenario.models import Scenario
from drsim.simulation.group import Group
from drsim.simulation.hosts import HostProbe
from drsim.simulation.intake import Feed, Intake
from drsim.simulation.loop import Loop
from drsim.simulation.rounds import DiskPace
from drsim.simulation.ways import hosts_may_come

_THOUGHTS = 1024


@dataclass(slots=True, eq=False)
class Streams:
    """What goes where a group goes: its open streams, and the closed loops that write to it."""

    feeds: list[Feed] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)


def make_hosts(
    scenario: Scenario,
    groups: Mapping[str, Group],
    disk_of: Callable[[str], DiskPace | None],
    *,
    content: bool,
) -> tuple[dict[str, HostProbe], dict[str, Intake], dict[str, Streams]]:
    """Give the hosts' meters by host, what the hosts of each site have in common, and each group's streams.

    Args:
        scenario: what to run.
        groups: by name.
        disk_of: a site's disk as its hosts see it.
        content: addresses of all writes are needed, for comparing images.
    """
    probes: dict[str, HostProbe] = {}
    feeds: dict[str, list[Feed]] = {}
    loops: dict[str, list[Loop]] = {}
    streams = {name: Streams() for name in scenario.groups}
    for name, host in scenario.hosts.items():
        probes[name] = HostProbe()
        own = _feeds(scenario, name, groups, probes[name], content=content)
        if host.queue_depth is None:
            feeds.setdefault(host.site, []).extend(own)
        else:
            loop = Loop(own, host.queue_depth, probes[name], _thoughts(scenario, name, host))
            loops.setdefault(host.site, []).append(loop)
            for group in loop.groups:
                streams[group.name].loops.append(loop)
            continue
        for feed in own:
            streams[feed.group.name].feeds.append(feed)
    used = dict.fromkeys(host.site for host in scenario.hosts.values())
    sites = [*used, *(s for s in scenario.sites if s not in used and hosts_may_come(scenario, s))]
    intakes = {s: Intake(feeds.get(s, []), disk_of(s), loops.get(s, [])) for s in sites}
    return probes, intakes, streams


def _feeds(
    scenario: Scenario, name: str, groups: Mapping[str, Group], probe: HostProbe, *, content: bool
) -> list[Feed]:
    host = scenario.hosts[name]
    found = []
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
        found.append(Feed(blocks, groups[group], place, probe, addresses=addresses))
    return found


def _thoughts(scenario: Scenario, name: str, host: Host) -> Iterator[Floats] | None:
    """Think times without end, block by block, from the host's own stream; None where it does not think."""
    if host.think is None:
        return None
    generator = Generator(PCG64(stream(scenario.seed, "hosts", name, "think")))
    think, folder = host.think, scenario.folder
    return (think.draw(generator, _THOUGHTS, folder) for _ in count())


def _needs_addresses(scenario: Scenario, group: str, site: str) -> bool:
    """Whether anything but order and size of a group's writes can matter to the result."""
    settings = scenario.groups[group]
    places = [scenario.sites[site], *(scenario.sites[t] for t in settings.targets)]
    if any(disk is not None and disk.seeks for p in places for disk in (p.disk, p.journal_disk)):
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
