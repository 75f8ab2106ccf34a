"""Intervals: they cover what they promise, agree with scipy, and know when they know nothing."""

import math

import numpy as np
import pytest
from scipy import stats

from drsim.study.stats import estimate, holm, paired, quantile_interval, share_interval

RNG = np.random.default_rng(11)


def test_the_t_interval_is_the_textbook_one() -> None:
    # Law 2015, example 4.27: ten observations, mean 1.34, 90 % interval 1.34 +- 0.24.
    x = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09]
    found = estimate(x, 0.90, RNG)
    assert found.method == "t"
    assert (round(found.mean, 2), round(found.half_width, 2)) == (1.34, 0.24)
    assert (found.least, found.median, found.most, found.n) == (0.50, 1.495, 1.89, 10)
    reference = stats.ttest_1samp(x, 0).confidence_interval(0.90)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high), rel=1e-12)


@pytest.mark.parametrize(("draw", "n", "floor"), [("normal", 8, 0.93), ("lognormal", 60, 0.87)])
def test_intervals_cover_the_mean_as_often_as_promised(draw: str, n: int, floor: float) -> None:
    rng = np.random.default_rng(3)
    truth = 0.0 if draw == "normal" else math.exp(0.5)
    hits = 0
    for _ in range(300):
        found = estimate(getattr(rng, draw)(size=n), 0.95, rng)
        hits += found.low <= truth <= found.high
    assert floor <= hits / 300 <= 0.99


def test_skewed_values_get_a_bootstrap_interval_that_leans_to_the_long_side() -> None:
    x = np.random.default_rng(1).lognormal(0, 1.5, 40)
    found = estimate(x, 0.95, np.random.default_rng(2))
    assert found.method == "bootstrap"
    assert found.high - found.mean > found.mean - found.low > 0
    assert found == estimate(x, 0.95, np.random.default_rng(2))


def test_what_is_not_known_is_not_claimed() -> None:
    one = estimate([5.0], 0.95, RNG)
    assert (one.mean, one.method, one.half_width) == (5.0, "none", math.inf)
    assert math.isnan(one.low)
    assert estimate([], 0.95, RNG).n == 0
    same = estimate([2.5] * 4, 0.95, RNG)
    assert (same.low, same.high, same.method, same.half_width) == (2.5, 2.5, "constant", 0.0)
    assert estimate([1.0, math.nan, 3.0], 0.95, RNG).n == 2


def test_a_share_of_all_is_not_certainty() -> None:
    low, high = share_interval(20, 20, 0.95)
    assert low == pytest.approx(0.025 ** (1 / 20))  # Clopper-Pearson with no failure: (alpha/2)^(1/n)
    assert high == 1.0
    assert share_interval(0, 0, 0.95) == (0.0, 1.0)


@pytest.mark.parametrize(("n", "share"), [(20, 0.5), (59, 0.95), (100, 0.9)])
def test_quantile_intervals_cover_exactly_as_the_binomial_says(n: int, share: float) -> None:
    at = np.arange(1.0, n + 1)
    _, low, high = quantile_interval(at, share, 0.90)
    # The count of values below the true quantile is binomial: the interval holds it when low <= count < high.
    first = 0 if math.isinf(low) else int(low)
    last = n if math.isinf(high) else int(high) - 1
    covered = stats.binom.cdf(last, n, share) - stats.binom.cdf(first - 1, n, share)
    assert covered >= 0.90
    narrower = stats.binom.cdf(last - 1, n, share) - stats.binom.cdf(first, n, share)
    assert narrower < 0.90


def test_few_values_bound_no_extreme_quantile() -> None:
    value, low, high = quantile_interval([3.0, 1.0, 2.0], 0.99, 0.95)
    assert value == 3.0
    assert high == math.inf
    assert low in (-math.inf, 1.0, 2.0, 3.0)


def test_pairs_see_what_independent_samples_can_not() -> None:
    rng = np.random.default_rng(5)
    future = rng.normal(100, 50, 12)
    base, other = future + rng.normal(0, 1, 12), future - 5 + rng.normal(0, 1, 12)
    found = paired(base, other, 0.95, rng)
    assert found.p < 0.001
    assert found.estimate.low < -5 < found.estimate.high < 0
    assert stats.ttest_ind(base, other).pvalue > 0.5
    assert found.p == pytest.approx(stats.ttest_rel(other, base).pvalue)


def test_pairs_that_always_differ_alike_or_never() -> None:
    assert paired(np.ones(3), np.ones(3), 0.95, RNG).p == 1.0
    assert paired(np.ones(3), np.full(3, 2.0), 0.95, RNG).p == 0.0
    assert math.isnan(paired(np.ones(1), np.full(1, 2.0), 0.95, RNG).p)
    assert paired(np.ones(1), np.ones(1), 0.95, RNG).p == 1.0


def test_skewed_differences_are_tested_by_ranks() -> None:
    d = np.random.default_rng(8).lognormal(0, 1.5, 30)
    found = paired(np.zeros(30), d, 0.95, RNG)
    assert found.estimate.method == "bootstrap"
    assert found.p < 1e-6


def test_holm_adjusts_for_the_number_of_comparisons() -> None:
    # Holm 1979 by hand: 0.01*4, max(0.04, 0.02*3), max(0.06, 0.03*2), max(0.06, 0.04*1).
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    adjusted = holm([math.nan, 0.5, 0.6])
    assert math.isnan(adjusted[0])
    assert adjusted[1:] == [1.0, 1.0]
