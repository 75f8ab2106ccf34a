"""Calendars and faults: windows where they belong, long-run shares as closed forms say, shared conduits."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from drsim.wan.calendar import DAY, WEEK, Once, Weekly, total, union
from drsim.wan.capacity import capacity
from drsim.wan.faults import KINDS, AnyFault, FixedFault, MaintenanceFault, Scene, StochasticFault
from drsim.wan.link import Link

adapter = TypeAdapter(AnyFault)


def _scene(horizon=30 * DAY, seed=1, path=("x",), week_offset=0.0):
    return Scene(np.random.SeedSequence(seed), path, horizon, week_offset)


def test_office_hours_of_two_weeks():
    office = Weekly.model_validate({"days": "Mon-Fri", "from": "08:00", "to": "18:00"})
    windows = list(office.intervals(2 * WEEK, 0.0))
    assert len(windows) == 10
    assert windows[0] == (8 * 3600, 18 * 3600)
    assert windows[5] == (WEEK + 8 * 3600, WEEK + 18 * 3600)
    assert total(windows) == 100 * 3600


def test_a_window_past_midnight_is_there_when_the_run_starts_within_it():
    night = Weekly.model_validate({"days": "Sun", "from": "22:00", "to": "06:00"})
    assert list(night.intervals(WEEK, 0.0)) == [(0.0, 6 * 3600), (6 * DAY + 22 * 3600, 7 * DAY + 6 * 3600)]
    tuesday_noon = DAY + 12 * 3600
    assert next(night.intervals(WEEK, tuesday_noon)) == (5 * DAY + 10 * 3600, 5 * DAY + 18 * 3600)


def test_equal_edges_mean_a_whole_day_and_every_skips_weeks():
    day = Weekly.model_validate({"days": "Sat", "from": "00:00", "to": "00:00", "every": 2})
    assert list(day.intervals(4 * WEEK, 0.0)) == [
        (5 * DAY, 6 * DAY),
        (2 * WEEK + 5 * DAY, 2 * WEEK + 6 * DAY),
    ]


@given(
    st.sets(st.integers(0, 6), min_size=1), st.integers(0, 86399), st.integers(0, 86400),
    st.integers(0, 8 * WEEK - 1).map(lambda eighths: eighths / 8),
)  # fmt: skip
def test_weekly_windows_agree_with_asking_every_instant(days, start, stop, offset):
    window = Weekly.model_validate({"days": frozenset(days), "from": _clock(start), "to": _clock(stop)})
    windows = union(window.intervals(2 * WEEK, offset))
    length = (stop - start) % 86400 or 86400
    for at in np.arange(0.5, 2 * WEEK, 12_600):  # with eighths of seconds all sums are exact
        clock = at + offset
        inside = any(
            (int(clock // DAY) - back) % 7 in days
            and 0 <= clock - (clock // DAY - back) * DAY - start < length
            for back in (0, 1)
        )
        assert inside == any(begin <= at < end for begin, end in windows)


def _clock(seconds):
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def test_single_windows_and_their_refusal():
    assert list(Once.model_validate({"at": "1 d 03:00", "for": "2 h"}).intervals(WEEK, 0)) == [
        (97200, 104400)
    ]
    assert list(Once.model_validate({"at": "8 d", "for": "2 h"}).intervals(WEEK, 0)) == []
    with pytest.raises(ValidationError, match="no length"):
        Once.model_validate({"at": "1 d", "for": 0})


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"at": "1 d 03:00", "for": "2 h"}, FixedFault),
        ({"between_failures": "exponential(20 d)", "repair": "lognormal(45 min, 1.2)"}, StochasticFault),
        ({"days": "Sun", "from": "02:00", "to": "04:00"}, MaintenanceFault),
    ],
)
def test_the_kind_is_told_by_the_keys(entry, kind):
    fault = adapter.validate_python(entry)
    assert type(fault) is kind
    assert kind in KINDS.values()
    assert adapter.validate_python(fault) is fault
    assert type(adapter.validate_python(fault.model_dump(by_alias=True))) is kind


@pytest.mark.parametrize(
    "entry",
    [
        {"at": "1 d"},
        {"at": "1 d", "for": "2 h", "keep": "30 %"},
        {"at": "1 d", "for": "2 h", "keeps": "30 %", "loss": "1 %"},
        {"between_failures": "20 d", "repair": "soon"},
        {"at": "1 d", "for": "2 h", "between_failures": "20 d"},
        {},
    ],
)
def test_nonsense_is_refused(entry):
    with pytest.raises(ValidationError):
        adapter.validate_python(entry)


LONG = [
    ("exponential(20 h)", "exponential(1 h)", 1 / 21),
    ("exponential(20 h)", "lognormal(45 min, 1.2)", None),
    ("weibull(10 h, 0.7)", "uniform(10 min, 2 h)", None),
    ("9 h", "1 h", 0.1),
]


@pytest.mark.parametrize(("between", "repair", "share"), LONG)
def test_long_run_share_of_down_time(between, repair, share):
    fault = adapter.validate_python({"between_failures": between, "repair": repair})
    up, down = fault.between_failures.mean(), fault.repair.mean()
    horizon = 20_000 * (up + down)
    got = total((e.begin, e.end) for e in fault.episodes(_scene(horizon))) / horizon
    assert got == pytest.approx(down / (up + down), rel=0.05)
    assert share is None or share == pytest.approx(down / (up + down))


def test_fluid_lag_behind_stochastic_outages_matches_the_closed_form(shared):
    """Up and down exponential, constant writing, FIFO: P(lag > theta) and the mean, within sampling error."""
    with (shared / "truth/analytic.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["id"].startswith("fluid_expUpDown")]
    assert len(rows) == 6
    par = json.loads(rows[0]["params"])
    fault = adapter.validate_python(
        {"between_failures": f"exponential({par['U']} s)", "repair": f"exponential({par['D']} s)"}
    )
    horizon = 40_000 * (par["U"] + par["D"])
    ramps = _lag_ramps([(e.begin, e.end) for e in fault.episodes(_scene(horizon, seed=5))], par["k"])
    for row in rows:
        theta = json.loads(row["params"]).get("theta")
        if "meanlag" in row["id"]:
            got = sum((a + b) / 2 * t for a, b, t in ramps) / horizon
        else:
            got = sum(_above(a, b, theta) * t for a, b, t in ramps) / horizon
        assert got == pytest.approx(float(row["value"]), rel=0.06)


def _lag_ramps(outages, k):
    """Lag as straight lines (from, to, seconds): it grows by 1 while down and falls by k - 1 while up."""
    ramps, lag, now = [], 0.0, 0.0
    for begin, end in outages:
        fall = min(lag / (k - 1), begin - now)
        ramps.append((lag, lag - fall * (k - 1), fall))
        lag = max(0.0, lag - fall * (k - 1)) if fall < lag / (k - 1) else 0.0
        ramps.append((lag, lag + end - begin, end - begin))
        lag, now = lag + end - begin, end
    return ramps


def _above(a, b, theta):
    low, high = min(a, b), max(a, b)
    if high <= theta:
        return 0.0
    return 1.0 if low >= theta else (high - theta) / (high - low)


def test_conduits_hit_links_together_and_others_apart():
    cut = {"between_failures": "exponential(2 d)", "repair": "exponential(1 h)"}
    maintenance = {"days": "Sun", "from": "02:00", "to": "03:00"}
    shared = {**cut, "conduit": "bridge"}

    def cuts(name, outages, **more):
        link = Link.model_validate(
            {"between": ("a", name), "rate": "1 Mb/s", "efficiency": "70 %", "outages": outages, **more}
        )
        return link.timeline(name, 60 * DAY, np.random.SeedSequence(3)).cuts

    ours = cuts("b", [shared])
    assert len(ours) > 10
    assert cuts("c", [shared]) == ours == cuts("d", [cut], conduit="bridge")
    sundays = [c for c in cuts("e", [maintenance, shared]) if c.cause == "outage"]
    assert len(sundays) >= len(ours)
    assert cuts("b", [cut]) != cuts("c", [cut])
    assert cuts("b", [cut]) == cuts("b", [cut, {"at": "100 d", "for": "1 h"}])


def test_flapping_alternates_within_its_window():
    fault = adapter.validate_python({"at": "1 h", "for": "1 min", "flap": {"up": "5 s", "down": "2 s"}})
    drops = [(e.begin, e.end) for e in fault.episodes(_scene())]
    assert drops[:2] == [(3600, 3602), (3607, 3609)]
    assert len(drops) == 9
    assert drops[-1] == (3656, 3658)
    assert fault.cause == "flap"


def test_a_repair_beyond_the_horizon_is_kept_whole():
    fault = adapter.validate_python({"between_failures": "9 h", "repair": "3 h"})
    assert [(e.begin / 3600, e.end / 3600) for e in fault.episodes(_scene(10 * 3600))] == [(9, 12)]
    assert not fault.planned
    assert adapter.validate_python({"at": "9 h", "for": "3 h"}).planned


def test_faults_that_stop_time_or_fill_memory_are_refused(monkeypatch):
    monkeypatch.setattr("drsim.wan.faults.MOST_EPISODES", 100)
    many = adapter.validate_python({"between_failures": "1 s", "repair": "1 s"})
    with pytest.raises(ValueError, match="more than 100 episodes"):
        many.episodes(_scene())
    still = adapter.validate_python({"between_failures": "fixed(0 s)", "repair": "fixed(0 s)"})
    with pytest.raises(ValueError, match="never lets time pass"):
        still.episodes(_scene())


def test_capacity_is_lost_by_just_the_down_time():
    link = Link.model_validate(
        {
            "between": ("a", "b"),
            "rate": "8 Mb/s",
            "efficiency": "100 %",
            "outages": [{"between_failures": "exponential(1 d)", "repair": "exponential(1 h)"}],
        }
    )
    line = link.timeline("ab", 100 * DAY, np.random.SeedSequence(1))
    c = capacity(line.forward.steps, 100 * DAY)
    lost = total((max(cut.down_at, 0), min(cut.up_at, 100 * DAY)) for cut in line.cuts)
    assert c.average(0.0, 100 * DAY) == pytest.approx(1e6 * (1 - lost / (100 * DAY)), rel=1e-9)
