"""A seed that travels on media: a checkpoint at the beginning, a journey, a load, and then only the tracked rest."""

from __future__ import annotations

from collections.abc import Generator

from simpy.events import Event

from drsim.replication import events as on
from drsim.replication.seeding import label
from drsim.simulation.built import Built

Story = Generator[Event, None, None]


def shipments(built: Built) -> list[Story]:
    """One story for each target that is seeded so; until its media are loaded its ends are kept apart."""
    return [
        _ship(built, name, target, at.shipping)
        for name, group in built.scenario.groups.items()
        for target, at in group.targets.items()
        if at.seed == "shipped" and at.shipping is not None
    ]


def keep_apart(built: Built) -> None:
    """Before the run begins: a target whose media are under way is not met over the network."""
    for (name, target), leg in built.legs.items():
        if built.scenario.groups[name].targets[target].seed == "shipped":
            leg.part("shipping")


def _ship(built: Built, name: str, target: str, journey: float) -> Story:
    """The checkpoint is the image at the run's beginning; ``journey`` later (seconds) it is on the target's volumes.

    Media that arrive at a site that is lost are of no use: then everything goes over the network after all.
    """
    world, leg = built.world, built.legs[name, target]
    marks: list[str] = []

    def checkpoint() -> None:
        leg.source.deliver(on.Command("ship"))
        marks.append(label(leg.engine.leg.lineage.current, leg.engine.leg.last).partition(" ")[2])

    def load() -> None:
        if leg.over:
            return
        if target not in built.lost:
            leg.target.deliver(on.Command("load", marks[0]))
        leg.connect("shipping")

    world.decide(0.0, checkpoint)
    yield world.env.at(journey)
    world.decide(journey, load)
