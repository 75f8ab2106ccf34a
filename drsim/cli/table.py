"""Plain tables for terminals: aligned columns, no colour, nothing that breaks when piped."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from drsim.report.layout import lines


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Rows under their heads, within the terminal's width where there is a terminal.

    The first ``left`` columns stand flush left, the others (numbers) flush right.
    """
    rules = ["-" * max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    placed = lines([heads, rules], rows, left, room())
    return "\n".join("".join(" " * gap + cell for gap, cell in line).rstrip() for line in placed)


def room() -> int | None:
    """Width of the terminal, or ``COLUMNS``; None where neither is there."""
    return shutil.get_terminal_size((0, 0)).columns or None
