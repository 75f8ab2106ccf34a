"""Warnings: scenarios that are valid and can't work well, each with its number and its remedy."""

from __future__ import annotations

from collections.abc import Iterator

from drsim.scenario.models import Scenario
from drsim.scenario.problem import Complaint


def advise(scenario: Scenario) -> Iterator[Complaint]:
    """Every warning about a scenario."""
    del scenario
    yield from ()
