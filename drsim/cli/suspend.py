"""drsim suspend: stop replicating a group until told otherwise."""

from __future__ import annotations

import click

from drsim.cli.operate import ask


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.argument("group")
@click.option("--site", help="The agent of this site, whatever the file says.")
@click.option("--target", default="", help="Only the leg to this site.")
def command(config: str, group: str, site: str | None, target: str) -> None:
    """Stop replicating GROUP until `drsim resume`: what is written meanwhile waits in the journal."""
    told = ask(config, site, {"ask": "suspend", "group": group, "target": target})
    for name, state in told["states"].items():
        click.echo(f"{group} to {name}: {state}")
