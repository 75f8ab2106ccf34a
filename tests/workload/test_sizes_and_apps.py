"""Sizes have their exact means, streams merge in time order, applications write at the rate they state."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drsim.blocks.undrawn import undrawn
from drsim.workload import apps
from drsim.workload.columns import Writes
from drsim.workload.merge import merge
from drsim.workload.sizes import parse_sizes
from drsim.workload.stream import Stream
from drsim.workload.timechange import WEEK_S

RNG = np.random.Generator(np.random.SFC64(5))


@pytest.mark.parametrize(
    "sizes", ["8 KiB", {"4 KiB": "70 %", "64 KiB": "30 %"}, "lognormal(16 KiB, 1.0)"], ids=str
)
def test_drawn_lengths_have_the_tables_moments(sizes: object) -> None:
    table = parse_sizes(sizes).table()
    assert table.share.sum() == pytest.approx(1, abs=1e-12)
    drawn = table.draw(RNG, 200_000)
    spread = float(np.sqrt((table.length**2) @ table.share - table.mean**2))
    assert abs(drawn.mean() - table.mean) <= 4.5 * spread / np.sqrt(len(drawn))
    assert set(np.unique(drawn)) <= set(table.length.tolist())


def test_lognormal_keeps_its_median() -> None:
    table = parse_sizes("lognormal(16 KiB, 1.0)").table()
    upto = np.cumsum(table.share)
    assert upto[np.searchsorted(table.length, 16_384)] == pytest.approx(0.5, abs=1e-9)


columns = st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=5)


@given(streams=st.lists(columns, min_size=1, max_size=4))
def test_merging_is_sorting(streams: list[list[list[int]]]) -> None:
    def blocks(number: int, lists: list[list[int]]) -> Iterator[Writes]:
        now = 0
        for gaps in lists:
            time = np.cumsum(np.array(gaps, np.float64)) + now
            now = float(time[-1]) if len(time) else now
            n = len(gaps)
            mark = np.arange(n, dtype=np.int64) + 1000 * number
            yield Writes(time, undrawn(n, lambda m=mark: m), np.full(n, 512), np.zeros(n, np.uint8))

    merged = list(merge([blocks(i, s) for i, s in enumerate(streams)]))
    time = np.concatenate([np.empty(0), *(b.time for b in merged)])
    source = np.concatenate([np.empty(0, np.int64), *(b.offset for b in merged)])
    alone = [
        [(t, o) for b in blocks(i, s) for t, o in zip(b.time, b.offset, strict=True)]
        for i, s in enumerate(streams)
    ]
    assert (np.diff(time) >= 0).all()
    assert sorted(zip(time, source, strict=True)) == sorted(x for s in alone for x in s)
    for i, own in enumerate(alone):
        mine = source // 1000 == i
        assert list(zip(time[mine], source[mine], strict=True)) == own


# Enough for a few weeks each; heavy-tailed bursts converge slowly, so their bounds are wide.
@pytest.mark.parametrize("name", apps.KINDS)
def test_an_application_writes_at_the_rate_it_states(name: str) -> None:
    app = apps.KINDS[name].FORM.replace("200", "10")
    stream = Stream(volume="g/v", app=app, **({} if name.startswith("vdi") else {"rate": "8 KB/s"}))
    if name.startswith("vdi"):
        stream = Stream(volume="g/v", app=app, rate=f"{stream.mean_rate / 3000} B/s")
    source = stream.blocks(np.random.SeedSequence(11), 10**11, Path(), 0.0)
    nbytes, last = 0, 0.0
    while last < 4 * WEEK_S:
        block = next(source)
        keep = int(np.searchsorted(block.time, 4 * WEEK_S))
        nbytes += block.slice(0, keep).nbytes
        last = float(block.time[-1])
        assert (block.offset >= 0).all()
        assert (block.offset + block.length <= 10**11).all()
    assert nbytes / (4 * WEEK_S) == pytest.approx(stream.mean_rate, rel=0.1)


def test_a_part_takes_its_share_and_its_own_kinds() -> None:
    log = Stream(volume="g/v", app="oltp", part="log", rate="3 MB/s")
    assert log.mean_rate == pytest.approx(0.33 * 3e6)
    block = next(log.blocks(np.random.SeedSequence(1), 10**9, Path()))
    assert (np.diff(block.offset)[:50] > 0).all()
    assert Stream(volume="g/v", app="oltp", rate="3 MB/s").mean_rate == pytest.approx(3e6)


def test_an_applications_rate_may_be_in_writes() -> None:
    stream = Stream(volume="g/v", app="oltp", rate="100 /s")
    assert sum(recipe.rate for recipe in stream.recipes().values()) == pytest.approx(100)


def test_keys_beside_an_application_replace_those_of_its_parts() -> None:
    stream = Stream(volume="g/v", app="oltp", rate="3 MB/s", calendar="window(01:00, 1 h)")
    assert {type(recipe.calendar).__name__ for recipe in stream.recipes().values()} == {"Window"}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"app": "oltp"}, "needs a 'rate'"),
        ({"app": "oltb", "rate": "1 MB/s"}, "there is no application 'oltb'"),
        ({"app": "oltp", "part": "logs", "rate": "1 MB/s"}, "there is no part of oltp 'logs'"),
        ({"part": "log", "rate": "1 MB/s"}, "of no application"),
        ({"app": "oltp", "peak": "1 MB/s"}, "no 'peak'"),
        ({"app": "vdi(many)"}, "not a whole number"),
    ],
)
def test_bad_applications_say_what_is_wrong(spec: dict, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Stream(volume="g/v", **spec)


def test_every_application_names_shares_that_come_to_one() -> None:
    for kind in apps.KINDS.values():
        parts = apps.parse_app(kind.FORM).parts()
        assert sum(part["share"] for part in parts.values()) == pytest.approx(1)
