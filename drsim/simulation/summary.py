"""The summary of a run: the meters' numbers under the names users know."""

from __future__ import annotations

from typing import Any

from drsim.measure.snapshots import NUMBERS, WINDOW, SnapshotLog
from drsim.simulation.built import Built
from drsim.simulation.circuits import Circuit
from drsim.simulation.leg import Leg
from drsim.simulation.legs import sent
from drsim.simulation.overall import beyond, judged
from drsim.simulation.snapshots import AtSource, Snapshots
from drsim.simulation.tenure import Tenure
from drsim.simulation.ways import Way

SCHEMA_VERSION = 1
_ROOM = ("snapshot_space_peak_bytes", "snapshot_space_final_bytes")


def summarise(built: Built, end: float) -> dict[str, Any]:
    """Give every key of the summary but the wall-clock ones, over the window [0, ``end``] seconds."""
    scenario = built.scenario
    groups: dict[str, Any] = {}
    for name in built.groups:
        tenures = built.tenures[name]
        targets = {
            target: _target(built, built.ways[name, scenario.groups[name].feeder(target), target], leg, end)
            | {"rto_s": settings.rto, "recovery_max_s": _slowest(built, name, target)}
            for target, settings in scenario.groups[name].targets.items()
            for leg in [built.legs[name, target]]
        }
        groups[name] = {
            "written_bytes": sum(tenure.group.bytes_taken for tenure in tenures),
            "writes": sum(tenure.group.writes for tenure in tenures),
            "targets": targets,
            **_snapshots(tenures[0].group.kept, end),
        }
        groups[name] |= _outcomes(built, name, end) | _moves(built, name, end)
        groups[name]["violation_s"] = beyond(groups[name])
    summary: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "scenario": scenario.name,
        "seed": scenario.seed,
        "duration_s": end,
        "writes": sum(group["writes"] for group in groups.values()),
        "groups": groups,
        "links": {name: _link(circuit, end) for name, circuit in built.circuits.items()},
        "hosts": {name: probe.finish() for name, probe in built.hosts.items()},
    }
    seen = summary | {"groups": judged(groups)}
    verdicts = [expectation.judge(seen) for expectation in scenario.expect]
    told = [{"expect": v.text, "value": v.value, "passed": v.passed} for v in verdicts]
    summary["expectations"] = told + _objectives(groups)
    summary["passed"] = all(each["passed"] for each in summary["expectations"])
    return summary


def _outcomes(built: Built, group: str, end: float) -> dict[str, Any]:
    """What became of a group in ``disasters`` and by planned ``operations``, in the order of their times."""
    targets = built.scenario.groups[group].targets
    told: dict[str, list[dict[str, Any]]] = {"disasters": [], "operations": []}
    for outcome in built.outcomes[group]:
        at = targets.get(outcome.target or "")
        hopeless = min((t.rto for t in targets.values() if t.rto is not None), default=None)
        rto = hopeless if at is None else at.rto
        if outcome.cause in ("rehearsal", "failback"):
            rto = None
        told["operations" if outcome.planned else "disasters"].append(
            outcome.summary(end, at.rpo if at is not None else None, rto)
        )
    return told


def _objectives(groups: dict[str, Any]) -> list[dict[str, Any]]:
    """A verdict for each recovery that had an objective, beside what the scenario expects."""
    return [
        {
            "expect": f"{name}.{each['target'] or 'recovery'}.recovery_max <= rto",
            "value": each["recovery_s"],
            "passed": each["rto_met"],
        }
        for name, group in groups.items()
        for each in [*group["disasters"], *group["operations"]]
        if each["rto_met"] is not None
    ]


def _slowest(built: Built, group: str, target: str) -> float | None:
    """The longest recovery at a target; None where there was none."""
    times = [o.recovery_s for o in built.outcomes[group] if o.target == target and o.recovery_s is not None]
    return max(times, default=None)


def _target(built: Built, way: Way, leg: Leg, end: float) -> dict[str, Any]:
    probe = leg.probe
    counters = probe.counters
    carried = leg.sent_through if leg.sent_through is not None else sent(built, way)
    return {
        **probe.finish(end),
        "journal_overflows": int(counters.get("journal_overflows", 0)),
        "resyncs": sum(told.what.endswith("-> RESYNCING") for told in probe.story),
        "staging_peak_bytes": leg.staging_peak(),
        "resync_bytes": int(counters.get("resync_bytes", 0)),
        "sent_bytes": carried - leg.sent_before,
        "folded_bytes": int(counters.get("folded_bytes", 0)),
        "recovery_points_lost": int(counters.get("recovery_points_lost", 0)),
        **_kept(probe.kept, leg.there.snapshots, probe.since, probe.until(end)),
        **(dict.fromkeys(WINDOW) if probe.history is None else probe.history.finish()),
        "snapshots_missed": int(counters.get("snapshots_missed", 0)),
        "last_applied_s": leg.there.applied_at,
        "consistent": not leg.there.problems,
    }


def _snapshots(source: AtSource | None, end: float) -> dict[str, Any]:
    """A group's own snapshots, at its first source."""
    if source is None:
        return dict.fromkeys((*NUMBERS, *_ROOM))
    return _kept(source.log, source.kept, 0.0, end)


def _kept(log: SnapshotLog | None, room: Snapshots, begin: float, end: float) -> dict[str, Any]:
    """Snapshots by timetable, and the room that all snapshots took."""
    numbers = dict.fromkeys(NUMBERS) if log is None else log.finish(begin, end)
    return numbers | dict(zip(_ROOM, (room.peak, room.used), strict=True))


def _moves(built: Built, name: str, end: float) -> dict[str, Any]:
    """Where the group was when, once it has moved; and how long no other site held an image of it."""
    tenures = [tenure for tenure in built.tenures[name] if tenure.begin <= end]
    told = [
        {
            "source": tenure.source,
            "begin_s": tenure.begin,
            "end_s": end if tenure.end is None else tenure.end,
            "writes": tenure.group.writes,
            "written_bytes": tenure.group.bytes_taken,
            "unprotected_s": sum(stop - begin for begin, stop in tenure.unprotected(end)),
            "targets": _legs(built, tenure, end) if number else {},
        }
        for number, tenure in enumerate(tenures)
    ]
    lost = [o.lost for o in built.outcomes[name] if o.target is not None]
    recovered = [o.recovery_s for o in built.outcomes[name] if o.recovery_s is not None]
    return {
        "moves": len(told) - 1,
        "lost_bytes": sum(each[1] or 0 for each in lost),
        "lost_writes": sum(each[2] or 0 for each in lost),
        "recovery_max_s": max(recovered, default=None),
        "unprotected_s": sum(each["unprotected_s"] for each in told),
        "tenures": told if len(told) > 1 else [],
    }


def _legs(built: Built, tenure: Tenure, end: float) -> dict[str, Any]:
    return {
        target: _target(built, built.ways[tenure.way(target)], leg, end)
        for target, leg in tenure.legs.items()
    }


def _link(circuit: Circuit, end: float) -> dict[str, Any]:
    """Both directions together, and the busier one's share of what it could have carried."""
    shares, carried = [], 0
    for usage, forward in zip(circuit.usage, (True, False), strict=True):
        total = sum(usage.total(kind) for kind in usage.columns(end) if kind != "t")
        carried += total
        possible = circuit.timeline.direction(forward=forward).capacity(end).average(0.0, end) * end
        shares.append(total / possible if possible else 0.0)
    down = sum(max(0.0, min(cut.up_at, end) - min(cut.down_at, end)) for cut in circuit.timeline.cuts)
    return {"utilisation": max(shares), "carried_bytes": carried, "down_s": down}
