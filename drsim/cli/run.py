"""drsim run: simulate a scenario, print the verdict, keep the results."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drsim.cli import brief, options, painter
from drsim.cli.exits import MISSED, PASSED
from drsim.cli.progress import progress
from drsim.cli.results import Kept, draw, keep, place, ready, say_json
from drsim.scenario import examine

if TYPE_CHECKING:
    from drsim.report.source import Source
    from drsim.simulation import Run

_WIDTH = 160


@click.command()
@options.scenario_file
@options.overrides
@options.seed()
@options.output()
@click.option("--no-save", is_flag=True, help="Keep no results.")
@click.option("--no-pictures", is_flag=True, help="Keep numbers only (saves a second or two).")
@options.json_to("the summary")
@options.junit("Write a JUnit report for CI.")
@options.quiet("Print no table, no progress, no warnings.")
@click.option(
    "--verify",
    type=click.Choice(["order", "content"]),
    default="order",
    show_default=True,
    help="Check images by their order (every write once), or by content as well: block by block, a few times slower.",
)
@options.future_options()
def command(file: str, overrides: tuple[tuple[str, str], ...], seed: int | None, **asked: Any) -> int:
    """Simulate FILE and judge what it expects.

    Prints the verdict and the numbers, and keeps everything in results/<scenario>/<key>. The key is made
    of all that can change the result, so an unchanged scenario finds its results where they were.

    Exits with 0 where every expectation was met, with 3 where one was not.

    With --replications or --precision the scenario runs in several futures: every number has its interval,
    and an expectation passes where it held in at least the share --confidence of them.
    """
    if asked["replications"] > 1 or asked["precision"] is not None:
        from drsim.cli.replicated import run_replicated

        if asked["junit_to"] is not None or asked["verify"] == "content":
            raise click.UsageError(
                "--junit and --verify content are of one future: use drsim sweep for a report on several"
            )
        return run_replicated(file, overrides, {**asked, "seed": seed})
    pictures = not (asked["no_save"] or asked["no_pictures"])
    with brief.resting(), painter.beside(draw, ready, wanted=pictures) as drawing:
        return _run(file, overrides, seed, {**asked, "drawing": drawing if pictures else None})


def _run(file: str, overrides: Sequence[tuple[str, str]], seed: int | None, asked: dict[str, Any]) -> int:
    checked = examine(file, overrides, seed)
    scenario = checked.scenario
    if not asked["quiet"]:
        for warning in checked.warnings:
            click.echo(warning.render(), err=True)
    kept = None if asked["no_save"] else place(Path(asked["output"]), checked, overrides)
    from drsim.report.source import Source

    started = time.monotonic()
    run = _simulate(scenario, asked["verify"], quiet=asked["quiet"])
    wall = time.monotonic() - started
    for problem in run.warnings:
        click.echo(f"not consistent: {problem}", err=True)
    summary = run.summary | {"wall_s": wall, "writes_per_wall_s": run.summary["writes"] / wall}
    facts = kept.facts if kept else {"scenario_data": scenario.model_dump(mode="json", by_alias=True)}
    _tell(Source(summary, run.tables, facts), kept, asked)
    return PASSED if summary["passed"] else MISSED


def _simulate(scenario: Any, verify: Any, *, quiet: bool) -> Run:
    from drsim.simulation import run

    with progress(scenario.name, quiet=quiet) as moved:
        return run(scenario, progress=moved, verify=verify)


def _tell(source: Source, kept: Kept | None, asked: dict[str, Any]) -> None:
    """Keep and print everything that was asked for; stdout carries the table, or the JSON in its place."""
    if kept is not None:
        keep(kept, source, asked["drawing"])
    if asked["junit_to"] is not None:
        from drsim.report.junit import junit

        Path(asked["junit_to"]).write_bytes(junit([(source.name, source.summary, "")]))
    if asked["json_to"] is not None:
        say_json(source.summary, asked["json_to"])
    if asked["json_to"] != "-" and not asked["quiet"]:
        from rich.console import Console

        from drsim.report.terminal import show

        # Where there is no terminal there is no width: tables are not squeezed into eighty columns.
        width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH
        show(source, Console(width=width), kept.directory if kept else None)
