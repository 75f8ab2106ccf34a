"""Each application writes when, how unevenly and where it says: closed forms of folding, windows, bursts."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from drsim.workload.columns import Writes, join
from drsim.workload.stream import Stream
from drsim.workload.timechange import WEEK_S

HOUR = 3600.0
SIZE = 200 << 20


def drawn(app: str, part: str | None = None, blocks: int = 2, **more: object) -> Writes:
    rate = {} if app.startswith("vdi") else {"rate": "1 MB/s"}
    stream = Stream(volume="g/v", app=app, part=part, **(rate | more))
    return join(list(islice(stream.blocks(np.random.SeedSequence(17), SIZE, Path()), blocks)))


def distinct(writes: Writes, grain: int) -> int:
    first, last = writes.offset // grain, (writes.offset + writes.length - 1) // grain
    return len(np.unique(np.concatenate([np.arange(a, b + 1) for a, b in zip(first, last, strict=True)])))


@pytest.mark.parametrize(
    ("app", "part", "exponent", "grain", "area"),
    [
        ("oltp", "tables", 0.9, 8192, 1.0),
        ("mail", "database", 0.7, 32_768, 1.0),
        ("catalogue", "index", 0.5, 16_384, 1.0),
    ],
)
def test_pages_of_a_database_fold_as_a_power_law_says(
    app: str, part: str, exponent: float, grain: int, area: float
) -> None:
    """Of n draws from k**-s the distinct ones are on average the sum of 1 - (1 - p_k)**n."""
    writes = drawn(app, part)
    assert set(writes.length.tolist()) == {grain}
    p = np.arange(1, int(SIZE * area) // grain + 1.0) ** -exponent
    missed = (1 - p / p.sum()) ** len(writes)
    spread = float(np.sqrt((missed * (1 - missed)).sum()))
    assert abs(distinct(writes, grain) - float((1 - missed).sum())) <= 5 * spread + 2


def test_a_page_file_is_written_over_and_over() -> None:
    """Uniform over 5 % of C:: a block is missed by a write of k blocks with probability 1 - k / N."""
    writes = drawn("page-file")
    number = SIZE // 20 // 4096
    assert writes.offset.max() + writes.length.max() <= SIZE // 20 + 65_536
    missed = float(np.exp(np.log1p(-writes.length / 4096 / number).sum()))
    assert distinct(writes, 4096) == pytest.approx(number * (1 - missed), rel=0.01)
    assert writes.nbytes / (distinct(writes, 4096) * 4096) > 20


@pytest.mark.parametrize(("app", "part"), [("defragmentation(4)", None), ("load", "tables"), ("load", "log")])
def test_what_runs_through_the_volume_folds_not_at_all(app: str, part: str | None) -> None:
    writes = drawn(app, part, blocks=1)
    once = writes.slice(0, SIZE // int(writes.length[0]))
    assert distinct(once, 4096) * 4096 == once.nbytes


@pytest.mark.parametrize("app", ["oltp", "file-server", "mail", "vmfs(40)", "vdi(50)"])
def test_hot_places_are_written_again(app: str) -> None:
    writes = drawn(app, blocks=4)
    assert distinct(writes, 4096) * 4096 < 0.6 * writes.nbytes


@pytest.mark.parametrize(
    ("app", "windows"),
    [
        ("batch(4)", [(day * 24 + 22, day * 24 + 26) for day in (-1, 0, 1, 2, 3, 6)]),
        ("vdi-boot(10)", [(day * 24 + 8, day * 24 + 8.5) for day in range(5)]),
        ("defragmentation(4)", [(6 * 24 + 1, 6 * 24 + 5)]),
        ("catalogue(6)", [(day * 24 + 21, day * 24 + 27) for day in range(-1, 7)]),
    ],
)
def test_nightly_and_morning_work_keeps_to_its_hours(app: str, windows: list[tuple[float, float]]) -> None:
    writes = drawn(app, blocks=60, **({} if app.startswith("vdi") else {"rate": "1 /s"}))
    hour = writes.time[writes.time < WEEK_S] / HOUR
    inside = np.zeros(len(hour), np.bool_)
    for begin, end in windows:
        inside |= (hour >= begin) & (hour <= end)
    assert len(hour) > 1000
    assert inside.all()


def dispersion(app: str, part: str | None, window: float = 10.0) -> float:
    writes = drawn(app, part, blocks=30, calendar=[1] * 24)
    counts = np.bincount((writes.time / window).astype(np.int64))[:-1]
    return float(counts.var() / counts.mean())


@pytest.mark.parametrize(
    ("app", "part", "bursty"),
    [
        ("oltp", "log", True),
        ("oltp", "tables", True),
        ("mail", "log", True),
        ("file-server", "data", True),
        ("page-file", None, True),
        ("vmfs(40)", None, True),
        ("vdi(50)", "profiles", True),
        ("vdi-caches(50)", None, True),
        ("catalogue(6)", "index", True),
        ("batch(4)", None, False),
        ("load", "tables", False),
        ("vdi-boot(50)", None, False),
        ("defragmentation(4)", None, False),
    ],
)
def test_bursts_are_there_and_only_where_they_should_be(app: str, part: str | None, bursty: bool) -> None:
    """Index of dispersion of counts in 10 s: 1 for independent writes, far above it for bursts."""
    found = dispersion(app, part)
    assert found > 3 if bursty else 0.8 < found < 1.25
