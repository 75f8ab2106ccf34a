"""Whole runs against truth that no one here made: real traces, worked scenarios, closed forms."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drsim.scenario import loads
from drsim.simulation import run
from tests.simulation.worlds import Pair

TRACE = """
drsim: 1
sites: {{a: {{}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, outages: [{outages}]}}}}
groups: {{g: {{source: a, volumes: {{v: 100 TB}}, targets: {{b: {{rpo: {rpo} s}}}}, mode: {mode}}}}}
hosts: {{h: {{site: a, writes: [{{trace: '{trace}', device: all, volume: g/v}}]}}}}
"""


def replay(
    trace: Path, rate: float, outages: list[list[float]], rpo: float, mode: str = "journal"
) -> dict[str, Any]:
    downs = ", ".join(f"{{at: {a} s, for: {b - a} s}}" for a, b in outages)
    text = TRACE.format(rate=rate, outages=downs, rpo=rpo, mode=mode, trace=trace)
    return run(loads(text, "truth")).summary["groups"]["g"]["targets"]["b"]


def oracles(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "truth" / "trace_oracles.json").read_text())


@pytest.mark.parametrize("trace", ["cloudphysics_sample_2h", "spc_financial1_260s"])
def test_real_traces_give_the_exact_fifo_figures(shared: Path, trace: str) -> None:
    truth = oracles(shared)[trace]
    path = shared / "traces" / f"{trace}.csv.gz"
    for case in truth["fifo"]:
        theta = float(next(t for t, seconds in case["viol_s"].items() if seconds > 0 or t == "60"))
        got = replay(path, case["C_Bps"], case["outages"], theta)
        # An interrupted frame is sent again: at most its transmission time for each outage.
        slack = len(case["outages"]) * 1_048_576 / case["C_Bps"]
        exact = {"rel": 1e-6} if not slack else {"rel": 1e-6, "abs": slack}
        assert got["lag_max_s"] == pytest.approx(case["max_lag_s"], **exact)
        frame = {"rel": 1e-6} if not slack else {"rel": 1e-6, "abs": len(case["outages"]) * 1_048_576}
        assert got["backlog_peak_bytes"] == pytest.approx(case["peak_backlog_bytes"], **frame)
        assert got["delay_mean_s"] == pytest.approx(case["mean_delay_s"], **exact)
        assert got["delay_p99_s"] == pytest.approx(case["p99_delay_s"], rel=1.1e-3, abs=slack)
        assert got["last_applied_s"] == pytest.approx(case["last_finish_s"], **exact)
        seconds = case["viol_s"][f"{theta:g}"]
        assert got["violation_s"] == pytest.approx(seconds, rel=1e-6, abs=2 * slack)


def test_the_raw_vscsi_trace_is_the_same_run(shared: Path) -> None:
    case = oracles(shared)["cloudphysics_sample_2h"]["fifo"][0]
    raw = shared / "traces" / "raw" / "libCacheSim.cloudPhysicsIO.vscsi"
    got = replay(raw, case["C_Bps"], [], 900)
    assert got["lag_max_s"] == pytest.approx(case["max_lag_s"], rel=1e-6)
    assert got["violation_s"] == pytest.approx(case["viol_s"]["900"], rel=1e-6)


def test_a_real_trace_in_periodic_snapshots_sends_the_changed_blocks(shared: Path) -> None:
    path = shared / "traces" / "cloudphysics_sample_2h.csv.gz"
    for case in oracles(shared)["cloudphysics_sample_2h"]["batch"]:
        if case["max_transfer_s"] > case["P_s"]:
            continue  # the oracle queues snapshots that drsim, like the products, takes when the link is free
        mode = f"{{kind: snapshot, every: {case['P_s']} s}}"
        got = replay(path, case["C_Bps"], [], float(next(iter(case["viol_s"]))), mode)
        # A frame is one run: what later writes overwrote in the middle of a larger one travels with it.
        assert case["bytes_sent"] <= got["sent_bytes"] <= 1.02 * case["bytes_sent"], case


def test_lindley_vector(shared: Path) -> None:
    truth = json.loads((shared / "truth" / "worked_scenarios.json").read_text())["lindley_vector"]
    writes = list(zip(truth["arrival_s"], truth["size_B"], strict=True))
    pair = Pair(writes, truth["link_Bps"])
    assert pair.recovered == pytest.approx(truth["finish_s"], rel=1e-9)


def test_dd1_with_an_outage(shared: Path) -> None:
    truth = json.loads((shared / "truth" / "worked_scenarios.json").read_text())["dd1_outage"]
    count = len(truth["finish_s"])
    writes = [(i * truth["period_s"], truth["size_B"]) for i in range(count)]
    begin, end = truth["outage"]
    pair = Pair(writes, truth["link_Bps"], outages=[(begin, end)])
    assert pair.recovered == pytest.approx(truth["finish_s"], rel=1e-9)
    assert pair.target["delay_max_s"] == pytest.approx(truth["max_delay"], rel=1e-9)


@pytest.mark.parametrize("index", range(6))
def test_periodic_replication_lags_as_the_closed_form_says(shared: Path, index: int) -> None:
    """A trickle of writes, each update taking d: the age of the newest image is a saw-tooth of P and d."""
    case = json.loads((shared / "truth" / "worked_scenarios.json").read_text())["periodic_closed_form"][
        "cases"
    ][index]
    period, transfer, theta = case["P_s"], case["d_s"], case["theta_s"]
    per_cycle = 1000
    gap, size = period / per_cycle, 4096
    blocks = min(per_cycle, 100)
    writes = [(gap * (i + 0.5), size, (i % blocks) * 4096) for i in range(per_cycle * 40)]
    rate = blocks * 4096 / transfer
    pair = Pair(
        writes, rate, mode=f"{{kind: snapshot, every: {period} s}}", rpo=theta, duration=40.0 * period
    )
    got = pair.target
    assert got["lag_max_s"] == pytest.approx(case["max_age"], abs=2 * gap)
    # The first period has no image but the empty one, so its lag starts from 0.
    assert got["violation_fraction"] == pytest.approx(case["viol_fraction"], abs=0.03)
    assert got["lag_mean_s"] == pytest.approx(case["mean_age"], rel=0.04)


def _analytic(shared: Path, kind: str) -> list[dict[str, Any]]:
    with (shared / "truth" / "analytic.csv").open() as stream:
        return [
            row | {"params": json.loads(row["params"])}
            for row in csv.DictReader(stream)
            if row["kind"] == kind
        ]


FLUID = """
drsim: 1
duration: {duration} s
sites: {{a: {{}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, outages: [{{at: 1000 s, for: {outage} s}}]}}}}
groups: {{g: {{source: a, volumes: {{v: 1 TB}}, targets: {{b: {{rpo: {rpo} s}}}}}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: {load} B/s, size: {size} B}}]}}}}
"""


def test_one_outage_as_the_fluid_formulas_say(shared: Path) -> None:
    rows = _analytic(shared, "fluid")
    cases: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["id"].startswith("fluid_outage"):
            measure, _, name = row["id"].removeprefix("fluid_outage_").partition("_")
            for known in ("peak_backlog", "catchup", "total_behind", "max_lag", "viol"):
                if row["id"].startswith(f"fluid_outage_{known}_"):
                    measure, name = known, row["id"].removeprefix(f"fluid_outage_{known}_")
            cases.setdefault(name, dict(row["params"]))[measure] = float(row["value"])
    assert len(cases) == 4
    for case in cases.values():
        load, rate, outage, theta = case["lam_Bps"], case["C_Bps"], case["T_s"], case["theta_s"]
        size = int(load * outage / 20_000)  # 20,000 writes in the outage: steps well below 1e-3
        duration = 1000 + outage + case["catchup"] + 1000
        text = FLUID.format(duration=duration, rate=rate, outage=outage, rpo=theta, load=load, size=size)
        got = run(loads(text, "fluid")).summary["groups"]["g"]["targets"]["b"]
        assert got["backlog_peak_bytes"] == pytest.approx(case["peak_backlog"], rel=1e-3)
        assert got["lag_max_s"] == pytest.approx(case["max_lag"], rel=1e-3)
        assert got["violation_s"] == pytest.approx(case["viol"], rel=1e-3)


QUEUE = """
drsim: 1
seed: {seed}
duration: {duration} s
sites: {{a: {{}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %}}}}
groups: {{g: {{source: a, volumes: {{v: 1 TB}}, targets: {{b: {{}}}}}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: {load} /s, size: {size}, arrivals: poisson}}]}}}}
"""


def _mean_wait(rate: float, load: float, size: str, service: float, seeds: int = 8) -> tuple[float, float]:
    """Mean wait in the queue over replications, and its standard error."""
    waits = []
    for seed in range(seeds):
        text = QUEUE.format(seed=seed, duration=60_000 / load, rate=rate, load=load, size=size)
        got = run(loads(text, "queue")).summary["groups"]["g"]["targets"]["b"]
        waits.append(got["delay_mean_s"] - service)
    return float(np.mean(waits)), float(np.std(waits, ddof=1) / np.sqrt(seeds))


def test_poisson_queues_wait_as_theory_says(shared: Path) -> None:
    for row in _analytic(shared, "queue"):
        params, value = row["params"], float(row["value"])
        if row["id"].startswith("MD1_Wq"):
            mean, error = _mean_wait(1000.0, params["rho"], "1000 B", 1.0)
        elif row["id"].startswith("MM1_Wq"):
            mean, error = _mean_wait(1000.0, params["rho"], "exponential(1000 B)", 1.0)
        elif "_Wq_" in row["id"] and row["id"].startswith("MG1"):
            sizes, shares = params["sizes"], params["p"]
            mix = ", ".join(f"{s} B: {100 * p:g} %" for s, p in zip(sizes, shares, strict=True))
            service = sum(s * p for s, p in zip(sizes, shares, strict=True)) / params["rate_Bps"]
            mean, error = _mean_wait(params["rate_Bps"], params["lam"], f"{{{mix}}}", service)
        else:
            continue
        assert abs(mean - value) < 4.5 * error + 1e-3 * value, row["id"]


def test_poisson_queues_hold_as_many_as_theory_says(shared: Path) -> None:
    """L of M/M/1, and Lq = L - rho of M/D/1: writes missing at the target on average over time, no delay used."""
    rows = [r for r in _analytic(shared, "queue") if r["id"].startswith(("MM1_L_", "MD1_Lq_"))]
    assert len(rows) == 6
    for row in rows:
        load, size = row["params"]["rho"], "1000 B"
        value = float(row["value"]) + load
        if row["id"].startswith("MM1"):
            size, value = "exponential(1000 B)", float(row["value"])
        held = []
        for seed in range(8):
            text = QUEUE.format(seed=seed, duration=30_000 / load, rate=1000, load=load, size=size)
            held.append(run(loads(text, "queue")).summary["groups"]["g"]["targets"]["b"]["loss_mean_writes"])
        error = float(np.std(held, ddof=1)) / np.sqrt(len(held))
        assert abs(float(np.mean(held)) - value) < 4.5 * error + 2e-3 * value, row["id"]
