"""Slow start after idle: a plain loop says the same, batches change nothing, a large transfer loses the closed form."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.wan import idle, tcp
from drsim.wan.idle import TICKS, IdleRestart


def _plain(rate, rtt, first, timeout, ready, nbytes):
    """The law, frame by frame."""
    rounds = max(math.ceil(math.log2(rate * rtt / first)), 0)
    full = first * (2**rounds - 1)
    began, sent, free, out = -math.inf, full + 1, 0, []
    for at, size in zip(ready, nbytes, strict=True):
        if int(at * TICKS) - free > timeout * TICKS:
            began, sent = at, 0
        last, start = sent + size, at
        if last > first and sent <= full:
            k = min(int(math.log2((last - 1) / first + 1)), rounds)
            start = max(at, began + k * rtt + (last - first * (2**k - 1) - size) / rate)
        sent = last
        free = max(free, int(start * TICKS)) + math.ceil(size * (TICKS / rate))
        out.append(start)
    return out


worlds = st.tuples(
    st.floats(1e5, 1e8), st.floats(0.001, 0.5), st.sampled_from([14_480, 29_000]), st.floats(0.2, 0.7)
)
gaps = st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 3))
frames = st.lists(st.tuples(gaps, st.integers(1, 200_000)), min_size=1, max_size=60)


@given(worlds, frames, st.integers(1, 20))
def test_the_plain_loop_says_the_same_whatever_the_batches(world, drawn, batch):
    ready = np.cumsum([gap for gap, _ in drawn])
    nbytes = np.array([size for _, size in drawn])
    whole = IdleRestart(*world).pace(ready, nbytes)
    assert whole.tolist() == _plain(*world, ready.tolist(), nbytes.tolist())
    assert (whole >= ready).all()
    pieces, again = [], IdleRestart(*world)
    for i in range(0, len(ready), batch):
        pieces += again.pace(ready[i : i + batch], nbytes[i : i + batch]).tolist()
    assert pieces == whole.tolist()


@pytest.mark.parametrize(("rate", "rtt"), [(12.5e6, 0.1), (1.25e6, 0.05), (5.6e6, 0.009)])
def test_a_large_transfer_loses_what_the_closed_form_says(rate, rtt):
    mss, first = 1448, tcp.FIRST_WINDOW * 1448
    restart = IdleRestart(rate, rtt, first, rtt + 0.2)
    nbytes = np.full(10_000, 1448)
    starts = restart.pace(np.full(10_000, 50.0), nbytes)
    free = 0.0
    for start in starts:
        free = max(free, start) + 1448 / rate
    lost = free - 50.0 - nbytes.sum() / rate
    assert lost == pytest.approx(tcp.slow_start_loss(rate, rtt, mss), abs=1448 / rate)
    assert lost == pytest.approx(restart.lost, abs=1448 / rate)


def test_a_busy_connection_and_a_short_path_are_never_held_back():
    busy = IdleRestart(1e6, 0.1, 14_480, 0.3)
    ready = np.arange(0, 60, 0.25)
    nbytes = np.full(len(ready), 200_000)
    assert (busy.pace(ready, nbytes)[2:] == ready[2:]).all()
    near = IdleRestart(193e3, 0.02, 14_480, 0.22)
    assert near.lost == 0
    assert near.pace(ready * 10, nbytes) is not None
    assert (near.pace(ready * 10 + 1e3, nbytes) == ready * 10 + 1e3).all()


def test_many_restarts_in_one_batch_cost_no_look_at_all_that_follows(monkeypatch):
    """Pairs of writes a second apart, each pair more than a window: every other row begins a ramp of its own."""
    looked = []
    served = idle._served
    monkeypatch.setattr(idle, "_served", lambda time, *rest: looked.append(len(time)) or served(time, *rest))
    ready = np.repeat(np.arange(1.0, 2001.0), 2)
    nbytes = np.full(len(ready), 10_000)
    held = IdleRestart(12.5e6, 0.1, 14_480, 0.3).pace(ready, nbytes)
    late = held - ready
    assert (late[::2] == 0).all()
    assert late[1::2] == pytest.approx(0.1, abs=1e-3), "the second of a pair ends in the second round"
    assert sum(looked) < 200 * len(ready)
