"""Each second of violation put down to one cause, from what the run recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drsim.measure.causes import Blame, seconds_by_cause
from drsim.measure.spans import Row, at_work, usual_cause
from drsim.simulation.built import Built


def attribute(built: Built, summary: dict[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Add ``violation_s_by_cause`` to each target of the summary; it sums to ``violation_s`` exactly."""
    names = ("begin", "end", "kind", "subject", "cause")
    rows: list[Row] = list(zip(*(tables["spans"][name] for name in names), strict=True))
    for (group, target), leg in built.legs.items():
        numbers = summary["groups"][group]["targets"][target]
        violations = leg.probe.lag.violations.columns()
        numbers["violation_s_by_cause"] = {}
        if not len(violations["begin"]):
            continue
        curve = tables[f"curve/{group}/{target}"]
        spans = at_work(rows, {f"{group}/{target}", built.scenario.route(group, target)})
        usual = usual_cause(built.scenario.groups[group].mode_at(target).kind)
        blame = Blame(curve["t"], curve["lag_s"], spans, numbers["rpo_s"] or 0.0, usual)
        pieces = blame.pieces(violations)
        numbers["violation_s_by_cause"] = seconds_by_cause(pieces, numbers["violation_s"] or 0.0)
