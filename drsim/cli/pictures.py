"""Pictures of a study: a heatmap over two axes, else an overview of the points."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drsim.cli import brief
from drsim.cli.shown import measure, value

if TYPE_CHECKING:
    from drsim.report.comparefigure import Measured
    from drsim.report.overlay import Overlay
    from drsim.study.compare import Comparison, Row
    from drsim.study.lab import Lab
    from drsim.study.point import Curves, Outcome
    from drsim.study.sweep import SweepResult

_DRAWN = ("violation_s", "lag_p99_s", "lag_max_s", "journal_peak_bytes")
_MOST_PANELS, _MOST_CURVES = 5, 3
MOST_ROWS = 60
"""Designs in an overview; of more, no picture can be read: use the table."""


def sweep_pictures(result: SweepResult, place: Path, lab: Lab) -> list[Path]:
    """Draw a sweep into its folder; nothing where there is nothing to see. Returns the files."""
    brief.import_matplotlib()
    from drsim.report import style
    from drsim.report.overlay import MOST, overlay_figure
    from drsim.report.studyfigures import heatmap_figure
    from drsim.report.sweepfigure import sweep_figure

    designs = list(result.designs())
    if not any(found.estimates for _, found in designs):
        return []
    files: list[Path] = []
    labels = [_label(result.sweep.design.paths, overrides) for overrides, _ in designs]
    firsts = _different(result.sweep.design.paths, designs, lab)
    if 2 <= len(firsts) <= MOST and (found := _overlays(firsts, _objectives(result.outcomes.values()))):
        files += style.save(overlay_figure(found, place.name), place / "curves")
    grid = _grid(result, designs, place.name)
    if grid is not None:
        return files + style.save(heatmap_figure(grid), place / "heatmap")
    if not 2 <= len(designs) <= MOST_ROWS:
        return files
    names = _worth_drawing(designs)
    columns = {_short(name): np.array([_mean(found, name) for _, found in designs]) for name in names}
    passed = np.array([_all_passed(found) for _, found in designs])
    return files + style.save(
        sweep_figure(labels, columns, passed, _shows(names), place.name), place / "overview"
    )


def _different(paths: Sequence[str], designs: Sequence[Any], lab: Lab) -> dict[str, Curves]:
    """The first future's curves by design; what makes no difference to any of them (an RPO) is no design."""
    ran = [(dict(overrides), lab.curves(found.outcomes[0])) for overrides, found in designs if found.outcomes]
    looks = ["".join(curve["lag_s"].tobytes().hex() for curve in curves.values()) for _, curves in ran]
    telling = list(paths)
    for path in paths:
        others = [each for each in telling if each != path]
        seen = {(tuple(given[p] for p in others), look) for (given, _), look in zip(ran, looks, strict=True)}
        if others and len({values for values, _ in seen}) == len(seen):
            telling = others
    return {_label(telling, list(given.items())): curves for given, curves in ran}


def comparison_picture(found: Comparison, stem: Path) -> list[Path]:
    """Draw the designs of a comparison: what is not the same in all, with intervals, and their lag curves."""
    brief.import_matplotlib()
    from drsim.report import style
    from drsim.report.comparefigure import compare_figure

    moved = [r for r in found.rows if any(c.verdict != "same" for c in r.contrasts)]
    wanted = [r for r in moved if r.measure.rpartition(".")[2] in _DRAWN][:_MOST_PANELS] or moved[
        :_MOST_PANELS
    ]
    if not wanted:
        return []
    outcomes = [o for each in found.outcomes.values() for o in each]
    note = (
        f"{found.futures} futures, intervals of {found.confidence:.0%}" if found.futures > 1 else "one future"
    )
    measures = [_measured(row) for row in wanted]
    return style.save(
        compare_figure(found.labels, measures, note, overlays=_overlays(found.curves, _objectives(outcomes))),
        stem,
    )


def _measured(row: Row) -> Measured:
    from drsim.report.comparefigure import Measured

    every = [row.base, *(c.estimate for c in row.contrasts)]
    known = [e.method != "none" for e in every]
    return Measured(
        _short(row.measure),
        [e.mean for e in every],
        [e.low if k else e.mean for e, k in zip(every, known, strict=True)],
        [e.high if k else e.mean for e, k in zip(every, known, strict=True)],
        [c.verdict for c in row.contrasts],
        partial(value, row.measure),
    )


def _objectives(outcomes: Iterable[Outcome]) -> dict[str, float | None]:
    """The RPO of each target, where it is the same in all runs."""
    found: dict[str, set[float | None]] = {}
    for outcome in outcomes:
        for group, facts in (outcome.summary or {}).get("groups", {}).items():
            for target, numbers in facts.get("targets", {}).items():
                found.setdefault(f"{group}/{target}", set()).add(numbers.get("rpo_s"))
    return {name: next(iter(rpos)) if len(rpos) == 1 else None for name, rpos in found.items()}


def _overlays(curves: Mapping[str, Curves], rpos: Mapping[str, float | None]) -> list[Overlay]:
    """Targets whose lag the designs change most, at most three."""
    from drsim.report.overlay import MOST, Overlay

    if not 2 <= len(curves) <= MOST or not all(curves.values()):
        return []
    shared = [name for name in next(iter(curves.values())) if all(name in each for each in curves.values())]
    every = [
        Overlay(
            name.replace("/", " at ", 1),
            {label: (each[name]["t"], each[name]["lag_s"]) for label, each in curves.items()},
            rpos.get(name),
        )
        for name in shared
    ]
    moved = [each for each in every if np.ptp(np.nan_to_num(list(each.worst.values()))) > 0]
    return sorted(moved, key=lambda o: -np.ptp(np.nan_to_num(list(o.worst.values()))))[:_MOST_CURVES]


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
