"""What an operator does on a plan: move a group without loss, there or home, rehearse on a snapshot, pause a leg."""

from __future__ import annotations

from collections.abc import Generator

from simpy.events import Event

from drsim.replication import events as on
from drsim.scenario.disaster import Operation, Runbook, Steps
from drsim.simulation.built import Built
from drsim.simulation.failover import draws
from drsim.simulation.homeward import go_home
from drsim.simulation.leg import Leg
from drsim.simulation.outcome import Outcome, look
from drsim.simulation.planned import move

Story = Generator[Event, None, None]


def operate(built: Built, number: int, operation: Operation) -> Story:
    """Carry out one operation; ``number`` tells it from others of the scenario."""
    yield built.world.env.at(operation.at)
    if operation.do == "failback":
        home = operation.to or built.scenario.groups[operation.group].source
        yield from go_home(built, operation.group, home, 0.0, _steps(built, operation), operation.at)
        return
    assert operation.to is not None, "what needs a target has one"
    outcome = Outcome(operation.do, operation.to, operation.at)
    if operation.do != "pause":
        built.outcomes[operation.group].append(outcome)
    outcome.obstacle = _obstacle(built, operation)
    if outcome.obstacle:
        return
    if operation.do == "failover":
        draw = draws(built, _steps(built, operation), "operations", str(number))
        yield from move(built, operation.group, operation.to, outcome, draw)
    elif operation.do == "rehearsal":
        yield from _rehearse(built, number, operation, outcome)
    else:
        yield from _pause(built, operation)


def _steps(built: Built, operation: Operation) -> Steps:
    book = built.scenario.runbooks[operation.runbook] if operation.runbook else Runbook()
    home = operation.do == "failback" and book.failback is not None
    return book.failback.steps if home and book.failback is not None else book.steps


def _obstacle(built: Built, operation: Operation) -> str:
    """Why an operation can't be carried out; empty when it can."""
    assert operation.to is not None
    tenure = built.tenures[operation.group][-1]
    if gone := {tenure.source, operation.to} & built.lost:
        return f"{gone.pop()} is lost"
    if operation.to == tenure.source:
        return "the group is there"
    if not tenure.running or tenure.halted:
        return "the group is about to move"
    return "" if operation.to in tenure.legs else f"no link leads from {tenure.source} to {operation.to}"


def _leg(built: Built, operation: Operation) -> Leg:
    assert operation.to is not None
    return built.tenures[operation.group][-1].legs[operation.to]


def _rehearse(built: Built, number: int, operation: Operation, outcome: Outcome) -> Story:
    """Keep the target's present image for a test, and let it go afterwards; replication goes on."""
    assert operation.lasts is not None
    leg, name = _leg(built, operation), f"rehearsal-{number}"
    world = built.world

    def begin() -> None:
        outcome.found = {outcome.site: look(leg, operation.at)}
        leg.target.deliver(on.Command("rehearse", name))

    before = _refusals(leg)
    world.decide(operation.at, begin)
    if _refusals(leg) > before:
        outcome.obstacle = "no consistent image on the volumes"
        return
    outcome.target = outcome.site
    end = operation.at + operation.lasts
    yield world.env.at(end)
    world.decide(end, lambda: leg.target.deliver(on.Command("end_rehearsal", name)))


def _refusals(leg: Leg) -> float:
    return sum(n for what, n in leg.probe.counters.items() if what.startswith("rehearsal refused"))


def _pause(built: Built, operation: Operation) -> Story:
    """Keep the two ends of a leg apart for a while; what waits is sent afterwards."""
    assert operation.lasts is not None
    leg = _leg(built, operation)

    def apart() -> None:
        leg.drop()
        leg.disconnect("pause")

    built.world.decide(operation.at, apart)
    end = operation.at + operation.lasts
    yield built.world.env.at(end)
    built.world.decide(end, lambda: leg.connect("pause"))
