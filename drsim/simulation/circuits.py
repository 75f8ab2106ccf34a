"""Links as they are in the world: two channels each, whose transmitters the groups share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from drsim.blocks.batch import Ints, row_by_row
from drsim.measure.usage import UsageMeter
from drsim.replication.frames import Frame
from drsim.replication.wire import header_size, payload_sizes
from drsim.scenario.models import Scenario
from drsim.simulation.channel import Channel
from drsim.simulation.stages import staged_link
from drsim.simulation.station import Ideal, Station
from drsim.simulation.ways import Way, wanted
from drsim.wan.link import Link
from drsim.wan.timeline import Timeline

Wire = Callable[[Ints, Ints | int], Ints]


@dataclass(slots=True, eq=False)
class Circuit:
    """A link in the world: its story, its two channels, what they carried."""

    link: Link
    timeline: Timeline
    forward: Channel
    reverse: Channel
    usage: tuple[UsageMeter, UsageMeter]


def make_circuit(scenario: Scenario, name: str, horizon: float, ways: list[Way]) -> Circuit:
    """Build a link of a scenario, its story told ``horizon`` seconds far, with a class for each of its ways."""
    link = staged_link(scenario, name)
    seeds = np.random.SeedSequence(scenario.seed)
    timeline = link.timeline(name, horizon, seeds, scenario.week_offset, scenario.folder)
    channels = []
    for forward in (True, False):
        begins = link.between[0] if forward else link.between[1]
        flows: list[str] = []
        rpos: list[float | None] = []
        for way in ways:
            if way.link == name and way.source == begins:
                names = classes(link, way.group)
                flows += names
                rpos += [wanted(scenario.groups[way.group], way.source, way.target).rpo] * len(names)
        if flows:
            server = link.sharing.server(timeline.direction(forward=forward).capacity(horizon), flows, rpos)
            station = Station(server, len(flows))
        else:
            station = Station(Ideal(), 1)
        channels.append(Channel(f"{name}{'>' if forward else '<'}", station, timeline.propagation_s))
    usage = (UsageMeter(), UsageMeter())
    return Circuit(link, timeline, channels[0], channels[1], usage)


def classes(link: Link, group: str) -> list[str]:
    """A group's classes on a link: its own, and its resync's where ``sharing`` names that apart."""
    resync = f"{group}/resync"
    return [group, resync] if resync in link.sharing.classes else [group]


def wire_bytes(charge: Wire, free: bool, frame: Frame) -> Ints:
    """What each member of a train costs on the link."""
    header = 0 if free else header_size(frame)
    return row_by_row(lambda sizes: charge(sizes, header), payload_sizes(frame))
