"""The summary in a terminal: verdict first, then what failed, then the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from drsim.report import points, values
from drsim.report.findings import share, verdict, worst
from drsim.report.layout import lines
from drsim.report.recovery import HEAD, TENURE, recoveries, tenures
from drsim.report.source import Source

_STYLES = {True: ("PASSED", "bold green"), False: ("FAILED", "bold red"), None: ("DONE", "bold")}


def show(source: Source, console: Console, directory: Path | None = None) -> None:
    """Print a run's results.

    Args:
        source: the results.
        console: where to; it decides about colour (none when piped or with ``NO_COLOR``).
        directory: where the results lie, named in the last line.
    """
    for part in parts(source, directory, console.width):
        console.print(part, soft_wrap=True)


def parts(source: Source, directory: Path | None = None, width: int = 120) -> Iterator[Text]:
    """The pieces of the printed summary, in order, for a terminal ``width`` characters wide."""
    passed, text = verdict(source)
    word, style = _STYLES[passed]
    yield Text.assemble((f"{word} ", style), (source.title, "bold"), f": {text}")
    if passed is not True and (line := worst(source)):
        yield Text(line)
    yield from _expectations(source)
    yield _targets(source, width)
    for head, rows in (
        (HEAD, recoveries(source)),
        (TENURE, tenures(source)),
        (points.HEAD, points.timetables(source)),
        (points.HISTORY, points.histories(source)),
    ):
        if rows:
            yield _table(head, rows, width)
    if source.summary.get("links"):
        yield _links(source, width)
    yield _last(source, directory)


def _expectations(source: Source) -> Iterator[Text]:
    for each in source.summary.get("expectations") or []:
        mark, style = ("✓", "green") if each["passed"] else ("✗", "red")
        value = values.expected(each["expect"], each["value"])
        yield Text.assemble(
            "  ", (mark, style), f" {each['expect']}", (f"   is {value}", "dim" if each["passed"] else "")
        )


def _targets(source: Source, width: int) -> Text:
    heads = (
        "group → target",
        "RPO",
        "lag p50",
        "p99",
        "max",
        "beyond RPO",
        "no image",
        "journal",
        "loss p99",
    )
    rows = [[Text(f"{group} → {target}"), *_target(facts)] for group, target, facts in source.targets()]
    return _table(heads, rows, width)


def _target(facts: Mapping[str, Any]) -> list[Text]:
    rpo, late = facts.get("rpo_s"), facts.get("violation_s") or 0.0
    beyond = (
        Text(f"{values.duration(late)} ({share(facts['violation_fraction'])})", "red")
        if late
        else Text("never" if rpo else "-")
    )
    exposed = facts.get("exposure_s")
    return [
        Text("-" if rpo is None else values.duration(rpo)),
        *(Text(values.duration(facts.get(f"lag_{name}_s"))) for name in ("p50", "p99", "max")),
        beyond,
        Text(values.duration(exposed), "red") if exposed else Text("never"),
        Text(values.size(facts.get("journal_peak_bytes", facts.get("backlog_peak_bytes")))),
        Text(values.size(facts.get("loss_p99_bytes"))),
    ]


def _links(source: Source, width: int) -> Text:
    rows = []
    for name, facts in source.summary["links"].items():
        used, down = facts.get("utilisation"), facts.get("down_s") or 0.0
        rows.append(
            [
                name,
                share(used) if used is not None else "-",
                values.size(facts.get("carried_bytes")),
                values.duration(down) if down else "never",
            ]
        )
    return _table(("link", "used", "carried", "down"), rows, width)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str | Text]], width: int) -> Text:
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    placed = [*lines([[Text(head, style="dim") for head in heads]], cells, room=width)]
    if [] in placed:
        placed.append([])  # where it is in pieces, what follows must not look like one of them
    return Text("\n").join(
        Text.assemble(*(part for gap, cell in line for part in (" " * gap, cell))) for line in placed
    )


def _last(source: Source, directory: Path | None) -> Text:
    facts = source.summary
    text = f"{values.count(facts.get('writes'))} writes over {values.duration(facts['duration_s'])}"
    if facts.get("wall_s") is not None:
        text += f", simulated in {values.duration(facts['wall_s'])}"
    if directory is not None:
        text += f"; results in {directory}"
    return Text(text, style="dim")
