"""A stream's writes: the same whoever looks at them and however, at the rate it states, inside its volume."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from drsim.workload.columns import Writes
from drsim.workload.stream import Stream

MADE = [
    {"rate": "500 /s"},
    {"rate": "2 MB/s", "arrivals": "poisson", "size": "8 KiB", "calendar": "office", "access": "zipf(0.9)"},
    {
        "rate": "90 /s",
        "arrivals": "onoff(10 s, 50 s)",
        "size": {"4 KiB": "70 %", "64 KiB": "30 %"},
        "trims": "5 %",
    },
    {
        "rate": "1 MB/s",
        "arrivals": "mmpp(10, 1 min, 20 min)",
        "size": "lognormal(16 KiB, 1.0)",
        "access": "uniform",
    },
    {"rate": "300 /s", "arrivals": "pareto(1.4, 50)", "access": "hot(10 %, 90 %)", "growth": "30 %"},
    {"rate": "300 /s", "arrivals": "bmodel(0.7)", "access": "strided(1 MiB)", "area": ["10 %", "30 %"]},
    {
        "peak": "300 /s",
        "arrivals": "poisson",
        "calendar": "window(22:00, 4 h, Mon-Fri)",
        "access": "zipf(1.1, 1 MiB)",
    },
]
SIZE = 10**10 + 123


def take(spec: dict, blocks: int, seed: int = 1, size: int = SIZE, offset_s: float = 0.0) -> list[Writes]:
    source = Stream(volume="g/v", **spec).blocks(np.random.SeedSequence(seed), size, Path(), offset_s)
    return [next(source) for _ in range(blocks)]


@pytest.mark.parametrize("spec", MADE, ids=str)
def test_columns_are_what_they_promise(spec: dict) -> None:
    last = 0.0
    for block in take(spec, 6):
        assert len(block) == 16_384
        assert block.time.dtype == np.float64
        assert block.time[0] >= last
        assert (np.diff(block.time) >= 0).all()
        last = block.time[-1]
        assert block.offset.dtype == block.length.dtype == np.int64
        assert block.kind.dtype == np.uint8
        assert block.offset.min() >= 0
        assert (block.offset + block.length).max() <= SIZE
        assert block.length.min() > 0
        assert (block.offset % 4096 == 0).all()


@pytest.mark.parametrize("spec", MADE, ids=str)
def test_addresses_do_not_depend_on_who_looks(spec: dict) -> None:
    eager = take(spec, 5)
    drawn = [block.offset.copy() for block in eager]
    lazy = take(spec, 5)
    only_fourth = lazy[3].slice(100, 200).offset
    assert np.array_equal(only_fourth, drawn[3][100:200])
    for a, b in zip(eager, take(spec, 5), strict=True):
        assert np.array_equal(a.time, b.time)
        assert np.array_equal(a.length, b.length)
        assert np.array_equal(a.kind, b.kind)


def test_every_purpose_draws_from_a_stream_of_its_own() -> None:
    plain = {"rate": "500 /s", "arrivals": "poisson", "access": "uniform"}
    one, other = take(plain, 2)[1], take(plain | {"trims": "50 %", "size": "4 KiB"}, 2)[1]
    assert np.array_equal(one.time, other.time)
    assert np.array_equal(one.offset, other.offset)
    assert not np.array_equal(one.kind, other.kind)
    assert not np.array_equal(one.time, take(plain, 2, seed=2)[1].time)


def test_regular_writes_come_exactly_on_time_from_the_volumes_start() -> None:
    block = take({"rate": "500 /s"}, 3)[2]
    index = np.arange(2 * 16_384, 3 * 16_384)
    assert np.array_equal(block.time, (index + 1) / 500)
    assert np.array_equal(block.offset, index * 4096)


def test_sequential_writes_go_round_a_small_volume() -> None:
    block = take({"rate": "500 /s", "size": "8 KiB"}, 1, size=5 * 8192 + 100)[0]
    assert np.array_equal(block.offset, np.arange(16_384) % 5 * 8192)


def test_slices_and_rows_share_the_columns() -> None:
    block = take({"rate": "500 /s", "arrivals": "poisson", "access": "uniform"}, 1)[0]
    part = block.slice(10, 20)
    assert len(part) == 10
    assert np.array_equal(part.offset, block.offset[10:20])
    rows = np.array([3, 1, 2])
    assert np.array_equal(block.take(rows).offset, block.offset[rows])
    assert part.nbytes == 40_960


@pytest.mark.parametrize(
    ("spec", "mean"),
    [
        ({"rate": "2 MB/s", "size": "8 KiB"}, 2e6),
        ({"rate": "500 /s", "size": {"4 KiB": "50 %", "12 KiB": "50 %"}}, 500 * 8192.0),
        ({"peak": "1 MB/s", "calendar": "window(00:00, 6 h)"}, 250_000.0),
    ],
)
def test_mean_rate_is_in_bytes(spec: dict, mean: float) -> None:
    assert Stream(volume="g/v", **spec).mean_rate == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({}, "either 'rate' or 'peak'"),
        ({"rate": "2 MB/s", "peak": "3 MB/s"}, "either 'rate' or 'peak'"),
        ({"rate": "0 /s"}, "must write something"),
        ({"rate": "2 MB"}, "is not a unit of rate"),
        ({"rate": "1 /s", "access": "zpif(0.9)"}, "there is no access 'zpif'"),
        ({"rate": "1 /s", "access": "zipf"}, "has 0 arguments"),
        ({"rate": "1 /s", "access": "hot(10 %, 1.5)"}, "has no unit"),
        ({"rate": "1 /s", "arrivals": "pareto(3, 10)"}, "alpha must lie between 1 and 2"),
        ({"rate": "1 /s", "size": {"4 KiB": "40 %"}}, "come to 0.4"),
        ({"rate": "1 /s", "calendar": [1, 2]}, "24 or 168"),
        ({"rate": "1 /s", "area": ["50 %", "10 %"]}, "ends before it begins"),
    ],
)
def test_bad_entries_say_what_is_wrong(spec: dict, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Stream(volume="g/v", **spec)


@pytest.mark.parametrize("spec", MADE, ids=str)
def test_an_entry_is_written_back_as_it_was_read(spec: dict) -> None:
    stream = Stream(volume="g/v", **spec)
    back = stream.model_dump(exclude_unset=True)
    assert back == {"volume": "g/v", **spec} | ({"area": tuple(spec["area"])} if "area" in spec else {})
    assert Stream(**back).mean_rate == stream.mean_rate


def test_a_write_that_cannot_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        take({"rate": "1 /s", "size": "1 MiB"}, 1, size=1000)


def test_an_entry_that_is_off_writes_nothing_and_leaves_others_alone() -> None:
    stream = Stream(volume="g/v", rate="1 MB/s", off=True)
    assert list(stream.blocks(np.random.SeedSequence(1), 10**9, Path())) == []
    assert (stream.mean_rate, stream.finite) == (0.0, True)
