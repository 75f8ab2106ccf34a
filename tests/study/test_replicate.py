"""Replications: independent streams, common random numbers, and stopping when it is known well enough."""

import math

import numpy as np
import pytest
from scipy import stats

from drsim.study.lab import Lab
from drsim.study.point import Point, flatten, replication_seed
from drsim.study.replicate import FIRST_REPLICATIONS, Precision, replicate, stream
from drsim.study.text import StudyError
from tests.study.worlds import FluidWorld

LAG = "groups.g.targets.b.lag_max_s"
VIOLATION = "groups.g.targets.b.violation_s"


def test_replications_have_independent_streams_and_the_first_is_the_scenario_itself() -> None:
    seeds = [replication_seed(7, r) for r in range(2000)]
    assert seeds[0] == 7
    assert len(set(seeds)) == 2000
    assert min(seeds) >= 0
    assert max(seeds) < 2**63
    draws = np.array([np.random.default_rng(s).random(8) for s in seeds])
    assert stats.kstest(draws.ravel(), "uniform").pvalue > 0.001
    for lag in (1, 2):
        assert abs(np.corrcoef(draws[:-lag, 0], draws[lag:, 0])[0, 1]) < 0.1
    assert replication_seed(8, 1) != replication_seed(7, 1)


def test_the_same_replication_meets_the_same_outage_in_every_design() -> None:
    lab = Lab(FluidWorld(spread=0.5))
    slow = replicate(lab.gather, [("links.ab.rate", "150 kB/s")], 12)
    fast = replicate(lab.gather, [("links.ab.rate", "900 kB/s")], 12)
    lengths = [[flatten(o.summary)[LAG] for o in design.outcomes] for design in (slow, fast)]
    assert lengths[0] == lengths[1]
    assert len(set(lengths[0])) == 12


def test_every_headline_number_has_an_interval() -> None:
    found = replicate(Lab(FluidWorld(spread=0.5)).gather, [], 40)
    assert {LAG, VIOLATION, "groups.g.targets.b.backlog_peak_bytes", "passed"} <= set(found.estimates)
    assert "wall_s" not in found.estimates
    lag = found.estimates[LAG]
    assert lag.low < 3600 * math.exp(0.125) < lag.high  # mean of a lognormal: exp(mu + sigma^2 / 2)
    assert lag.low < lag.mean < lag.high
    assert found.estimates["groups.g.targets.b.rpo_s"].method == "constant"


def test_precision_runs_as_many_replications_as_the_spread_calls_for() -> None:
    lab = Lab(FluidWorld(spread=0.3))
    loose = replicate(lab.gather, [], 1, precision=Precision(0.50, (LAG,)))
    tight = replicate(lab.gather, [], 1, precision=Precision(0.03, (LAG,)))
    assert len(loose.outcomes) == FIRST_REPLICATIONS
    assert tight.precise
    assert tight.estimates[LAG].half_width <= 0.03 * tight.estimates[LAG].mean
    # n ~ (1.96 * 0.3 / 0.03)^2 = 384 by the normal approximation.
    assert 200 < len(tight.outcomes) < 800


def test_precision_gives_up_at_its_limit_and_says_so() -> None:
    found = replicate(Lab(FluidWorld(spread=1.0)).gather, [], 1, precision=Precision(0.001, (LAG,), most=15))
    assert not found.precise
    assert len(found.outcomes) == 15


def test_a_world_without_chance_is_known_at_once() -> None:
    found = replicate(Lab(FluidWorld()).gather, [], 1, precision=Precision(0.01, (LAG, VIOLATION)))
    assert found.precise
    assert len(found.outcomes) == FIRST_REPLICATIONS


def test_a_measure_that_is_not_there_is_named() -> None:
    with pytest.raises(StudyError, match="no measure 'nonsense'"):
        replicate(Lab(FluidWorld()).gather, [], 1, precision=Precision(0.01, ("nonsense",)))
    with pytest.raises(StudyError, match="0 replications"):
        replicate(Lab(FluidWorld()).gather, [], 0)


def test_a_failed_replication_ends_the_search_and_is_counted() -> None:
    found = replicate(Lab(FluidWorld()).gather, [("do", "raise")], 3, precision=Precision(0.1, (LAG,)))
    assert found.failed == 10
    assert found.estimates == {}
    assert found.outcomes[0].error == "RuntimeError: the link melted"


def test_streams_are_named() -> None:
    seeds = np.random.SeedSequence(1, spawn_key=tuple(b"lag"))
    assert stream(1, "lag").random() == np.random.default_rng(seeds).random()
    assert stream(1, "a").random() == stream(1, "a").random()
    assert len({stream(1, "a").random(), stream(1, "b").random(), stream(2, "a").random()}) == 3


def test_a_point_is_the_same_whatever_the_order_of_its_overrides() -> None:
    one, two = Point.of([("b", "1"), ("a", "2")], 3), Point.of([("a", "2"), ("b", "1")], 3)
    assert one == two
    assert one.key("x", 5) == two.key("x", 5) != one.key("x", 6)
    assert one.key("y", 5) != one.key("x", 5)
    assert one.label == "a=2 b=1 #3"
