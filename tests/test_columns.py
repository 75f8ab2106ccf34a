"""A queue of columns is a list of rows, in memory and in a file; what lies in the file goes when nobody holds it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim import columns
from drsim.columns import ColumnQueue

FULL = {"IN_MEMORY": 1 << 40, "LONG": 1 << 40}
TINY = {"IN_MEMORY": 4, "LONG": 2, "_FILE": 256, "_READ": 64}
Rows = list[tuple[int, float, int]]


def push(queue: ColumnQueue, plain: Rows, rows: Rows) -> None:
    """Rows at the end; the last column is one value again and again, kept as one."""
    time, half = (np.array([row[i] for row in rows], kind) for i, kind in enumerate((np.int64, np.float64)))
    queue.push(time, half, np.broadcast_to(np.int16(7), time.shape))
    plain += rows


def rows_of(columns_: tuple[np.ndarray, ...]) -> Rows:
    return list(zip(*(column.tolist() for column in columns_), strict=True))


CHUNKS = st.lists(st.lists(st.integers(0, 3), max_size=9), max_size=12)
STEPS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["left", "right"])), max_size=6)


@pytest.mark.parametrize("limits", [FULL, TINY])
@given(chunks=CHUNKS, steps=STEPS)
def test_a_queue_is_a_list_wherever_its_rows_lie(limits, chunks, steps):
    with mock.patch.multiple(columns, **limits):
        queue, plain, top = ColumnQueue(np.int64, np.float64, np.int16), [], 0
        for gaps in chunks:
            times = (top + np.cumsum(np.array(gaps, np.int64))).tolist()
            top = times[-1] if times else top
            push(queue, plain, [(time, time / 2, 7) for time in times])
        assert queue.first() == (plain[0][0] if plain else np.inf)
        assert queue.last() == (plain[-1][0] if plain else -np.inf)
        for bound, side in steps:
            plain = taken_both_ways(queue, plain, bound, side)
            assert len(queue) == len(plain)
            for value in {row[0] for row in plain}:
                same = [row for row in plain if row[0] == value]
                assert queue.nth(0, value, len(same) - 1) == same[-1]
                with pytest.raises(IndexError):
                    queue.nth(0, value, len(same))
            if plain:
                assert queue.nth(2, 7, len(plain) - 1) == plain[-1]


def taken_both_ways(queue: ColumnQueue, plain: Rows, bound: int, side: str) -> Rows:
    """By bound, put back; by count, of a copy; then the first and the newest row."""
    count = sum(row[0] < bound or (side == "right" and row[0] == bound) for row in plain)
    assert side == "left" or queue.due(bound) == count
    twin = queue.copy()
    taken = queue.take(bound, side)
    assert rows_of(taken) == plain[:count]
    assert rows_of(twin.pop(count)) == plain[:count]
    assert rows_of(twin.all()) == plain[count:] == rows_of(queue.all())
    queue.push_front(*taken)
    parts = []
    while len(part := queue.take(bound, side, 1)[0]):
        parts += part.tolist()
    assert parts == [row[0] for row in plain[:count]]
    plain = plain[count:]
    assert rows_of(queue.take_one()) == plain[:1]
    plain = plain[1:]
    newest = min(2, len(plain))
    assert rows_of(queue.newest(newest)) == plain[len(plain) - newest :]
    queue.drop_newest(newest)
    return plain[: len(plain) - newest]


@pytest.mark.parametrize("limits", [FULL, TINY])
def test_rows_that_had_to_wait(limits):
    with mock.patch.multiple(columns, **limits):
        queue = ColumnQueue(np.float64, np.int64)
        for begin in (0, 4, 8):
            queue.push(np.arange(begin, begin + 4, dtype=np.float64), np.arange(begin, begin + 4))
        queue.raise_first(2.5)
        assert queue.pop(2)[0].tolist() == [2.5, 1.0]
        queue.raise_all(6.0)
        assert queue.all()[0].tolist() == [6.0] * 5 + [7.0, 8.0, 9.0, 10.0, 11.0]
        assert queue.all()[1].tolist() == list(range(2, 12))
        queue.clear()
        assert rows_of(queue.all()) == []


@pytest.fixture
def maps() -> Iterator[Callable[[], int]]:
    """How many files are mapped, in an attic of the test's own."""
    attic = columns._Attic()
    with mock.patch.multiple(columns, _attic=attic, **TINY):
        yield lambda: len(attic._maps)


def filled() -> ColumnQueue:
    queue = ColumnQueue(np.float64, np.int64)
    for begin in range(0, 4000, 20):
        rows = np.arange(begin, begin + 20)
        queue.push(rows.astype(np.float64), rows)
    return queue


def test_the_room_of_what_was_taken_is_free(maps):
    queue = filled()
    assert maps() > 100, "most of it lies in files"
    for _ in range(190):
        queue.pop(20)
    assert maps() <= 2 * 10 + 1
    kept = queue.pop(20)[1]
    del queue
    gc.collect()
    assert maps() <= 2, "one for what comes, one for what is still held"
    assert kept.tolist() == list(range(3800, 3820))


def test_what_waits_is_counted_until_it_is_gone(maps):
    before = columns._attic.waiting
    queue = filled()
    assert columns._attic.waiting == before + 8000
    queue.pop(1000)
    twin = queue.copy()
    assert columns._attic.waiting == before + 12000
    twin.clear()
    del queue
    assert columns._attic.waiting == before


def test_a_full_disk_leaves_the_rows_in_memory(maps):
    with mock.patch("os.posix_fallocate", side_effect=OSError("no room")):
        queue = filled()
    assert maps() == 0
    assert queue.all()[1].tolist() == list(range(4000))


def test_a_fork_does_not_write_where_its_parent_does(maps):
    queue = filled()
    there = maps()
    with mock.patch("os.getpid", return_value=-2):
        queue.push(np.arange(2.0) + 5000, np.array([1, 2]))
        assert maps() == there + 1
    assert queue.pop(4000)[1].tolist() == list(range(4000))
