"""drsim explain: why a target was as far behind as it was."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--at", required=True, metavar="TIME", help="Since the start (1 d 03:00), or a date and time.")
@click.option("--group", help="Only this group.")
def command(directory: Path, at: str, group: str | None) -> None:
    """Say what held each target back at a time, from the results in DIRECTORY."""
    from drsim.report.directory import answer

    try:
        lines = answer(directory, at, group)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo("\n".join(lines))
