"""The backlog still to cross, against a brute-force fluid queue."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from drsim.measure.unsent import UnsentPeak


def brute(acked: list[float], nbytes: list[int], recovered: list[float]) -> float:
    peak = 0.0
    for t in acked:
        level = sum(n for a, n in zip(acked, nbytes, strict=True) if a <= t)
        for j, (a, n, r) in enumerate(zip(acked, nbytes, recovered, strict=True)):
            start = max(a, recovered[j - 1] if j else 0.0)
            if r <= t:
                level -= n
            elif start < t:
                level -= n * (t - start) / (r - start)
        peak = max(peak, level)
    return peak


@given(
    gaps=st.lists(st.integers(0, 5), min_size=1, max_size=40),
    sizes=st.lists(st.integers(1, 50), min_size=40, max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=6),
)
def test_peak_is_that_of_the_fluid_queue_however_it_is_fed(
    gaps: list[int], sizes: list[int], cuts: list[int]
) -> None:
    acked = np.cumsum(gaps).astype(float)
    nbytes = np.array(sizes[: len(acked)], np.int64)
    free, recovered = 0.0, []
    for a, n in zip(acked, nbytes, strict=True):
        free = max(free, float(a)) + n / 10
        recovered.append(free)
    meter = UnsentPeak()
    meter.arrive(acked, nbytes)
    edges = sorted({0, len(acked), *(c for c in cuts if c <= len(acked))})
    for i, j in itertools.pairwise(edges):
        meter.feed(acked[i:j], nbytes[i:j], np.array(recovered[i:j]))
    assert meter.finish() == pytest.approx(brute(acked.tolist(), nbytes.tolist(), recovered))
