"""Closed forms against truth that no one here made, and against the engine itself."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from drsim.study.closed import Arrivals, ClosedWorld, UnsuitedError, drawn, lag_numbers, lumped, serve
from drsim.study.point import flatten
from drsim.study.world import ScenarioWorld
from tests.study.scenarios import CHANCE, FLUID, written


def arrivals(time: object, nbytes: object) -> Arrivals:
    t = np.asarray(time, float)
    return Arrivals(t, t, np.broadcast_to(np.asarray(nbytes, float), t.shape).copy())


def analytic(shared: Path) -> dict[str, dict[str, float]]:
    cases: dict[str, dict[str, float]] = {}
    with (shared / "truth" / "analytic.csv").open() as file:
        for row in csv.DictReader(file):
            if row["id"].startswith("fluid_outage_"):
                for name in ("peak_backlog", "catchup", "total_behind", "max_lag", "viol"):
                    if row["id"].startswith(f"fluid_outage_{name}_"):
                        case = row["id"].removeprefix(f"fluid_outage_{name}_")
                        cases.setdefault(case, json.loads(row["params"]))[name] = float(row["value"])
    return cases


def test_a_queue_of_small_writes_is_the_fluid(shared: Path) -> None:
    cases = analytic(shared)
    assert len(cases) == 4
    for known in cases.values():
        lam, rate, down, theta = (known[k] for k in ("lam_Bps", "C_Bps", "T_s", "theta_s"))
        step = down / 20_000
        begin, end = 10 * step, 10 * step + down + 2 * known["catchup"]
        writes = arrivals(np.arange(step, end, step), lam * step)
        queue = serve(writes, [(0.0, rate), (begin, 0.0), (begin + down, rate)])
        numbers = lag_numbers(writes, queue.finish, theta, end)
        near = {"abs": 3 * step, "rel": 1e-3}
        assert numbers["lag_max_s"] == pytest.approx(known["max_lag"], **near)
        assert numbers["violation_s"] == pytest.approx(known["viol"], **near)
        assert queue.backlog.max() == pytest.approx(known["peak_backlog"], rel=1e-3)


def test_the_worked_vectors_come_out_exactly(shared: Path) -> None:
    worked = json.loads((shared / "truth" / "worked_scenarios.json").read_text())
    lindley = worked["lindley_vector"]
    queue = serve(arrivals(lindley["arrival_s"], lindley["size_B"]), [(0.0, lindley["link_Bps"])])
    np.testing.assert_allclose(queue.finish, lindley["finish_s"], rtol=1e-12)
    np.testing.assert_allclose(queue.backlog, lindley["backlog_just_after_arrival_B"], rtol=1e-12)
    outage = worked["dd1_outage"]
    rate, (down, up) = outage["link_Bps"], outage["outage"]
    count = len(outage["finish_s"])
    writes = arrivals(np.arange(count) * outage["period_s"], outage["size_B"])
    queue = serve(writes, [(0.0, rate), (down, 0.0), (up, rate)])
    np.testing.assert_allclose(queue.finish, outage["finish_s"], rtol=1e-12)
    assert (queue.finish - writes.first).max() == pytest.approx(outage["max_delay"])


def test_backlog_is_the_peak_usage_recurrence() -> None:
    """excess_n = max(excess_n-1 - capacity, 0) + written_n, step by step."""
    rng = np.random.default_rng(2)
    time, nbytes = np.sort(rng.uniform(0, 100, 500)), rng.integers(1, 5000, 500).astype(float)
    queue = serve(arrivals(time, nbytes), [(0.0, 20_000.0)])
    excess, before = 0.0, 0.0
    for i in range(500):
        excess = max(excess - 20_000.0 * (time[i] - before), 0.0) + nbytes[i]
        before = time[i]
        assert queue.backlog[i] == pytest.approx(excess, rel=1e-9)


def test_a_link_that_stays_down_never_finishes() -> None:
    queue = serve(arrivals([1.0, 2.0, 11.0], 10), [(0.0, 10.0), (2.5, 0.0)])
    np.testing.assert_array_equal(queue.finish, [2.0, np.inf, np.inf])


def test_lag_percentiles_are_over_time() -> None:
    # One write every 10 s, recovered 4 s later: a ramp from 0 to 4 in 40 % of the time.
    writes = arrivals(np.arange(0.0, 1000, 10), 1)
    numbers = lag_numbers(writes, writes.first + 4, 1.0, 1000.0)
    assert numbers["lag_p95_s"] == pytest.approx(4 * (0.4 - 0.05) / 0.4)
    assert numbers["lag_p50_s"] == 0
    assert numbers["lag_mean_s"] == pytest.approx(0.4 * 2)
    assert numbers["violation_s"] == pytest.approx(100 * 3)
    assert numbers["violations"] == 100


def test_lumps_keep_bytes_and_bound_the_error() -> None:
    rng = np.random.default_rng(5)
    fine = arrivals(np.sort(rng.uniform(0, 1000, 10_001)), rng.integers(1, 2000, 10_001))
    coarse = lumped(fine, 7)
    assert coarse.nbytes.sum() == fine.nbytes.sum()
    longest = (coarse.last - coarse.first).max()
    one, two = (lag_numbers(a, serve(a, [(0.0, 11_000.0)]).finish, 5.0, 1000.0) for a in (fine, coarse))
    assert one["lag_max_s"] <= two["lag_max_s"] <= one["lag_max_s"] + 2 * longest


MEASURES = ("lag_max_s", "lag_mean_s", "lag_p99_s", "violation_s", "backlog_peak_bytes")


@pytest.mark.parametrize(("text", "resent"), [(FLUID, 0.0), (CHANCE, 20_000.0)], ids=["constant", "chance"])
def test_the_engine_agrees_with_the_closed_form(tmp_path: Path, text: str, resent: float) -> None:
    """The engine sends a frame again that an outage cut off: one write's time on the link for each outage.

    The summary's backlog takes a write as crossing evenly even where an outage stops it: one write at most.
    """
    world = ScenarioWorld.open(written(tmp_path, text))
    closed = ClosedWorld(world, "g", "b")
    for overrides in ((), (("links.ab.rate", "130 kB/s"),), (("groups.g.targets.b.rpo", "1 min"),)):
        for seed in (3, 4):
            one, two = flatten(closed.run(overrides, seed)), flatten(world.run(overrides, seed).summary)
            for measure in MEASURES:
                name = f"groups.g.targets.b.{measure}"
                slack = 20_000 + 8 * resent if measure.endswith("bytes") else 8 * resent / 130_000
                assert one[name] == pytest.approx(two[name], rel=1e-6, abs=slack), (measure, overrides, seed)


def test_an_overflowing_journal_has_no_closed_form_but_is_seen(tmp_path: Path) -> None:
    world = ScenarioWorld.open(written(tmp_path))
    found = ClosedWorld(world, "g", "b").run((("groups.g.journal.size", "100 MB"),), 3)
    target = found["groups"]["g"]["targets"]["b"]
    assert target["journal_overflows"] == 1
    assert target["lag_max_s"] is None


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        (("groups.g.mode", "sync"), "mode sync does not send every write in order"),
        (("groups.g.mode", "{kind: cycle, every: 1 min}"), "mode cycle does not send every write in order"),
        (("hosts.h.queue_depth", "4"), "a host waits for its writes"),
        (("sites.a.disk", "{write: 100 MB/s}"), "disks may hold writes up"),
        (("links.ab.efficiency", "null"), "the link's own headers depend on how writes are sent"),
    ],
)
def test_where_no_closed_form_holds_it_says_why(
    tmp_path: Path, override: tuple[str, str], reason: str
) -> None:
    world = ScenarioWorld.open(written(tmp_path))
    with pytest.raises(UnsuitedError, match=reason):
        ClosedWorld(world, "g", "b").run((override,), 3)


def test_many_writes_are_lumped_until_they_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = ScenarioWorld.open(written(tmp_path)).scenario()
    fine = drawn(scenario, "g")
    monkeypatch.setattr("drsim.study.closed.MOST_LUMPS", 20_000)
    coarse = drawn(scenario, "g")
    assert len(coarse.first) <= 40_000 < len(fine.first)
    assert coarse.nbytes.sum() == fine.nbytes.sum()
