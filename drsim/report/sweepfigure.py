"""The overview of a sweep: one row a point, one panel a measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from drsim.report import style
from drsim.report.source import Floats
from drsim.units import format_duration


def sweep_figure(
    points: Sequence[str],
    measures: Mapping[str, Floats],
    passed: NDArray[np.bool_],
    show: Mapping[str, Callable[[float], str]] | None = None,
    footer: str = "",
) -> Figure:
    """Draw an overview of a sweep: one row a point, one panel a measure, failed points marked.

    Args:
        points: the points' texts.
        measures: float64[len(points)] by name; NaN where a point failed.
        passed: bool[len(points)], whether all expectations were met.
        show: how to write a measure's values; by default as seconds where the name ends in ``_s``.
        footer: what identifies the sweep.
    """
    rows = np.arange(len(points))
    with style.look():
        width = max((len(p) for p in points), default=1) * 0.075 + 2.7 * len(measures) + 0.8
        figure = Figure(figsize=(max(width, 7), 1.9 + 0.3 * max(len(points), 3)))
        panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)
        for axes, (name, values) in zip(panels[0], measures.items(), strict=True):
            write = (show or {}).get(name, format_duration if name.endswith("_s") else lambda v: f"{v:g}")
            _measure(axes, name, values, passed, write)
        names = [f"{style.plain(p)}  {'✓' if ok else '✗'}" for p, ok in zip(points, passed, strict=True)]
        panels[0][0].set_yticks(rows, names)
        for axes in panels[0]:
            axes.tick_params(axis="y", length=0)
        panels[0][0].set_ylim(len(points) - 0.4, -0.6)
        good = int(passed.sum())
        style.headline(figure, f"{good} of {len(points)} points meet every expectation")
        style.footer(figure, footer)
    return figure


def _measure(
    axes: Axes, name: str, values: Floats, passed: NDArray[np.bool_], write: Callable[[float], str]
) -> None:
    known = np.nan_to_num(values)
    top = float(known.max(initial=0.0)) or 1.0
    for row, value in enumerate(values):
        if np.isnan(value):
            axes.text(0, row, " failed", va="center", fontsize=8.5, color="#555555")
            continue
        look = (
            {"color": style.SERIES[0]} if passed[row] else {"color": "#e9b9b2", "hatch": "//", "ec": "white"}
        )
        axes.barh(row, value, height=0.62, lw=0, **look)
        axes.text(value + top * 0.02, row, write(float(value)), va="center", fontsize=8.5)
    axes.set_xlim(0, top * 1.32)
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.set_title(style.plain(name), fontsize=9.5, fontweight="normal")
