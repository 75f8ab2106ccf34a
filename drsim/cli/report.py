"""drsim report: one self-contained HTML page about a results directory."""

from __future__ import annotations

from pathlib import Path

import click

from drsim.cli import brief


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File; report.html of the results by default."
)
def command(directory: Path, output: Path | None) -> None:
    """Write the page for the results in DIRECTORY: verdicts, pictures, tables, assumptions, the scenario.

    It needs no network, prints well, and reads on a phone.
    """
    with brief.resting():
        brief.import_matplotlib()
        from drsim.report.directory import report

        click.echo(report(directory, output))
