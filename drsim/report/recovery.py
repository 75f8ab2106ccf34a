"""Bad days in words and rows: what was lost, how long hosts stood still, where they wrote afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drsim.report import values
from drsim.report.source import Source
from drsim.units import format_duration

HEAD = ["bad day", "at", "to", "lost", "bytes", "writes", "hosts down", "RTO"]
STEPS = ["quiesce", "detect", "decide", "drain", "attach", "recover", "redirect", "return"]
"""Steps of a recovery in the order of time."""
TENURE = ["group at site", "from", "to", "written", "unprotected", "lag max", "beyond RPO"]
NOTHING = "-"

Facts = Mapping[str, Any]


def told(source: Source) -> Iterator[tuple[str, Facts]]:
    """Every disaster and operation of every group, with the group's name, in the order of time."""
    found = [
        (each["at_s"], number, group, each)
        for number, (group, facts) in enumerate(source.groups().items())
        for each in [*facts.get("disasters", ()), *facts.get("operations", ())]
    ]
    for _, _, group, each in sorted(found, key=lambda row: row[:2]):
        yield group, each


def recoveries(source: Source) -> list[list[str]]:
    """A row for each disaster and operation: cells as `HEAD` names them."""
    return [
        [
            f"{group}: {each['cause']}"
            + (f" of {each['site']}" if each["cause"] in ("loss", "crash") else ""),
            values.duration(each["at_s"]),
            each["target"] or "nowhere",
            *_lost(each),
            _down(each),
            _verdict(each),
        ]
        for group, each in told(source)
    ]


def steps(source: Source) -> list[list[str]]:
    """A row for each recovery: what its time was spent on, as `STEPS` names it."""
    return [
        [f"{group}: {each['cause']}", *(_seconds(each["steps"].get(step)) for step in STEPS)]
        for group, each in told(source)
        if each["steps"]
    ]


def tenures(source: Source) -> list[list[str]]:
    """A row for each stay of a group that has moved, as `TENURE` names it."""
    return [
        [
            f"{group} at {each['source']}",
            values.duration(each["begin_s"]),
            values.duration(each["end_s"]),
            values.size(each["written_bytes"]),
            _seconds(each["unprotected_s"]) if each["unprotected_s"] else "never",
            *(_of_each(each["targets"], key) for key in ("lag_max_s", "violation_s")),
        ]
        for group, facts in source.groups().items()
        for each in facts.get("tenures", ())
    ]


def _of_each(targets: Mapping[str, Facts], key: str) -> str:
    """A duration of each target, in one cell."""
    return ", ".join(f"{t} {values.duration(n[key])}" for t, n in targets.items()) or NOTHING


def finding(source: Source) -> str:
    """What the timeline shows, in a sentence."""
    parts = []
    for group, each in told(source):
        if each["cause"] == "rehearsal":
            continue
        if each["recovery_s"] is None:
            parts.append(
                f"{group} does not come up after the {each['cause']}: {each['obstacle'] or 'still open'}"
            )
        else:
            at = "" if each["target"] is None else f" at {each['target']}"
            parts.append(
                f"{group} is up again{at} {format_duration(each['recovery_s'])} after the {each['cause']}"
            )
    return "; ".join(parts[:3]) + (f"; and {len(parts) - 3} more" if len(parts) > 3 else "")


def _lost(each: Facts) -> list[str]:
    if each["cause"] == "rehearsal":
        return [NOTHING] * 3
    if each["target"] is None:
        return [NOTHING if each["cause"] in ("failover", "failback") else "everything", NOTHING, NOTHING]
    if not each["loss_writes"]:
        return ["nothing", NOTHING, NOTHING]
    return [
        values.duration(each["loss_s"]),
        values.size(each["loss_bytes"]),
        values.count(each["loss_writes"]),
    ]


def _down(each: Facts) -> str:
    if each["cause"] == "rehearsal":
        return each["obstacle"] or "not at all"
    if each["recovery_s"] is not None:
        return values.duration(each["recovery_s"])
    return str(each["obstacle"]) or "still"


def _verdict(each: Facts) -> str:
    if each["rto_s"] is None:
        return NOTHING
    word = {True: "kept", False: "missed", None: "open"}[each["rto_met"]]
    return f"{values.duration(each['rto_s'])}: {word}"


def _seconds(value: float | None) -> str:
    return values.duration(value) if value else NOTHING
