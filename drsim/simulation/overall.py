"""What expectations judge of a group that has moved: each target over all tenures in which it was one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_ADDED = {
    "violations",
    "violation_s",
    "exposure_s",
    "journal_overflows",
    "resyncs",
    "resync_bytes",
    "sent_bytes",
    "folded_bytes",
    "recovery_points_lost",
    "snapshots_taken",
    "snapshots_missed",
    "snapshots_lost",
    "snapshot_none_s",
    "history_cut_writes",
}
_LATEST = {
    "lag_final_s",
    "rpo_s",
    "rto_s",
    "recovery_max_s",
    "last_applied_s",
    "snapshots_kept",
    "snapshot_space_final_bytes",
}
_LEAST = {"history_mean_s", "history_min_s"}

Keys = Mapping[str, Any]


def judged(groups: Mapping[str, Keys]) -> dict[str, Any]:
    """Give the groups of a summary as expectations see them.

    Counts, seconds and bytes of a target are added up over its tenures; a fraction is of their time altogether; what
    is consistent is so in each; `lag_final_s` is the last one's; of anything else (peaks, percentiles, means) the worst
    tenure's counts, and none where one tenure has none. A group that never moved is as it is.
    """
    return {name: _group(group) if group["tenures"] else group for name, group in groups.items()}


def beyond(group: Keys) -> float | None:
    """Seconds in which targets were beyond their RPO or without an image, added up over targets and tenures."""
    later = [each for tenure in group["tenures"] for each in tenure["targets"].values()]
    found = [
        each["violation_s"] for each in (*group["targets"].values(), *later) if each["rpo_s"] is not None
    ]
    return sum(found) if found else None


def _group(group: Keys) -> dict[str, Any]:
    first, *later = group["tenures"]
    targets = {}
    for name, target in group["targets"].items():
        spans = [first["end_s"] - first["begin_s"]]
        parts = [target]
        for tenure in later:
            if name in tenure["targets"]:
                parts.append(tenure["targets"][name])
                spans.append(tenure["end_s"] - tenure["begin_s"])
        targets[name] = dict(target) | {key: _overall(key, parts, spans) for key in parts[-1]}
    return dict(group) | {"targets": targets}


def _overall(key: str, parts: Sequence[Keys], spans: Sequence[float]) -> Any:
    values = [part[key] for part in parts]
    if key in _LATEST:
        return values[-1]
    if any(value is None for value in values):
        return None
    if key == "violation_fraction":
        seconds = sum(part["violation_s"] for part in parts)
        return seconds / sum(spans) if sum(spans) else 0.0
    if key == "consistent":
        return all(values)
    if key in _LEAST:
        return min(values)
    return sum(values) if key in _ADDED else max(values)
