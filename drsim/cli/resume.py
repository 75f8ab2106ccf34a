"""drsim resume: replicate a suspended group again."""

from __future__ import annotations

import click

from drsim.cli.operate import ask


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.argument("group")
@click.option("--site", help="The agent of this site, whatever the file says.")
@click.option("--target", default="", help="Only the leg to this site.")
def command(config: str, group: str, site: str | None, target: str) -> None:
    """Replicate GROUP again, after `drsim suspend` or a journal that filled under `on_full: suspend`."""
    told = ask(config, site, {"ask": "resume", "group": group, "target": target})
    for name, state in told["states"].items():
        click.echo(f"{group} to {name}: {state}")
