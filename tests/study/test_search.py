"""Searches find the least value that is enough, in few runs, and notice when more is not better."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.study.lab import Lab
from drsim.study.quorum import Poll, Question, Quorum
from drsim.study.scale import scale_of
from drsim.study.search import Bounds, Search
from drsim.study.text import StudyError
from drsim.units import parse_rate, parse_size
from tests.study.worlds import FluidWorld

RATE = scale_of("1 Mb/s")


@dataclass
class Step:
    """Enough from a threshold on, but for some values in between."""

    passed: bool


class Threshold:
    """Counts what it is asked."""

    def __init__(self, least: float, scale=RATE, gaps: tuple[tuple[float, float], ...] = ()) -> None:
        self.least, self.scale, self.gaps, self.asked = least, scale, gaps, 0

    def __call__(self, text: str) -> Step:
        self.asked += 1
        value = self.scale.parse(text)
        return Step(value >= self.least and not any(a <= value <= b for a, b in self.gaps))


@given(st.floats(1e3, 1e9), st.sampled_from([0.05, 0.01, 0.001]))
def test_the_answer_is_enough_and_a_little_less_is_not(least: float, tolerance: float) -> None:
    judge = Threshold(least)
    found = Search(judge, judge, Bounds(RATE, "10 Mb/s"), tolerance).least()
    answer = parse_rate(found.text)
    assert least <= answer <= least * (1 + 1.1 * tolerance)
    assert parse_rate(found.below_text) < least
    assert found.doubts == ()
    assert judge.asked <= 12 + math.ceil(math.log2(math.log(4) / math.log1p(tolerance))) + 5


def test_given_ends_are_kept_to() -> None:
    judge = Threshold(5e6)
    inside = Search(judge, judge, Bounds(RATE, "1 Mb/s", "8 Mb/s", "80 Mb/s")).least()
    assert 5e6 <= parse_rate(inside.text) <= 5.05e6
    above = Search(judge, judge, Bounds(RATE, "1 Mb/s", "1 Mb/s", "8 Mb/s")).least()
    assert (above.text, above.edge) == (None, "even 8 Mb/s is not enough")
    below = Search(judge, judge, Bounds(RATE, "1 Mb/s", "80 Mb/s", "90 Mb/s")).least()
    assert (below.text, below.edge) == ("80 Mb/s", "even 80 Mb/s is enough")


def test_a_search_without_ends_gives_up_in_time() -> None:
    never, always = Threshold(math.inf), Threshold(0)
    found = Search(never, never, Bounds(RATE, "1 Mb/s")).least()
    assert found.text is None
    assert "is not enough" in found.edge
    found = Search(always, always, Bounds(RATE, "1 Mb/s")).least()
    assert "is enough" in found.edge
    assert never.asked + always.asked < 40


def test_more_that_is_worse_is_noticed() -> None:
    judge = Threshold(1e6, gaps=((1.9e6, 2.2e6),))
    found = Search(judge, judge, Bounds(RATE, "8 Mb/s", "1 Mb/s", "1 Gb/s")).least()
    assert len(found.doubts) == 1
    assert 1.9e6 <= parse_rate(found.doubts[0]) <= 2.2e6


@pytest.mark.parametrize("low", ["1 Mb/s", None])
def test_less_that_is_better_is_noticed(low: str | None) -> None:
    most = Threshold(0, gaps=((0.5e6, math.inf),))
    found = Search(most, most, Bounds(RATE, "8 Mb/s", low, "1 Gb/s" if low else None)).least()
    assert found.text is None
    assert f"but {low or '2 Mb/s'} is: here less is better" in found.edge


def test_an_answer_that_a_smaller_value_shares_gives_way_to_it() -> None:
    """A future that fails at a large value is taken to fail at a small one; where that deceives, go down."""
    truth = Threshold(5e6)
    for wrong in (5.5e6, 4.6e6):
        found = Search(Threshold(wrong), truth, Bounds(RATE, "8 Mb/s"), 0.01).least()
        assert 5e6 <= parse_rate(found.text) <= 5.15e6
        assert parse_rate(found.below_text) < 5e6
        assert found.doubts == ()


def test_whole_numbers_are_searched_one_by_one_at_the_end() -> None:
    scale = scale_of("1")
    judge = Threshold(7, scale)
    found = Search(judge, judge, Bounds(scale, "1"), 0.001).least()
    assert (found.text, found.below_text) == ("7", "6")


def test_shortcuts_that_deceive_are_found_out() -> None:
    shortcut, truth = Threshold(1e6), Threshold(1.05e6)
    found = Search(shortcut, truth, Bounds(RATE, "8 Mb/s")).least()
    assert 1.05e6 <= parse_rate(found.text) <= 1.08e6


# --- polls over futures ---

VIOLATION = 3000.0


def question(futures: int = 1, share: float = 0.95, journal: bool = False) -> Question:
    def held(summary: dict) -> bool:
        target = summary["groups"]["g"]["targets"]["b"]
        return target["journal_overflows"] == 0 if journal else target["violation_s"] <= VIOLATION

    path = "journal" if journal else "links.ab.rate"
    scale = scale_of("1 GB") if journal else RATE
    return Question(lambda text: ((path, text),), held, scale, (), futures, share)


def sized(
    world: FluidWorld, asked: Question, start: str, tolerance: float = 0.001
) -> tuple[Poll, str, int, Quorum]:
    quorum = Quorum(Lab(world), asked)
    found = Search(quorum.trial, quorum.verify, Bounds(asked.scale, start), tolerance).least()
    assert found.trial is not None
    assert found.text is not None
    return found.trial, found.text, quorum._lab.runs, quorum


def test_the_least_bandwidth_is_the_fluid_one() -> None:
    # V = (T - theta) C / (C - lam)  =>  C = lam V / (V - (T - theta))
    _, text, _, _ = sized(FluidWorld(), question(), "1 Mb/s")
    wanted = 100_000 * VIOLATION / (VIOLATION - (3600 - 900))
    assert wanted <= parse_rate(text) <= wanted * 1.0011


def test_the_least_journal_is_the_peak_backlog() -> None:
    _, text, _, _ = sized(FluidWorld(), question(journal=True), "1 GB")
    assert 360_000_000 <= parse_size(text) <= 360_000_000 * 1.0011


def test_a_quorum_of_futures_is_a_quantile_of_what_each_needs() -> None:
    world = FluidWorld(spread=0.15)
    poll, text, runs, _ = sized(world, question(40, 0.9, journal=True), "1 GB", 0.0005)
    peaks = sorted(
        o.summary["groups"]["g"]["targets"]["b"]["backlog_peak_bytes"] for o in poll.outcomes if o.summary
    )
    assert len(peaks) == 40
    assert peaks[35] <= parse_size(text) <= peaks[35] * 1.0006  # the 36th of 40
    assert poll.held == poll.needed == 36
    # Asking all 40 at each of some 15 values would take 600, and the four verified values take 160 of them.
    assert runs < 300
    low, high = poll.interval(0.95)
    assert low < 0.9 < high < 1


def test_inferred_futures_agree_with_asked_ones() -> None:
    world = FluidWorld(spread=0.4)
    asked = question(15, 0.8, journal=True)
    rng = np.random.default_rng(4)
    quorum, naive = Quorum(Lab(world), asked, width=3), Quorum(Lab(world), asked)
    for size in rng.uniform(150e6, 900e6, 25):
        text = f"{int(size)} B"
        assert quorum.trial(text).passed == naive.verify(text).passed
    assert quorum._lab.runs < 0.4 * naive._lab.runs


def test_a_run_that_fails_ends_the_search() -> None:
    broken = Question(lambda text: (("do", "raise"), ("rpo", text)), lambda _: True, scale_of("1 s"))
    quorum = Quorum(Lab(FluidWorld()), broken)
    with pytest.raises(StudyError, match="the link melted"):
        quorum.trial("5 s")


def test_a_search_can_be_repeated_from_what_is_kept(tmp_path: Path) -> None:
    from drsim.study.store import Store

    runs = []
    for _ in range(2):
        world = FluidWorld()
        quorum = Quorum(Lab(world, shelf=Store(tmp_path, world)), question())
        Search(quorum.trial, quorum.verify, Bounds(RATE, "1 Mb/s")).least()
        runs.append(quorum._lab.runs)
    assert runs[0] > 5
    assert runs[1] == 0


def test_a_search_that_nothing_can_satisfy_ends_at_the_ceiling() -> None:
    tried: list[str] = []

    def never(text: str) -> Step:
        tried.append(text)
        return Step(False)

    bounds = Bounds(scale_of("10 Mb/s"), "10 Mb/s", ceiling=1.25e11)
    found = Search(never, never, bounds).least()
    assert found.text is None
    assert found.edge == "even 1000000 Mb/s is not enough"
    assert len(tried) <= 8  # the last one asks whether less is better
