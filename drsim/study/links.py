"""Standard links in a sized link's place, and the RPO that a design can keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drsim.scenario.expect import Expectation
from drsim.study.design import Override
from drsim.study.lab import Lab
from drsim.study.point import Outcome, Point
from drsim.study.quorum import Poll, Question, poll_all
from drsim.study.scale import scale_of
from drsim.study.text import StudyError
from drsim.study.wanted import Wanted, setter
from drsim.study.world import ScenarioWorld
from drsim.wan import types

_FACTS = (
    "lag_max_s",
    "lag_p99_s",
    "violation_s",
    "violations",
    "exposure_s",
    "backlog_peak_bytes",
    "journal_peak_bytes",
)
KEPT_SHARES: Mapping[str, float] = {
    "lag_max_s": 1.0,
    "lag_p999_s": 0.999,
    "lag_p99_s": 0.99,
    "lag_p95_s": 0.95,
    "lag_p90_s": 0.90,
}
"""Summary key of the lag that is not exceeded in this share of the time."""


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A standard link tried in the sized one's place: how it did."""

    name: str
    rate: float
    poll: Poll
    facts: Mapping[str, float]


def standard_links(world: ScenarioWorld, lab: Lab, wanted: Wanted, answer: str | None) -> list[LinkRow]:
    """The next smaller standard link and the least one that proves to be enough, each simulated."""
    if answer is None:
        return []
    name = wanted.path.split(".")[1]
    link = world.scenario(wanted.fixed).links[name]
    enough = scale_of(answer).parse(answer)
    nominal = link.efficiency is not None
    rates = {kind.name: kind.nominal_rate if nominal else kind.payload_rate for kind in types.KINDS.values()}
    path = f"links.{name}.type"
    ordered = sorted(rates, key=lambda kind: rates[kind])
    rows: list[LinkRow] = []
    smaller = [kind for kind in ordered if rates[kind] < enough][-1:]
    for kind in (*smaller, *(kind for kind in ordered if rates[kind] >= enough)):
        held = Question(
            lambda text: setter(world, path, text),
            lambda summary: wanted.until.judge(summary).passed,
            scale_of("1"),
            wanted.fixed,
            wanted.futures,
            wanted.share,
        )
        poll = poll_all(lab, held, kind)
        rows.append(LinkRow(kind, rates[kind], poll, facts_of(poll, wanted.until)))
        if poll.passed and kind not in smaller:
            break
    return rows


def facts_of(poll: Poll | None, until: Expectation) -> Mapping[str, float]:
    """What a planner asks of a value: peaks over the futures, means of times and counts."""
    path = until.value.path
    if poll is None or "targets" not in path:
        return {}
    rows = [o.summary["groups"][path[1]]["targets"][path[3]] for o in poll.outcomes if o.summary]
    facts = {}
    for key in _FACTS:
        values = [float(row[key]) for row in rows if row.get(key) is not None]
        if values:
            facts[key] = max(values) if key.endswith(("max_s", "bytes")) else float(np.mean(values))
    return facts


@dataclass(frozen=True, slots=True)
class Kept:
    """What a design can keep: for each share of the time, the RPO kept in enough futures."""

    label: str
    rpo_s: Mapping[float, float]
    exposure_s: float
    violation_s: float
    outcomes: tuple[Outcome, ...]


def kept(
    lab: Lab,
    designs: Mapping[str, Sequence[Override]],
    group: str,
    target: str,
    futures: int = 1,
    share: float = 0.95,
) -> list[Kept]:
    """The other way round: the RPO that each design keeps 100, 99.9, 99, 95 and 90 % of the time.

    With several futures: the RPO kept so in at least ``share`` of them (an order statistic, not a mean).
    """
    rank = max(1, math.ceil(share * futures - 1e-9)) - 1
    found = []
    for label, overrides in designs.items():
        outcomes = tuple(lab.gather(Point.of(overrides, r) for r in range(futures)).values())
        rows = []
        for outcome in outcomes:
            if outcome.summary is None:
                raise StudyError(f"{outcome.point.label} failed: {outcome.error}", "run that point by itself")
            rows.append(outcome.summary["groups"][group]["targets"][target])
        rpo = {part: _ranked([row.get(key) for row in rows], rank) for key, part in KEPT_SHARES.items()}
        exposure = float(np.mean([row.get("exposure_s") or 0.0 for row in rows]))
        violation = float(np.mean([row.get("violation_s") or 0.0 for row in rows]))
        found.append(Kept(label, rpo, exposure, violation, outcomes))
    return found


def _ranked(values: Sequence[float | None], rank: int) -> float:
    """The value of this rank from the least; undefined lag is worse than any."""
    return sorted(math.inf if value is None else float(value) for value in values)[rank]
