"""One run of a scenario: build its world, let it pass, read its meters."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from drsim.scenario.models import Scenario
from drsim.scenario.problem import Complaint, ScenarioError
from drsim.simulation.build import build
from drsim.simulation.built import Built
from drsim.simulation.causes import attribute
from drsim.simulation.limits import refuse
from drsim.simulation.loop import EndlessError
from drsim.simulation.stories import schedule
from drsim.simulation.summary import summarise
from drsim.simulation.tables import tabulate
from drsim.simulation.ways import horizon

_UNENDING = Complaint(
    (), "not everything was recoverable within three years", "add duration: 7 d, or a faster link", "endless"
)
"""Outages, throttles and calendars of a run without a duration are told no further."""

Progress = Callable[[float, float | None, int], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What a run leaves.

    Attributes:
        summary: keys as docs/SCENARIO.md lists them.
        tables: columns by name.
        warnings: where an image was not what its engine called it (``consistent`` is false there).
    """

    summary: dict[str, Any]
    tables: dict[str, Mapping[str, Any]]
    warnings: list[str] = field(default_factory=list)


def run(
    scenario: Scenario,
    *,
    progress: Progress | None = None,
    verify: Literal["order", "content"] = "order",
    writes_per_settle: int = 262_144,
) -> Run:
    """Run a scenario.

    Args:
        scenario: as loaded.
        progress: called now and then with (simulated seconds, of how many if known, writes so far).
        verify: check images by order alone, or by content too (block by block, `drsim.simulation.comparer`).
        writes_per_settle: size of the batches aimed at; no result depends on it.

    Raises:
        ScenarioError: the scenario asks for what is not simulated (docs/DISASTERS.md lists it), or never ends.
    """
    refuse(scenario)
    with _cleared_away():
        content = verify == "content"
        built = build(scenario, horizon(scenario), content=content, writes_per_settle=writes_per_settle)
        found = _let_pass(scenario, built, progress)
        del built
    return found


@contextmanager
def _cleared_away() -> Iterator[None]:
    """What is made inside is gone afterwards: parts of a world know each other in circles.

    What was there before (modules, most of it) is not looked through, unless somebody else has set objects apart.
    The collector is at work inside, also where it rests outside.
    """
    apart, rests = gc.get_freeze_count() == 0, not gc.isenabled()
    if apart:
        gc.freeze()
    gc.enable()
    try:
        yield
    finally:
        if rests:
            gc.disable()
        gc.collect()
        if apart:
            gc.unfreeze()


def _let_pass(scenario: Scenario, built: Built, progress: Progress | None) -> Run:
    world = built.world
    schedule(built)
    if progress is not None:
        world.on_settled.append(
            lambda now: progress(now, scenario.duration, sum(g.taken for g in built.groups.values()))
        )
    world.open(built.connect)
    try:
        world.run(scenario.duration if scenario.duration is not None else float("inf"))
    except EndlessError as error:
        hint = "give it 'think', or its site a 'disk'"
        raise ScenarioError([scenario.problem(Complaint(("hosts",), str(error), hint, "endless"))]) from None
    end = scenario.duration if scenario.duration is not None else _all_recoverable(built)
    if end > horizon(scenario):
        raise ScenarioError([scenario.problem(_UNENDING)])
    summary, tables = summarise(built, end), tabulate(built, end)
    attribute(built, summary, tables)
    warnings = [f"{leg.name}: {what}" for leg in built.legs.values() for what in leg.there.problems]
    return Run(summary, tables, warnings)


def _all_recoverable(built: Built) -> float:
    """The window's end of a run without duration: when every target could recover everything."""
    legs = [leg for tenures in built.tenures.values() for tenure in tenures for leg in tenure.legs.values()]
    at = [t for leg in legs for t in (leg.probe.recovered_at, leg.probe.told_at)]
    at += [t.group.handed_at for tenures in built.tenures.values() for t in tenures]
    for outcomes in built.outcomes.values():
        at += [time for o in outcomes for time in (o.at, o.recovered_at) if time is not None]
    return max([0.0, *at]) or float(np.finfo(float).tiny)
