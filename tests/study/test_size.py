"""Sizing with the real simulator: answers that paper gives too, standard links, what a link can keep."""

from pathlib import Path

import pytest

from drsim.study.lab import Lab
from drsim.study.links import kept
from drsim.study.size import Sized, size
from drsim.study.text import StudyError
from drsim.study.wanted import Wanted, setter
from drsim.study.world import ScenarioWorld
from drsim.units import parse_duration, parse_rate, parse_size
from tests.study.scenarios import CHANCE, FLUID, written


def sized(folder: Path, path: str, until: str, text: str = FLUID, **asked: object) -> Sized:
    world = ScenarioWorld.open(written(folder, text))
    wanted = Wanted(path, world.expectation(until), **asked)  # type: ignore[arg-type]
    return size(world, Lab(world), wanted)


def test_the_least_bandwidth(tmp_path: Path) -> None:
    # V = (T - theta) C / (C - lam): 2 h of violation at C = 100 kB/s * 7200 / (7200 - 2700) = 160 kB/s.
    found = sized(tmp_path, "links.ab.rate", "g.b.violation <= 2 h")
    assert found.found.text is not None
    assert 160e3 <= parse_rate(found.found.text) <= 160e3 * 1.011
    assert parse_rate(found.found.below_text) < 160.1e3
    assert found.closed.ratio == pytest.approx(1, abs=0.012)
    assert found.found.doubts == ()
    assert found.runs <= 12
    smaller, larger = found.links
    assert (smaller.name, smaller.poll.passed) == ("DS0", False)
    assert (larger.name, larger.poll.passed) == ("T1", True)
    assert smaller.facts["lag_max_s"] > larger.facts["lag_max_s"] >= 3600
    assert larger.facts["violation_s"] == pytest.approx(2700 * 192 / 92, rel=1e-3)


def test_the_least_journal(tmp_path: Path) -> None:
    found = sized(tmp_path, "groups.g.journal.size", "g.b.journal_overflows == 0", tolerance=0.002)
    assert found.found.text is not None
    assert 360e6 <= parse_size(found.found.text) <= 360e6 * 1.003
    assert found.closed.ratio == pytest.approx(1, abs=0.003)
    assert found.links == ()


def test_the_tightest_objective(tmp_path: Path) -> None:
    # 10 % of 6 h: (T - theta) C / (C - lam) = 2160 s, so theta = 3600 - 2160 * 92 / 192 = 2565 s.
    found = sized(tmp_path, "groups.g.targets.b.rpo", "g.b.violation_fraction <= 10 %")
    assert found.found.text is not None
    assert 2565 <= parse_duration(found.found.text) <= 2565 * 1.011


def test_a_quorum_of_chance_futures_needs_more_than_the_mean_one(tmp_path: Path) -> None:
    text = CHANCE.replace("6 h", "3 h")
    one = sized(tmp_path, "groups.g.journal.size", "g.b.journal_overflows == 0", text, futures=6, share=0.5)
    most = sized(tmp_path, "groups.g.journal.size", "g.b.journal_overflows == 0", text, futures=6, share=1.0)
    assert parse_size(one.found.text) < parse_size(most.found.text)
    assert one.found.trial.needed == 3
    assert most.found.trial.held == 6
    assert most.found.below.held < 6
    assert most.closed.ratio == pytest.approx(1, abs=0.02)


def test_where_no_closed_form_holds_the_answer_comes_from_simulation_alone(tmp_path: Path) -> None:
    text = FLUID.replace("efficiency: 100 %", "rtt: 20 ms")
    found = sized(tmp_path, "links.ab.rate", "g.b.violation <= 2 h", text)
    assert found.closed.text is None
    assert "headers" in found.closed.reason
    assert 160e3 < parse_rate(found.found.text) < 175e3  # headers cost a few percent
    latency = sized(tmp_path, "links.ab.rate", "g.b.lag.final <= 1 min")
    assert "no closed form for lag_final_s" in latency.closed.reason


def test_a_given_range_is_kept_to(tmp_path: Path) -> None:
    found = sized(tmp_path, "links.ab.rate", "g.b.violation <= 2 h", low="2 Mb/s", high="8 Mb/s")
    assert (found.found.text, found.found.edge) == ("2 Mb/s", "even 2 Mb/s is enough")
    found = sized(tmp_path, "links.ab.rate", "g.b.lag.max <= 1 min", low="2 Mb/s", high="8 Mb/s")
    assert (found.found.text, found.found.edge) == (None, "even 8 Mb/s is not enough")
    assert found.links == ()


def test_what_can_not_be_sized(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no link 'zz'"):
        sized(tmp_path, "links.zz.rate", "g.b.violation <= 2 h")
    with pytest.raises(StudyError, match="no value to begin with; give the range"):
        sized(tmp_path, "groups.g.targets.b.rto", "g.b.violation <= 2 h")
    with pytest.raises(StudyError, match="8 Mb/s is not less than 2 Mb/s"):
        sized(tmp_path, "links.ab.rate", "g.b.violation <= 2 h", low="8 Mb/s", high="2 Mb/s")


def test_a_rate_stands_in_place_of_a_type_and_the_other_way(tmp_path: Path) -> None:
    rated = ScenarioWorld.open(written(tmp_path))
    typed = ScenarioWorld.open(written(tmp_path, FLUID.replace("rate: 192 kB/s", "type: T1"), "typed.yaml"))
    assert setter(rated, "links.ab.type", "DS3") == (("links.ab.type", "DS3"), ("links.ab.rate", "null"))
    assert setter(typed, "links.ab.rate", "1 Mb/s") == (
        ("links.ab.rate", "1 Mb/s"),
        ("links.ab.type", "null"),
    )
    assert setter(rated, "links.ab.rate", "1 Mb/s") == (("links.ab.rate", "1 Mb/s"),)
    for world, path, value in ((rated, "links.ab.type", "DS3"), (typed, "links.ab.rate", "1 Mb/s")):
        world.check(setter(world, path, value))


def test_the_rpo_that_a_link_can_keep(tmp_path: Path) -> None:
    world = ScenarioWorld.open(written(tmp_path))
    designs = {kind: setter(world, "links.ab.type", kind) for kind in ("T1", "DS3")}
    slow, fast = kept(Lab(world), designs, "g", "b")
    # Beyond x for (T - x) C / (C - lam) seconds: 10 % of 6 h is beyond 3600 - 2160 (C - lam) / C.
    assert slow.rpo_s[0.90] == pytest.approx(3600 - 2160 * 92 / 192, rel=2e-3)
    assert slow.rpo_s[0.99] == pytest.approx(3600 - 216 * 92 / 192, rel=2e-3)
    assert slow.rpo_s[1.0] == pytest.approx(3600, abs=0.5)
    assert all(fast.rpo_s[share] <= slow.rpo_s[share] for share in slow.rpo_s)
    assert slow.violation_s > fast.violation_s
    assert slow.exposure_s == 0
