"""The compiled loops and the NumPy bodies beside them: the same bits, whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks.compiled import use
from drsim.wan.capacity import NEVER, Capacity, capacity
from drsim.wan.fifo import Fifo
from drsim.wan.priority import PriorityServer

pytest.importorskip("numba")
STEPS = st.lists(
    st.tuples(st.floats(1e-3, 1e4), st.sampled_from([0.0, 1.0, 1e3, 0.1 * 3, 18.72e6, 1e9 / 3])),
    min_size=1,
    max_size=12,
)


def both(what):  # type: ignore[no-untyped-def]
    """The result of NumPy, and of the loops."""
    before = use("never")
    try:
        by_columns = what()
        use("always")
        return by_columns, what()
    finally:
        use(before)


def line(steps: list[tuple[float, float]], first: float) -> Capacity:
    """C(t) that begins at 0 and moves on by each step's seconds."""
    at = np.cumsum([0.0] + [gap for gap, _ in steps])
    return capacity(list(zip(at.tolist(), [first] + [rate for _, rate in steps], strict=True)), 1e6)


@given(STEPS, st.floats(1.0, 1e9), st.integers(0, 2**32), st.booleans())
def test_work_and_its_inverse(
    steps: list[tuple[float, float]], first: float, seed: int, ordered: bool
) -> None:
    c = line(steps, first)
    rng = np.random.default_rng(seed)
    t = np.concatenate([rng.uniform(0.0, 2 * float(c.start[-1]) + 1, 40), c.start])
    t = np.sort(t) if ordered else t
    plain, loop = both(lambda: c.work(t, ordered=ordered))
    assert (plain == loop).all()
    edges = np.concatenate([plain, plain + 1, c.base, [NEVER, 0, 2**61]])
    edges = np.sort(edges) if ordered else edges
    plain, loop = both(lambda: c.when(edges, ordered=ordered))
    assert plain.tobytes() == loop.tobytes()


@given(st.integers(0, 2**32), st.integers(0, 2**40), st.sampled_from([2**10, 2**40, 2**61]))
def test_queues(seed: int, free_at: int, largest: int) -> None:
    rng = np.random.default_rng(seed)
    arrival = np.sort(rng.integers(0, 2**41, 60))
    units = rng.integers(1, largest, 60)

    def served() -> tuple[list[int], int]:
        fifo = Fifo(capacity([(0.0, 1e6)], 1e3), free_at)
        return fifo.finish_work(arrival, units).tolist(), fifo.free_at

    plain, loop = both(served)
    assert plain == loop


@given(st.integers(0, 2**32), st.lists(st.integers(1, 400), min_size=1, max_size=5), st.integers(2, 4))
def test_levels_of_priority(seed: int, pieces: list[int], levels: int) -> None:
    def served() -> list[tuple[int, list[float]]]:
        rng = np.random.default_rng(seed)
        server, now, found = PriorityServer(line([(5.0, 0.0), (2.0, 4e5)], 1e6), range(levels)), 0.0, []
        for n in pieces:
            for klass in range(levels):
                ready = now + np.sort(rng.uniform(0.0, 3.0, n))
                server.offer(klass, ready, rng.integers(1, 20_000, n))
            now += 2.0
            found += [(klass, at.tolist()) for klass, at in server.advance(now)]
        return found

    plain, loop = both(served)
    assert plain == loop


@given(st.integers(0, 2**32), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_work_nobody_asks_about_stands_in_the_way_all_the_same(seed: int, pieces: list[int]) -> None:
    def served(unseen: list[int]) -> list[list[float]]:
        rng = np.random.default_rng(seed)
        server, now, found = PriorityServer(line([(5.0, 0.0)], 1e6), [0, 0, 1], unseen), 0.0, []
        for n in pieces:
            for klass in range(3):
                server.offer(klass, now + np.sort(rng.uniform(0.0, 3.0, n)), rng.integers(1, 20_000, n))
            now += 2.0
            found += [at.tolist() for klass, at in server.advance(now) if klass == 2]
        return found

    assert served([]) == served([0])
