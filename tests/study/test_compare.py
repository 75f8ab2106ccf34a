"""Comparisons: same futures, paired differences, and no verdict that luck could explain."""

import math
from pathlib import Path

import numpy as np
import pytest

from drsim.study.compare import Comparison, Contender, Row, compare
from drsim.study.lab import Lab
from drsim.study.store import Store
from drsim.study.text import StudyError
from drsim.study.world import CURVE_POINTS, ScenarioWorld
from tests.study.scenarios import FLUID, written
from tests.study.worlds import FluidWorld

TARGET = "groups.g.targets.b."


def faced(replications: int, *designs: tuple[str, ...], **world: object) -> Comparison:
    lab = Lab(FluidWorld(**world))  # type: ignore[arg-type]
    contenders = []
    for label, *overrides in designs:
        pairs = tuple((o.partition("=")[0], o.partition("=")[2]) for o in overrides)
        contenders.append(Contender(label, lab, pairs))
    return compare(contenders, replications)


def row(comparison: Comparison, measure: str) -> Row:
    return next(r for r in comparison.rows if r.measure == measure)


def test_a_faster_link_is_better_where_it_matters_and_the_same_where_it_does_not() -> None:
    found = faced(20, ("t1", "links.ab.rate=192 kB/s"), ("10base", "links.ab.rate=1250 kB/s"), spread=0.4)
    violation = row(found, TARGET + "violation_s").contrasts[0]
    assert violation.verdict == "better"
    assert violation.p < 0.05
    assert violation.difference.estimate.high < 0
    lag = row(found, TARGET + "lag_max_s").contrasts[0]
    assert (lag.verdict, lag.p) == ("same", 1.0)
    assert found.remarks == ()
    assert found.futures == 20


def test_pairing_sees_a_difference_that_is_small_beside_the_spread_of_futures() -> None:
    found = faced(12, ("a", "links.ab.rate=192 kB/s"), ("b", "links.ab.rate=194 kB/s"), spread=0.5)
    contrast = row(found, TARGET + "violation_s").contrasts[0]
    base = row(found, TARGET + "violation_s").base
    assert base.low < contrast.estimate.mean < base.high  # unpaired intervals overlap widely
    assert contrast.verdict == "better"


def test_designs_without_difference_are_called_better_no_oftener_than_luck_allows() -> None:
    class Coin(FluidWorld):
        """Results that have nothing to do with the override."""

        def run(self, overrides: tuple, seed: int) -> dict:
            rng = np.random.default_rng([seed, len(dict(overrides)["rpo"])])
            return {"groups": {"g": {"targets": {"b": {"lag_max_s": float(rng.normal(100, 10))}}}}}

    called = 0
    for seed in range(60):
        lab = Lab(Coin(seed=seed))
        found = compare([Contender("a", lab, (("rpo", "1"),)), Contender("b", lab, (("rpo", "22"),))], 8)
        called += found.rows[0].contrasts[0].verdict != "unclear"
    assert called <= 8  # 5 % of 60 is 3; 9 or more has a chance of 0.4 %


def test_one_future_gives_differences_without_significance() -> None:
    found = faced(1, ("a", "links.ab.rate=150 kB/s"), ("b", "links.ab.rate=300 kB/s"))
    contrast = row(found, TARGET + "violation_s").contrasts[0]
    assert contrast.difference.estimate.mean == pytest.approx(2700 * (1.5 - 3))
    assert math.isnan(contrast.p)
    assert contrast.verdict == "better"


def test_more_than_two_designs_are_all_held_against_the_first() -> None:
    found = faced(10, ("a", "rpo=5 min"), ("b", "rpo=15 min"), ("c", "rpo=30 min"), spread=0.2)
    verdicts = [c.verdict for c in row(found, TARGET + "violation_s").contrasts]
    assert verdicts == ["better", "better"]
    assert found.labels == ("a", "b", "c")
    assert len(found.outcomes["c"]) == 10


def test_another_workload_is_remarked() -> None:
    one, two = Lab(FluidWorld()), Lab(FluidWorld(lam=50_000.0))
    found = compare([Contender("a", one), Contender("b", two)])
    assert found.remarks == (
        "groups.g.written_bytes differs between a and b: not the same workload or outages",
    )


def test_futures_in_which_a_design_failed_are_left_out_of_all() -> None:
    class Fragile(FluidWorld):
        def run(self, overrides: tuple, seed: int) -> dict:
            if seed % 2 and seed != self.seed and dict(overrides).get("rpo") == "5 min":
                raise RuntimeError("odd")
            return super().run(overrides, seed)

    lab = Lab(Fragile(spread=0.1))
    found = compare([Contender("a", lab), Contender("b", lab, (("rpo", "5 min"),))], 20)
    assert 0 < len(found.failed) < 20
    assert found.futures == 20 - len(found.failed)


@pytest.mark.parametrize(
    ("designs", "said"),
    [
        ([("a",)], "nothing to compare with"),
        ([("a",), ("a", "rpo=1 min")], "two designs have the same name"),
        (
            [("a",), ("b", "do=raise")],
            "no future gave a result in every design: RuntimeError: the link melted",
        ),
    ],
)
def test_what_can_not_be_compared(designs: list[tuple[str, ...]], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        faced(2, *designs)


def test_different_seeds_are_different_futures() -> None:
    with pytest.raises(StudyError, match="give --seed"):
        compare([Contender("a", Lab(FluidWorld(seed=1))), Contender("b", Lab(FluidWorld(seed=2)))])


def test_designs_keep_small_lag_curves_whether_they_ran_or_were_known(tmp_path: Path) -> None:
    """Kept with each point, so that lag curves can be drawn over one another; peaks survive."""
    world = ScenarioWorld.open(written(tmp_path, FLUID.replace("6 h", "90 min")))
    for runs in (4, 0):
        lab = Lab(world, shelf=Store(tmp_path / "kept", world))
        wide = Contender("wide", lab, (("links.ab.rate", "10 Mb/s"),))
        found = compare([Contender("base", lab), wide], 2)
        assert lab.runs == runs
        for label, outcomes in found.outcomes.items():
            assert not outcomes[0].curves, "a study of many points does not hold them"
            assert outcomes[0].summary is not None
            curve = found.curves[label]["g/b"]
            assert (
                np.nanmax(curve["lag_s"]) == outcomes[0].summary["groups"]["g"]["targets"]["b"]["lag_max_s"]
            )
            assert len(curve["t"]) <= 2 * CURVE_POINTS
            assert (np.diff(curve["t"]) >= 0).all()
