"""The curves and stories of a run as columns, for Parquet and for pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from drsim.measure.decimate import hold
from drsim.replication.states import Cause
from drsim.simulation.built import Built
from drsim.simulation.leg import Leg
from drsim.simulation.probe import LegProbe
from drsim.simulation.recovery import timeline

CAUSE_OF_LINK = {"outage": "outage", "tcp": "tcp", "loss": "tcp"}
"""What a link's span is to blame for; anything else that slows a link counts as its throttling."""

CAUSE_OF_STATE = {"TRACKING": "journal-full", "RESYNCING": "resync"}
_BY_A_COPY = {Cause.FEEDER_COPIED.value, Cause.TARGET_LACKS.value}
"""Order was lost for the sake of a copy, not for want of room in the journal."""


def tabulate(built: Built, end: float) -> dict[str, Mapping[str, Any]]:
    """Give the tables of a run by name.

    ``curve/…``, ``exceedance/…`` and ``images/<group>/<target>`` (`drsim.measure.images`),
    ``snapshots/<group>/<site>`` (`drsim.measure.snapshots`), where there is a timetable,
    ``link/<link>/<direction>``, ``routes``, ``spans``, ``events``, ``disaster/<group>/<n>``: the hour before the
    group's n-th disaster, minute by minute; ``recovery``: where each group was when; and
    ``tenure/<group>/<n>/<target>``: the curve of a leg of its n-th time at a site.
    """
    tables: dict[str, Mapping[str, Any]] = {}
    for (group, target), leg in built.legs.items():
        curve: dict[str, Any] = dict(leg.probe.lag.curve())
        t, level = leg.probe.journal.curve()
        curve["journal_bytes"] = hold(t, level, curve["t"])
        tables[f"curve/{group}/{target}"] = curve
        tables[f"exceedance/{group}/{target}"] = leg.probe.lag.exceedance()
        until, lag = leg.probe.until(end), leg.probe.lag
        tables[f"images/{group}/{target}"] = leg.probe.images.columns(
            until, leg.probe.states(end), lag.exposure.within(until), curve
        )
    tables |= _snapshots(built, end)
    for name, circuit in built.circuits.items():
        for usage, forward in zip(circuit.usage, (True, False), strict=True):
            columns = usage.columns(end, circuit.timeline.direction(forward=forward).steps)
            tables[f"link/{name}/{'forward' if forward else 'reverse'}"] = columns
    tables |= _bad_days(built, end)
    tables["routes"] = _routes(built)
    tables["spans"] = _spans(built, end)
    tables["events"] = _events(built)
    return tables


def _bad_days(built: Built, end: float) -> dict[str, Mapping[str, Any]]:
    tables: dict[str, Mapping[str, Any]] = {}
    for group, outcomes in built.outcomes.items():
        for number, outcome in enumerate(o for o in outcomes if o.minutes):
            tables[f"disaster/{group}/{number}"] = outcome.table()
    if (story := timeline(built, end)) is not None:
        tables["recovery"] = story
    for group, tenures in built.tenures.items():
        for number, tenure in enumerate(tenures[1:], 2):
            for target, leg in tenure.legs.items() if tenure.begin <= end else ():
                tables[f"tenure/{group}/{number}/{target}"] = _later(leg)
    return tables


def _snapshots(built: Built, end: float) -> dict[str, Mapping[str, Any]]:
    """Recovery points by timetable, at targets and at sources (which have no target of their own name)."""
    tables: dict[str, Mapping[str, Any]] = {}
    for (group, target), leg in built.legs.items():
        if leg.probe.kept is not None:
            tables[f"snapshots/{group}/{target}"] = leg.probe.kept.columns(leg.probe.until(end))
    for name, settings in built.scenario.groups.items():
        source = built.tenures[name][0].group.kept
        if source is not None:
            tables[f"snapshots/{name}/{settings.source}"] = source.log.columns(end)
    return tables


def _later(leg: Leg) -> dict[str, Any]:
    """The curve of a leg that began when its group had moved."""
    curve: dict[str, Any] = dict(leg.probe.lag.curve())
    return curve | {"t": curve["t"] + leg.probe.since}


def _spans(built: Built, end: float) -> dict[str, Any]:
    rows: list[tuple[float, float, str, str, str]] = []
    for name, circuit in built.circuits.items():
        rows += [
            (s.begin, min(s.end, end), "link", name, s.cause) for s in circuit.timeline.spans if s.begin < end
        ]
    for (group, target), leg in built.legs.items():
        subject = f"{group}/{target}"
        rows += [(*span, state.lower(), subject, cause) for span, state, cause in _states(leg.probe, end)]
        rows += [
            (b, min(e, end), "exposure", subject, "resync") for b, e in leg.probe.lag.exposure.within(end)
        ]
        found = leg.probe.lag.violations.columns()
        for begin, stop in zip(found["begin"].tolist(), found["end"].tolist(), strict=True):
            rows.append((begin, stop, "violation", subject, ""))
    rows.sort(key=lambda row: (row[0], row[1], row[3]))
    names = ("begin", "end", "kind", "subject", "cause")
    columns: dict[str, list[Any]] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return columns | {"begin": np.array(columns["begin"], float), "end": np.array(columns["end"], float)}


def _states(probe: LegProbe, end: float) -> Iterator[tuple[tuple[float, float], str, str]]:
    """The source's states, each with what it is to blame for: while order is lost, by why it was."""
    changes = [told for told in probe.story if told.who == "source" and " -> " in told.what]
    why, kept = "", True
    for (span, state), told in zip(probe.states(end), changes, strict=False):
        why, kept = (told.detail if kept else why), state not in CAUSE_OF_STATE
        cause = CAUSE_OF_STATE.get(state, "")
        yield span, state, "resync" if cause and why in _BY_A_COPY else cause


def _routes(built: Built) -> dict[str, Any]:
    rows = [(group, target, built.scenario.route(group, target)) for group, target in built.legs]
    group, target, link = zip(*rows, strict=True)
    return {"group": list(group), "target": list(target), "link": list(link)}


def _events(built: Built) -> dict[str, Any]:
    rows = [
        (told.at, f"{group}/{target}", f"{told.who}: {told.what}", told.detail)
        for (group, target), leg in built.legs.items()
        for told in leg.probe.story
    ]
    rows.sort(key=lambda row: (row[0], row[1]))
    names = ("t", "subject", "what", "detail")
    columns: dict[str, Any] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return columns | {"t": np.array(columns["t"], float)}
