"""drsim plot: draw every picture of a results directory."""

from __future__ import annotations

from pathlib import Path

import click

from drsim.cli import brief


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder; the results' own by default.")
def command(directory: Path, output: Path | None) -> None:
    """Draw every picture of the results in DIRECTORY as PNG and SVG, and print where they are."""
    with brief.resting():
        brief.import_matplotlib()
        from drsim.report.directory import plot

        for picture in plot(directory, output):
            click.echo(picture)
