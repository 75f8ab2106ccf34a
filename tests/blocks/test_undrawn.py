"""A column that is drawn when somebody looks: the same as an array, and drawn by nobody who only passes it on."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks.batch import WriteBatch, chosen, concat, joined
from drsim.blocks.undrawn import undrawn
from drsim.columns import ColumnQueue

VALUES = st.lists(st.integers(0, 1 << 40), min_size=1, max_size=20)


class Drawer:
    """Draws a column, and counts how often."""

    def __init__(self, values: list[int]) -> None:
        self.values = np.array(values, np.int64)
        self.times = 0

    def __call__(self) -> np.ndarray:
        self.times += 1
        return self.values


@given(VALUES, VALUES, st.data())
def test_it_is_the_array_it_becomes(first: list[int], second: list[int], data: st.DataObject) -> None:
    drawers = Drawer(first), Drawer(second)
    column = joined([undrawn(len(each.values), each) for each in drawers])
    array = np.concatenate([each.values for each in drawers])
    begin, end = sorted(data.draw(st.tuples(st.integers(0, len(array)), st.integers(0, len(array)))))
    rows = np.array(data.draw(st.lists(st.integers(0, len(array) - 1), max_size=9)), np.int64)
    part, some = column[begin:end], chosen(column, rows)
    assert (len(column), len(part), len(some)) == (len(array), end - begin, len(rows))
    assert [each.times for each in drawers] == [0, 0]
    assert np.array_equal(part, array[begin:end])
    assert np.array_equal(some, array[rows])
    assert np.array_equal(column[rows], array[rows])
    assert np.array_equal(column // 512 + column, array // 512 + array)
    assert np.array_equal(1 - column[-3:], 1 - array[-3:])
    assert np.array_equal(column[::2] <= 7, array[::2] <= 7)
    assert (int(column[0]), column.max(), column.tolist()) == (int(array[0]), array.max(), array.tolist())
    assert np.bitwise_or.reduce(column) == np.bitwise_or.reduce(array)
    assert [each.times for each in drawers] == [1, 1]


@given(VALUES, st.integers(0, 20))
def test_queues_and_batches_pass_it_on_undrawn(values: list[int], cut: int) -> None:
    drawer, n = Drawer(values), len(values)
    queue = ColumnQueue(np.float64, np.int64)
    queue.push(np.arange(n, dtype=np.float64), undrawn(n, drawer))
    time, offset = (
        joined(each) for each in zip(queue.pop(min(cut, n)), queue.pop(n - min(cut, n)), strict=True)
    )
    same = np.ones(n, np.int64)
    batch = WriteBatch(same.cumsum(), time, same.astype(np.uint16), offset, same, np.zeros(n, np.uint8))
    again = concat([batch.slice(0, cut), batch.slice(cut, n)]).take(np.arange(n)[::-1])
    assert (again.nbytes, again.last, drawer.times) == (n, 1, 0)
    assert again.stop.tolist() == [each + 1 for each in reversed(values)]
    assert drawer.times == 1
