"""drsim seed-time: how long the first full copy takes on each link, and when to ship disks instead."""

from __future__ import annotations

import json
from fractions import Fraction

import click

from drsim.cli.options import Quantified, efficiency, json_flag
from drsim.cli.table import table
from drsim.units import format_duration, parse_duration, parse_rate, parse_size
from drsim.wan.paper import CAPACITIES, GIGABYTE, SHIP_HOURS, SeedCell, seed_table, show
from drsim.wan.types import PAPER, find

_COLUMNS = 8


@click.command("seed-time")
@click.argument("sizes", nargs=-1, type=Quantified(parse_size, "SIZE"), metavar="[SIZE]...")
@click.option("--link", "links", multiple=True, metavar="TYPE", help="A link type; may be repeated.")
@efficiency
@click.option(
    "--transit",
    type=Quantified(parse_duration, "DURATION"),
    default="48 h",
    show_default=True,
    help="A courier's time from door to door, writing and reading the disks included.",
)
@click.option(
    "--change",
    type=Quantified(parse_rate, "RATE"),
    default="0",
    show_default=True,
    help="Data that changes meanwhile and must be sent as well, like 20 GB/d.",
)
@json_flag
def command(
    sizes: tuple[tuple[str, int], ...],
    links: tuple[str, ...],
    efficiency: float,
    transit: tuple[str, float],
    change: tuple[str, float],
    as_json: bool,
) -> None:
    """Hours that a first full copy of SIZE (like 2 TB) takes on each link.

    Without SIZE, the white paper's table: 20 to 730 GB, where 1 GB is 1024 MB of 10^6 bytes. Sizes you give
    are what they say: 1 TB is 10^12 bytes. A * marks copies that are longer than a week: ship disks.

    A second table tells the break-even day: disks handed to the courier until then, counted from the day on
    which the copy over the link began, are there first. On the days after it the copy is.
    """
    columns = [(text, Fraction(size, GIGABYTE)) for text, size in sizes]
    columns = columns or [(f"{gb} GB", Fraction(gb)) for gb in CAPACITIES]
    names = _names(links)
    hourly = Fraction(change[1]) * 3600 / GIGABYTE
    share = Fraction(str(efficiency))
    cells = seed_table([gb for _, gb in columns], names, share, Fraction(transit[1]) / 3600, hourly)
    if as_json:
        told = {"schema_version": 1, "efficiency": efficiency, "cells": _records(cells)}
        click.echo(json.dumps(told, indent=2))
        return
    heads = [text for text, _ in columns]
    _print(names, heads, [f"{cell.text}{'*' if cell.ship else ' '}" for cell in cells])
    share_text = f"{efficiency * 100:.3g} %"
    click.echo(f"\nhours at {share_text} of the nominal rate; * more than {SHIP_HOURS} h: ship disks")
    if not sizes:
        click.echo("1 GB = 1024 MB, as in the white paper")
    click.echo(f"\nbreak-even day of a courier who takes {transit[0]}")
    _print(names, heads, [f"{_day(cell)} " for cell in cells])
    click.echo("\n-: the copy over the link is there first even if both begin at once")


def _names(links: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(find(name).name for name in links) or PAPER
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _print(names: tuple[str, ...], heads: list[str], texts: list[str]) -> None:
    width = len(heads)
    for first in range(0, width, _COLUMNS):
        shown = range(first, min(first + _COLUMNS, width))
        rows = [[name, *(texts[i * width + column] for column in shown)] for i, name in enumerate(names)]
        click.echo(table(["link", *(f"{heads[column]} " for column in shown)], rows))


def _day(cell: SeedCell) -> str:
    if cell.hours is None:
        return "never"  # neither ends: the changes fill the link
    assert cell.break_even_day is not None
    return show(cell.break_even_day, 1) if cell.break_even_day > 0 else "-"


def _records(cells: list[SeedCell]) -> list[dict[str, object]]:
    return [
        {
            "link": cell.name,
            "bytes": float(cell.gb * GIGABYTE),
            "hours": None if cell.hours is None else float(cell.hours),
            "text": "never" if cell.hours is None else format_duration(float(cell.hours) * 3600),
            "ship_disks": cell.ship,
            "courier_hours": None if cell.courier_hours is None else float(cell.courier_hours),
            "break_even_day": None if cell.break_even_day is None else float(cell.break_even_day),
        }
        for cell in cells
    ]
