"""drsim suspend: stop replicating a group until told otherwise."""

from __future__ import annotations

from typing import Any

import click

from drsim.cli.operate import of_group, tell


@click.command()
@of_group
def command(config: str, group: str, **leg: Any) -> None:
    """Stop replicating GROUP until `drsim resume`: what is written meanwhile waits in the journal."""
    tell("suspend", config, group, **leg)
