"""drsim size --rpo: the objective that each of several designs can keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from drsim.cli.exits import PASSED
from drsim.cli.shown import value
from drsim.cli.studies import write_json
from drsim.cli.table import table
from drsim.units import format_enough

if TYPE_CHECKING:
    from drsim.study.lab import Lab
    from drsim.study.links import Kept
    from drsim.study.world import ScenarioWorld


def keep_rpo(world: ScenarioWorld, lab: Lab, asked: Mapping[str, Any]) -> int:
    """Print and write the RPO kept at GROUP.TARGET by each design of the sets' grid."""
    from drsim.study.links import KEPT_SHARES, kept

    group, _, target = asked["keeping"].partition(".")
    scenario = world.scenario()
    if group not in scenario.groups or target not in scenario.groups[group].targets:
        known = [f"{g}.{t}" for g, entry in scenario.groups.items() for t in entry.targets]
        raise click.BadParameter(f"no such group and target; known: {', '.join(known)}", param_hint="--rpo")
    designs = _designs(world, asked["sets"])
    rows = kept(lab, designs, group, target, asked["replications"], asked["confidence"][1])
    write_json(_kept_json(asked, rows), asked["json_to"])
    if asked["json_to"] != "-":
        heads = (
            "design",
            *(f"{share:.4g} %" for share in (100 * s for s in KEPT_SHARES.values())),
            "no image",
        )
        cells = [
            [row.label, *(format_enough(v) for v in row.rpo_s.values()), value("x_s", row.exposure_s)]
            for row in rows
        ]
        click.echo(f"RPO that {group}.{target} can keep in this share of the time\n")
        click.echo(table(heads, cells))
    return PASSED


def _designs(world: ScenarioWorld, sets: Sequence[str]) -> dict[str, tuple[tuple[str, str], ...]]:
    """A design for each point of the sets' grid; a link's type or rate takes the other's place."""
    from drsim.study.axes import parse_axis
    from drsim.study.design import plan
    from drsim.study.wanted import setter

    design = plan([parse_axis(option) for option in sets])
    found = {}
    for row in design.rows:
        label = ", ".join(row) or "as it is"
        pairs = design.overrides(row)
        found[label] = tuple(pair for path, text in pairs for pair in setter(world, path, text))
    return found


def _kept_json(asked: Mapping[str, Any], rows: Sequence[Kept]) -> dict[str, Any]:
    designs = [
        {
            "design": row.label,
            "overrides": dict(row.outcomes[0].point.overrides),
            "rpo_s": {f"{share:.3f}": seconds for share, seconds in row.rpo_s.items()},
            "exposure_s": row.exposure_s,
            "violation_s": row.violation_s,
        }
        for row in rows
    ]
    about = {"schema_version": 1, "rpo_of": asked["keeping"], "futures": asked["replications"]}
    return {**about, "confidence": asked["confidence"][1], "designs": designs}
