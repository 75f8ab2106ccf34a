"""Calendars move writes within the week exactly, and leave the bytes of a week alone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from drsim.blocks import compiled
from drsim.workload.calendars import KINDS, parse_calendar
from drsim.workload.stream import Stream
from drsim.workload.timechange import WEEK_S, YEAR_S, Growth, Steps, Weekly

SPELT = ["office", "diurnal(4, 14)", "window(22:00, 4 h, Mon-Fri)", "window(23:30, 1 h, Sun)"]
WEEKLY = [*SPELT, list(range(24)), [0] * 100 + [3] * 68]


def intensity(calendar: object, offset_s: float, t: np.ndarray) -> np.ndarray:
    """Cumulative intensity from the run's start, straight from the pattern: the oracle of the inverse."""
    week = parse_calendar(calendar).week()
    total = np.concatenate([[0.0], np.cumsum(np.diff(week.edge) * week.level)])

    def since_monday(x: np.ndarray) -> np.ndarray:
        return np.floor(x / WEEK_S) * WEEK_S + np.interp(x % WEEK_S, week.edge, total)

    return since_monday(t + offset_s) - since_monday(np.array([offset_s]))


@pytest.mark.parametrize("calendar", WEEKLY, ids=str)
def test_a_week_has_mean_one(calendar: object) -> None:
    week = parse_calendar(calendar).week()
    assert week.edge[0] == 0
    assert week.edge[-1] == WEEK_S
    assert (np.diff(week.edge) * week.level).sum() == pytest.approx(WEEK_S, rel=1e-12)


@given(
    calendar=st.sampled_from(WEEKLY),
    offset_s=st.floats(0, WEEK_S),
    u=st.lists(st.floats(1e-3, 3 * WEEK_S), min_size=1, max_size=50),
)
def test_the_time_change_inverts_the_cumulative_intensity(
    calendar: object, offset_s: float, u: list[float]
) -> None:
    want = np.sort(np.array(u))
    t = Weekly(parse_calendar(calendar).week(), offset_s).when(want.copy())
    assert (np.diff(t) >= 0).all()
    assert intensity(calendar, offset_s, t) == pytest.approx(want, abs=1e-4)


WAYS: list[compiled.Choice] = ["never", "interpreted", *(["always"] if compiled.available() else [])]


@given(
    u=st.lists(st.floats(1e-3, 5e5), min_size=2, max_size=60),
    cut=st.integers(1, 59),
    scale=st.sampled_from([1e-15, 1e-4, 1.0]),
)
def test_cutting_a_block_changes_no_instant_and_a_loop_gives_the_same(
    u: list[float], cut: int, scale: float
) -> None:
    want = 1e5 + np.sort(np.array(u)) * scale
    week, found = parse_calendar("office").week(), []
    for way in WAYS:
        before = compiled.use(way)
        try:
            parts = Weekly(week, 1000.0)
            halves = [parts.when(h.copy()) for h in (want[:cut], want[cut:]) if len(h)]
            found += [Weekly(week, 1000.0).when(want.copy()).tobytes(), np.concatenate(halves).tobytes()]
        finally:
            compiled.use(before)
    assert len(set(found)) == 1


@given(
    u=st.lists(st.floats(1e-3, 500), min_size=2, max_size=60),
    level=st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=3, max_size=20),
    cut=st.integers(1, 59),
)
def test_random_steps_are_inverted_whatever_the_cut(u: list[float], level: list[float], cut: int) -> None:
    want, levels = np.sort(np.array(u)), np.array([*level, 1.0])

    def endless():
        while True:
            yield np.full(len(levels), 2.0), levels

    whole = Steps(endless()).when(want)
    steps = Steps(endless())
    halves = [steps.when(h) for h in (want[:cut], want[cut:]) if len(h)]
    assert np.allclose(whole, np.concatenate(halves), rtol=0, atol=1e-9)
    edge = np.arange(0, 10_000) * 2.0
    total = np.concatenate([[0.0], np.cumsum(np.resize(levels, len(edge) - 1) * 2.0)])
    assert np.interp(whole, edge, total) == pytest.approx(want, abs=1e-9)


def test_writes_of_a_week_fall_into_their_hours() -> None:
    spec = {"rate": "1 /s", "arrivals": "poisson", "calendar": "office"}
    source = Stream(volume="g/v", **spec).blocks(np.random.SeedSequence(3), 10**9, Path(), 86_400.0)
    times = np.concatenate([next(source).time for _ in range(160)])
    weeks = int(times[-1] // WEEK_S)
    hour = (((times[times < weeks * WEEK_S] + 86_400) % WEEK_S) // 3600).astype(int)
    got = np.bincount(hour, minlength=168)
    week = parse_calendar("office").week()
    at = np.interp(
        np.arange(169) * 3600.0, week.edge, np.append(0, np.cumsum(np.diff(week.edge) * week.level))
    )
    want = np.diff(at) * weeks
    assert stats.chi2.sf(((got - want) ** 2 / want).sum(), 168) > 1e-4


def test_no_write_falls_outside_its_window() -> None:
    spec = {"rate": "1 /s", "calendar": "window(22:00, 4 h, Mon-Fri)"}
    source = Stream(volume="g/v", **spec).blocks(np.random.SeedSequence(3), 10**9, Path(), 0.0)
    times = np.concatenate([next(source).time for _ in range(80)])
    hour = times / 3600 % 168
    evening = np.isin(hour // 24, range(5)) & (hour % 24 >= 22 - 1e-9)
    morning = np.isin(hour // 24, range(1, 6)) & (hour % 24 <= 2 + 1e-9)
    assert (evening | morning).all()


def test_growth_follows_its_closed_form() -> None:
    year = np.array([0.5, 1.0, 2.0]) * YEAR_S
    written = (1.3 ** (year / YEAR_S) - 1) / np.log(1.3) * YEAR_S
    assert Growth(0.3).when(written) == pytest.approx(year, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_every_kind_can_be_spelt(kind: type) -> None:
    assert isinstance(parse_calendar(kind.FORM), kind)
