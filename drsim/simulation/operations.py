"""What an operator does on a plan: move a group without loss, rehearse on a snapshot, pause a leg."""

from __future__ import annotations

from collections.abc import Generator

from simpy.events import Event

from drsim.replication import events as on
from drsim.scenario.disaster import Operation, Runbook
from drsim.simulation.build import Built
from drsim.simulation.failover import draws, take_over
from drsim.simulation.leg import Leg
from drsim.simulation.outcome import Outcome, look
from drsim.simulation.world import Awaited

Story = Generator[Event, None, None]


def operate(built: Built, number: int, operation: Operation) -> Story:
    """Carry out one operation; ``number`` tells it from others of the scenario."""
    assert operation.to is not None, "what needs a target has one"
    yield built.world.env.at(operation.at)
    source = built.scenario.groups[operation.group].source
    gone = {source, operation.to} & built.lost
    outcome = Outcome(operation.do, operation.to, operation.at)
    if operation.do != "pause":
        built.outcomes[operation.group].append(outcome)
    if gone or operation.group in built.moved:
        outcome.obstacle = f"{gone.pop()} is lost" if gone else "the group has moved"
        return
    if operation.do == "failover":
        yield from _failover(built, number, operation, outcome)
    elif operation.do == "rehearsal":
        yield from _rehearse(built, number, operation, outcome)
    else:
        yield from _pause(built, operation)


def _failover(built: Built, number: int, operation: Operation, outcome: Outcome) -> Story:
    """Hosts stop, the target gets all there is and destages it, then it takes over: nothing is lost.

    Recovery is timed from the moment hosts stop. Nobody has to detect or decide anything.
    """
    world, group, to = built.world, operation.group, outcome.site
    arrived: Event = world.env.event()
    world.decide(operation.at, lambda: _quiesce(built, group, to, arrived))
    yield arrived
    at = world.now
    if {to, built.scenario.groups[group].source} & built.lost:
        outcome.obstacle = "a site was lost before all had arrived"
        return
    outcome.steps["quiesce"] = at - operation.at
    world.decide(at, lambda: _switch(built, group, outcome, at))
    book = built.scenario.runbooks[operation.runbook] if operation.runbook else Runbook()
    yield from take_over(built, group, outcome, at, draws(built, book.steps, "operations", str(number)))


def _quiesce(built: Built, group: str, to: str, arrived: Event) -> None:
    """Hosts stop; ``arrived`` happens when the target holds all they wrote, or when a site is lost.

    Until then the world stops at every write's arrival, so that the last one is not seen late.
    """
    world, owner, leg = built.world, built.groups[group], built.legs[group, to]
    ends = {to, built.scenario.groups[group].source}
    intake = built.intakes.get(built.scenario.groups[group].source)
    if intake is not None:
        intake.quiesce(owner)

    def listen(_: float) -> None:
        waits = owner.waits or (intake is not None and intake.owes(owner))
        whole = not waits and leg.probe.recoverable >= owner.taken == leg.probe.told
        if not arrived.triggered and (whole or ends & built.lost):
            arrived.succeed()

    path: list[Awaited] = [*leg.nodes, *([intake] if intake is not None else [])]
    world.waiting.append((lambda: not arrived.triggered, path))
    world.on_settled.append(listen)


def _switch(built: Built, group: str, outcome: Outcome, at: float) -> None:
    """The old source lets go: its legs' measures end here."""
    outcome.found = {outcome.site: look(built.legs[group, outcome.site], at)}
    outcome.target = outcome.site
    for target in built.scenario.groups[group].targets:
        leg = built.legs[group, target]
        leg.probe.close(at)
        leg.drop()
        leg.disconnect("moved")
    built.moved.add(group)


def _rehearse(built: Built, number: int, operation: Operation, outcome: Outcome) -> Story:
    """Keep the target's present image for a test, and let it go afterwards; replication goes on."""
    assert operation.lasts is not None
    leg, name = built.legs[operation.group, outcome.site], f"rehearsal-{number}"
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
    assert operation.to is not None
    leg = built.legs[operation.group, operation.to]

    def apart() -> None:
        leg.drop()
        leg.disconnect("pause")

    built.world.decide(operation.at, apart)
    end = operation.at + operation.lasts
    yield built.world.env.at(end)
    built.world.decide(end, lambda: leg.connect("pause"))
