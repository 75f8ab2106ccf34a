"""Every discipline: agrees with a per-event oracle, keeps order, loses nothing, does not care about cuts."""

import math
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.wan.capacity import capacity
from drsim.wan.earliest import EarliestServer
from drsim.wan.fifo import FifoServer
from drsim.wan.priority import PriorityServer
from drsim.wan.server import Server
from drsim.wan.weighted import WeightedServer
from tests.wan.naive import NaiveServer

CLASSES = 3
HORIZON = 1000.0


def _worlds(gaps, rates, step_gaps):
    return st.fixed_dictionaries(
        {
            "steps": st.lists(st.tuples(step_gaps, rates), max_size=4),
            "items": st.lists(
                st.tuples(gaps, st.integers(0, 2), st.integers(1, 3000)), min_size=1, max_size=40
            ),
            "cuts": st.lists(st.floats(0.0, 60.0), max_size=6),
        }
    )


worlds = _worlds(
    st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0, 3.7]),
    st.sampled_from([0.0, 10.0, 125.0, 1000.0, 12345.678]),
    st.floats(0.1, 20.0),
)
exact_worlds = _worlds(
    st.sampled_from([0.0, 0.0, 0.125, 0.5, 1.0, 3.75]),
    st.sampled_from([0.0, 16.0, 128.0, 1024.0, 16384.0]),
    st.integers(1, 160).map(lambda eighths: eighths / 8),
)
"""Worlds in which every sum is exact: what preempts is discontinuous where an end and an arrival coincide."""


def _steps(world):
    steps, at = [(0.0, 1024.0)], 0.0
    for gap, rate in world["steps"]:
        at += gap
        steps.append((at, rate))
    return [*steps, (at + 5.0, 512.0)]


def _items(world):
    at, items = 0.0, []
    for gap, klass, size in world["items"]:
        at += gap
        items.append((at, klass, size))
    return items


def _make(kind, steps):
    return MAKE[kind](capacity(steps, HORIZON))


def _run(server: Server, items, cuts, rows=1 << 20):
    """Offer everything due before each cut, so many ``rows`` at once, advance to it, collect finishes per class."""
    got = {k: [] for k in range(CLASSES)}
    edges = [*sorted(cuts), 1e6]
    left = list(items)
    for edge in edges:
        now = [item for item in left if item[0] <= edge]
        left = [item for item in left if item[0] > edge]
        for k in range(CLASSES):
            mine = [item for item in now if item[1] == k]
            ready, size = np.array([m[0] for m in mine], float), np.array([m[2] for m in mine], np.int64)
            for i in range(0, len(mine), rows):
                server.offer(k, ready[i : i + rows], size[i : i + rows])
        for k, finish in server.advance(edge):
            assert finish[-1] <= edge
            got[k].append(finish)
    return {k: np.concatenate([np.empty(0), *got[k]]) for k in got}


def _strict(total, busy):
    return {min(busy): total}


def _by_weight(weights, floors, ceilings):
    """Weighted max-min shares between bounds, by bisection on the level, in fractions where it is exact."""

    def rates(total, busy):
        least, most = sum(floors[k] for k in busy), sum(ceilings[k] for k in busy)
        if least >= total:
            return {k: floors[k] * total / least if least else Fraction(0) for k in busy}
        if most <= total:
            return {k: ceilings[k] for k in busy}
        free, fixed = set(busy), {}
        while True:  # pin violators of one side at a time: the side with the larger total violation
            level = (total - sum(fixed.values())) / sum(weights[k] for k in free)
            low = {k: floors[k] for k in free if level * weights[k] < floors[k]}
            high = {k: ceilings[k] for k in free if level * weights[k] > ceilings[k]}
            if not low and not high:
                return {**fixed, **{k: level * weights[k] for k in free}}
            up = sum(v - level * weights[k] for k, v in low.items())
            down = sum(level * weights[k] - v for k, v in high.items())
            fixed |= low if up >= down else high
            if up == down:
                fixed |= high
            free -= fixed.keys()
            if not free:
                return fixed

    return rates


ALLOWANCES = [4.0, 1.0, 2.0]
WEIGHTS, FLOORS, CEILINGS = [3.0, 1.0, 0.5], [0.0, 40.0, 200.0], [700.0, math.inf, 300.0]
_EXACT = [[Fraction(v) if v < math.inf else Fraction(10**12) for v in row] for row in (FLOORS, CEILINGS)]
MAKE = {
    "weighted": lambda c: WeightedServer(c, WEIGHTS),
    "interpreted": lambda c: WeightedServer(c, WEIGHTS, interpreted=True),
    "earliest": lambda c: EarliestServer(c, ALLOWANCES),
    "bounded": lambda c: WeightedServer(c, WEIGHTS, FLOORS, CEILINGS),
    "fifo": lambda c: FifoServer(c, CLASSES),
    "priority": lambda c: PriorityServer(c, [5, 7, 9]),
}
_FREE = [[Fraction(0)] * 3, [Fraction(10**12)] * 3]
RATES = {
    "earliest": ALLOWANCES,
    "fifo": None,
    "priority": _strict,
    "weighted": _by_weight([Fraction(w) for w in WEIGHTS], *_FREE),
    "interpreted": _by_weight([Fraction(w) for w in WEIGHTS], *_FREE),
    "bounded": _by_weight([Fraction(w) for w in WEIGHTS], *_EXACT),
}
KINDS = [*MAKE]


def _compare_with_the_oracle(kind, world):
    items = _items(world)
    order = sorted(range(len(items)), key=lambda i: (items[i][0], items[i][1]))
    items = [items[i] for i in order]
    want = NaiveServer(_steps(world), RATES[kind], CLASSES).run(items)
    got = _run(_make(kind, _steps(world)), items, [])
    for k in range(CLASSES):
        expected = [float(w) for w, item in zip(want, items, strict=True) if item[1] == k]
        np.testing.assert_allclose(got[k], expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@given(world=exact_worlds)
def test_agrees_with_the_per_event_oracle(kind, world):
    _compare_with_the_oracle(kind, world)


@pytest.mark.parametrize("kind", ["fifo", "weighted", "bounded"])
@given(world=worlds)
def test_agrees_with_the_per_event_oracle_in_rough_worlds(kind, world):
    _compare_with_the_oracle(kind, world)


@pytest.mark.parametrize("kind", KINDS)
@given(world=worlds)
def test_cuts_change_no_bit(kind, world):
    items = _items(world)
    whole = _run(_make(kind, _steps(world)), items, [])
    parts = _run(_make(kind, _steps(world)), items, world["cuts"])
    touching = _run(_make(kind, _steps(world)), items, [item[0] for item in items])
    for k in range(CLASSES):
        assert whole[k].tobytes() == parts[k].tobytes() == touching[k].tobytes()


@pytest.mark.parametrize("kind", KINDS)
@given(world=worlds)
def test_everything_finishes_in_order_and_after_it_was_ready(kind, world):
    items = _items(world)
    got = _run(_make(kind, _steps(world)), items, world["cuts"])
    for k in range(CLASSES):
        mine = [item for item in items if item[1] == k]
        assert len(got[k]) == len(mine)
        assert (np.diff(got[k]) >= 0).all()
        assert all(f > item[0] for f, item in zip(got[k], mine, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@given(world=worlds, at=st.floats(0.0, 30.0))
def test_forecasts_come_true_when_nothing_else_is_offered(kind, world, at):
    items = [item for item in _items(world) if item[0] <= at]
    server = _make(kind, _steps(world))
    for k in range(CLASSES):
        mine = [item for item in items if item[1] == k]
        server.offer(k, np.array([m[0] for m in mine], float), np.array([m[2] for m in mine], np.int64))
    server.advance(at)
    told = {k: [server.finish_of(k, i) for i in range(server.queued(k))] for k in range(CLASSES)}
    assert all(server.next_finish(k) == (told[k][0] if told[k] else np.inf) for k in range(CLASSES))
    came = dict(server.advance(1e6))
    for k in range(CLASSES):
        assert list(came.get(k, [])) == told[k]
        assert server.finish_of(k, 0) == np.inf


@pytest.mark.parametrize("kind", KINDS)
@given(world=worlds, at=st.floats(0.0, 30.0), klass=st.sampled_from([None, 0, 1, 2]))
def test_a_cut_forgets_exactly_what_was_not_finished(kind, world, at, klass):
    items = _items(world)
    server = _make(kind, _steps(world))
    for k in range(CLASSES):
        mine = [item for item in items if item[1] == k and item[0] <= at]
        server.offer(k, np.array([m[0] for m in mine], float), np.array([m[2] for m in mine], np.int64))
    server.advance(at)
    before = [server.queued(k) for k in range(CLASSES)]
    server.cut(at, klass)
    after = dict(server.advance(1e6))
    for k in range(CLASSES):
        gone = klass is None or klass == k
        assert len(after.get(k, [])) == (0 if gone else before[k])
    if klass is None:
        server.offer(0, np.array([at]), np.array([1000]))
        assert server.queued(0) == 1


def test_a_cut_server_starts_again_at_once():
    server = FifoServer(capacity([(0.0, 100.0)], HORIZON))
    server.offer(0, np.array([0.0, 0.0]), np.array([1000, 1000]))
    assert server.advance(5.0) == []
    server.cut(5.0)
    server.offer(0, np.array([5.0]), np.array([100]))
    assert server.next_finish(0) == 6.0
    assert server.advance(6.0)[0][1].tolist() == [6.0]


def test_what_is_offered_late_leaves_now_and_nothing_overtakes():
    server = FifoServer(capacity([(0.0, 100.0)], HORIZON))
    server.advance(10.0)
    server.offer(0, np.array([3.0, 12.0, 11.0]), np.array([100, 100, 100]))
    assert server.advance(20.0)[0][1].tolist() == [11.0, 13.0, 14.0]
    with pytest.raises(ValueError, match="go back"):
        server.advance(19.0)
    with pytest.raises(ValueError, match="stands at"):
        server.cut(21.0)


def test_items_of_no_bytes_wait_for_a_link_that_is_down():
    server = FifoServer(capacity([(0.0, 100.0), (1.0, 0.0), (5.0, 100.0)], HORIZON))
    server.offer(0, np.array([0.5, 2.0]), np.array([0, 0]))
    ((_, finish),) = server.advance(10.0)
    assert finish == pytest.approx([0.5, 5.0], abs=1e-9)
    assert (finish > [0.5, 5.0]).all()


def test_a_backlog_no_link_could_carry_does_not_overflow():
    server = FifoServer(capacity([(0.0, 1000.0)], HORIZON))
    server.offer(0, np.zeros(4), np.array([1000, 2**62, 2**62, 5]))
    assert server.advance(1e4)[0][1].tolist() == [1.0]
    assert server.next_finish(0) == np.inf


@given(
    st.lists(st.tuples(st.floats(1e-3, 1e5), st.sampled_from([0.0, 1.0, 192e3, 18.72e6, 1e9])), max_size=5),
    st.lists(st.floats(0.0, 1e6), min_size=1, max_size=20),
    st.floats(1.0, 1.25e9),
)
def test_when_is_the_exact_inverse_of_work(gaps, instants, first):
    steps, at = [(0.0, first)], 0.0
    for gap, rate in gaps:
        at += gap
        steps.append((at, rate))
    c = capacity(steps, 1e6)
    work = np.maximum(c.work(np.array(instants)), 1)
    when = c.when(work)
    live = np.isfinite(when)
    assert (c.work(when[live]) >= work[live]).all()
    assert (c.work(np.nextafter(when[live], 0.0)) < work[live]).all()
    for x, t in zip(work, when, strict=True):
        assert c.when_at(int(x)) == t
        if np.isfinite(t):
            assert c.work_at(float(t)) == int(c.work(np.array([t]))[0])


@pytest.mark.parametrize(
    "make",
    [
        lambda line, **how: WeightedServer(line, WEIGHTS, FLOORS, CEILINGS, **how),
        lambda line, **how: WeightedServer(line, WEIGHTS, **how),
        lambda line, **how: EarliestServer(line, ALLOWANCES, **how),
    ],
)
@given(world=worlds)
def test_compiled_and_interpreted_loops_agree_to_the_bit(make, world):
    items, line = _items(world), capacity(_steps(world), HORIZON)
    fast = _run(make(line), items, world["cuts"])
    slow = _run(make(line, interpreted=True), items, world["cuts"])
    for k in range(CLASSES):
        assert fast[k].tobytes() == slow[k].tobytes()


@pytest.mark.parametrize("kind", ["weighted", "bounded", "earliest"])
@given(world=worlds, most=st.sampled_from([1, 2, 5]))
def test_how_much_is_taken_up_at_once_changes_no_bit(kind, world, most):
    items = _items(world)
    whole = _run(_make(kind, _steps(world)), items, world["cuts"])
    with mock.patch("drsim.wan.looped._MOST", most):
        parts = _run(_make(kind, _steps(world)), items, world["cuts"], rows=1)
    for k in range(CLASSES):
        assert parts[k].tobytes() == whole[k].tobytes()
