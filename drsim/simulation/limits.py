"""What a scenario may say that the simulated world does not do yet: refused, never ignored."""

from __future__ import annotations

from collections.abc import Iterator

from drsim.scenario.group import Group
from drsim.scenario.models import Scenario
from drsim.scenario.problem import Problem, ScenarioError

Limit = tuple[str, str, str]
"""Where in the scenario, what is not simulated, what to do instead."""


def refuse_unsimulated(scenario: Scenario) -> None:
    """Raise ScenarioError naming every setting that would have no effect."""
    found = [*_of_scenario(scenario)]
    for name, group in scenario.groups.items():
        found += _of_group(f"groups.{name}", group)
    if found:
        raise ScenarioError(
            [
                Problem(
                    "error", scenario.name, 0, 0, path, f"{what} is not simulated yet", hint, "unsimulated"
                )
                for path, what, hint in found
            ]
        )


def _of_scenario(scenario: Scenario) -> Iterator[Limit]:
    if scenario.disasters:
        yield (
            "disasters",
            "the loss of a site",
            "use outages of its links, and read the loss from the summary",
        )
    if scenario.operations:
        yield "operations", "an operator's plan", "remove it"
    for name, host in scenario.hosts.items():
        if host.queue_depth is not None:
            yield f"hosts.{name}.queue_depth", "a closed loop", "remove it: writes then come when they arrive"


def _of_group(path: str, group: Group) -> Iterator[Limit]:
    if group.snapshots:
        yield (
            f"{path}.snapshots",
            "a schedule of snapshots at the source",
            "use mode: {kind: snapshot, every: 30 min}",
        )
    direct = [t for t, target in group.targets.items() if target.via is None]
    for name, target in group.targets.items():
        at = f"{path}.targets.{name}"
        if target.seed == "shipped":
            yield f"{at}.seed", "a seed shipped on media", "use seed: network, or in-sync and drsim seed-time"
        if target.snapshots:
            yield f"{at}.snapshots", "a schedule of snapshots at the target", "remove it"
        if target.history is not None and target.history.keep is None:
            yield f"{at}.history", "a history bounded by space alone", "give keep: 24 h as well"
        if group.journal_at(name).on_full.kind == "fail" and len(direct) > 1:
            yield (
                f"{at}.journal",
                "a policy that fails writes which other targets took",
                "use another on_full",
            )
