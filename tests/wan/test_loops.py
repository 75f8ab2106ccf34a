"""Servers and capacity give the same bits by NumPy, by their loops, and by their loops compiled."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drsim.wan.capacity import NEVER, capacity
from drsim.wan.fifo import FifoServer
from drsim.wan.priority import PriorityServer
from drsim.wan.server import Server
from tests.measure.test_twins import the_same

RATES = st.lists(st.sampled_from([0.0, 3.0, 1000.0, 18_720_000.0, 3e9]), min_size=1, max_size=5)


@settings(max_examples=15)
@given(RATES, st.sampled_from([0.0, 0.3, 1e5]), st.integers(0, 99))
def test_long_columns_of_work_are_reached_at_the_same_instants(
    rates: list[float], moved: float, seed: int
) -> None:
    line = capacity([(moved + 7.3 * i, rate) for i, rate in enumerate([*rates, 5e6])], 1e6)
    most = max(line.work_at(moved + 60.0), 1)
    work = np.sort(np.random.default_rng(seed).integers(0, most, 5000))
    work[-3:] = [most, NEVER - 1, NEVER]
    found = the_same(lambda: line.when(work, ordered=True).tolist())
    assert found[::97] == [line.when_at(each) for each in work[::97].tolist()]


def _served(server: Server, seed: int, cuts: list[float]) -> list[Any]:
    rng, told = np.random.default_rng(seed), []
    columns = [np.sort(rng.random(300) * 10.0) for _ in range(server.classes)]
    sizes = [rng.integers(0, 9000, 300) for _ in columns]
    done = [0] * server.classes
    for until in [*cuts, 30.0]:
        for klass, ready in enumerate(columns):
            more = int(np.searchsorted(ready, until, side="right"))
            server.offer(klass, ready[done[klass] : more], sizes[klass][done[klass] : more])
            done[klass] = more
        told.append([server.finish_of(klass, 5) for klass in range(server.classes)])
        told += [(klass, finish.tolist()) for klass, finish in server.advance(until)]
    return told


@settings(max_examples=15)
@given(
    st.sampled_from(["fifo", "priority", "unseen"]),
    st.lists(st.floats(0.0, 12.0), max_size=3),
    st.integers(0, 99),
)
def test_servers_cut_anywhere_tell_the_same(kind: str, cuts: list[float], seed: int) -> None:
    line = capacity([(0.0, 4e5), (4.0, 0.0), (5.0, 9e5)], 100.0)

    def measure() -> list[Any]:
        server: Server
        if kind == "fifo":
            server = FifoServer(line, 3)
        else:
            server = PriorityServer(line, [0, 1, 1], unseen=[0] if kind == "unseen" else [])
        return _served(server, seed, sorted(cuts)) if kind != "unseen" else _below(server, seed, sorted(cuts))

    the_same(measure)


def _below(server: Server, seed: int, cuts: list[float]) -> list[Any]:
    """What a level that is seen makes of work that is not."""
    rng = np.random.default_rng(seed)
    server.offer(0, np.sort(rng.random(300) * 10.0), rng.integers(1, 9000, 300))
    server.offer(1, np.sort(rng.random(300) * 10.0), rng.integers(1, 9000, 300))
    told = [finished for until in [*cuts, 30.0] for finished in server.advance(until)]
    return [finish.tolist() for klass, finish in told if klass == 1]


@pytest.mark.parametrize("ready", [[0.0, 2.0, 1.0], [3.0, 3.0, 3.0]])
def test_items_out_of_order_wait_for_those_before_them(ready: list[float]) -> None:
    times = np.array(ready * 5)

    def measure() -> list[Any]:
        server = FifoServer(capacity([(0.0, 100.0)], 100.0), 1)
        server.offer(0, times, np.zeros(len(times), np.int64))
        return [finish.tolist() for _, finish in server.advance(50.0)]

    (finish,) = the_same(measure)
    assert finish == sorted(finish)
    assert finish[0] > times[0]
