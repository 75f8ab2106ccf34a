"""The whole fast path against a naive SimPy program, write by write."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.simulation.naive import NaivePair
from tests.simulation.worlds import Pair


@st.composite
def worlds(draw: st.DrawFn) -> dict:
    rate = draw(st.integers(1_000, 1_000_000))
    n = draw(st.integers(1, 60))
    gaps = draw(st.lists(st.floats(0.0, 3.0), min_size=n, max_size=n))
    sizes = draw(st.lists(st.integers(1, 65_536), min_size=n, max_size=n))
    load = draw(st.floats(0.2, 2.0))
    scale = (sum(sizes) / rate) / max(sum(gaps), 1e-3) / load
    at, writes = 0.0, []
    for gap, size in zip(gaps, sizes, strict=True):
        at += gap * scale
        writes.append((at, size))
    outages, begin = [], 0.0
    for _ in range(draw(st.integers(0, 3))):
        begin += draw(st.floats(0.05, 0.6)) * (at + 1)
        length = draw(st.floats(0.01, 0.5)) * (at + 1)
        outages.append((round(begin, 6), round(begin + length, 6)))
        begin += length
    return {
        "writes": writes,
        "rate": rate,
        "one_way": draw(st.sampled_from([0.0, 0.004, 0.25])),
        "outages": outages,
    }


def close(value: float | list[float]):
    return pytest.approx(value, rel=1e-9, abs=2e-9)


@given(world=worlds(), destage=st.sampled_from([None, 20_000, 3_000_000]))
def test_every_write_is_recoverable_when_the_naive_model_says(world: dict, destage: int | None) -> None:
    naive = NaivePair(**world, destage_rate=destage).run()
    fast = Pair(**world, destage_rate=destage)
    assert fast.acked == close(naive.acked)
    assert fast.recovered == close(naive.recovered)
    assert fast.target["lag_max_s"] == close(naive.lag_max())
    assert fast.target["journal_peak_bytes"] == naive.journal_peak
    assert fast.target["consistent"] is True
    if destage:
        assert fast.target["last_applied_s"] == close(naive.destaged[-1])


@given(world=worlds(), journal=st.integers(65_536, 400_000))
def test_a_full_journal_blocks_hosts_exactly_as_long(world: dict, journal: int) -> None:
    naive = NaivePair(**world, journal=journal).run()
    fast = Pair(**world, journal=f"size: {journal} B, on_full: block")
    assert fast.acked == close(naive.acked)
    assert fast.recovered == close(naive.recovered)
    assert fast.target["journal_peak_bytes"] == naive.journal_peak <= journal


@given(
    world=worlds(),
    journal=st.sampled_from(["", "size: 100 kB, on_full: track", "size: 80 kB, on_full: block"]),
)
def test_the_size_of_internal_batches_changes_nothing(world: dict, journal: str) -> None:
    whole = Pair(**world, journal=journal, destage_rate=500_000)
    for size in (3, 17):
        cut = Pair(**world, journal=journal, destage_rate=500_000, writes_per_settle=size)
        assert cut.summary == whole.summary
        assert cut.recovered == whole.recovered
