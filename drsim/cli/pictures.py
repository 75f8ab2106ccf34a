"""Pictures of a study: a heatmap over two axes, else an overview of the points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drsim.cli.shown import measure, value

if TYPE_CHECKING:
    from drsim.study.compare import Comparison
    from drsim.study.sweep import SweepResult

_DRAWN = ("violation_s", "lag_p99_s", "lag_max_s", "journal_peak_bytes")
MOST_ROWS = 60
"""Designs in an overview; of more, no picture can be read: use the table."""


def sweep_pictures(result: SweepResult, place: Path) -> list[Path]:
    """Draw a sweep into its folder; nothing where there is nothing to see. Returns the files."""
    from drsim.report import style
    from drsim.report.studyfigures import heatmap_figure
    from drsim.report.sweepfigure import sweep_figure

    designs = list(result.designs())
    if not any(found.estimates for _, found in designs):
        return []
    grid = _grid(result, designs, place.name)
    if grid is not None:
        return style.save(heatmap_figure(grid), place / "heatmap")
    if not 2 <= len(designs) <= MOST_ROWS:
        return []
    names = _worth_drawing(designs)
    labels = [_label(result.sweep.design.paths, overrides) for overrides, _ in designs]
    columns = {_short(name): np.array([_mean(found, name) for _, found in designs]) for name in names}
    passed = np.array([_all_passed(found) for _, found in designs])
    return style.save(sweep_figure(labels, columns, passed, _shows(names), place.name), place / "overview")


def comparison_picture(found: Comparison, stem: Path) -> list[Path]:
    """Draw the designs of a comparison, a row each, a panel a measure that is not the same in all."""
    from drsim.report import style
    from drsim.report.sweepfigure import sweep_figure

    moved = [r for r in found.rows if any(c.verdict != "same" for c in r.contrasts)]
    wanted = [r for r in moved if r.measure.rpartition(".")[2] in _DRAWN][:6] or moved[:6]
    columns = {
        _short(row.measure): np.array([row.base.mean, *(c.estimate.mean for c in row.contrasts)])
        for row in wanted
    }
    if not columns:
        return []
    passed = [
        all(o.summary is not None and o.summary.get("passed", True) for o in found.outcomes[n])
        for n in found.labels
    ]
    footer = f"{found.futures} futures, the same for every design" if found.futures > 1 else "one future"
    return style.save(
        sweep_figure(found.labels, columns, np.array(passed), _shows([r.measure for r in wanted]), footer),
        stem,
    )


def _grid(result: SweepResult, designs: Sequence[Any], footer: str) -> Any:
    """The sweep as a heatmap's grid, where it is one over two axes."""
    from drsim.report.studyfigures import Grid

    paths = result.sweep.design.paths
    if len(paths) != 2:
        return None
    x, y = (list(dict.fromkeys(row[at] for row in result.sweep.design.rows)) for at in (0, 1))
    if len(x) * len(y) != len(designs) or min(len(x), len(y)) < 2 or len(designs) > 400:
        return None
    share = np.full((len(y), len(x)), math.nan)
    passed = np.zeros((len(y), len(x)), bool)
    for (_, found), row in zip(designs, result.sweep.design.rows, strict=True):
        at = y.index(row[1]), x.index(row[0])
        beyond = [e.mean for name, e in found.estimates.items() if name.endswith(".violation_fraction")]
        known = [value for value in beyond if not math.isnan(value)]
        share[at] = max(known) if known else (0.0 if found.estimates else math.nan)
        passed[at] = _all_passed(found)
    return Grid(paths[0], x, paths[1], y, share, passed, footer=footer)


def _worth_drawing(designs: Sequence[Any]) -> list[str]:
    wanted = ("violation_s", "lag_p99_s", "journal_peak_bytes")
    names = dict.fromkeys(
        n for _, found in designs for n in found.estimates if n.rpartition(".")[2] in wanted
    )
    return list(names)[:6]


def _shows(names: Sequence[str]) -> dict[str, Callable[[float], str]]:
    """How to write each measure's values."""
    return {_short(name): partial(value, name) for name in names}


def _label(paths: Sequence[str], overrides: Sequence[tuple[str, str]]) -> str:
    given = dict(overrides)
    return ", ".join(f"{path.rpartition('.')[2]} {given[path]}" for path in paths)


def _short(name: str) -> str:
    return measure(name)


def _mean(found: Any, name: str) -> float:
    return float(found.estimates[name].mean) if name in found.estimates else math.nan


def _all_passed(found: Any) -> bool:
    return bool(found.outcomes) and all(
        o.summary is not None and o.summary.get("passed", True) for o in found.outcomes
    )
