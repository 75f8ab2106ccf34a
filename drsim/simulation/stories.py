"""Starts the stories of a scenario's bad days and planned operations."""

from __future__ import annotations

from drsim.simulation.built import Built
from drsim.simulation.disasters import site_loss
from drsim.simulation.operations import operate
from drsim.simulation.shipment import keep_apart, shipments


def schedule(built: Built) -> None:
    """Let every disaster and operation happen at its time; to be called before the world runs."""
    keep_apart(built)
    for shipment in shipments(built):
        built.world.env.process(shipment)
    disasters = enumerate(built.scenario.disasters)
    for number, disaster in sorted(disasters, key=lambda each: each[1].lost_at):
        built.world.env.process(site_loss(built, number, disaster))
    for number, operation in enumerate(built.scenario.operations):
        built.world.env.process(operate(built, number, operation))
