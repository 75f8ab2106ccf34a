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
    summary["expectations"] = [{"expect": v.text, "value": v.value, "passed": v.passed} for v in verdicts]
    summary["passed"] = all(v.passed for v in verdicts)
    return summary


def _target(built: Built, group: str, target: str, leg: Leg, end: float) -> dict[str, Any]:
    settings = built.scenario.groups[group].targets[target]
    probe = leg.probe
    circuit = built.circuits[built.scenario.route(group, target)]
    usage = circuit.usage[0 if circuit.forward is leg.out else 1]
    counters = probe.counters
    return {
        **probe.finish(end),
        "rto_s": settings.rto,
        "journal_overflows": int(counters.get("journal_overflows", 0)),
        "resyncs": sum(told.what.endswith("-> RESYNCING") for told in probe.story),
        "resync_bytes": int(counters.get("resync_bytes", 0)),
        "sent_bytes": usage.total(group),
        "folded_bytes": int(counters.get("folded_bytes", 0)),
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
