"""NumPy bodies, compiled loops and the same loops interpreted give the same bits."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drsim.blocks import compiled
from drsim.blocks.batch import repeated
from drsim.measure import bins, exposure, lag, latency, occupancy, spread, stream, waiting
from drsim.scenario import loads
from drsim.simulation import run
from drsim.wan.capacity import capacity
from drsim.wan.fifo import Fifo

WAYS: list[compiled.Choice] = ["never", "interpreted"]
if compiled.available():
    WAYS.append("always")


def the_same(measure: Callable[[], Any]) -> Any:
    """What every way of computing gives; they must agree to the last bit."""
    found = []
    for choice in WAYS:
        before = compiled.use(choice)
        try:
            found.append(measure())
        finally:
            compiled.use(before)
    for other in found[1:]:
        assert repr(other) == repr(found[0])
    return found[0]


@pytest.fixture(scope="module", autouse=True)
def _small_blocks() -> Any:
    """Blocks of a few rows, and bins from the beginning: so a small example takes every turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occupancy, "BLOCK", 8)
        patch.setattr(occupancy, "AT_ONCE", 5)
        patch.setattr(stream, "BLOCK", 8)
        patch.setattr(spread, "EXACT", 4)
        patch.setattr(waiting, "ALIKE", 2)
        patch.setattr(waiting, "SHORT", 2)
        for room in (lag, latency):
            patch.setattr(room, "Blocks", lambda *kinds, **_: stream.Blocks(*kinds, size=8))
        yield


FEW = settings(max_examples=25)
"""Loops interpreted are slow, and take every turn in a few examples."""
GAPS = st.lists(st.sampled_from([0.0, 0.0, 1e-9, 0.125, 1.0, 3.7]), min_size=1, max_size=60)
SIZE = st.sampled_from([512, 4096, 6000, 8192])


@given(GAPS, st.data())
def test_lag_backlog_and_latency(gaps: list[float], data: st.DataObject) -> None:
    n = len(gaps)
    late = data.draw(st.lists(st.sampled_from([0.0, 0.25, 2.0, 9.1]), min_size=n, max_size=n))
    nbytes = np.array(data.draw(st.lists(SIZE, min_size=n, max_size=n)), np.int64)
    acked = np.cumsum(gaps)
    recovered = np.maximum.accumulate(acked + late)
    cut = data.draw(st.integers(0, n))

    def measure() -> Any:
        meter, wait = lag.LagMeter(0.5), latency.LatencyMeter()
        for part in (slice(0, cut), slice(cut, n)):
            meter.arrive(acked[part], nbytes[part])
            meter.feed(acked[part], nbytes[part], recovered[part])
            wait.feed(recovered[part] - acked[part])
        summary = meter.finish(float(recovered[-1]) + 1.0, np.empty(0), np.empty(0, np.int64))
        return summary, wait.finish(), {name: column.tolist() for name, column in meter.curve().items()}

    summary, _, _ = the_same(measure)
    came, went = (times.view(np.int64) & -2 for times in (acked, recovered))  # a last bit does not count
    level = [nbytes[came <= t].sum() - nbytes[went <= t].sum() for t in came]
    assert summary["backlog_peak_bytes"] == max(0, *level)


def cut(data: st.DataObject, rows: int) -> list[slice]:
    """All rows in one to four pieces."""
    edges = sorted(data.draw(st.lists(st.integers(0, rows), max_size=3)))
    return [slice(i, j) for i, j in itertools.pairwise([0, *edges, rows])]


@FEW
@given(GAPS, GAPS, st.booleans(), st.data())
def test_a_buffer_with_releases_of_other_sizes(
    gaps: list[float], stays: list[float], told: bool, data: st.DataObject
) -> None:
    came, went = np.cumsum(gaps), np.cumsum(stays) + 0.125
    put = np.array(data.draw(st.lists(SIZE, min_size=len(came), max_size=len(came))), np.int64)
    there = np.array([put[came < t].sum() for t in went]) // 512
    went = went[
        : int(np.minimum.accumulate(there >= np.arange(1, len(went) + 1)).sum())
    ]  # only what is there
    taken = np.broadcast_to(np.int64(512), len(went))
    pieces, others = cut(data, len(came)), cut(data, len(went))
    end = float(max(came[-1], *went[-1:], 0.0)) + 1.0

    def measure(spread_: bool = True) -> Any:
        hidden = exposure.Exposure()
        meter = occupancy.OccupancyMeter(exposure=hidden, spread=spread_)
        if told:
            hidden.add(end / 3, end / 2)
        for part, other in itertools.zip_longest(pieces, others, fillvalue=slice(0, 0)):
            meter.arrive(came[part], put[part])
            meter.release(went[other], taken[other])
        return meter.finish(end), [column.tolist() for column in meter.curve()]

    found, curve = the_same(measure)
    alone, same_curve = the_same(lambda: measure(spread_=False))
    assert same_curve == curve
    assert (alone["peak_bytes"], alone["peak_at_s"]) == (found["peak_bytes"], found["peak_at_s"])
    level = [put[came <= t].sum() - 512 * (went <= t).sum() for t in came]
    assert found["peak_bytes"] == max(0, *level)
    if not told:
        area = float((put * (end - came)).sum()) - 512 * float((end - went).sum())
        assert found["mean_bytes"] == pytest.approx(area / end, abs=1e-6)


@FEW
@given(GAPS, st.integers(0, 9), st.data())
def test_a_peak_without_a_curve_is_the_same_peak(gaps: list[float], late: int, data: st.DataObject) -> None:
    came = np.cumsum(gaps)
    stay = data.draw(
        st.lists(st.sampled_from([0.25, 2.0, 9.1, 30.0]), min_size=len(came), max_size=len(came))
    )
    went = np.maximum.accumulate(came + stay)[: len(came) - late]
    size = np.broadcast_to(np.int64(4096), len(came))
    pieces = cut(data, len(came))

    def measure(drawn: bool) -> Any:
        meter = occupancy.OccupancyMeter(spread=False, drawn=drawn)
        for part in pieces:
            meter.arrive(came[part], size[part])
            meter.release(went[part], size[: len(went[part])])
            meter.advance(float(came[part][-1]) if len(came[part]) else 0.0)
        found = meter.finish(float(came[-1]) + 40.0)
        return found["peak_bytes"], found["peak_at_s"], found["final_bytes"]

    assert the_same(lambda: measure(drawn=False)) == the_same(lambda: measure(drawn=True))


@FEW
@given(GAPS, st.data())
def test_lag_with_an_objective_around_exposure(gaps: list[float], data: st.DataObject) -> None:
    acked = np.cumsum(gaps)
    n = len(acked)
    late = data.draw(st.lists(st.sampled_from([0.0, 0.25, 2.0, 9.1]), min_size=n, max_size=n))
    recovered = np.maximum.accumulate(acked + late)
    begin = data.draw(st.integers(0, n))
    lost = float(recovered[begin - 1]) if begin else 0.0
    found = lost + data.draw(st.sampled_from([0.5, 3.0]))
    recovered[begin:] = np.maximum(recovered[begin:], found)
    size = np.full(n, 4096)

    def measure() -> Any:
        meter = lag.LagMeter(0.2)
        meter.feed(acked[:begin], size[:begin], recovered[:begin])
        meter.expose(lost, found)
        for part in cut_after:
            meter.feed(acked[part], size[part], recovered[part])
        summary = meter.finish(max(float(recovered[-1]), found) + 1.0, np.empty(0), np.empty(0, np.int64))
        return summary, {name: column.tolist() for name, column in meter.curve().items()}

    cut_after = [slice(begin + part.start, begin + part.stop) for part in cut(data, n - begin)]
    summary, _ = the_same(measure)
    assert summary["exposure_s"] == pytest.approx(found - lost)
    assert summary["delay_mean_s"] == pytest.approx((recovered - acked).mean())


@FEW
@given(GAPS, st.booleans(), st.booleans(), st.data())
def test_whole_cycles_are_measured_as_if_row_by_row(
    gaps: list[float], alike: bool, told: bool, data: st.DataObject
) -> None:
    acked = np.cumsum(gaps)
    n = len(acked)
    nbytes = np.array(data.draw(st.lists(SIZE, min_size=n, max_size=n)), np.int64)
    nbytes = np.broadcast_to(np.int64(4096), n) if alike else nbytes
    cycles, done = [part for part in cut(data, n) if part.start < part.stop], []
    for part in cycles:
        end = float(acked[part.stop - 1]) + data.draw(st.sampled_from([0.0, 0.5, 4.0]))
        done.append(max(end, done[-1] if done else 0.0))
    arrivals = cut(data, n)
    first, last = done[0], done[-1] + 1.0

    def measure(whole: bool) -> Any:
        meter = lag.LagMeter(0.5)
        if told:
            meter.expose(first, first + 0.125)
        for part in arrivals:
            meter.arrive(acked[part], nbytes[part])
        for part, end in zip(cycles, done, strict=True):
            rows, at = part.stop - part.start, np.array([end if end == first or not told else end + 0.125])
            meter.feed(acked[part], nbytes[part], repeated(at, rows) if whole else np.full(rows, at[0]))
            meter.advance(end)
        summary = meter.finish(last, np.empty(0), np.empty(0, np.int64))
        return summary, {name: column.tolist() for name, column in meter.curve().items()}

    assert repr(the_same(lambda: measure(whole=True))) == repr(the_same(lambda: measure(whole=False)))


@FEW
@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=60), st.data())
def test_a_bin_adds_up_whole_numbers_in_any_order(values: list[float], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(values))

    def measure() -> Any:
        one, other = bins.Moments(), bins.Moments()
        one.add(np.array(values))
        other.add(np.array(shuffled[:7]))
        other.add(np.array(shuffled[7:]))
        assert one.cells.tobytes() == other.cells.tobytes()
        used = one.cells.any(axis=1)
        return one.cells[used].tolist(), [column[used].tolist() for column in one.columns(len(used))]

    _, (count, total) = the_same(measure)
    assert sum(count) == len(values)
    exact = sum(map(Fraction, values))
    assert abs(sum(map(Fraction, total)) - exact) <= exact / 2**38 + len(values) * Fraction(1, 2**50)


@given(st.lists(st.floats(-1e9, 1e9), max_size=400), st.data())
def test_a_total_is_that_of_lanes_however_rows_arrive(values: list[float], data: st.DataObject) -> None:
    block = data.draw(st.sampled_from([8, 128, 256]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "BLOCK", block)
        total = stream.Total()
        for part in cut(data, len(values)):
            total.add(np.array(values[part]))
    whole = 0.0
    for begin in range(0, len(values), block):
        lanes = np.zeros(stream.LANES)
        for i, value in enumerate(values[begin : begin + block]):
            lanes[i % stream.LANES] += value
        whole += float(lanes.sum())
    assert total.value == whole


RATE = st.sampled_from([0.0, 1000.0, 18_720_000.0, 3e9])


@given(st.lists(RATE, min_size=1, max_size=4), GAPS, st.data())
def test_capacity_and_first_in_first_out(rates: list[float], gaps: list[float], data: st.DataObject) -> None:
    moved = data.draw(st.sampled_from([0.0, 0.3, 1e5]))
    steps = [(7.3 * i, rate) for i, rate in enumerate([*rates, 5e6])]
    nbytes = np.array(data.draw(st.lists(SIZE, min_size=len(gaps), max_size=len(gaps))), np.int64)
    ready = np.cumsum(gaps) + moved

    def measure() -> Any:
        server = Fifo(capacity(steps, 1e6))
        finish, work = server.serve(ready, nbytes)
        return finish.tolist(), work.tolist(), server.free_at

    finish, work, _ = the_same(measure)
    one = capacity(steps, 1e6)
    assert finish == [one.when_at(each) for each in work]


PAIR = """
drsim: 1
seed: 1
duration: 20 s
sites: {a: {}, b: {disk: {write: 24 MB/s}}}
links: {ab: {between: [a, b], rate: 2 MB/s, efficiency: 100 %, rtt: 10 ms, outages: [{at: 8 s, for: 2 s}]}}
groups: {g: {source: a, volumes: {v: 1 TB}, targets: {b: {rpo: 1 s}}}}
hosts: {h: {site: a, writes: [{volume: g/v, rate: 200 /s, size: 8 KiB, arrivals: poisson}]}}
"""


def test_a_loop_stops_short_of_bins_it_has_no_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occupancy, "AT_ONCE", 1)
    to_and_fro = np.tile([1.0, 900.0], 2_000)

    def measure() -> None:
        meter = occupancy.OccupancyMeter(spread=False)
        meter.arrive(np.concatenate([[0.5], to_and_fro, [1000.0]]), np.full(4_002, 512))
        meter.finish(2000.0)

    for way in WAYS[1:]:
        before = compiled.use(way)
        try:
            with pytest.raises(AssertionError, match="instants went back"):
                measure()
        finally:
            compiled.use(before)


def test_a_whole_run() -> None:
    scenario = loads(PAIR, "pair")

    def measure() -> Any:
        made = run(scenario)
        tables = {
            name: {column: np.asarray(values).tolist() for column, values in table.items()}
            for name, table in made.tables.items()
        }
        return made.summary, tables

    summary, _ = the_same(measure)
    assert summary["writes"] > 3_000


def test_numpy_bodies_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled._State, "missing", False)
    monkeypatch.setattr(compiled._State, "rows", 0)
    monkeypatch.setattr(compiled._State, "choice", "when worth it")
    loop = compiled.Compiled(lambda: None, "void()")
    assert loop.worth(compiled.WORTH - 1) is None
    assert compiled._State.rows == compiled.WORTH - 1
    assert loop.worth(1) is None
    assert (loop.worth(1) is not None) == compiled.available()


def test_without_numba_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled._State, "missing", False)
    monkeypatch.setattr(compiled._State, "choice", "always")
    monkeypatch.setattr("importlib.import_module", _not_there)
    assert compiled.Compiled(lambda: None, "void()").worth(1) is None
    assert compiled._State.missing


def _not_there(name: str) -> None:
    raise ImportError(name)
