"""The summary in a terminal: verdict first, then what failed, then the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from drsim.report import points, values
from drsim.report.findings import share, verdict, worst
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
        console.print(part, soft_wrap=isinstance(part, Text))


def parts(source: Source, directory: Path | None = None, width: int = 120) -> Iterator[RenderableType]:
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
            table = _table(*head)
            for row in rows:
                table.add_row(*(Text(cell) for cell in row))
            yield table
    if source.summary.get("links"):
        yield _links(source)
    yield _last(source, directory)


def _expectations(source: Source) -> Iterator[Text]:
    for each in source.summary.get("expectations") or []:
        mark, style = ("✓", "green") if each["passed"] else ("✗", "red")
        value = values.expected(each["expect"], each["value"])
        yield Text.assemble(
            "  ", (mark, style), f" {each['expect']}", (f"   is {value}", "dim" if each["passed"] else "")
        )


def _targets(source: Source, width: int) -> Table:
    """A row for each target; what matters least is left out where the terminal is narrow."""
    heads = ("RPO", "lag p50", "p99", "max", "beyond RPO", "no image", "journal", "loss p99")
    rows = {f"{group} → {target}": _target(facts) for group, target, facts in source.targets()}
    shown = list(range(len(heads)))
    for spare in (7, 1, 6, 5, 0):
        needed = max((len(name) for name in rows), default=0)
        needed += sum(2 + max(len(heads[i]), *(len(row[i]) for row in rows.values())) for i in shown if rows)
        if needed <= width:
            break
        shown.remove(spare)
    table = _table("group → target", *(heads[i] for i in shown))
    for name, row in rows.items():
        table.add_row(Text(name), *(row[i] for i in shown))
    return table


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


def _links(source: Source) -> Table:
    table = _table("link", "used", "carried", "down")
    for name, facts in source.summary["links"].items():
        down = facts.get("down_s") or 0.0
        table.add_row(
            Text(name),
            share(facts["utilisation"]) if facts.get("utilisation") is not None else "-",
            values.size(facts.get("carried_bytes")),
            values.duration(down) if down else "never",
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index, column in enumerate(columns):
        side: Literal["left", "right"] = "right" if index else "left"
        table.add_column(column, justify=side, no_wrap=index > 0, overflow="fold")
    return table


def _last(source: Source, directory: Path | None) -> Text:
    facts = source.summary
    text = f"{values.count(facts.get('writes'))} writes over {values.duration(facts['duration_s'])}"
    if facts.get("wall_s") is not None:
        text += f", simulated in {values.duration(facts['wall_s'])}"
    if directory is not None:
        text += f"; results in {directory}"
    return Text(text, style="dim")
