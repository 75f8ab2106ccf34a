"""The order in which the parts of a world are settled: everything after what feeds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from drsim.scenario.models import Scenario
from drsim.scenario.problem import Complaint, ScenarioError
from drsim.simulation.disks import SiteDisk
from drsim.simulation.media import Path
from drsim.simulation.ways import hops
from drsim.simulation.world import Node


class _Graph:
    """Nodes by identity, which of them come before which, and what to call them."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {}
        self.names: dict[int, str] = {}
        self.before: dict[int, set[int]] = {}

    def after(self, name: str, node: Node, *before: Node | None) -> Node:
        """``node`` is settled after ``before``."""
        self.nodes[id(node)] = node
        self.names.setdefault(id(node), name)
        self.before.setdefault(id(node), set()).update(id(b) for b in before if b is not None)
        return node


def settle_order(
    scenario: Scenario,
    disks: Mapping[str, SiteDisk],
    ways: Mapping[tuple[str, str, str], tuple[Path, Sequence[Node]]],
) -> list[Node]:
    """Put channels and disk levels in order; ``ways`` by group, source and target.

    Raises:
        ScenarioError: when cascades make parts wait for each other in a circle, which it names.
    """
    graph = _Graph()
    for name, disk in disks.items():
        above: Node | None = None
        for level, station in disk.levels.items():
            above = graph.after(f"{name} ({level})", station, above)
    ends: dict[int, Node] = {}
    for (_, _, target), (path, passed) in ways.items():
        last: Node | None = None
        for node in passed:
            last = graph.after(f"link {path.out.name[:-1]} to {target}", node, last)
        ends[id(path.back)] = path.back
    for group, feeder, middle, target in hops(scenario):
        (_, fed), (_, passed) = ways[group, feeder, middle], ways[group, middle, target]
        graph.after(middle, passed[0], fed[-1])
    try:
        order = list(TopologicalSorter(graph.before).static_order())
    except CycleError as error:
        raise _refusal(scenario, [graph.names[key] for key in error.args[1]]) from None
    return [graph.nodes[key] for key in order] + [
        node for key, node in ends.items() if key not in graph.nodes
    ]


def _refusal(scenario: Scenario, circle: list[str]) -> ScenarioError:
    message = "cascades make parts of the world feed each other in a circle: " + " -> ".join(circle)
    hint = (
        "a site may pass on what it receives, but its disk can't depend on itself: leave out 'via' in one of "
        "the groups, or let one of these sites be without 'disk', or its journal be on medium: ideal"
    )
    return ScenarioError([scenario.problem(Complaint(("groups",), message, hint, "topology", "key"))])
