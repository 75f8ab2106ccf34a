"""Stories of what breaks: links that go down and come back."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

from simpy.events import Event

from drsim.simulation.channel import Channel
from drsim.simulation.leg import Leg
from drsim.simulation.world import World


class Line:
    """A link's connection: it is there unless something holds it down (an outage, a lost site at its end)."""

    def __init__(self, channels: Sequence[Channel], legs: Sequence[Leg]) -> None:
        self._channels = channels
        self._legs = list(legs)
        self._held_by: set[str] = set()

    @property
    def up(self) -> bool:
        """Whether nothing holds it down."""
        return not self._held_by

    def attach(self, leg: Leg) -> None:
        """A leg goes over it from now on; to be called before it begins."""
        self._legs.append(leg)
        if self._held_by:
            leg.part()

    def detach(self, leg: Leg) -> None:
        """A leg goes over it no more."""
        if leg in self._legs:
            self._legs.remove(leg)

    def sever(self, cause: str, at: float) -> None:
        """``cause`` holds it down from ``at`` (seconds) on."""
        if not self._held_by:
            sever(self._channels, self._legs, at)
        self._held_by.add(cause)

    def join(self, cause: str) -> None:
        """``cause`` is over; the line is back when nothing else holds it."""
        self._held_by.discard(cause)
        if not self._held_by:
            join(self._channels, self._legs)


def link_outages(
    world: World, cuts: Iterable[tuple[float, float, str]], line: Line
) -> Generator[Event, None, None]:
    """Take a link down and up again: ``cuts`` are (down at, up at, cause) in order, seconds."""
    for down, up, _cause in cuts:
        yield world.env.at(down)
        world.decide(down, lambda at=down: line.sever("outage", at))  # type: ignore[misc]
        yield world.env.at(up)
        world.decide(up, lambda: line.join("outage"))


def sever(channels: Sequence[Channel], legs: Sequence[Leg], at: float) -> None:
    """The link is lost in both directions: what is under way never arrives, both ends learn of it."""
    for channel in channels:
        channel.cut(at)
    for leg in legs:
        leg.disconnect()


def join(channels: Sequence[Channel], legs: Sequence[Leg]) -> None:
    """The link is back: the engines open a new session."""
    for channel in channels:
        channel.restore()
    for leg in legs:
        leg.connect()
