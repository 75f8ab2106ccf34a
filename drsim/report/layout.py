"""Where a table's cells stand in a terminal: side by side, and below each other where it is too narrow for that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from typing import TypeVar

Cell = TypeVar("Cell", bound=Sized)
Line = list[tuple[int, Cell]]
"""The cells of a line, each with the number of spaces before it."""

_GAP = 2


def lines(
    heads: Sequence[Sequence[Cell]], rows: Sequence[Sequence[Cell]], left: int = 1, room: int | None = None
) -> Iterator[Line[Cell]]:
    """A table's lines, none longer than ``room`` characters where that can be.

    Columns without room follow below, after an empty line, beside the names of their rows again. Where there is not
    even room for one beside the names, each row is a list of its own: a head and its cell in each line.

    Args:
        heads: lines that stand above the columns; the first names them.
        rows: the cells.
        left: how many columns are names: flush left and repeated; the others are numbers: flush right.
        room: width of the terminal; None for as much as it takes.
    """
    widths = [max(len(row[i]) for row in (*heads, *rows)) for i in range(len(heads[0]))]
    found = _panels(widths, left, room)
    if not found:
        yield from _listed(heads[0], rows)
        return
    for number, panel in enumerate(found):
        if number:
            yield []
        for row in (*heads, *rows):
            yield _aligned([row[i] for i in panel], [widths[i] for i in panel], left)


def _panels(widths: Sequence[int], left: int, room: int | None) -> list[list[int]]:
    """Columns that stand side by side, panel after panel; none where one column is too much."""
    names = [*range(left)]
    if room is None or sum(widths) + _GAP * (len(widths) - 1) <= room:
        return [[*range(len(widths))]]
    taken = sum(widths[:left]) + _GAP * left
    if taken + max(widths[left:], default=0) > room:
        return []
    panels: list[list[int]] = []
    free = 0
    for column in range(left, len(widths)):
        if not panels or widths[column] > free:
            panels.append([*names])
            free = room - taken
        panels[-1].append(column)
        free -= widths[column] + _GAP
    return panels


def _aligned(cells: Sequence[Cell], widths: Sequence[int], left: int) -> Line[Cell]:
    line: Line[Cell] = []
    gap = 0
    for number, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        spare = width - len(cell)
        line.append((gap if number < left else gap + spare, cell))
        gap = _GAP + (spare if number < left else 0)
    return line


def _listed(heads: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> Iterator[Line[Cell]]:
    widest = max(map(len, heads))
    for number, row in enumerate(rows):
        if number:
            yield []
        for head, cell in zip(heads, row, strict=True):
            yield [(0, head), (widest - len(head) + _GAP, cell)]
