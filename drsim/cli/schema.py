"""drsim schema: JSON Schemas of scenario files, for editors, and of all that drsim writes, for programs."""

from __future__ import annotations

import json

import click

NAMES = {
    "scenario": "scenario files",
    "summary": "summary.json and run --json",
    "futures": "run -n --json",
    "sweep": "sweep --json",
    "size": "size --json",
    "sizes": "size --json with a list in --set",
    "kept": "size --rpo --json",
    "compare": "compare --json",
    "explain": "explain --json",
    "problems": "validate --format json",
    "trace": "trace --json",
    "links": "links --json",
    "seed-time": "seed-time --json",
}
"""What can be asked for, and what it is the schema of."""


@click.command(epilog="  ".join(f"{name}: {what};" for name, what in NAMES.items()).rstrip(";") + ".")
@click.argument("name", type=click.Choice(list(NAMES)), default="scenario", metavar="[NAME]")
def command(name: str) -> None:
    """Print a JSON Schema: of scenario files, or NAME for what a command writes.

    Save the first beside your scenarios and begin them with
    '# yaml-language-server: $schema=drsim.schema.json' to have an editor check them.

    The others describe JSON that drsim writes. They are closed: no key but those named. schema_version is
    raised when a key goes or changes its meaning; a key that is new leaves it as it is.
    """
    click.echo(json.dumps(schema_of(name), indent=2))


def schema_of(name: str) -> dict[str, object]:
    """The schema by one of `NAMES`."""
    if name == "scenario":
        from drsim.scenario import schema

        return schema()
    from drsim.report.schema import SCHEMAS

    return SCHEMAS[name]()
