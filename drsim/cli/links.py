"""drsim links: the catalogue of link types and what each carries in an hour."""

from __future__ import annotations

import json

import click

from drsim.cli.options import efficiency, json_flag
from drsim.cli.table import table
from drsim.wan.paper import LinkRow, link_table, show

_HEADS = ("type", "nominal Mb/s", "line Mb/s", "payload Mb/s", "GB/h", "usable GB/h")


@click.command()
@efficiency
@json_flag
def command(efficiency: float, as_json: bool) -> None:
    """List link types: rates, and what passes in an hour in theory and at the planning efficiency.

    Nominal is the rate 'efficiency' multiplies; payload is what is left for frames without it.
    Here, as in the white paper, 1 GB is 1024 MB of 10^6 bytes.
    """
    from fractions import Fraction

    rows = link_table(Fraction(str(efficiency)))
    if as_json:
        told = {"schema_version": 1, "efficiency": efficiency, "links": _records(rows)}
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(table(_HEADS, [_cells(row) for row in rows]))
    slips = [f"{row.name} {slip}" for row in rows for slip in row.slips]
    click.echo(f"\nusable: at {efficiency * 100:.3g} % of nominal; 1 GB = 1024 MB, as in the white paper")
    if slips:
        click.echo(f"the paper prints {', '.join(slips)}")


def _cells(row: LinkRow) -> list[str]:
    rates = (row.nominal, row.line, row.payload)
    return [row.name, *(f"{float(rate):g}" for rate in rates), show(row.theoretical), show(row.usable)]


def _records(rows: list[LinkRow]) -> list[dict[str, str | float]]:
    return [
        {
            "type": row.name,
            "nominal_bits_per_s": float(row.nominal * 10**6),
            "line_bits_per_s": float(row.line * 10**6),
            "payload_bits_per_s": float(row.payload * 10**6),
            "usable_bytes_per_s": float(row.usable * 1_024_000_000 / 3600),
        }
        for row in rows
    ]
