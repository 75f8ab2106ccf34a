"""A group's time at one site: its order, its legs, from when hosts write there to when they do no more."""

from __future__ import annotations

from dataclasses import dataclass, field

from drsim.simulation.group import Group
from drsim.simulation.leg import Leg
from drsim.simulation.outcome import Outcome


@dataclass(slots=True, eq=False)
class Tenure:
    """One group at one site.

    Attributes:
        name: the group's.
        source: the site at which hosts write.
        group: the order they write in.
        legs: by target site.
        feeders: by target site, the site that sends to it.
        begin: when hosts began to write here, seconds.
        end: when the group was taken over elsewhere (or hosts stopped for that); None: not yet.
        down: the site is lost, and the group with it.
        halted: hosts do not write although the site is there: an operator stopped them to move the group.
        leaving: the decision has fallen, and the group is on its way to another site.
        wiped: the site was lost, and came back without its data.
        outcome: what is told of the disaster that holds it down.
    """

    name: str
    source: str
    group: Group
    legs: dict[str, Leg] = field(default_factory=dict)
    feeders: dict[str, str] = field(default_factory=dict)
    begin: float = 0.0
    end: float | None = None
    down: bool = False
    halted: bool = False
    leaving: bool = False
    wiped: bool = False
    outcome: Outcome | None = None

    @property
    def running(self) -> bool:
        """Whether hosts write here, or would if they had anything to write."""
        return self.end is None and not self.down

    @property
    def direct(self) -> list[Leg]:
        """The legs that begin at the source; the others are hops of a cascade."""
        return [leg for target, leg in self.legs.items() if self.feeders[target] == self.source]

    def way(self, target: str) -> tuple[str, str, str]:
        """The key of the way to a target."""
        return self.name, self.feeders[target], target

    def chain(self, target: str) -> list[str]:
        """The sites between the source and a target, the nearest to the target first, the source last."""
        found = [self.feeders[target]]
        while found[-1] != self.source:
            found.append(self.feeders[found[-1]])
        return found

    def unprotected(self, end: float) -> list[tuple[float, float]]:
        """When no target held a consistent image: intervals of [begin, end of it or of the run], seconds.

        To be asked once the legs' measures are finished.
        """
        last = end if self.end is None else min(self.end, end)
        gaps = [(self.begin, last)]
        for leg in self.legs.values():
            since = leg.probe.since
            inside = [(b + since, e + since) for b, e in leg.probe.lag.exposure.intervals]
            pairs = ((max(b, x), min(e, y)) for b, e in gaps for x, y in inside)
            gaps = [(b, e) for b, e in pairs if b < e]
        return gaps
