"""The lag meter against a slow oracle in fractions, closed forms, and itself in other partitions."""

from __future__ import annotations

import gzip
import importlib.util
import itertools
import json
import math
import sys
from fractions import Fraction as F  # noqa: N817
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.measure.lag import LagMeter
from drsim.wan.capacity import capacity
from drsim.wan.fifo import Fifo

_spec = importlib.util.spec_from_file_location("lag_oracle", Path(__file__).with_name("lag_oracle.py"))
lag_oracle = importlib.util.module_from_spec(_spec)
sys.modules["lag_oracle"] = lag_oracle
_spec.loader.exec_module(lag_oracle)
Story = lag_oracle.Story

NONE = np.empty(0), np.empty(0, np.int64)


def columns(rows):
    return (
        np.array([float(r[0]) for r in rows]),
        np.array([r[1] for r in rows], np.int64),
        np.array([float(r[2]) for r in rows]),
    )


def measure(story, rpo, cuts=()):
    """Feed a story to the meter, exposures in time, recovered writes cut at ``cuts``."""
    meter = LagMeter(rpo)
    rows = [w for w in story.writes if w[2] is not None]
    left = [w for w in story.writes if w[2] is None]
    waiting = list(story.exposures)
    edges = sorted({0, *[c for c in cuts if c <= len(rows)], len(rows)})
    for i, j in itertools.pairwise(edges):
        while waiting:
            k = next((k for k in range(i, j) if max(rows[k][2], rows[k][0]) > waiting[0][0]), None)
            if k is None:
                break
            meter.feed(*columns(rows[i:k]))
            begin, end = waiting.pop(0)
            meter.expose(float(begin), float(end))
            i = k
        meter.feed(*columns(rows[i:j]))
    for begin, end in waiting:
        meter.expose(float(begin), float(end))
    acked = np.array([float(w[0]) for w in left])
    return meter, meter.finish(float(story.end), acked, np.array([w[1] for w in left], np.int64))


@st.composite
def stories(draw):
    """Writes on a grid of quarter seconds, so that ties are common; cycles, gaps, exposures."""
    n = draw(st.integers(0, 14))
    grid = st.integers(0, 40)
    acked = sorted(draw(st.lists(grid, min_size=n, max_size=n)))
    recovered = sorted(draw(st.lists(grid, min_size=n, max_size=n)))
    left = draw(st.integers(0, n))
    end = max([40, *acked, *recovered]) + draw(st.integers(0, 20))
    sizes = draw(st.lists(st.sampled_from([512, 4096, 8192, 12345]), min_size=n, max_size=n))
    writes = []
    late = 0
    for i in range(n):
        late = max(late, acked[i], recovered[i])
        writes.append((F(acked[i], 4), sizes[i], F(late, 4) if i < n - left else None))
    edges = sorted(draw(st.lists(st.integers(0, end), max_size=6, unique=True)))
    exposures = [(F(a, 4), F(b, 4)) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    return Story(writes, exposures, F(end, 4))


@given(stories(), st.integers(0, 20), st.lists(st.integers(0, 14), max_size=4))
def test_every_number_agrees_with_the_oracle(story, quarter, cuts):
    rpo = F(quarter, 4)
    _, out = measure(story, float(rpo), cuts)
    beyond = story.beyond(rpo)
    lengths = [b - a for a, b in beyond]
    assert out["violations"] == len(beyond)
    assert out["violation_s"] == pytest.approx(float(sum(lengths)))
    assert out["violation_longest_s"] == pytest.approx(float(max(lengths, default=0)))
    assert out["violation_integral_s2"] == pytest.approx(float(story.integral_beyond(rpo)))
    assert out["exposure_s"] == pytest.approx(float(sum(b - a for a, b in story.exposures)))
    assert out["backlog_peak_bytes"] == story.peak
    delays = [max(w[2] - w[0], F(0)) for w in story.writes if w[2] is not None]
    if delays:
        assert out["delay_mean_s"] == pytest.approx(float(sum(delays) / len(delays)))
        assert out["delay_max_s"] == float(max(delays))
        for share, name in ((0.5, "p50"), (0.9, "p90"), (0.95, "p95"), (0.999, "p999")):
            assert out[f"delay_{name}_s"] == float(sorted(delays)[math.ceil(share * len(delays)) - 1])
    else:
        assert out["delay_mean_s"] is None
    check_lag_and_loss(story, out)


def check_lag_and_loss(story, out):
    total = sum((s.end - s.begin for s in story.defined), F(0))
    if total == 0:
        assert out["lag_max_s"] is None
        assert out["loss_mean_bytes"] is None
        return
    assert out["lag_max_s"] == float(max(s.lag[1] for s in story.defined))
    area = sum(((s.lag[0] + s.lag[1]) / 2 * (s.end - s.begin) for s in story.defined), F(0))
    assert out["lag_mean_s"] == pytest.approx(float(area / total))
    for share, name in (
        (F(1, 2), "p50"),
        (F(9, 10), "p90"),
        (F(95, 100), "p95"),
        (F(99, 100), "p99"),
        (F(999, 1000), "p999"),
    ):
        x = F(out[f"lag_{name}_s"])
        slack = F(1, 10**9)
        assert story.seconds_at_most(x + slack) >= share * total
        if x > slack:
            assert story.seconds_at_most(x - slack) <= share * total
        assert out[f"loss_{name}_bytes"] == story.share_of_time("nbytes", share)
        assert out[f"loss_{name}_writes"] == story.share_of_time("writes", share)
    weighted = sum((s.nbytes * (s.end - s.begin) for s in story.defined), F(0))
    assert out["loss_mean_bytes"] == pytest.approx(float(weighted / total))
    top = max(s.nbytes for s in story.defined) if story.exposures else story.peak
    assert out["loss_max_bytes"] == top
    last = story.segments[-1]
    assert out["lag_final_s"] == (None if last.lag is None else pytest.approx(final_lag(story)))


def final_lag(story):
    missing = [w for w in story.writes if w[2] is None]
    return float(story.end - missing[0][0]) if missing else 0.0


@given(stories())
def test_the_curve_keeps_every_peak_and_is_ordered(story):
    meter, out = measure(story, None)
    curve = meter.curve()
    t, lag = curve["t"], curve["lag_s"]
    assert (np.diff(t) >= 0).all()
    assert t[0] == 0.0
    assert t[-1] == float(story.end)
    assert curve["backlog_bytes"].max() == out["backlog_peak_bytes"]
    known = lag[~np.isnan(lag)]
    if out["lag_max_s"] is not None:
        assert known.max(initial=0.0) == out["lag_max_s"]
    inside = [(float(a), float(b)) for a, b in story.exposures]
    for at, value in zip(t, lag, strict=True):
        if any(a < at < b for a, b in inside):
            assert math.isnan(value)
    assert out["violations"] is None


def big_run(n=150_000, seed=3):
    rng = np.random.default_rng(seed)
    acked = np.cumsum(rng.exponential(0.01, n))
    work = np.cumsum(rng.exponential(0.0099, n))
    recovered = work + np.maximum.accumulate(acked - np.concatenate([[0.0], work[:-1]])) + 0.01
    return acked, rng.choice([512, 8192, 65536], n), recovered


@pytest.fixture(scope="module")
def whole():
    acked, nbytes, recovered = big_run()
    meter = LagMeter(0.5)
    for i in range(0, len(acked), 16384):
        meter.feed(acked[i : i + 16384], nbytes[i : i + 16384], recovered[i : i + 16384])
    return meter.finish(float(recovered[-1]) + 1.0, *NONE), meter.curve()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ahead", [False, True])
def test_any_partition_gives_the_same_bits(whole, seed, ahead):
    acked, nbytes, recovered = big_run()
    rng = np.random.default_rng(seed)
    top = int(rng.choice([40_000, 9_000, 700]))
    edges = np.unique(np.concatenate([[0, len(acked)], rng.integers(0, len(acked), len(acked) // top)]))
    meter = LagMeter(0.5)
    told = 0
    for i, j in itertools.pairwise(edges):
        if ahead:
            now = recovered[j - 1]
            upto = max(told, int(np.searchsorted(acked, now, side="right")))
            meter.arrive(acked[told:upto], nbytes[told:upto])
            told = upto
        meter.feed(acked[i:j], nbytes[i:j], recovered[i:j])
        if ahead:
            meter.advance(float(now))
    out = meter.finish(float(recovered[-1]) + 1.0, *NONE)
    assert json.dumps(out) == json.dumps(whole[0])
    for name, column in meter.curve().items():
        assert column.tobytes() == whole[1][name].tobytes(), name


def test_binned_percentiles_are_within_a_thousandth(whole):
    acked, nbytes, recovered = big_run()
    out = whole[0]
    begin = np.maximum(acked, np.concatenate([[0.0], recovered[:-1]]))
    lo, hi = begin - acked, recovered - acked
    end = float(recovered[-1]) + 1.0
    idle = end - (hi - lo).sum()
    for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"), (0.999, "p999")):
        low, high = 0.0, float(hi.max())
        for _ in range(60):
            middle = (low + high) / 2
            below = idle + np.clip(middle - lo, 0, hi - lo).sum()
            low, high = (middle, high) if below < share * end else (low, middle)
        assert out[f"lag_{name}_s"] == pytest.approx(high, rel=1e-3)
        assert out[f"delay_{name}_s"] == pytest.approx(float(np.quantile(hi, share)), rel=1e-3)
    times = np.concatenate([recovered, acked])
    order = np.argsort(times, kind="stable")
    level = np.cumsum(np.concatenate([-nbytes, nbytes])[order])[:-1]
    held = np.diff(times[order])
    ranked = np.argsort(level, kind="stable")
    share_below = (np.cumsum(held[ranked]) + acked[0] + 1.0) / end
    exact = level[ranked][np.searchsorted(share_below, 0.99)]
    assert exact * (1 - 1e-3) <= out["loss_p99_bytes"] <= exact


def test_lindley_by_hand(shared):
    case = json.loads((shared / "truth/worked_scenarios.json").read_text())["lindley_vector"]
    meter = LagMeter(3.0)
    acked = np.array(case["arrival_s"], float)
    nbytes = np.array(case["size_B"], np.int64)
    finish = np.array(case["finish_s"], float)
    meter.feed(acked, nbytes, finish)
    out = meter.finish(41.0, *NONE)
    assert out["delay_max_s"] == 7.0
    assert out["lag_max_s"] == 7.0
    begin = np.maximum(acked, np.concatenate([[0.0], finish[:-1]]))
    assert out["violation_s"] == np.maximum(0.0, finish - np.maximum(begin, acked + 3.0)).sum()
    whole_writes = [nbytes[: i + 1][finish[: i + 1] > t].sum() for i, t in enumerate(acked)]
    assert out["backlog_peak_bytes"] == max(whole_writes)
    assert max(case["backlog_just_after_arrival_B"]) <= out["backlog_peak_bytes"]


def test_constant_writes_through_an_outage(shared):
    case = json.loads((shared / "truth/worked_scenarios.json").read_text())["dd1_outage"]
    finish = np.array(case["finish_s"])
    acked = np.arange(len(finish), dtype=float) * case["period_s"]
    meter = LagMeter(0.9)
    meter.feed(acked, np.full(len(finish), case["size_B"]), finish)
    out = meter.finish(60.0, *NONE)
    assert out["delay_max_s"] == pytest.approx(case["max_delay"])
    assert out["lag_max_s"] == pytest.approx(case["max_delay"])
    exact = [F(str(f)) for f in case["finish_s"]]
    story = Story([(F(i), case["size_B"], f) for i, f in enumerate(exact)], [], F(60))
    assert out["violations"] == len(story.beyond(F("0.9"))) == 5
    assert out["violation_s"] == pytest.approx(float(sum(b - a for a, b in story.beyond(F("0.9")))))


def test_periodic_replication_closed_forms(shared):
    cases = json.loads((shared / "truth/worked_scenarios.json").read_text())["periodic_closed_form"]["cases"]
    for case in cases:
        period, transfer = float(case["P_s"]), float(case["d_s"])
        step = period / 600
        cycles = 40
        acked = np.arange(1, 600 * cycles + 1) * step
        taken = np.ceil(acked / period - 1e-9) * period  # a write joins the snapshot taken next
        meter = LagMeter(float(case["theta_s"]))
        meter.feed(acked, np.full(len(acked), 4096), taken + transfer)
        out = meter.finish(float(taken[-1] + transfer), *NONE)
        # lag is age less the gap from the snapshot to the first write it lacks: one step here
        assert out["lag_max_s"] == pytest.approx(case["max_age"], abs=1.01 * step)
        window = float(taken[-1] + transfer)
        busy = [max(0.0, out["lag_mean_s"] * window / (cycles * period))]
        assert busy[0] == pytest.approx(case["mean_age"], rel=0.01)
        assert out["violation_s"] / (cycles * period) == pytest.approx(case["viol_fraction"], abs=0.003)


def test_a_real_trace_gives_the_published_numbers(shared):
    oracles = json.loads((shared / "truth/trace_oracles.json").read_text())["cloudphysics_sample_2h"]
    with gzip.open(shared / "traces/cloudphysics_sample_2h.csv.gz", "rt") as lines:
        assert next(lines).strip() == "t_us,dev,op,offset_bytes,length_bytes"
        rows = [line.rstrip().split(",") for line in lines]
    writes = [(int(t), int(n)) for t, _, op, _, n in rows if op.upper().startswith("W")]
    acked = np.array([t for t, _ in writes]) * 1e-6
    nbytes = np.array([n for _, n in writes], np.int64)
    assert (len(nbytes), int(nbytes.sum())) == (oracles["writes"], oracles["bytes"])
    for case in oracles["fifo"]:
        steps = [(0.0, float(case["C_Bps"]))]
        for begin, end in case["outages"]:
            steps += [(float(begin), 0.0), (float(end), float(case["C_Bps"]))]
        finish, _ = Fifo(capacity(steps, 40_000.0)).serve(acked, nbytes)
        for theta, seconds in case["viol_s"].items():
            meter = LagMeter(float(theta))
            meter.feed(acked, nbytes, finish)
            out = meter.finish(float(finish[-1]), *NONE)
            assert out["violation_s"] == pytest.approx(seconds, rel=1e-6, abs=1e-6)
        assert out["lag_max_s"] == pytest.approx(case["max_lag_s"], rel=1e-6)
        assert out["delay_mean_s"] == pytest.approx(case["mean_delay_s"], rel=1e-6)
        assert out["delay_p99_s"] == pytest.approx(case["p99_delay_s"], rel=1e-3)
        assert finish[-1] == pytest.approx(case["last_finish_s"], rel=1e-6)


def test_without_writes_lag_is_zero_and_delay_has_no_value():
    out = LagMeter(10.0).finish(100.0, *NONE)
    assert out["lag_p999_s"] == 0.0
    assert out["violation_s"] == 0.0
    assert out["delay_p99_s"] is None
    assert out["loss_max_bytes"] == 0


def test_a_window_of_exposure_has_no_lag_and_violates_any_objective():
    meter = LagMeter(1e9)
    meter.expose(0.0)
    meter.arrive(np.array([1.0, 2.0]), np.array([10, 20]))
    meter.advance(50.0)
    out = meter.finish(100.0, np.array([1.0]), np.array([10]))
    assert out["lag_mean_s"] is None
    assert out["lag_final_s"] is None
    assert out["exposure_s"] == 100.0
    assert (out["violations"], out["violation_s"], out["violation_fraction"]) == (1, 100.0, 1.0)
    assert out["backlog_peak_bytes"] == 30
    assert out["loss_max_bytes"] is None


def test_writes_found_when_an_exposure_ends_were_never_late():
    """Many writes become recoverable at once, in more than one block of the meter."""
    acked = np.arange(40_000) / 100.0
    meter = LagMeter(rpo_s=1.0)
    meter.expose(0.0)
    meter.expose(0.0, 400.0)
    meter.feed(acked, np.full(40_000, 4096), np.full(40_000, 400.0))
    summary = meter.finish(500.0, *NONE)
    assert (summary["lag_max_s"], summary["exposure_s"], summary["violation_s"]) == (0.0, 400.0, 400.0)


def test_the_most_that_could_be_lost_counts_from_before_an_exposure_was_told():
    """The peak lies in a block that is measured long before anybody tells of an exposure."""
    acked = np.arange(100_000) / 100.0
    late = np.where(acked < 50.0, 60.0, acked + 0.25)
    late = np.maximum.accumulate(late)
    meter = LagMeter()
    meter.feed(acked[:90_000], np.full(90_000, 4096), late[:90_000])
    meter.expose(950.0, 960.0)
    meter.feed(acked[90_000:], np.full(10_000, 4096), np.maximum(late[90_000:], acked[90_000:]))
    out = meter.finish(1001.0, *NONE)
    assert out["loss_max_writes"] == out["loss_max_bytes"] // 4096 == (acked < 60.0).sum()


def test_an_open_exposure_is_closed_by_the_same_begin():
    meter = LagMeter(5.0)
    meter.expose(10.0)
    meter.expose(10.0, 20.0)
    meter.feed(np.array([12.0]), np.array([4096]), np.array([21.0]))
    out = meter.finish(30.0, *NONE)
    assert out["exposure_s"] == 10.0
    assert out["lag_max_s"] == 9.0
    assert out["violation_s"] == 11.0  # exposed 10..20, and lag beyond 5 s in 20..21
    assert out["violations"] == 1


def test_what_comes_too_late_is_refused():
    meter = LagMeter()
    meter.feed(np.array([1.0]), np.array([1]), np.array([5.0]))
    with pytest.raises(ValueError, match="told after a recovery"):
        meter.expose(4.0, 6.0)
    with pytest.raises(ValueError, match="beyond the end"):
        meter.finish(4.0, *NONE)


def test_memory_stays_flat_while_the_link_is_down():
    meter = LagMeter(60.0)
    block = np.arange(16384) * 1e-3
    size = np.full(16384, 8192)
    for k in range(40):
        meter.arrive(block + k * 16.384, size)
        meter.advance((k + 1) * 16.384)
    waiting = sum(len(t) for t, _ in meter.backlog._arrivals._waiting)
    assert waiting <= 3 * 16384
    assert meter.backlog._level == 8192 * (16384 * 40 - waiting)


@pytest.mark.parametrize("n", [3_000, 150_000])
def test_exceedance_agrees_with_the_percentiles(n):
    acked, nbytes, recovered = big_run(n)
    meter = LagMeter(0.5)
    meter.feed(acked, nbytes, recovered)
    end = float(recovered[-1])
    out = meter.finish(end, *NONE)
    curve = meter.exceedance()
    assert (np.diff(curve["lag_s"]) > 0).all()
    assert (np.diff(curve["share"]) <= 0).all()
    assert curve["share"][-1] <= 1e-9
    assert len(curve["share"]) <= 512
    begin = np.maximum(acked, np.concatenate([[0.0], recovered[:-1]]))
    lo, hi = begin - acked, recovered - acked
    for lag, share in list(zip(curve["lag_s"], curve["share"], strict=True))[::20]:
        exact = (np.clip(hi - lag, 0, None) - np.clip(lo - lag, 0, None)).sum() / end
        assert share == pytest.approx(exact, abs=2e-6)
    rare = np.interp(-0.01, -curve["share"], curve["lag_s"])
    assert rare == pytest.approx(out["lag_p99_s"], rel=0.02)


def test_exceedance_of_an_idle_window():
    meter = LagMeter()
    meter.finish(10.0, *NONE)
    assert meter.exceedance()["share"].tolist() == [0.0]
