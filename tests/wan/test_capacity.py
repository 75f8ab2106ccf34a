"""C(t): steps, units, saturation, and the columns that queues are made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.wan.capacity import NEVER, capacity, cumulate


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([(0.0, -1.0)], "not negative"),
        ([(0.0, float("inf"))], "finite"),
        ([(0.0, 1.0), (0.0, 2.0)], "increase"),
    ],
)
def test_bad_steps_are_refused(steps, message):
    with pytest.raises(ValueError, match=message):
        capacity(steps, 10.0)


def test_equal_neighbours_merge_and_averages_are_exact():
    c = capacity([(0.0, 100.0), (1.0, 100.0), (2.0, 0.0), (3.0, 300.0)], 100.0)
    assert c.start.tolist() == [0.0, 2.0, 3.0]
    assert c.average(0.0, 4.0) == 125.0
    assert c.average(2.0, 3.0) == 0.0


def test_work_and_when_saturate():
    c = capacity([(0.0, 1e9)], 1e3)
    assert c.work(np.array([0.0, 1e30] * 8)).tolist() == [0, NEVER] * 8
    assert c.work_at(float("inf")) == NEVER
    assert np.isinf(c.when(np.full(20, NEVER))).all()
    dead = capacity([(0.0, 8.0), (2.0, 0.0)], 1e3)
    assert dead.work_at(float("inf")) == dead.work_at(2.0) == 16 << dead.shift
    assert dead.when_at((16 << dead.shift) + 1) == np.inf
    assert c.units(np.array([1, 2**61])).tolist() == [1 << c.shift, NEVER]
    assert len(c.work(np.empty(0))) == len(c.when(np.empty(0, np.int64))) == 0


@given(
    st.lists(st.tuples(st.floats(0.01, 50.0), st.sampled_from([0.0, 3.0, 1e4, 1e9])), max_size=8),
    st.lists(st.floats(0.0, 500.0), min_size=9, max_size=400),
    st.booleans(),
)
def test_few_and_many_and_sorted_and_not_agree_to_the_bit(gaps, instants, ordered):
    steps, at = [(0.0, 7.0)], 0.0
    for gap, rate in gaps:
        at += gap
        steps.append((at, rate))
    c = capacity(steps, 1e3)
    t = np.array(sorted(instants) if ordered else instants)
    work = c.work(t)
    assert work.tolist() == [c.work_at(each) for each in t.tolist()]
    assert c.when(work).tolist() == [c.when_at(each) for each in work.tolist()]
    long = np.repeat(t, 40)
    assert c.work(long).tolist() == np.repeat(work, 40).tolist()
    assert c.when(np.repeat(work, 40)).tolist() == np.repeat(c.when(work), 40).tolist()


def test_running_sums_hold_at_never():
    assert cumulate(5, np.array([1, 2])).tolist() == [5, 6, 8]
    assert cumulate(5, np.array([1, NEVER, 2])).tolist() == [5, 6, NEVER, NEVER]


def test_a_story_told_far_beyond_the_horizon_never_wraps_round():
    line = capacity([(0.0, 1e9), (100.0, 5e8), (1e12, 1e9), (1e13, 1e8)], horizon=100.0)
    assert (np.diff(line.base) >= 0).all()
    assert line.when(line.work(np.linspace(1.0, 200.0, 50))).tolist() == pytest.approx(
        np.linspace(1.0, 200.0, 50)
    )
    assert line.when_at(NEVER) == np.inf
