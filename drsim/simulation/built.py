"""A world's parts by name, and where its groups and sites stand while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from drsim.scenario.models import Scenario
from drsim.simulation.circuits import Circuit
from drsim.simulation.disks import SiteDisk
from drsim.simulation.faults import Line
from drsim.simulation.group import Group
from drsim.simulation.hosts import HostProbe
from drsim.simulation.intake import Intake
from drsim.simulation.leg import Leg
from drsim.simulation.media import Media, Path
from drsim.simulation.outcome import Outcome
from drsim.simulation.people import Streams
from drsim.simulation.tenure import Tenure
from drsim.simulation.ways import Way
from drsim.simulation.world import World


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
    streams: dict[str, Streams] = field(default_factory=dict)
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
