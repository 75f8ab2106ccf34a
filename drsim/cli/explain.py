"""drsim explain: why a target was as far behind as it was."""

from __future__ import annotations

from pathlib import Path

import click

from drsim.cli.options import json_to


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--at", required=True, metavar="TIME", help="Since the start (1 d 03:00), or a date and time.")
@click.option("--group", help="Only this group.")
@json_to("the answer")
def command(directory: Path, at: str, group: str | None, json_to: str | None) -> None:
    """Say what held each target back at a time, from the results in DIRECTORY.

    Bytes (what is lacking, what the journal holds) are those of the kept curve at its last point by then; points
    are about a thousandth of the run apart.
    """
    from drsim.cli.results import say_json
    from drsim.report.directory import answer

    try:
        said = answer(directory, at, group)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if json_to is not None:
        say_json(said.record(), json_to)
    if json_to != "-":
        click.echo("\n".join(said.lines()))
