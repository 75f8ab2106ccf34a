"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

MOST_FUTURES = 1_000_000
"""More are refused as a slip of the keyboard."""


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one, in the order in which ``--help`` shall list them."""

    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


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


class Percent(Quantified):
    """A share as (the user's text, fraction), more than 0 % and less than 100 %, or at most with ``whole``."""

    def __init__(self, *, whole: bool) -> None:
        from drsim.units import parse_fraction

        super().__init__(parse_fraction, "PERCENT")
        self.whole = whole

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Read it, or say what it must be."""
        text, share = super().convert(value, param, ctx)
        if not 0 < share <= 1 or (share == 1 and not self.whole):
            most = "at most" if self.whole else "less than"
            self.fail(f"'{text}' is not more than 0 % and {most} 100 %", param, ctx)
        return text, share


def percent(*names: str, default: str | None = None, whole: bool = True, **more: Any) -> Callable[[F], F]:
    """An option that is a share, as (the user's text, fraction)."""
    kind = Percent(whole=whole)
    return click.option(*names, type=kind, default=default, show_default=default is not None, **more)


def sets(text: str, metavar: str = "PATH=VALUE") -> Callable[[F], F]:
    """The repeatable --set as texts, for commands that read more than one value of it."""
    return click.option("--set", "sets", multiple=True, metavar=metavar, help=text)


def replications(text: str) -> Callable[[F], F]:
    """-n: futures."""
    kind = click.IntRange(1, MOST_FUTURES)
    return click.option("-n", "--replications", type=kind, default=1, show_default=True, help=text)


def output() -> Callable[[F], F]:
    """-o: the folder of all results."""
    text = "Folder of all results."
    return click.option("-o", "--output", type=click.Path(), default="results", show_default=True, help=text)


def picture(text: str) -> Callable[[F], F]:
    """--picture FILE, as PNG and SVG."""
    return click.option(
        "--picture", "picture_to", type=click.Path(), help=f"{text} to this file's name as PNG and SVG."
    )


def seed() -> Callable[[F], F]:
    """--seed: in place of the scenario's."""
    help_text = "In place of the scenario's."
    return click.option("--seed", type=click.IntRange(0), callback=_fitting, help=help_text)


def _fitting(_: click.Context, __: click.Parameter, value: int | None) -> int | None:
    """A seed is a whole number of 63 bits; said only to whom it matters."""
    if value is not None and value >= 2**63:
        raise click.BadParameter(f"{value} is not less than 2**63.")
    return value


def junit(text: str) -> Callable[[F], F]:
    """--junit FILE."""
    return click.option("--junit", "junit_to", type=click.Path(), help=text)


def quiet(text: str) -> Callable[[F], F]:
    """-q: say less."""
    return click.option("-q", "--quiet", is_flag=True, help=text)


def width() -> Callable[[F], F]:
    """-j and --cluster: where runs go."""
    jobs = click.option(
        "-j", "--jobs", type=click.IntRange(1), default=cores, show_default="all cores", help="Processes."
    )
    text = "Run on the workers of a Dask scheduler, like tcp://host:8786."
    return together(jobs, click.option("--cluster", metavar="ADDRESS", help=text))


def confidence() -> Callable[[F], F]:
    """--confidence: of intervals and verdicts."""
    return percent("--confidence", default="95 %", whole=False, help="Of intervals, and of verdicts.")


def future_options() -> Callable[[F], F]:
    """-n, --precision, --most, --confidence, -j, --cluster: of a run in several futures."""
    until = "Run futures until the means of what is expected are known this well, like 5%."
    most = click.option(
        "--most",
        type=click.IntRange(1, MOST_FUTURES),
        default=200,
        show_default=True,
        help="Futures at most, with --precision.",
    )
    return together(
        replications("Independent futures."), percent("--precision", help=until), most, confidence(), width()
    )


def study_options() -> Callable[[F], F]:
    """-j, --cluster, --seed, --confidence, -o, --json, -q: of every command that runs points."""
    return together(
        width(), seed(), confidence(), output(), json_to("the result"), quiet("Say nothing but the result.")
    )


def efficiency(function: F) -> F:
    """--efficiency, the white paper's planning margin unless said otherwise."""
    text = "Share of the nominal rate that carries data."
    return percent("--efficiency", default="70 %", callback=_share, help=text)(function)


def _share(ctx: click.Context, param: click.Parameter, value: tuple[str, float]) -> float:
    del ctx, param
    return value[1]
