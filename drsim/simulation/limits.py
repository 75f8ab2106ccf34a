"""What a scenario may say and the simulated world can't do: refused by name, never passed over."""

from __future__ import annotations

from collections.abc import Iterator

from drsim.scenario.models import Scenario
from drsim.scenario.problem import Path, Problem, ScenarioError, dotted

Found = tuple[Path, str, str]
"""Where, what, and what to do instead."""


def refuse(scenario: Scenario) -> None:
    """Raise ScenarioError with everything that is not simulated."""
    problems = [
        Problem("error", scenario.name, 0, 0, dotted(path), f"not simulated: {what}", hint, "unsupported")
        for path, what, hint in _found(scenario)
    ]
    if problems:
        raise ScenarioError(problems)


def _found(scenario: Scenario) -> Iterator[Found]:
    used = {each.runbook for each in scenario.faults}
    for name, book in scenario.runbooks.items():
        if name in used and book.failback is not None:
            yield ("runbooks", name, "failback"), "the way home", "leave failback out: the group stays"
    yield from _disasters(scenario)
    yield from _operations(scenario)


def _disasters(scenario: Scenario) -> Iterator[Found]:
    lost: set[str] = set()
    for index, disaster in enumerate(scenario.disasters):
        where: Path = ("disasters", index)
        if disaster.lasts is not None:
            yield (*where, "for"), "a site that comes back", "leave it out: the site is gone for good"
        if disaster.stages:
            hint = "give the link outages of its own before the loss"
            yield (*where, "stages"), "the stages of a rolling disaster", hint
        if disaster.site in lost:
            yield (*where, "site"), "a second loss of a site", "keep the first one"
        lost.add(disaster.site)
        for name, group in scenario.groups.items():
            vias = {t.via for t in group.targets.values()} - {None}
            if vias and disaster.site in {group.source, *vias}:
                hint = f"let {group.source} send to every target itself"
                yield (*where, "site"), f"the loss of a site that feeds a cascade (group {name})", hint


def _operations(scenario: Scenario) -> Iterator[Found]:
    for index, operation in enumerate(scenario.operations):
        where: Path = ("operations", index, "do")
        group = scenario.groups[operation.group]
        if operation.do == "failback":
            yield where, "the way home", "leave it out: the group stays"
        elif operation.do == "failover" and any(t.via for t in group.targets.values()):
            yield where, "a failover of a cascade", f"let {group.source} send to every target itself"
