"""The summary in a terminal: verdict first, then what failed, then the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from drsim.report import values
from drsim.report.findings import share, verdict, worst
from drsim.report.source import Source

_STYLES = {True: ("PASSED", "bold green"), False: ("FAILED", "bold red"), None: ("DONE", "bold")}


def show(source: Source, console: Console, directory: Path | None = None) -> None:
    """Print a run's results.

    Args:
        source: the results.
        console: where to; it decides about colour (none when piped or with ``NO_COLOR``).
        directory: where the results lie, named in the last line.
    """
    for part in parts(source, directory):
        console.print(part)


def parts(source: Source, directory: Path | None = None) -> Iterator[RenderableType]:
    """The pieces of the printed summary, in order."""
    passed, text = verdict(source)
    word, style = _STYLES[passed]
    yield Text.assemble((f"{word} ", style), (source.title, "bold"), f": {text}")
    if passed is not True and (line := worst(source)):
        yield Text(line)
    yield from _expectations(source)
    yield _targets(source)
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


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=index > 0)
    return table


def _targets(source: Source) -> Table:
    table = _table(
        "group → target", "RPO", "lag p50", "p99", "max", "beyond RPO", "no image", "journal", "loss p99"
    )
    for group, target, facts in source.targets():
        rpo = facts.get("rpo_s")
        late = facts.get("violation_s") or 0.0
        beyond = Text("never" if rpo is not None else "-")
        if late:
            part = late / source.duration_s if source.duration_s else 0.0
            beyond = Text(f"{values.duration(late)} ({share(part)})", style="red")
        table.add_row(
            Text(f"{group} → {target}"),
            "-" if rpo is None else values.duration(rpo),
            *(values.duration(facts.get(f"lag_{name}_s")) for name in ("p50", "p99", "max")),
            beyond,
            _if_any(facts.get("exposure_s"), values.duration),
            values.size(facts.get("journal_peak_bytes", facts.get("backlog_peak_bytes"))),
            values.size(facts.get("loss_p99_bytes")),
        )
    return table


def _if_any(value: Any, show_value: Any) -> Text:
    return Text(show_value(value), style="red") if value else Text("never")


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


def _last(source: Source, directory: Path | None) -> Text:
    facts = source.summary
    text = f"{values.count(facts.get('writes'))} writes over {values.duration(facts['duration_s'])}"
    if facts.get("wall_s") is not None:
        text += f", simulated in {values.duration(facts['wall_s'])}"
    if directory is not None:
        text += f"; results in {directory}"
    return Text(text, style="dim")
