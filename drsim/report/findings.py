"""Findings in one sentence: the titles of pictures, the first line of every report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drsim.report.recovery import told
from drsim.report.source import Source
from drsim.units import format_duration, format_fraction


def share(value: float) -> str:
    """A share of time as percent, in few digits: 12 %, 3.4 %, 0.02 %."""
    percent = value * 100
    if percent >= 9.95:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.95 else format_fraction(float(f"{value:.1g}"))


def target_finding(target: str, numbers: Mapping[str, Any]) -> str:
    """What one target's numbers say about its objective."""
    rpo, lag = numbers.get("rpo_s"), numbers.get("lag_max_s")
    if lag is None:
        return f"{target} never has a consistent image"
    if rpo is None:
        return f"{target} is at most {format_duration(lag)} behind"
    violated = numbers["violation_s"]
    if violated <= 0:
        return f"{target} keeps its {format_duration(rpo)} RPO (at worst {format_duration(lag)} behind)"
    text = (
        f"{target} misses its {format_duration(rpo)} RPO for {format_duration(violated)}"
        f" ({share(numbers['violation_fraction'])} of the time)"
    )
    if numbers.get("exposure_s"):
        text += f", {format_duration(numbers['exposure_s'])} of it without any consistent image"
    return text


def group_finding(source: Source, group: str) -> str:
    """What a group's picture shows, in a sentence."""
    parts = [target_finding(target, numbers) for owner, target, numbers in source.targets() if owner == group]
    return f"{group}: " + "; ".join(parts)


def verdict(source: Source) -> tuple[bool | None, str]:
    """The first line of a report: whether expectations were met, and how many."""
    expectations = source.summary.get("expectations") or []
    if not expectations:
        late = [f"{g} at {t}{when}" for g, when, t, n in source.judged() if n.get("violation_s")]
        if late:
            return (
                None,
                f"No expectations stated. RPO violated: {', '.join(dict.fromkeys(late))}{_given_up(source)}.",
            )
        return None, f"No expectations stated. Every stated RPO was kept{_given_up(source)}."
    failed = [e for e in expectations if not e["passed"]]
    if failed:
        return False, f"{len(failed)} of {len(expectations)} expectations failed"
    return True, f"all {len(expectations)} expectations met" if len(
        expectations
    ) > 1 else "the expectation is met"


def _given_up(source: Source) -> str:
    """What takeovers on an older image lost: no RPO covers it, for the newest image was there and not wanted."""
    given = [
        f"; the takeover of {group} at {each['target']} gave up {format_duration(each['loss_s'])} on purpose"
        for group, each in told(source)
        if each.get("image_at_s") is not None and each["loss_writes"]
    ]
    return "".join(given)


def worst(source: Source) -> str:
    """The worst target's finding: what a reader should know after the verdict."""
    ranked = sorted(
        source.judged(),
        key=lambda row: -(row[3].get("violation_s") or 0.0) - (row[3].get("exposure_s") or 0.0),
    )
    if not ranked:
        return ""
    group, when, target, numbers = ranked[0]
    return f"{group}{when}: {target_finding(target, numbers)}"
