"""Each access pattern touches what its closed form says, and stays inside its volume."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from drsim.blocks import compiled
from drsim.randomness import generator
from drsim.workload.access import (
    KINDS,
    Access,
    Place,
    Scatter,
    Sequential,
    Strided,
    Uniform,
    Zipf,
)
from drsim.workload.fields import parse_access
from drsim.workload.zipf import zipf_cells

ROOT = np.random.SeedSequence(7)


def draw(kind: Access, slots: int, count: int, grain: int = 4096, name: str = "x") -> np.ndarray:
    pattern = kind.bind(slots, grain, generator(ROOT, name, "places"))
    blocks, index = [], 0
    while index < count:
        length = np.full(min(16_384, count - index), grain, np.int64)
        rng = generator(ROOT, name, index)
        blocks.append(pattern.slots(rng, Place(index, index * grain, length)))
        index += len(length)
    return np.concatenate(blocks)


@given(
    form=st.sampled_from([k.FORM for k in KINDS.values()] + ["zipf(1.2, 64 KiB)", "hot(50 %, 1 %, 4 KiB)"]),
    slots=st.integers(1, 5000),
    grain=st.sampled_from([512, 4096, 65_536]),
)
def test_slots_lie_in_the_volume(form: str, slots: int, grain: int) -> None:
    drawn = draw(parse_access(form), slots, 300, grain)
    assert drawn.dtype == np.int64
    assert drawn.min() >= 0
    assert drawn.max() < slots


@given(
    form=st.sampled_from(["hot({} %, 60 %, {} B)", "zipf(0.{:02}, {} B)", "zipf(1.{:02}, {} B)"]),
    share=st.integers(1, 99),
    run=st.sampled_from([512, 4096, 12_288, 1 << 20]),
    slots=st.one_of(st.integers(1, 300), st.integers(1, 1 << 40)),
    seed=st.integers(0, 99),
)
def test_slots_are_the_same_drawn_by_loop_or_by_column(
    form: str, share: int, run: int, slots: int, seed: int
) -> None:
    pattern = parse_access(form.format(share, run)).bind(slots, 4096, np.random.default_rng(seed))
    place, found = Place(0, 0, np.full(40, 4096, np.int64)), []
    ways: list[compiled.Choice] = ["never", "interpreted", *(["always"] if compiled.available() else [])]
    for way in ways:
        before = compiled.use(way)
        try:
            found.append(pattern.slots(np.random.default_rng(seed + 1), place).tolist())
        finally:
            compiled.use(before)
    assert all(each == found[0] for each in found)


def test_uniform_writes_touch_as_many_blocks_as_the_closed_form_says(shared: Path) -> None:
    with (shared / "truth" / "analytic.csv").open() as file:
        rows = {row["id"]: row for row in csv.DictReader(file) if row["kind"] == "coalesce"}
    means = [row for name, row in rows.items() if "_mean_" in name]
    assert len(means) == 6
    for row in means:
        at = json.loads(row["params"])
        variance = float(rows[row["id"].replace("_mean_", "_var_")]["value"])
        got = len(np.unique(draw(Uniform(), at["N"], at["n"], name=row["id"])))
        assert abs(got - float(row["value"])) <= 4.5 * np.sqrt(variance)


@pytest.mark.parametrize(
    ("exponent", "slots"), [(0.9, 3000), (1.0, 500), (1.3, 40_000), (0.0, 1000), (0.6, 100_000)]
)
def test_zipf_draws_follow_the_power_law(exponent: float, slots: int) -> None:
    drawn = np.sort(np.bincount(draw(Zipf(exponent), slots, 400_000), minlength=slots))[::-1]
    share = np.arange(1, slots + 1.0) ** -exponent
    share /= share.sum()
    head = min(20, slots)
    if exponent > 0.5:
        want = share[:head] * 400_000
        assert np.abs(drawn[:head] - want).max() < 6 * np.sqrt(want.max())
    touched = (1 - (1 - share) ** 400_000).sum()
    spread = ((1 - share) ** 400_000 * (1 - (1 - share) ** 400_000)).sum()
    assert abs((drawn > 0).sum() - touched) <= 5 * np.sqrt(spread) + 1e-3 * touched


@given(count=st.integers(1, 3000), exponent=st.sampled_from([0.0, 1e-9, 0.5, 1.0, 1.7, 4.0]))
def test_zipf_tables_give_each_rank_its_share(count: int, exponent: float) -> None:
    _, _, keep, alias = zipf_cells(count, exponent)
    mass = (keep + np.bincount(alias, 1 - keep, minlength=count)) / count
    weights = np.arange(1, count + 1) ** -exponent
    assert np.abs(mass - weights / weights.sum()).max() < 1e-12
    assert ((keep >= 0) & (keep <= 1)).all()


@pytest.mark.parametrize("exponent", [0.0, 0.5, 0.9, 1.0, 1.7])
def test_zipf_cells_have_the_mass_of_their_ranks(exponent: float) -> None:
    count = 500_000_000
    first, width, keep, alias = zipf_cells(count, exponent)
    assert len(first) <= 65_536
    assert first[0] == 0
    assert first[-1] + width[-1] == count
    assert (first[1:] == first[:-1] + width[:-1]).all()
    # What Walker's tables give each cell: its own share, and what others pass on to it.
    mass = (keep + np.bincount(alias, 1 - keep, minlength=len(keep))) / len(keep)
    split = np.searchsorted(first, 10_000_000)
    head = mass[:split].sum()

    def weight(n: float) -> float:
        if exponent == 1:
            return float(special.digamma(n + 1) - special.digamma(1))
        if exponent > 1:
            return float(special.zeta(exponent) - special.zeta(exponent, n + 1))
        # Euler and Maclaurin for the partial sums of a divergent series.
        return n ** (1 - exponent) / (1 - exponent) + _zeta(exponent) + n**-exponent / 2

    assert head == pytest.approx(weight(float(first[split])) / weight(float(count)), rel=1e-5)


def _zeta(s: float) -> float:
    """Riemann's zeta for 0 <= s < 1, by the alternating series."""
    n = np.arange(1, 2_000_001)
    terms = np.where(n % 2, 1.0, -1.0) * n ** -float(s)
    return float((terms[:-1].sum() + terms.sum()) / 2 / (1 - 2 ** (1 - s)))


@given(count=st.integers(1, 3000), run=st.integers(1, 300))
def test_scatter_is_a_bijection(count: int, run: int) -> None:
    placed = Scatter(count, run, generator(ROOT, count))(np.arange(count, dtype=np.int64))
    assert sorted(placed.tolist()) == list(range(count))


def test_scatter_holds_for_petabytes() -> None:
    count = 1 << 38
    placed = Scatter(count, 1, generator(ROOT, "big"))(np.arange(count - 1000, count, dtype=np.int64))
    assert placed.min() >= 0
    assert placed.max() < count
    assert len(set(placed.tolist())) == 1000


def test_hot_part_takes_its_share_and_is_as_large_as_said() -> None:
    drawn = np.bincount(draw(parse_access("hot(10 %, 90 %, 4 KiB)"), 1000, 500_000), minlength=1000)
    hot = np.sort(drawn)[::-1][:100].sum() / 500_000
    assert hot == pytest.approx(0.9, abs=5 * np.sqrt(0.09 / 500_000))


def test_sequential_goes_round() -> None:
    assert draw(Sequential(), 7, 20).tolist() == [i % 7 for i in range(20)]


@given(slots=st.integers(1, 400), stride=st.integers(1, 500))
def test_strided_visits_every_slot_once_a_pass(slots: int, stride: int) -> None:
    drawn = draw(Strided(stride * 512), slots, slots, grain=512)
    assert sorted(drawn.tolist()) == list(range(slots))
    lane = -(-slots // min(stride, slots))
    steps = np.diff(drawn[:lane])
    assert (steps == min(stride, slots)).all()


def test_runs_keep_popular_neighbours_together() -> None:
    def pieces(kind: Access) -> int:
        drawn = draw(kind, 1 << 20, 20_000)
        return len(np.unique(drawn // 256))

    assert pieces(Zipf(1.0, 256 * 4096)) < pieces(Zipf(1.0)) * 0.7


def test_a_uniform_draw_is_uniform() -> None:
    drawn = np.bincount(draw(Uniform(), 64, 100_000), minlength=64)
    assert stats.chisquare(drawn).pvalue > 1e-3
