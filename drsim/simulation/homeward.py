"""The way home: once the old site is in step again the group moves back by plan, and nothing is lost."""

from __future__ import annotations

from collections.abc import Generator

from simpy.events import Event

from drsim.replication.states import Source
from drsim.scenario.disaster import Steps
from drsim.simulation.built import Built
from drsim.simulation.failover import draws
from drsim.simulation.outcome import Outcome
from drsim.simulation.planned import move

LOOK = 60.0
"""Seconds between two looks of the operator at whether the old site is in step."""

Story = Generator[Event, None, None]


def go_home(
    built: Built, group: str, home: str, after: float, steps: Steps, asked: float | None = None
) -> Story:
    """Bring a group back to ``home``.

    Hosts go on writing until ``home`` is in step and ``after`` (seconds) has passed; the operator looks once a
    minute. Then they stop, the last writes are drained, the roles change. Recovery is timed from when
    hosts stop. With ``asked`` the operator gives up at once where there is no way home.
    """
    world = built.world
    begun = world.now if asked is None else asked
    number = len(built.outcomes[group])
    outcome = Outcome("failback", home, begun, awaits=f"waits for {home} to be in step")
    built.outcomes[group].append(outcome)
    at = yield from _wait(built, group, outcome, begun, patient=asked is None)
    if outcome.obstacle:
        return
    tenure, at = built.tenures[group][-1], at + after
    yield world.env.at(at)
    world.decide(at, _nothing)
    if built.tenures[group][-1] is not tenure or not in_step(built, group, home):
        outcome.obstacle = f"{home} is no longer in step"
        return
    outcome.waited, outcome.at, outcome.awaits = at - begun, at, ""
    yield from move(built, group, home, outcome, draws(built, steps, "failback", group, str(number)))


def _wait(
    built: Built, group: str, outcome: Outcome, at: float, *, patient: bool
) -> Generator[Event, None, float]:
    """Look once a minute whether the old site is in step; gives when it was seen to be."""
    world, home, tenure = built.world, outcome.site, built.tenures[group][-1]
    while True:
        world.decide(at, _nothing)
        if built.tenures[group][-1] is not tenure:
            outcome.obstacle = "the group has moved"
        elif tenure.down:
            outcome.obstacle = f"{tenure.source} is lost"
        elif in_step(built, group, home):
            return at
        elif not patient or home in built.for_good:
            outcome.obstacle = _obstacle(built, group, home)
        if not outcome.obstacle and world.ended:
            outcome.obstacle = _obstacle(built, group, home) or f"{home} was never in step"
        if outcome.obstacle:
            return at
        at += LOOK
        yield world.env.at(at)


def _nothing() -> None:
    """Only look."""


def in_step(built: Built, group: str, home: str) -> bool:
    """Whether a site is a target that gets every write in order and lags no more than its RPO, or a `LOOK`."""
    tenure = built.tenures[group][-1]
    leg = tenure.legs.get(home)
    if leg is None or home in built.lost or leg.source.engine is not leg.engine or leg.probe.exposed:
        return False
    acked, _ = leg.probe.missing()
    lag = built.world.now - float(acked[0]) if len(acked) else 0.0
    return leg.engine.state is Source.STREAMING and lag <= (leg.probe.lag.rpo_s or LOOK)


def _obstacle(built: Built, group: str, home: str) -> str:
    tenure = built.tenures[group][-1]
    if tenure.source == home:
        return "the group is there"
    if home in built.lost:
        return f"{home} is lost"
    if home not in tenure.legs:
        return f"no link leads from {tenure.source} to {home}"
    return ""
