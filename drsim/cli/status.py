"""drsim status: what a running agent does, and whether its objectives are met."""

from __future__ import annotations

import json
from typing import Any

import click

from drsim.cli.exits import MISSED, PASSED
from drsim.cli.operate import ask
from drsim.cli.options import json_flag
from drsim.cli.table import table

_HEADS = ("group", "role", "peer", "state", "link", "lag", "rpo", "backlog", "resyncs", "trouble")


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--site", help="The agent of this site, whatever the file says.")
@json_flag
def command(config: str, site: str | None, as_json: bool) -> int:
    """Show a running agent's groups; exit code 3 when an RPO is exceeded or a disk has refused."""
    told = ask(config, site, {"ask": "status"})
    rows = [row for name, group in told["groups"].items() for row in _rows(name, group)]
    if as_json:
        click.echo(json.dumps({"schema_version": 1, **told}, indent=2))
    else:
        click.echo(table(_HEADS, [cells for cells, _ in rows]))
    return MISSED if any(bad for _, bad in rows) else PASSED


def _rows(name: str, group: dict[str, Any]) -> list[tuple[list[str], bool]]:
    """Give a line of cells for each leg, and whether it is in trouble."""
    fault = group["fault"]
    if group["role"] == "target" or "targets" not in group:
        exposed = bool(group.get("exposed"))
        trouble = fault or ("no consistent image" if exposed else "")
        cells = [name, group["role"], "", group.get("state", "closed"), _link(group), "", "", "", "", trouble]
        return [(cells, bool(trouble))]
    found = []
    for peer, leg in group["targets"].items():
        late = leg["rpo_s"] is not None and leg["lag_s"] > leg["rpo_s"]
        trouble = fault or leg["refusal"] or ("RPO exceeded" if late else "")
        found.append((_leg(name, peer, leg, trouble), bool(trouble)))
    return found


def _leg(name: str, peer: str, leg: dict[str, Any], trouble: str) -> list[str]:
    from drsim.units import format_duration, format_size

    rpo = "" if leg["rpo_s"] is None else format_duration(leg["rpo_s"])
    lag, backlog = format_duration(leg["lag_s"]), format_size(leg["backlog_bytes"])
    return [name, "source", peer, leg["state"], _link(leg), lag, rpo, backlog, str(leg["resyncs"]), trouble]


def _link(facts: dict[str, Any]) -> str:
    return "up" if facts.get("connected") else "down"
