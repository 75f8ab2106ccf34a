"""The summary of a run: the meters' numbers under the names users know."""

from __future__ import annotations

from typing import Any

from drsim.simulation.build import Built
from drsim.simulation.circuits import Circuit
from drsim.simulation.leg import Leg

SCHEMA_VERSION = 1


def summarise(built: Built, end: float) -> dict[str, Any]:
    """Give every key of the summary but the wall-clock ones, over the window [0, ``end``] seconds."""
    scenario = built.scenario
    groups: dict[str, Any] = {}
    for name, group in built.groups.items():
        targets = {
            target: _target(built, name, target, built.legs[name, target], end)
            for target in scenario.groups[name].targets
        }
        groups[name] = {"written_bytes": group.bytes_taken, "writes": group.taken, "targets": targets}
        groups[name] |= _outcomes(built, name, end)
    summary: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "scenario": scenario.name,
        "seed": scenario.seed,
        "duration_s": end,
        "writes": sum(group.taken for group in built.groups.values()),
        "groups": groups,
        "links": {name: _link(circuit, end) for name, circuit in built.circuits.items()},
        "hosts": {name: probe.latency.finish() for name, probe in built.hosts.items()},
    }
    verdicts = [expectation.judge(summary) for expectation in scenario.expect]
    judged = [{"expect": v.text, "value": v.value, "passed": v.passed} for v in verdicts]
    summary["expectations"] = judged + _objectives(groups)
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
        if outcome.planned and outcome.cause != "failover":
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


def _target(built: Built, group: str, target: str, leg: Leg, end: float) -> dict[str, Any]:
    settings = built.scenario.groups[group].targets[target]
    probe = leg.probe
    circuit = built.circuits[built.scenario.route(group, target)]
    usage = circuit.usage[0 if circuit.forward is leg.out else 1]
    counters = probe.counters
    return {
        **probe.finish(end),
        "rto_s": settings.rto,
        "recovery_max_s": _slowest(built, group, target),
        "journal_overflows": int(counters.get("journal_overflows", 0)),
        "resyncs": sum(told.what.endswith("-> RESYNCING") for told in probe.story),
        "resync_bytes": int(counters.get("resync_bytes", 0)),
        "sent_bytes": usage.total(group),
        "folded_bytes": int(counters.get("folded_bytes", 0)),
        "recovery_points_lost": int(counters.get("recovery_points_lost", 0)),
        "last_applied_s": leg.there.applied_at,
        "consistent": leg.there.checker.holds,
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
