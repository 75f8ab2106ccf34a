"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Override(click.ParamType[Any]):
    """``PATH=VALUE`` as a pair."""

    name = "PATH=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Take it apart, or say how to write it."""
        from drsim.scenario.override import OverrideError, split_override

        if isinstance(value, tuple):
            return value
        try:
            return split_override(value)
        except OverrideError as error:
            self.fail(f"{error.problem}; {error.hint}", param, ctx)


def scenario_file(function: F) -> F:
    """The FILE argument. Whether it can be read is told by the loader, like all else about it."""
    return click.argument("file", type=click.Path(dir_okay=True))(function)


def overrides(function: F) -> F:
    """The repeatable --set."""
    text = "Override a value, like links.paris-lyon.type=DS3; may be repeated."
    option = click.option("--set", "overrides", type=Override(), multiple=True, help=text)
    return option(function)


def json_to(what: str) -> Callable[[F], F]:
    """--json FILE: ``what`` as JSON to a file, or - for stdout."""
    text = f"Write {what} as JSON to FILE, or - for stdout."
    return click.option("--json", "json_to", metavar="FILE", help=text)


def json_flag(function: F) -> F:
    """--json: machine-readable output on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(function)


class Quantified(click.ParamType[Any]):
    """A quantity with its unit, as (the user's text, SI value)."""

    def __init__(self, parse: Callable[[str], Any], name: str) -> None:
        self.parse, self.name = parse, name

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Read it, or say how to write it."""
        if isinstance(value, tuple):
            return value
        try:
            return str(value), self.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _share(ctx: click.Context, param: click.Parameter, value: tuple[str, float]) -> float:
    del ctx
    if not 0 < value[1] <= 1:
        raise click.BadParameter(f"'{value[0]}' is not more than 0 % and at most 100 %", param=param)
    return value[1]


def efficiency(function: F) -> F:
    """--efficiency, the white paper's planning margin unless said otherwise."""
    from drsim.units import parse_fraction

    kind = Quantified(parse_fraction, "PERCENT")
    text = "Share of the nominal rate that carries data."
    option = click.option(
        "--efficiency", type=kind, default="70 %", show_default=True, callback=_share, help=text
    )
    return option(function)
