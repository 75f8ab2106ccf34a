"""drsim serve: run a real replication agent in the foreground."""

from __future__ import annotations

import click


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--site", help="Run as this site, whatever the file says.")
@click.option(
    "--log", default="info", show_default=True, type=click.Choice(["debug", "info", "warning", "error"])
)
def command(config: str, site: str | None, log: str) -> int:
    """Replicate for real: the same engine over TCP and NBD, until SIGTERM or Ctrl-C.

    Logs go to stderr, a JSON object a line.
    """
    from pathlib import Path

    from drsim.agent.serve import run

    return run(Path(config), site, log)
