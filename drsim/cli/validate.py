"""drsim validate: everything that is wrong with scenario files, for people, programs and pull requests."""

from __future__ import annotations

import json

import click

from drsim.cli.exits import PASSED, REFUSED
from drsim.cli.options import overrides
from drsim.scenario import Problem, ScenarioError, examine


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@overrides
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How to print problems: for people, for programs, or as annotations of a pull request.",
)
@click.option("--strict", is_flag=True, help="Refuse warnings too.")
def command(files: tuple[str, ...], overrides: tuple[tuple[str, str], ...], style: str, strict: bool) -> int:
    """Check scenario files without running them, and print every error and warning.

    Exits with 2 where any file has an error.
    """
    problems: dict[str, tuple[Problem, ...]] = {file: _problems(file, overrides) for file in files}
    for file, found in problems.items():
        _print(file, found, style)
    if style == "json":
        rows = [problem.record() for found in problems.values() for problem in found]
        click.echo(json.dumps({"schema_version": 1, "files": list(files), "problems": rows}, indent=2))
    bad = {"error", "warning"} if strict else {"error"}
    return REFUSED if any(p.severity in bad for found in problems.values() for p in found) else PASSED


def _problems(file: str, overrides: tuple[tuple[str, str], ...]) -> tuple[Problem, ...]:
    """Whatever is wrong, and what is right but refused by a run because it is not simulated."""
    from drsim.simulation import limits

    try:
        checked = examine(file, overrides)
    except ScenarioError as error:
        return error.problems
    return (*limits.problems(checked.scenario), *checked.warnings)


def _print(file: str, found: tuple[Problem, ...], style: str) -> None:
    """Problems are the result of this command, so they go to stdout."""
    if style == "github":
        for problem in found:
            click.echo(problem.github())
    elif style == "text":
        for problem in found:
            click.echo(problem.render())
        errors = sum(problem.severity == "error" for problem in found)
        warned = len(found) - errors
        parts = [f"{n} {what}{'s' * (n != 1)}" for n, what in ((errors, "error"), (warned, "warning")) if n]
        click.echo(f"{file}: {', '.join(parts) or 'valid'}")
