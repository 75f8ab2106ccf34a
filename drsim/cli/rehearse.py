"""drsim rehearse: try a failover on a snapshot while replication goes on."""

from __future__ import annotations

import click

from drsim.cli.operate import ask


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.argument("group")
@click.option("--site", help="The agent of this site, whatever the file says.")
@click.option("--name", default="rehearsal", show_default=True, help="What the image is called.")
@click.option("--end", is_flag=True, help="End the rehearsal: forget the image.")
def command(config: str, group: str, site: str | None, name: str, end: bool) -> None:
    """Keep the present image of GROUP at its target and export it read-only over NBD."""
    told = ask(config, site, {"ask": "drop" if end else "rehearse", "group": group, "name": name})
    if end:
        click.echo(f"{group}: {told['dropped']} is gone")
        return
    click.echo(f"{group}: consistent at write {told['seq']}; read-only exports:")
    for export in told["exports"]:
        click.echo(f"  {export}")
