"""drsim rehearse: try a failover on a snapshot while replication goes on."""

from __future__ import annotations

from typing import Any

import click

from drsim.cli.operate import ask
from drsim.units import parse_duration


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.argument("group")
@click.option("--site", help="The agent of this site, whatever the file says.")
@click.option("--name", default="rehearsal", show_default=True, help="What the image is called.")
@click.option("--point", default="", help="A write or a marker to look at, where the target keeps history.")
@click.option(
    "--ago", help="Look at the group as it was so long ago (10 min), where the target keeps history."
)
@click.option("--end", is_flag=True, help="End the rehearsal: forget the image.")
def command(
    config: str, group: str, site: str | None, name: str, point: str, ago: str | None, end: bool
) -> None:
    """Keep an image of GROUP at its target, the present one or a past one, and export it read-only over NBD."""
    question: dict[str, Any] = {
        "ask": "drop" if end else "rehearse",
        "group": group,
        "name": name,
        "point": point,
    }
    if ago is not None:
        try:
            question["ago_s"] = parse_duration(ago)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--ago") from None
    told = ask(config, site, question)
    if end:
        click.echo(f"{group}: {told['dropped']} is gone")
        return
    click.echo(f"{group}: consistent at write {told['seq']}; read-only exports:")
    for export in told["exports"]:
        click.echo(f"  {export}")
