"""A group moves to a target: staging drains, the engine is promoted, the operator's steps take their time."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
from simpy.events import Event

from drsim.randomness import stream
from drsim.replication import events as on
from drsim.replication.states import Target
from drsim.scenario.disaster import Steps
from drsim.simulation.built import Built
from drsim.simulation.leg import Leg
from drsim.simulation.outcome import Outcome
from drsim.simulation.switch import arrive, leave

NEVER = float("inf")
AFTER_DRAIN = ("attach", "recover", "redirect")

Draw = Callable[[str], float]


def draws(built: Built, steps: Steps, *names: str) -> Draw:
    """How long each step takes: every step of every story draws from a stream of its own name."""
    scenario = built.scenario

    def draw(step: str) -> float:
        generator = np.random.default_rng(stream(scenario.seed, *names, step))
        return float(getattr(steps, step).draw(generator, 1, scenario.folder)[0])

    return draw


def take_over(
    built: Built, group: str, outcome: Outcome, begun: float, draw: Draw
) -> Generator[Event, None, None]:
    """From the decision to the first write: drain, promote, attach, recover, redirect.

    The drain is what the target's own staging and disk need, and the runbook's ``drain`` besides.

    Args:
        built: the world; it is settled to ``begun``.
        group: the group's name.
        outcome: where the story is written down; its target is chosen.
        begun: when the decision fell, seconds.
        draw: how long a step takes.
    """
    assert outcome.target is not None
    world, target = built.world, outcome.target
    tenure = built.tenures[group][-1]
    leg = tenure.legs[target]
    point = "" if outcome.point is None else f"{outcome.point[0].name}@{outcome.point[0].seq}"
    drained = yield from _promote(built, leg, begun, point)
    if drained is None:
        outcome.obstacle = _obstacle(built, outcome.target)
        return
    outcome.promoted = leg.sink.written
    if tenure.end is None:
        world.decide(drained, lambda: leave(built, tenure, outcome.at, target))
    outcome.steps["drain"] = drained - begun + draw("drain")
    at = begun + outcome.steps["drain"]
    for step in AFTER_DRAIN:
        outcome.steps[step] = draw(step)
        at += outcome.steps[step]
    yield world.env.at(at)
    if target in built.lost:
        outcome.obstacle = _obstacle(built, target)
    else:
        outcome.recovered_at = at
        world.decide(at, lambda: arrive(built, group, target, at))


def _obstacle(built: Built, target: str) -> str:
    return f"{target} was lost too" if target in built.lost else f"{target} could not take over"


def _promote(built: Built, leg: Leg, at: float, point: str) -> Generator[Event, None, float | None]:
    """Drain, and let the engine take over; gives when it has, None if it never does."""
    world = built.world
    asked = False
    while leg.sink.state is not Target.PROMOTED:
        busy = _busy_until(leg)
        if busy == NEVER:
            return None
        if busy > -NEVER:
            at = max(busy, at)
            yield world.env.at(at)
            world.decide(at, lambda: None)
        elif asked:
            return None
        else:
            asked = True
            world.decide(at, lambda: _command(leg, point))
    return at


def _command(leg: Leg, point: str) -> None:
    leg.there.snapshots.history = None  # What a takeover empties it of does not tell how far back it reached.
    leg.target.deliver(on.Command("promote", point))


def _busy_until(leg: Leg) -> float:
    """When the last thing on its way to the target's staging or volumes is there (-inf: nothing is)."""
    media = leg.ground.media
    return max(
        (m.station.finish_of_class(m.klass) for m in (media.staging, media.volumes) if m.station is not None),
        default=-NEVER,
    )
