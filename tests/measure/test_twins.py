"""NumPy bodies, compiled loops and the same loops interpreted give the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks import compiled
from drsim.measure import lag, latency, occupancy, spread, stream
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
        patch.setattr(stream, "BLOCK", 8)
        patch.setattr(spread, "EXACT", 4)
        for room in (lag, latency):
            patch.setattr(room, "Blocks", lambda *kinds, **_: stream.Blocks(*kinds, size=8))
        yield


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
    level = [nbytes[acked <= t].sum() - nbytes[recovered <= t].sum() for t in acked]
    assert summary["backlog_peak_bytes"] == max(0, *level)


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
