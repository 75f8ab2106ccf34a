"""Stories of what breaks: links that go down and come back."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

from simpy.events import Event

from drsim.simulation.channel import Channel
from drsim.simulation.leg import Leg
from drsim.simulation.world import World


def link_outages(
    world: World, cuts: Iterable[tuple[float, float, str]], channels: Sequence[Channel], legs: Sequence[Leg]
) -> Generator[Event, None, None]:
    """Take a link down and up again: ``cuts`` are (down at, up at, cause) in order, seconds."""
    for down, up, _cause in cuts:
        yield world.env.at(down)
        world.decide(down, lambda at=down: sever(channels, legs, at))  # type: ignore[misc]
        yield world.env.at(up)
        world.decide(up, lambda: join(channels, legs))


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
