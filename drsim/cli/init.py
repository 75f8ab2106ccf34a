"""drsim init: commented scenarios to start from, shipped with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from drsim.cli.exits import REFUSED


def templates() -> dict[str, str]:
    """Every template's name and text, by name."""
    folder = files("drsim") / "scenario" / "templates"  # not files("drsim.scenario"), which would import it
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    return {entry.name.removesuffix(".yaml"): entry.read_text("utf-8") for entry in sorted(found, key=str)}


@click.command()
@click.argument("template", required=False)
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="The file to write, or - for stdout.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def command(template: str | None, output: str | None, force: bool) -> int | None:
    """Write a commented scenario to start from; without TEMPLATE, list them.

    The file is TEMPLATE.yaml unless -o says otherwise; one that exists is left alone.
    """
    known = templates()
    if template is None:
        width = max(map(len, known))
        for name, text in known.items():
            click.echo(f"{name:{width}}  {_title(text)}")
        return None
    if template not in known:
        from drsim.scenario.problem import near

        raise click.UsageError(
            f"there is no template '{template}'; {near(template.removesuffix('.yaml'), known)}"
        )
    if output == "-":
        click.echo(known[template], nl=False)
        return None
    path = Path(output or f"{template}.yaml")
    if path.exists() and not force:
        click.echo(f"drsim: {path} exists; use --force to replace it", err=True)
        return REFUSED
    path.write_text(known[template], "utf-8")
    click.echo(f"wrote {path}; next: drsim run {path}", err=True)
    return None


def _title(text: str) -> str:
    title = next((line for line in text.splitlines() if line.startswith("title:")), "")
    return title.removeprefix("title:").strip()
