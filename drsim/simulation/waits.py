"""What the hosts of closed loops wait for, at each site: the site's disk alone, or all that acknowledges a write."""

from __future__ import annotations

from drsim.scenario.site import HardDisk
from drsim.simulation.built import Built
from drsim.simulation.horizon import Horizon
from drsim.simulation.intake import Intake
from drsim.simulation.ways import Way, holds_hosts, journal_of, mode_of
from drsim.simulation.world import Awaited


def close_loops(built: Built) -> None:
    """Where hosts wait for their writes, see to it that they learn when those are done."""
    for site, intake in built.intakes.items():
        if waits_for_disk_alone(built, site):
            intake.let_run()
    watch_loops(built)


def waits_for_disk_alone(built: Built, site: str) -> bool:
    """Whether nothing but the site's disk tells hosts that a write is done, wherever on it the write goes.

    So it must be for every group with closed loops that is there, or may come there.
    """
    disk = built.places[site].disk
    if disk is not None and (isinstance(disk.model, HardDisk) or _copies_first(built, site)):
        return False
    ways = [way for way in built.ways.values() if way.source == site and built.streams[way.group].loops]
    return not any(_acknowledges(built, way) for way in ways)


def _copies_first(built: Built, site: str) -> bool:
    """Whether snapshots at the source make a write cost what was where it goes."""
    here = [group for group in built.scenario.groups.values() if group.source == site and group.snapshots]
    return any(group.snapshot_store.kind == "copy-on-write" for group in here)


def _acknowledges(built: Built, way: Way) -> bool:
    """Whether hosts are told later than a write leaves the disk, because of a leg on this way."""
    group = built.scenario.groups[way.group]
    slow = built.media[way.key].journal.station is not None
    return (
        slow
        or mode_of(group, way.source, way.target).remote
        or holds_hosts(journal_of(group, way.source, way.target))
    )


def watch_loops(built: Built) -> None:
    """Where hosts wait for more than their disk, let the world know what tells them that a write is done."""
    world = built.world
    paths = [(intake, _path(built, intake)) for intake in built.intakes.values() if intake.waiting]
    world.horizon = Horizon(world.intakes, world.groups, paths, world.next_decision) if paths else None


def _path(built: Built, intake: Intake) -> list[Awaited]:
    there = [tenures[-1] for tenures in built.tenures.values() if tenures[-1].group in intake.groups]
    return [part for tenure in there for leg in tenure.direct for part in leg.acknowledging()]
