"""drsim size for each of several values: the price of a tighter objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drsim.cli.exits import MISSED, PASSED
from drsim.cli.studies import write_json
from drsim.cli.table import table

BAND = (0.05, 0.95)
"""Shares of the futures between which the frontier's band lies."""
Band = list[str | None]

if TYPE_CHECKING:
    from drsim.study.axes import Axis
    from drsim.study.lab import Lab
    from drsim.study.size import Sized
    from drsim.study.wanted import Wanted
    from drsim.study.world import ScenarioWorld


def size_along(
    world: ScenarioWorld, lab: Lab, width: int, wanted: Wanted, axis: Axis, asked: Mapping[str, Any]
) -> int:
    """Find the least value for each value of ``axis``; print, write, draw. 3 where one has no answer."""
    from drsim.study.size import size

    drawable = axis.path.endswith(".rpo") and wanted.path.endswith(".rate")
    if asked["picture_to"] is not None and not drawable:
        raise click.UsageError("--picture draws a link's rate against RPOs: vary links.X.rate along ....rpo")
    found, bands = [], []
    for text in axis.values:
        each = replace(wanted, fixed=(*wanted.fixed, (axis.path, text)))
        found.append(size(world, lab, each, width, standard=False))
        shares = BAND if wanted.futures > 1 else ()
        ends = [size(world, lab, replace(each, share=share), width, standard=False) for share in shares]
        bands.append([end.found.text for end in ends])
    write_json(_as_json(axis, found, bands), asked["json_to"])
    if asked["json_to"] != "-":
        rows = [_row(*each) for each in zip(axis.values, found, bands, strict=True)]
        heads = [axis.path, "least", "next link", "not enough", "closed form"]
        click.echo(f"least {wanted.path} for {wanted.until.text}\n")
        click.echo(table([*heads, *(f"for {share:.0%}" for share in BAND if wanted.futures > 1)], rows))
        if wanted.futures > 1:
            click.echo(f"\n{wanted.futures} futures; least holds in {wanted.share:.0%} of them")
    if asked["picture_to"] is not None:
        _draw(world, axis, found, bands, Path(asked["picture_to"]).with_suffix(""))
    return PASSED if all(sized.found.text is not None for sized in found) else MISSED


def _row(text: str, sized: Sized, band: Sequence[str | None]) -> list[str]:
    answer = sized.found.text
    link = next_link(sized) or "-"
    cells = [text, answer or sized.found.edge, link, sized.found.below_text or "-", sized.closed.text or "-"]
    return [*cells, *(end or "-" for end in band)]


def next_link(sized: Sized) -> str | None:
    """The slowest standard link that is as fast, by its nominal rate; not simulated."""
    from drsim.units import parse_rate
    from drsim.wan.types import KINDS

    if sized.found.text is None or not sized.wanted.path.endswith(".rate"):
        return None
    rate = parse_rate(sized.found.text)
    enough = [kind for kind in KINDS.values() if kind.nominal_rate >= rate]
    return min(enough, key=lambda kind: kind.nominal_rate).name if enough else None


def _as_json(axis: Axis, found: Sequence[Sized], bands: Sequence[Band]) -> dict[str, Any]:
    rows = [
        {
            "value": text,
            "answer": sized.found.text,
            "edge": sized.found.edge,
            "not_enough": sized.found.below_text,
            "closed_form": sized.closed.text,
            "next_link": next_link(sized),
            "band": band or None,
        }
        for text, sized, band in zip(axis.values, found, bands, strict=True)
    ]
    wanted = found[0].wanted
    return {
        "schema_version": 1,
        "vary": wanted.path,
        "until": wanted.until.text,
        "along": axis.path,
        "rows": rows,
    }


def _draw(
    world: ScenarioWorld, axis: Axis, found: Sequence[Sized], bands: Sequence[Band], stem: Path
) -> None:
    """The bandwidth-against-RPO frontier, with standard links marked."""
    import numpy as np

    from drsim.report import style
    from drsim.report.studyfigures import Frontier, frontier_figure
    from drsim.units import parse_duration, parse_rate
    from drsim.wan.types import KINDS

    path = found[0].wanted.path
    link = world.scenario().links[path.split(".")[1]]
    rpo = world.value(axis.path)

    def rates(texts: Sequence[str | None]) -> Any:
        return np.array([np.nan if text is None else parse_rate(text) for text in texts])[order]

    order = np.argsort([parse_duration(text) for text in axis.values])
    low, high = (rates(end) for end in zip(*bands, strict=True)) if bands[0] else (None, None)
    frontier = Frontier(
        np.array([parse_duration(text) for text in axis.values])[order],
        rates([sized.found.text for sized in found]),
        low=low,
        high=high,
        marks={name: kind.nominal_rate for name, kind in KINDS.items()},
        today=(parse_duration(rpo), link.nominal[0]) if rpo is not None else None,
        subject=f"link {path.split('.')[1]}",
        footer=f"{world.name}, {found[0].wanted.until.text}",
    )
    for file in style.save(frontier_figure(frontier), stem):
        click.echo(f"size: picture: {file}", err=True)
