"""Where a run's results go, and putting them there whole: numbers first, pictures beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drsim import __version__
from drsim.cli import brief
from drsim.cli.painter import Draw

if TYPE_CHECKING:
    from drsim.report.source import Source
    from drsim.scenario import Checked


@dataclass(frozen=True, slots=True)
class Kept:
    """A place for results: its directory, and the facts of the run for the manifest."""

    directory: Path
    facts: dict[str, Any]


def place(root: Path, checked: Checked, overrides: Sequence[tuple[str, str]]) -> Kept:
    """The directory that everything which can change the result leads to.

    Raises click.ClickException where nothing can be written there: better told before a long run than after.
    """
    from drsim import record

    scenario = checked.scenario
    data = scenario.model_dump(mode="json", by_alias=True)
    texts = [f"{path}={value}" for path, value in overrides]
    traces = {str(path): record.file_digest(path) for path in scenario.files()}
    key = record.result_key(data, overrides=texts, seed=scenario.seed, version=__version__, traces=traces)
    check_writable(root)
    facts = {
        "key": key,
        "scenario": scenario.name,
        "seed": scenario.seed,
        "scenario_text": scenario.text,
        "scenario_data": data,
        "overrides": texts,
        "traces": traces,
        "warnings": [warning.sentence for warning in checked.warnings],
    }
    return Kept(record.result_dir(root, scenario.name, key), facts)


def check_writable(root: Path) -> None:
    """Raise click.ClickException where nothing can be written."""
    there = next(path for path in (root, *root.absolute().parents) if path.exists())
    if not there.is_dir():
        raise click.ClickException(
            f"can't keep results in {root}: {there} is not a folder; choose one with -o"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise click.ClickException(f"can't keep results in {root}: no permission; choose a folder with -o")


def keep(kept: Kept, source: Source, draw: Draw | None) -> None:
    """Write the results, complete or not at all, then draw; results of the same key that lie there already are kept."""
    from drsim import record

    wall = {key: source.summary[key] for key in ("wall_s", "writes_per_wall_s")}
    record.write(
        kept.directory,
        summary=source.summary,
        tables=source.tables,
        manifest=kept.facts | {"passed": source.summary["passed"]},
        wall=wall,
    )
    if draw is not None:
        draw(kept.directory, source)


def ready() -> None:
    """Import what draws."""
    brief.import_matplotlib()
    from drsim.report import lagfigure  # noqa: F401


def draw(directory: Path, source: Source) -> None:
    """Draw the lag of each group into ``pictures/`` of a results directory, as PNG and SVG."""
    from drsim.record import safe_name

    ready()
    from drsim.report import style
    from drsim.report.lagfigure import lag_figure

    folder = directory / "pictures"
    folder.mkdir(exist_ok=True)
    for group in source.groups():
        stem = folder / f"lag-{safe_name(group)}"
        if not stem.with_suffix(".svg").exists():
            style.save(lag_figure(source, group), stem)


def say_json(summary: Mapping[str, Any], to: str) -> None:
    """Print the summary as JSON, or write it to a file."""
    from drsim.record import to_json

    text = to_json(summary)
    if to == "-":
        click.echo(text, nl=False)
    else:
        Path(to).write_text(text, "utf-8")
