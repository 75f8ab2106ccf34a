"""drsim schema: the JSON Schema of scenario files, for editors that complete and check while one types."""

from __future__ import annotations

import json

import click

from drsim.scenario import schema


@click.command()
def command() -> None:
    """Print the JSON Schema of scenario files (format version 1).

    Save it beside your scenarios and begin them with
    '# yaml-language-server: $schema=drsim.schema.json' to have an editor check them.
    """
    click.echo(json.dumps(schema(), indent=2))
