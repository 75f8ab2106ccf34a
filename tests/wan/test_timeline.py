"""Timelines: cuts and layers, soundness of any link's, and vendors' worked examples."""

import csv
import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.wan.calendar import DAY
from drsim.wan.link import Link
from drsim.wan.timeline import Cut, Span, cuts_of, layer, overlay

SEEDS = np.random.SeedSequence(7)


def _link(**entry):
    return Link.model_validate({"between": ["paris", "lyon"], **entry})


def test_a_link_down_again_before_data_flowed_stays_cut():
    cuts, silent = cuts_of([(10.0, 12.0, "a"), (13.0, 20.0, "b"), (100.0, 101.0, "c")], lambda dead: dead)
    assert cuts == [Cut(10.0, 30.0, "a"), Cut(100.0, 102.0, "c")]
    assert silent == [Span(12.0, 13.0, "tcp"), Span(20.0, 30.0, "tcp"), Span(101.0, 102.0, "tcp")]


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 20), st.sampled_from([0.1, 0.5, 0.7])), max_size=12),
    st.lists(st.floats(0, 130), min_size=1, max_size=30),
)
def test_layers_agree_with_asking_every_instant(intervals, instants):
    spans = [(begin, begin + length, value) for begin, length, value in intervals]
    steps = layer(spans, min, 1.0)
    assert all(a[0] < b[0] for a, b in itertools.pairwise(steps))
    for at in instants:
        want = min((v for b, e, v in spans if b <= at < e), default=1.0)
        assert want == [value for begin, value in steps if begin <= at][-1]


def test_overlay_merges_equal_neighbours():
    a, b = [(0.0, 1.0), (2.0, 3.0), (4.0, 1.0)], [(0.0, 2.0), (2.0, 0.0), (5.0, 2.0)]
    assert overlay([a, b], lambda x, y: x + y) == ((0.0, 3.0), (4.0, 1.0), (5.0, 3.0))


def _vendor(shared, name):
    with (shared / "truth/vendor_examples.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["id"] == name)
    return json.loads(row["computed"])


def test_vendor_examples(shared):
    """Dell's OC3 at 93 % and its seconds for 100 GiB; fibre conventions; Oracle's planning rule."""
    dell = _vendor(shared, "Dell_OC3_theory")
    rate = _link(type="OC3", efficiency="93 %").timeline("x", DAY, SEEDS).forward.steps[0][1]
    assert rate / 1e6 == pytest.approx(dell["MBps"])
    assert 102400 / (rate / 1e6) == pytest.approx(dell["s"])
    for km, ms in _vendor(shared, "HP_fibre").items():
        assert _link(type="T1", distance=f"{km} km").propagation_s == pytest.approx(ms / 1000)
    for km, ms in _vendor(shared, "IBM_fibre").items():
        far = _link(type="T1", distance=f"{km} km", us_per_km=1000 / 120)
        assert far.rtt_s == pytest.approx(ms / 1000)
    for ms, km in _vendor(shared, "Dell_fibre").items():
        far = _link(type="T1", distance=f"{km} km", us_per_km=1000 / 199.56)
        assert far.propagation_s == pytest.approx(float(ms) / 1000)
    oracle = _vendor(shared, "Oracle_DG")
    for share in (0.7, 0.75):
        needed = oracle[f"500KB/s@{share:g}"]
        link = _link(rate=f"{needed:.15g} Mb/s", efficiency=f"{share * 100:g} %")
        line = link.timeline("x", DAY, SEEDS)
        assert line.forward.steps[0][1] == pytest.approx(500e3)


entries = st.fixed_dictionaries(
    {"type": st.sampled_from(["T1", "DS3", "OC3"]), "rtt": st.sampled_from(["0 s", "9 ms", "120 ms"])},
    optional={
        "n": st.integers(1, 3),
        "outages": st.lists(
            st.sampled_from(
                [
                    {"at": "1 h", "for": "2 h"},
                    {"at": "2 h", "for": "3 h", "keeps": "30 %"},
                    {"at": "0 s", "for": "1 d", "flap": {"up": "exponential(1 h)", "down": "10 min"}},
                    {"between_failures": "exponential(6 h)", "repair": "lognormal(10 min, 1)"},
                    {"days": "Mon-Wed", "from": "22:00", "to": "02:00"},
                ]
            ),
            max_size=4,
        ),
        "throttle": st.lists(
            st.sampled_from(
                [
                    {"days": "Mon-Fri", "from": "08:00", "to": "18:00", "to_rate": "1 Mb/s"},
                    {"at": "3 h", "for": "1 h", "to_rate": 0, "direction": "reverse"},
                ]
            ),
            max_size=2,
        ),
        "background": st.lists(
            st.sampled_from(
                [
                    {"name": "voip", "rate": "500 kb/s"},
                    {
                        "name": "video",
                        "rate": "2 Mb/s",
                        "priority": 1,
                        "on": "exponential(10 min)",
                        "off": "1 h",
                    },
                    {"name": "backup", "rate": "1 Gb/s", "during": [{"from": "01:00", "to": "03:00"}]},
                ]
            ),
            max_size=3,
        ),
    },
)


@given(
    entries, st.sampled_from([{"efficiency": "70 %"}, {}, {"tcp": {"loss": "0.1 %", "reconnect": 0}}]),
    st.floats(0, 7 * DAY - 1),
)  # fmt: skip
def test_any_timeline_is_sound(entry, how, offset):
    link = _link(**entry, **how)
    line = link.timeline("x", 3 * DAY, SEEDS, offset)
    assert line.cuts == link.timeline("x", 3 * DAY, SEEDS, offset).cuts
    assert all(a.up_at < b.down_at for a, b in itertools.pairwise(line.cuts))
    for side, way in enumerate((line.forward, line.reverse)):
        assert way.steps[0][0] == 0.0
        assert all(a[0] < b[0] and a[1] != b[1] for a, b in itertools.pairwise(way.steps))
        most = link.nominal[side] if link.efficiency else link.payload[side]
        assert all(0 <= rate <= most for _, rate in way.steps)
        c = way.capacity(3 * DAY)
        for down, up, _ in line.cuts:
            assert c.work_at(up) == c.work_at(down)
    for begin, end, cause in line.spans:
        assert begin < end
        assert cause
