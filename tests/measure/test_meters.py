"""Occupancy, link usage and host latency against brute force, bit for bit in any partition."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks import compiled
from drsim.measure.latency import LatencyMeter
from drsim.measure.occupancy import OccupancyMeter
from drsim.measure.usage import UsageMeter, served
from drsim.measure.violations import Violations

sides = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=25)


@given(sides, st.lists(st.integers(0, 30), max_size=25), st.integers(0, 25))
def test_occupancy_is_that_of_a_walk_through_time(arrivals, stays, cut):
    arrivals = sorted(arrivals)
    pairs = list(zip(arrivals, stays, strict=False))
    leave = np.maximum.accumulate(np.array([a + s for (a, _), s in pairs], float)) if pairs else np.empty(0)
    came = np.array([a for a, _ in arrivals], float)
    size = np.array([n for _, n in arrivals], np.int64)
    meter = OccupancyMeter(limit=100)
    meter.arrive(came[:cut], size[:cut])
    meter.release(leave[:cut], size[: len(leave[:cut])])
    meter.arrive(came[cut:], size[cut:])
    meter.release(leave[cut:], size[cut : len(leave)])
    end = max([30.0, *leave.tolist()]) + 1.0
    out = meter.finish(end)
    levels = [int(size[: i + 1].sum() - size[: len(leave)][leave <= t].sum()) for i, t in enumerate(came)]
    assert out["peak_bytes"] == max([0, *levels])
    ticks = np.arange(0, end)  # all events lie on whole seconds: the level is constant between
    held = [int(size[came <= t].sum() - size[: len(leave)][leave <= t].sum()) for t in ticks]
    assert out["mean_bytes"] == pytest.approx(sum(held) / end)
    assert out["bytes"][0] == sorted(held)[int(np.ceil(len(held) / 2)) - 1]
    assert out["final_bytes"] == held[-1]
    t, level = meter.curve()
    assert level.max() == out["peak_bytes"]
    assert (np.diff(t) >= 0).all()


@pytest.mark.parametrize("step", [1, 77, 16384, 50_000])
def test_long_occupancy_has_the_same_bits_in_any_partition(step):
    rng = np.random.default_rng(5)
    n = 2_000 if step == 1 else 120_000
    came = np.cumsum(rng.exponential(1.0, n))
    leave = np.maximum.accumulate(came + rng.exponential(20.0, n))
    size = rng.integers(1, 99_999, n)
    results = []
    for cut in (step, n):
        meter = OccupancyMeter()
        for i in range(0, n, cut):
            meter.arrive(came[i : i + cut], size[i : i + cut])
            meter.release(leave[i : i + cut], size[i : i + cut])
        out = meter.finish(float(leave[-1]))
        results.append((json.dumps(out), *(c.tobytes() for c in meter.curve())))
    assert results[0] == results[1]


@pytest.mark.parametrize("step", [100, 4096, 100_000])
def test_usage_keeps_every_byte(step):
    rng = np.random.default_rng(2)
    t = np.sort(rng.uniform(0, 50_000, 100_000))
    size = rng.integers(1, 65536, len(t))
    meter = UsageMeter()
    for i in range(0, len(t), step):
        part = slice(i, i + step)
        meter.feed("data" if (i // step) % 2 == 0 else "resync", t[part], size[part])
    out = meter.columns(50_000.0, [(0.0, 1000.0), (10_000.0, 0.0), (20_000.0, 500.0)])
    assert sum(int(out[k].sum()) for k in ("data", "resync") if k in out) == int(size.sum())
    assert meter.total("data") == int(out["data"].sum())
    assert len(out["t"]) <= 1024
    assert meter.width_s == 64.0
    assert out["usable"].sum() == pytest.approx(1000.0 * 10_000 + 500.0 * 30_000)
    both = out["data"] + out.get("resync", 0)
    assert both.tolist() == np.histogram(t, np.append(out["t"], np.inf), weights=size)[0].tolist()


def test_usage_of_a_short_window_puts_a_byte_at_its_end_in_the_last_bin():
    meter = UsageMeter(least_s=1.0)
    meter.feed("data", np.array([0.5, 4.0]), np.array([10, 20]))
    assert meter.columns(4.0)["data"].tolist() == [10, 0, 0, 20]
    assert meter.total("none") == 0
    with pytest.raises(ValueError, match="wider than nothing"):
        UsageMeter(least_s=0.0)


def test_served_bytes_are_the_area_under_the_rate():
    assert served([(0.0, 2.0), (5.0, 0.0), (7.0, 4.0)], np.array([0.0, 5.0, 6.0, 8.0])).tolist() == [
        0.0,
        10.0,
        10.0,
        14.0,
    ]


@pytest.mark.parametrize("step", [999, 16384, 90_000])
def test_latency(step):
    values = np.random.default_rng(4).exponential(2e-3, 90_000)
    meter = LatencyMeter()
    for i in range(0, len(values), step):
        meter.feed(values[i : i + step])
    out = meter.finish()
    assert out["writes"] == len(values)
    assert out["write_latency_mean_s"] == pytest.approx(values.mean(), rel=1e-12)
    assert out["write_latency_max_s"] == values.max()
    assert out["write_latency_p99_s"] == pytest.approx(np.quantile(values, 0.99), rel=1e-3)


@pytest.mark.parametrize("choice", ["never", "always"])
def test_latencies_are_long_and_many_and_add_up(choice):
    before = compiled.use(choice)
    try:
        meter = LatencyMeter()
        meter.feed(np.full(1 << 18, 0.75))
        assert meter.finish()["write_latency_mean_s"] == 0.75
    finally:
        compiled.use(before)


def test_latency_of_nothing_has_no_value():
    assert LatencyMeter().finish()["write_latency_mean_s"] is None


def test_violations_beyond_the_limit_are_put_together_without_losing_a_second():
    found = Violations()
    begin = np.arange(200_000) * 10.0
    for i in range(0, 200_000, 10_000):
        found.add(begin[i : i + 10_000], begin[i : i + 10_000] + 3.0)
    found.finish()
    kept = found.columns()
    assert found.count == 200_000
    assert found.total_s == 600_000.0
    assert len(kept["begin"]) <= 65536
    assert kept["seconds"].sum() == 600_000.0
    assert (kept["begin"][1:] >= kept["end"][:-1]).all()
    assert found.longest_s == 3.0
