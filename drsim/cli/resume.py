"""drsim resume: replicate a suspended group again."""

from __future__ import annotations

from typing import Any

import click

from drsim.cli.operate import of_group, tell


@click.command()
@of_group
def command(config: str, group: str, **leg: Any) -> None:
    """Replicate GROUP again, after `drsim suspend` or a journal that filled under `on_full: suspend`."""
    tell("resume", config, group, **leg)
