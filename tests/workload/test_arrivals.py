"""Each arrival process has the rate and burstiness of its closed form (fixed seeds: nothing flakes)."""

import numpy as np
import pytest
from scipy import stats

from drsim.blocks import compiled
from drsim.randomness import child
from drsim.workload.arrivals import KINDS, Arrivals, BModel, Mmpp, OnOff, Pareto, Poisson
from drsim.workload.timechange import Steps

ROOT = np.random.SeedSequence(20_260_302)


def arrive(kind: Arrivals, rate: float, count: int, name: str = "a") -> np.ndarray:
    seeds = child(ROOT, name)
    base, bursts = kind.base(seeds), kind.bursts(seeds)
    change = Steps(bursts) if bursts is not None else None
    blocks = []
    for _ in range(-(-count // 16_384)):
        t = base.block(16_384) / rate
        blocks.append(change.when(t) if change else t)
    return np.concatenate(blocks)


def counts(times: np.ndarray, window: float) -> np.ndarray:
    whole = int(times[-1] / window)
    return np.bincount((times / window).astype(np.int64), minlength=whole)[:whole]


def test_instants_are_the_same_bits_added_up_by_loop_or_by_numpy_and_however_cut() -> None:
    ways: list[compiled.Choice] = ["never", "interpreted", *(["always"] if compiled.available() else [])]
    found = []
    for way, cuts in zip(ways, ([700], [300, 400], [1, 699]), strict=False):
        before = compiled.use(way)
        try:
            base = Poisson().base(child(ROOT, "bits"))
            found.append(np.concatenate([base.block(rows) for rows in cuts]).tobytes())
        finally:
            compiled.use(before)
    assert found == found[:1] * len(ways)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_every_kind_can_be_spelt_and_states_a_form(kind: type[Arrivals]) -> None:
    from drsim.workload.fields import parse_arrivals

    assert isinstance(parse_arrivals(kind.FORM), kind)
    assert parse_arrivals(kind.FORM).text == kind.FORM


def test_poisson_gaps_are_exponential_and_counts_as_varied_as_their_mean() -> None:
    times = arrive(Poisson(), 100.0, 400_000)
    assert stats.kstest(np.diff(times)[:20_000] * 100, "expon").pvalue > 0.001
    n = counts(times, 1.0)
    ratio = n.var(ddof=1) / n.mean()
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], len(n) - 1) / (len(n) - 1)
    assert low < ratio < high
    assert times[-1] == pytest.approx(len(times) / 100, rel=5 / np.sqrt(len(times)))


def dispersion(kind: Arrivals, rate: float, window: float, count: int) -> tuple[float, float]:
    """Index of dispersion of counts in long windows, and its standard error (windows nearly independent)."""
    n = counts(arrive(kind, rate, count), window)
    return n.var(ddof=1) / n.mean(), np.sqrt(2 / len(n))


def test_on_off_has_the_dispersion_of_an_interrupted_poisson_process() -> None:
    on, off, rate = 1.0, 3.0, 200.0
    want = 1 + 2 * rate * off**2 / (on + off)
    got, error = dispersion(OnOff(on, off), rate, 100.0, 8_000_000)
    assert got == pytest.approx(want, rel=0.02 + 4 * error)


def test_on_off_is_silent_while_off() -> None:
    times = arrive(OnOff(1.0, 3.0), 200.0, 1_000_000)
    busy = counts(times, 0.01) > 0
    # On for a quarter of the time at 8 writes a window: all but e**-8 of the windows while on are busy.
    assert busy.mean() == pytest.approx(0.25, rel=0.1)


def test_mmpp_has_the_dispersion_of_its_two_states() -> None:
    factor, burst, calm, rate = 10.0, 1.0, 4.0, 200.0
    low = rate * (burst + calm) / (burst * factor + calm)
    high, a, b = low * factor, 1 / burst, 1 / calm
    # Fischer and Meier-Hellstern 1993: IDC = 1 + 2 (l1 - l2)^2 r1 r2 / ((r1 + r2)^2 (l1 r2 + l2 r1)).
    want = 1 + 2 * (high - low) ** 2 * a * b / ((a + b) ** 2 * (high * b + low * a))
    got, error = dispersion(Mmpp(factor, burst, calm), rate, 100.0, 8_000_000)
    assert got == pytest.approx(want, rel=0.02 + 4 * error)


@pytest.mark.parametrize("kind", [OnOff(1.0, 3.0), Mmpp(10.0, 1.0, 4.0), BModel(0.7, 60.0)], ids=repr)
def test_bursts_leave_the_mean_rate_alone(kind: Arrivals) -> None:
    times = arrive(kind, 200.0, 8_000_000)
    assert len(times) / times[-1] == pytest.approx(200.0, rel=0.02)


def test_pareto_sources_are_self_similar() -> None:
    alpha = 1.4
    steps = Pareto(alpha, 50, 1.0).bursts(child(ROOT, "pareto"))
    seconds, level = (np.concatenate(c) for c in zip(*(next(steps) for _ in range(1500)), strict=True))
    edge = np.concatenate([[0.0], np.cumsum(seconds)])
    total = np.concatenate([[0.0], np.cumsum(seconds * level)])
    assert total[-1] / edge[-1] == pytest.approx(1.0, rel=0.02)
    scales = 2.0 ** np.arange(3, 10)
    spread = []
    for scale in scales:
        at = np.arange(0, edge[-1], scale)
        spread.append(np.var(np.diff(np.interp(at, edge, total)) / scale))
    slope = np.polyfit(np.log(scales), np.log(spread), 1)[0]
    hurst = 1 + slope / 2
    assert hurst == pytest.approx((3 - alpha) / 2, abs=0.08)
    # Independent arrivals would have 0.5.
    assert hurst > 0.7


def test_b_model_halves_by_its_bias() -> None:
    bias, levels = 0.7, BModel.LEVELS
    seconds, weight = next(BModel(bias, 60.0).bursts(child(ROOT, "b")))
    assert seconds.sum() == pytest.approx(60.0)
    of_each, number = np.unique(weight.round(12), return_counts=True)
    k = np.arange(levels + 1)
    want = 2.0**levels * bias**k * (1 - bias) ** (levels - k)
    assert of_each == pytest.approx(np.sort(want), rel=1e-6)
    assert number.tolist() == stats.binom(levels, 0.5).pmf(k).__mul__(2**levels).round().astype(int).tolist()
    assert weight.mean() == pytest.approx(1.0)
