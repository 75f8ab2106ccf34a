"""Every second of violation gets one cause, and the seconds sum to the total exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.measure.causes import CAUSES, Blame, Piece, Span, seconds_by_cause, strongest
from drsim.measure.lag import LagMeter

NONE = np.empty(0), np.empty(0, np.int64)


def served(acked, work, outages=()):
    """Finish times of a FIFO with unit-rate service of ``work`` seconds that stops in outages."""
    free, out = 0.0, []
    for a, w in zip(acked.tolist(), work.tolist(), strict=True):
        at = max(a, free)
        for begin, end in outages:
            if begin <= at < end:
                at = end
        done = at + w
        for begin, end in outages:
            if at < begin < done:
                done += end - begin
        free = done
        out.append(done)
    return np.array(out)


def blamed(acked, recovered, rpo, spans, usual="bandwidth", exposures=()):
    meter = LagMeter(rpo)
    for begin, end in exposures:
        meter.expose(begin, end)
    meter.feed(acked, np.full(len(acked), 4096), recovered)
    total = meter.finish(float(recovered[-1]), *NONE)["violation_s"]
    curve = meter.curve()
    blame = Blame(curve["t"], curve["lag_s"], spans, rpo, usual)
    return total, seconds_by_cause(blame.pieces(meter.violations.columns()), total), blame


def test_the_hours_of_draining_are_the_outages_too():
    acked = np.arange(0, 20_000.0)
    recovered = served(acked, np.full(len(acked), 0.8), [(5_000.0, 8_600.0)])
    total, by, blame = blamed(acked, recovered, 900.0, [Span(5_000.0, 8_600.0, "outage", "link a-b")])
    assert total > 3_600 * 3
    assert by == {"outage": total}
    said = blame.at(9_000.0)
    assert said["cause"] == "outage"
    assert said["violated"]
    assert said["at_work"] is None
    assert blame.at(6_000.0)["at_work"] == Span(5_000.0, 8_600.0, "outage", "link a-b")
    assert blame.at(100.0)["cause"] in {None, "bandwidth"}


def test_a_link_that_never_keeps_up_is_blamed_itself_whatever_short_outage_it_had():
    acked = np.arange(0, 20_000.0)
    recovered = served(acked, np.full(len(acked), 1.5), [(3_000.0, 3_060.0)])
    total, by, _ = blamed(acked, recovered, 900.0, [Span(3_000.0, 3_060.0, "outage")])
    assert by == {"bandwidth": total}


def test_two_causes_share_where_one_overtakes_the_other():
    acked = np.arange(0, 3_000.0)
    recovered = served(acked, np.full(len(acked), 2.0))  # lag grows by half a second a second...
    stopped = served(acked, np.full(len(acked), 2.0), [(1_000.0, 2_500.0)])
    total, by, blame = blamed(acked, stopped, 100.0, [Span(1_000.0, 2_500.0, "outage")])
    assert set(by) == {"bandwidth", "outage"}
    pieces = blame.at(1_100.0)
    assert pieces["cause"] == "bandwidth"  # 400 s of excess against 100 s of outage
    assert blame.at(2_400.0)["cause"] == "outage"
    assert math.fsum(by.values()) == total
    assert recovered[-1] < stopped[-1]


def test_schedule_is_the_usual_cause_of_cycles():
    acked = np.arange(1.0, 7_201.0)
    recovered = np.ceil(acked / 600) * 600 + 60
    total, by, _ = blamed(acked, recovered, 630.0, [], usual="schedule")
    assert by == {"schedule": total}
    assert total > 0


def test_exposure_is_the_resyncs():
    acked = np.arange(0, 100.0)
    recovered = np.maximum(acked + 0.5, np.where(acked < 60, 60.0, 0.0))
    total, by, blame = blamed(acked, recovered, 10.0, [], exposures=[(20.0, 60.0)])
    assert by["resync"] >= 40.0
    assert math.fsum(by.values()) == total
    assert blame.at(30.0)["lag_s"] is None
    assert blame.at(30.0)["cause"] == "resync"


spans_of = st.lists(
    st.builds(
        lambda a, d, c: Span(float(a), float(a + d), c),
        st.integers(0, 60),
        st.integers(0, 30),
        st.sampled_from(CAUSES),
    ),
    max_size=6,
)


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=30),
    st.lists(st.integers(0, 15), min_size=30, max_size=30),
    st.integers(0, 12),
    spans_of,
)
def test_seconds_sum_to_the_total_exactly(times, waits, rpo, spans):
    acked = np.array(sorted(times), float) / 7
    recovered = np.maximum.accumulate(acked + np.array(waits[: len(acked)]) / 3)
    total, by, blame = blamed(acked, recovered, rpo / 3, spans)
    assert math.fsum(by.values()) == total
    assert all(value >= 0 for value in by.values())
    assert (total > 0) == bool(by)
    for instant in np.linspace(0.0, float(recovered[-1]), 7):
        said = blame.at(float(instant))
        assert said["cause"] is None or said["cause"] in CAUSES
        assert sum(said["shares"].values()) == pytest.approx(said["lag_s"], abs=1e-9)


def test_overlapping_spans_are_flattened_by_rank():
    flat = strongest([Span(0, 10, "throttle"), Span(2, 4, "outage", "l"), Span(3, 12, "resync")], "bandwidth")
    assert [(s.begin, s.end, s.cause) for s in flat] == [
        (-math.inf, 0, "bandwidth"),
        (0, 2, "throttle"),
        (2, 4, "outage"),
        (4, 12, "resync"),
        (12, math.inf, "bandwidth"),
    ]


def test_an_unknown_cause_is_refused():
    with pytest.raises(ValueError, match="not a cause: sunspots"):
        Blame(np.zeros(1), np.zeros(1), [Span(0, 1, "sunspots")], 1.0)


def test_any_parts_are_made_to_sum_exactly_and_at_once():
    rng = np.random.default_rng(9)
    for _ in range(3_000):
        parts = rng.exponential(10.0 ** rng.integers(-6, 6), len(CAUSES))
        total = math.fsum(parts) * (1 + rng.normal() * 1e-15)
        pieces = [Piece(0.0, 1.0, float(s), cause) for s, cause in zip(parts, CAUSES, strict=True)]
        by = seconds_by_cause(pieces, total)
        assert math.fsum(by.values()) == total
        assert all(
            by[cause] == pytest.approx(s, rel=1e-9, abs=total * 1e-12)
            for s, cause in zip(parts, CAUSES, strict=True)
        )
