"""Tables in terminals of any width: every cell is there, beside its row's name and below or beside its head."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.cli.table import table
from drsim.report.layout import lines

WORD = st.text("ab→ 7", min_size=1, max_size=9).map(lambda text: f"{text}.")


Table = tuple[list[str], list[list[str]], int]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Heads, rows (each cell is another one), and how many columns are names."""
    columns = draw(st.integers(1, 6))
    left = draw(st.integers(1, min(2, columns)))
    heads = [f"h{i}{draw(WORD)}" for i in range(columns)]
    count = draw(st.integers(0, 4))
    return heads, [[f"{r},{i}{draw(WORD)}" for i in range(columns)] for r in range(count)], left


def drawn(heads: list[str], rows: list[list[str]], left: int, room: int | None) -> list[str]:
    placed = lines([heads], rows, left, room)
    return ["".join(" " * gap + cell for gap, cell in line) for line in placed]


@given(tables())
def test_where_there_is_room_each_cell_is_below_its_head(given: Table) -> None:
    heads, rows, left = given
    head, *told = drawn(heads, rows, left, None)
    assert len(told) == len(rows)
    for column, name in enumerate(heads):
        begin, end = head.index(name), head.index(name) + len(name)
        for line, row in zip(told, rows, strict=True):
            at = line.index(row[column])
            assert at == begin if column < left else at + len(row[column]) == end


@given(tables(), st.integers(1, 70))
def test_where_there_is_not_nothing_is_lost_and_each_piece_is_a_table(given: Table, room: int) -> None:
    heads, rows, left = given
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    told = drawn(heads, rows, left, room)
    if max(map(len, drawn(heads, rows, left, None))) <= room:
        assert told == drawn(heads, rows, left, None)
    elif sum(widths[:left]) + 2 * left + max(widths[left:], default=1) > room:
        widest = max(map(len, heads)) + 2
        pairs = [zip(heads, row, strict=True) for row in rows]
        lists = ["\n".join(head.ljust(widest) + cell for head, cell in row) for row in pairs]
        assert "\n".join(told) == "\n\n".join(lists)
    else:
        names, numbers = [*range(left)], [*range(left, len(heads))]
        for piece in [list(lines) for blank, lines in groupby(told, key=lambda line: not line) if not blank]:
            shown = [number for number in numbers if heads[number] in piece[0]]
            part = [*names, *shown]
            cells = [[row[i] for i in part] for row in rows]
            assert piece == drawn([heads[i] for i in part], cells, left, None)
            assert max(map(len, piece)) <= room
            assert numbers[: len(shown)] == shown
            numbers = numbers[len(shown) :]
        assert numbers == []


def test_a_command_takes_the_terminal_s_width_and_a_pipe_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    heads, rows = ("name", "first", "second"), (("a", "1", "2"),)
    monkeypatch.setenv("COLUMNS", "14")
    assert (
        table(heads, rows)
        == "name  first\n----  -----\na         1\n\nname  second\n----  ------\na          2"
    )
    monkeypatch.setenv("COLUMNS", "9")
    assert table(heads, rows) == "name    a\nfirst   1\nsecond  2"
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr("sys.__stdout__", None)
    assert table(heads, rows) == "name  first  second\n----  -----  ------\na         1       2"
