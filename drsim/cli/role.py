"""drsim role: fail a group over to a site, or have a site step down."""

from __future__ import annotations

import click

from drsim.cli.operate import ask
from drsim.units import format_size


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.argument("group")
@click.argument("role", type=click.Choice(["source", "target"]))
@click.option("--site", help="The agent of this site, whatever the file says.")
@click.option("--point", default="", help="Take over at this write or marker, not at the newest image.")
def command(config: str, group: str, role: str, site: str | None, point: str) -> None:
    """Give this site ROLE in GROUP.

    As source it takes over at the newest consistent image (failover): writes the old source had not
    confirmed are lost. As target it steps down (failback, or before a planned failover): only where
    it may differ will be copied to it.
    """
    if role == "source":
        told = ask(config, site, {"ask": "promote", "group": group, "point": point})
        click.echo(f"{group}: this site is the source; its order goes on after write {told['seq']}")
        return
    told = ask(config, site, {"ask": "demote", "group": group})
    size = format_size(told["differs_bytes"])
    click.echo(f"{group}: this site is a target; it may differ from its successor in {size}")
