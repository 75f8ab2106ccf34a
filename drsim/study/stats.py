"""Interval estimates over replications: means, proportions, quantiles, paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Method = Literal["t", "bootstrap", "constant", "none"]

_FEWEST_FOR_BOOTSTRAP = 15
_SKEWED = 1.0
_RESAMPLES = 4999
_ROUNDING = 64 * float(np.finfo(float).eps)
"""Relative spread that is rounding, not chance."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over replications with its two-sided confidence interval.

    Attributes:
        mean, low, high: the mean and the ends of its interval (nan where there is no interval).
        deviation: sample standard deviation (n - 1); nan below two values.
        least, median, most: of the values themselves.
        n: number of replications with a defined value.
        method: ``t``; ``bootstrap`` (BCa) where values are skewed; ``constant`` where all are equal; ``none``
            below two values.
    """

    mean: float
    low: float
    high: float
    deviation: float
    least: float
    median: float
    most: float
    n: int
    method: Method

    @property
    def half_width(self) -> float:
        """The larger distance from the mean to an end of the interval; inf where there is no interval."""
        if self.method == "none":
            return math.inf
        return max(self.mean - self.low, self.high - self.mean)


def estimate(values: Sequence[float] | Floats, confidence: float, rng: np.random.Generator) -> Estimate:
    """Mean and confidence interval of independent values; undefined ones (nan) are not counted.

    Student's t where the sample looks symmetric or is small; the bias-corrected accelerated bootstrap
    (Efron 1987) where it has 15 values or more and a skewness beyond 1, as maxima of rare outages do.
    The resampling draws come from ``rng``.
    """
    x = np.asarray(values, float)
    x = x[~np.isnan(x)]
    if len(x) == 0:
        return Estimate(*(math.nan,) * 7, 0, "none")
    mean = float(x.mean())
    of_values = (float(x.min()), float(np.median(x)), float(x.max()), len(x))
    if len(x) < 2:
        return Estimate(mean, math.nan, math.nan, math.nan, *of_values, "none")
    deviation = float(x.std(ddof=1))
    if np.ptp(x) <= _ROUNDING * np.abs(x).max():
        return Estimate(mean, mean, mean, 0.0, *of_values, "constant")
    method: Method = "t"
    if len(x) >= _FEWEST_FOR_BOOTSTRAP and abs(float(stats.skew(x))) > _SKEWED:
        method = "bootstrap"
    low, high = _bootstrap(x, confidence, rng) if method == "bootstrap" else _student(x, confidence)
    return Estimate(mean, low, high, deviation, *of_values, method)


def _student(x: Floats, confidence: float) -> tuple[float, float]:
    half = stats.t.ppf((1 + confidence) / 2, len(x) - 1) * x.std(ddof=1) / math.sqrt(len(x))
    return float(x.mean() - half), float(x.mean() + half)


def _bootstrap(x: Floats, confidence: float, rng: np.random.Generator) -> tuple[float, float]:
    found = stats.bootstrap(
        (x,), np.mean, n_resamples=_RESAMPLES, confidence_level=confidence, method="BCa", rng=rng, batch=500
    ).confidence_interval
    if math.isnan(found.low) or math.isnan(found.high):
        return _student(x, confidence)
    return float(found.low), float(found.high)


def share_interval(successes: int, n: int, confidence: float) -> tuple[float, float]:
    """Two-sided interval of a probability after ``successes`` in ``n`` trials (Clopper and Pearson 1934)."""
    if n == 0:
        return 0.0, 1.0
    found = stats.binomtest(successes, n).proportion_ci(confidence, method="exact")
    return float(found.low), float(found.high)


def quantile_interval(
    values: Sequence[float] | Floats, share: float, confidence: float
) -> tuple[float, float, float]:
    """(quantile, low, high) from order statistics, whatever the distribution (Conover 1999, 3.2).

    An end is -inf or inf where there are too few values to bound it at this confidence.
    """
    x = np.sort(np.asarray(values, float))
    n = len(x)
    rest = (1 - confidence) / 2
    counts = np.arange(n)
    below = int(np.count_nonzero(stats.binom.cdf(counts, n, share) <= rest))
    above = 1 + int(np.count_nonzero(stats.binom.sf(counts, n, share) > rest))
    low = float(x[below - 1]) if below else -math.inf
    high = float(x[above - 1]) if above <= n else math.inf
    return float(x[max(math.ceil(share * n) - 1, 0)]), low, high


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference (other minus base) with its interval and the chance of it arising by luck.

    ``p`` is the two-sided p-value of no difference; 0 where every pair differs by the same amount, 1 where
    none differs, nan with one pair of unequal values (nothing can be said).
    """

    estimate: Estimate
    p: float


def paired(base: Floats, other: Floats, confidence: float, rng: np.random.Generator) -> Difference:
    """Mean difference over replications run with the same random numbers in both designs.

    Interval as in `estimate`. The test is Student's paired t; where the differences are skewed, Wilcoxon's
    signed ranks. Pairs with an undefined side are left out.
    """
    one, two = np.asarray(base, float), np.asarray(other, float)
    d = two - one
    d[np.abs(d) <= _ROUNDING * np.maximum(np.abs(one), np.abs(two))] = 0.0
    d = d[~np.isnan(d)]
    found = estimate(d, confidence, rng)
    if found.method == "none":
        return Difference(found, 1.0 if found.n and found.mean == 0 else math.nan)
    if found.method == "constant":
        return Difference(found, 1.0 if found.mean == 0 else 0.0)
    if found.method == "t":
        return Difference(found, float(stats.ttest_1samp(d, 0.0).pvalue))
    return Difference(found, float(stats.wilcoxon(d, zero_method="pratt").pvalue))


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted for the number of comparisons (Holm 1979); nan stays nan and is not counted."""
    known = sorted((value, at) for at, value in enumerate(p) if not math.isnan(value))
    adjusted = [math.nan] * len(p)
    highest = 0.0
    for rank, (value, at) in enumerate(known):
        highest = max(highest, min(1.0, value * (len(known) - rank)))
        adjusted[at] = highest
    return adjusted
