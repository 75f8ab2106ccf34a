"""A planned move: hosts stop, the target gets and destages all there is, then it takes over. Nothing is lost."""

from __future__ import annotations

from collections.abc import Generator

from simpy.events import Event

from drsim.simulation.built import Built
from drsim.simulation.failover import Draw, take_over
from drsim.simulation.outcome import Outcome, look
from drsim.simulation.switch import go_on, leave
from drsim.simulation.tenure import Tenure
from drsim.simulation.world import Awaited

Story = Generator[Event, None, None]


def move(built: Built, group: str, to: str, outcome: Outcome, draw: Draw) -> Story:
    """Move a group from ``outcome.at`` on, which is now.

    Recovery is timed from the moment hosts stop. Nobody has to detect or decide anything. Where one of the two
    sites is lost before all has arrived nothing moves, and hosts go on if their site is still there.
    """
    world, tenure = built.world, built.tenures[group][-1]
    arrived: Event = world.env.event()
    world.decide(outcome.at, lambda: _quiesce(built, tenure, to, arrived))
    yield arrived
    at = world.now
    if {to, *tenure.chain(to)} & built.lost or tenure.down:
        outcome.obstacle = "a site was lost before all had arrived"
        tenure.halted = False
        if tenure.running:
            world.decide(at, lambda: go_on(built, tenure, at))
        return
    outcome.steps["quiesce"] = at - outcome.at
    world.decide(at, lambda: _switch(built, tenure, outcome, at))
    yield from take_over(built, group, outcome, at, draw)


def _quiesce(built: Built, tenure: Tenure, to: str, arrived: Event) -> None:
    """Hosts stop; ``arrived`` happens when the target holds all they wrote, or when a site is lost.

    Until then the world stops at every write's arrival, so that the last one is not seen late.
    """
    world, owner, leg = built.world, tenure.group, tenure.legs[to]
    ends = {to, *tenure.chain(to)}
    intake = built.intakes.get(tenure.source)
    tenure.halted = True
    if intake is not None:
        intake.quiesce(owner)

    def listen(_: float) -> None:
        waits = owner.waits or (intake is not None and intake.owes(owner))
        held = leg.probe.recoverable >= owner.taken == leg.probe.told and not leg.probe.exposed
        if not arrived.triggered and ((held and not waits) or ends & built.lost or tenure.down):
            arrived.succeed()

    legs = [tenure.legs[each] for each in (to, *tenure.chain(to)[:-1])]
    path: list[Awaited] = [node for each in legs for node in each.nodes]
    path += [intake] if intake is not None else []
    world.waiting.append((lambda: not arrived.triggered, path))
    world.on_settled.append(listen)


def _switch(built: Built, tenure: Tenure, outcome: Outcome, at: float) -> None:
    """The old source lets go: its legs' measures end here."""
    outcome.found = {outcome.site: look(tenure.legs[outcome.site], at)}
    outcome.target = outcome.site
    leave(built, tenure, at, outcome.site)
