"""Snapshots by timetable in rows: how many, how old the newest grew, the room they took, and which are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from drsim.measure.snapshots import KEPT
from drsim.report import values
from drsim.report.source import Source

HEAD = ["snapshots", "taken", "missed", "lost", "kept", "age mean", "max", "none", "room"]
HISTORY = ["history", "could be undone", "at least", "left early"]
POINT = ["recovery point", "taken", "holds all before", "behind then"]
SHOWN = 24
"""Recovery points listed of one group at one site, the newest."""


def timetables(source: Source) -> list[list[str]]:
    """A row for each group at each site that has a timetable: cells as `HEAD` names them."""
    return [
        [
            name,
            values.count(facts["snapshots_taken"]),
            values.count(facts.get("snapshots_missed", 0)),
            values.count(facts["snapshots_lost"]),
            values.count(facts["snapshots_kept"]),
            values.duration(facts["snapshot_age_mean_s"]),
            values.duration(facts["snapshot_age_max_s"]),
            values.duration(facts["snapshot_none_s"]) if facts["snapshot_none_s"] else "never",
            values.size(facts["snapshot_space_peak_bytes"]),
        ]
        for name, facts in _places(source)
        if facts.get("snapshots_taken") is not None
    ]


def histories(source: Source) -> list[list[str]]:
    """A row for each target that keeps a history from which writes have left: cells as `HISTORY` names them."""
    return [
        [
            f"{group} at {target}",
            values.duration(facts["history_mean_s"]),
            values.duration(facts["history_min_s"]),
            values.count(facts["history_cut_writes"]),
        ]
        for group, target, facts in source.targets()
        if facts.get("history_mean_s") is not None
    ]


def points(source: Source) -> list[list[str]]:
    """A row for each snapshot that is there at the end, the newest first: cells as `POINT` names them."""
    rows = []
    for name, table in source.tables.items():
        if name.startswith("snapshots/"):
            _, group, site = name.split("/")
            there = [row for row, end in enumerate(table["end"]) if str(end) == KEPT]
            for row in reversed(there[-SHOWN:]):
                taken, lacks = float(table["taken_at"][row]), float(table["lacks_from"][row])
                holds = taken if np.isnan(lacks) else min(lacks, taken)
                label = f"{group} at {site}: {table['name'][row]}"
                rows.append(
                    [label, _when(taken, source), _when(holds, source), values.duration(taken - holds)]
                )
    return rows


def _places(source: Source) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for group, facts in source.groups().items():
        yield f"{group} at its source", facts
        for target, numbers in facts["targets"].items():
            yield f"{group} at {target}", numbers


def _when(second: float, source: Source) -> str:
    """An instant on the wall clock, or since the beginning."""
    start: datetime | None = source.start
    if start is None:
        return values.duration(second)
    return f"{start + timedelta(seconds=round(second)):%a %H:%M:%S}"
