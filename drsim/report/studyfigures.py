"""Pictures of many runs: heatmap over two axes, smallest bandwidth against RPO."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from drsim.report import style
from drsim.report.findings import share
from drsim.units import format_bits, format_duration

Floats = NDArray[np.float64]

BANDS = (0.0, 1e-9, 0.001, 0.01, 0.1, 0.5, 1.0)
"""Edges of the heatmap's bands: shares of time beyond the RPO."""
_BAND_NAMES = ("never", "to 0.1 %", "to 1 %", "to 10 %", "to 50 %", "more")
_BAND_COLOURS = ("#f7f7f7", "#fde6d8", "#f9c4ac", "#ee8f78", "#d4525a", "#8f0b2b")


@dataclass(frozen=True, slots=True)
class Grid:
    """Results over two axes.

    Attributes:
        x_name: the setting along x, as the user wrote it.
        x: its values' texts, in order.
        y_name: the setting along y.
        y: its values' texts, from the bottom.
        share: float64[len(y), len(x)], share of time beyond the RPO; NaN where the point failed.
        passed: bool[len(y), len(x)], whether every expectation was met.
        today: column and row of today's design, if it is among them.
        footer: what identifies the sweep.
    """

    x_name: str
    x: Sequence[str]
    y_name: str
    y: Sequence[str]
    share: Floats
    passed: NDArray[np.bool_]
    today: tuple[int, int] | None = None
    footer: str = ""


def heatmap_figure(grid: Grid) -> Figure:
    """Draw the share of time beyond the RPO in discrete bands, a tick where all passed, and the frontier."""
    rows, columns = grid.share.shape
    with style.look():
        figure = Figure(figsize=(3.6 + max(0.95 * columns, 4.6), 2.2 + max(0.62 * rows, 2.2)))
        axes = figure.subplots()
        colours = ListedColormap(list(_BAND_COLOURS)).with_extremes(bad="#d9d9d9")
        norm = BoundaryNorm(BANDS, colours.N)
        mesh = axes.pcolormesh(
            np.ma.masked_invalid(np.minimum(grid.share, 1 - 1e-12)),
            cmap=colours,
            norm=norm,
            ec="white",
            lw=1.5,
        )
        for row in range(rows):
            for column in range(columns):
                _cell(axes, grid, row, column)
        _frontier(axes, grid.passed)
        if grid.today is not None:
            axes.add_patch(
                Rectangle(grid.today, 1, 1, fill=False, ec=style.DARK, lw=2.2, ls=(0, (3, 1.5)), zorder=5)
            )
        axes.set_xticks(np.arange(columns) + 0.5, [style.plain(v) for v in grid.x])
        axes.set_yticks(np.arange(rows) + 0.5, [style.plain(v) for v in grid.y])
        if max((len(v) for v in grid.x), default=0) * columns > 70:
            axes.tick_params(axis="x", rotation=30)
        axes.set(xlabel=style.plain(grid.x_name), ylabel=style.plain(grid.y_name))
        axes.grid(visible=False)
        _colour_bar(figure, axes, mesh)
        more = "✓ every expectation met   ━ frontier" + (
            "   ┅ today's design" if grid.today is not None else ""
        )
        style.headline(figure, _heatmap_finding(grid), more)
        style.footer(figure, grid.footer)
    return figure


def _colour_bar(figure: Figure, axes: Axes, mesh: Any) -> None:
    """The bands by name, each as high as the others."""
    bar = figure.colorbar(mesh, ax=axes, spacing="uniform", pad=0.02, label="share of time beyond the RPO")
    middles = [(a + b) / 2 for a, b in itertools.pairwise(BANDS)]
    bar.ax.yaxis.set_major_locator(FixedLocator(middles))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.set_yticklabels(_BAND_NAMES)
    bar.ax.tick_params(length=0)


def _cell(axes: Axes, grid: Grid, row: int, column: int) -> None:
    value = grid.share[row, column]
    if np.isnan(value):
        text, colour = "failed", "#555555"
    else:
        text = share(float(value)) if value > 0 else "0"
        colour = "white" if value > 0.1 else style.DARK
        if grid.passed[row, column]:
            text, colour = f"✓ {text}", style.TEAL if value <= 0.01 else "white"
    weight = "bold" if not np.isnan(value) and grid.passed[row, column] else "normal"
    axes.text(
        column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=9, color=colour, fontweight=weight
    )


def _frontier(axes: Axes, passed: NDArray[np.bool_]) -> None:
    """Draw the edges between cells that pass and cells that do not."""
    rows, columns = passed.shape
    look: dict[str, Any] = {"color": style.TEAL, "lw": 3.2, "solid_capstyle": "round", "zorder": 4}
    for row in range(rows):
        for column in range(columns):
            if column + 1 < columns and passed[row, column] != passed[row, column + 1]:
                axes.plot([column + 1, column + 1], [row, row + 1], **look)
            if row + 1 < rows and passed[row, column] != passed[row + 1, column]:
                axes.plot([column, column + 1], [row + 1, row + 1], **look)


def _heatmap_finding(grid: Grid) -> str:
    good = int(grid.passed.sum())
    if good == 0:
        return f"None of the {grid.passed.size} designs meets every expectation"
    if good == grid.passed.size:
        return f"All {good} designs meet every expectation"
    least = next(grid.x[c] for c in range(grid.passed.shape[1]) if grid.passed[:, c].any())
    return f"{good} of {grid.passed.size} designs meet every expectation, from {grid.x_name} = {least} on"


@dataclass(frozen=True, slots=True)
class Frontier:
    """The smallest rate that keeps each RPO.

    Attributes:
        rpo_s: float64[n], seconds, increasing.
        rate: float64[n], bytes/s (the line's nominal rate), NaN where none is enough.
        low, high: float64[n], the band over seeds (5 and 95 %), or None.
        marks: standard links by name, bytes/s; drawn as horizontal lines.
        today: (rpo_s, bytes/s) of today's design.
        subject: what the rate is of: ``link paris-lyon``.
        footer: what identifies the study.
    """

    rpo_s: Floats
    rate: Floats
    low: Floats | None = None
    high: Floats | None = None
    marks: Mapping[str, float] = field(default_factory=dict)
    today: tuple[float, float] | None = None
    subject: str = "the link"
    footer: str = ""


def frontier_figure(found: Frontier) -> Figure:
    """Draw the smallest rate against the RPO, with standard links as horizontal lines."""
    with style.look():
        figure = Figure(figsize=(10.5, 5.4))
        axes = figure.subplots()
        known = ~np.isnan(found.rate)
        low, high = _reach(found)
        if found.low is not None and found.high is not None:
            axes.fill_between(
                found.rpo_s,
                np.where(np.isnan(found.low), high, found.low),  # where nothing is enough: beyond the picture
                np.where(np.isnan(found.high), high, found.high),
                color=style.SERIES[0],
                alpha=0.2,
                lw=0,
                label="enough in 5 to 95 % of futures",
            )
        smallest = {"ms": 5, "lw": 1.8, "color": style.SERIES[0], "label": "smallest rate"}
        axes.plot(found.rpo_s[known], found.rate[known], "o-", **smallest)
        axes.set(
            xscale="log", yscale="log", xlabel="RPO", ylabel=f"smallest rate of {style.plain(found.subject)}"
        )
        axes.set_ylim(low, high)
        axes.set_xlim(found.rpo_s[0] / 1.25, found.rpo_s[-1] * 1.25)
        _marks(axes, found.marks, (low, high))
        _ticks(axes, found.rpo_s)
        axes.yaxis.set_major_locator(FixedLocator(_decades(low, high)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: format_bits(v)))
        if found.today is not None:
            axes.plot(*found.today, marker="D", ms=9, color=style.DARK, ls="", label="today's design")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.3)
        style.headline(figure, _frontier_finding(found))
        style.footer(figure, found.footer)
    return figure


def _reach(found: Frontier) -> tuple[float, float]:
    known = found.rate[~np.isnan(found.rate)]
    values = [*known.tolist(), *([found.today[1]] if found.today else [])]
    for band in (found.low, found.high):
        values += band[~np.isnan(band)].tolist() if band is not None else []
    lowest, highest = min(values, default=1e5), max(values, default=1e7)
    above = [rate for rate in found.marks.values() if rate >= highest]
    below = [rate for rate in found.marks.values() if rate <= lowest]
    return max([*below, lowest / 3]) / 1.5, min([*above, highest * 3]) * 1.5


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten of bits a second within reach; with 2 and 5 between where these are few."""
    powers = [10.0**k / 8 for k in range(3, 14)]
    found = [p for p in powers if low <= p <= high]
    return found if len(found) > 2 else [p * k for p in powers for k in (1, 2, 5) if low <= p * k <= high]


def _marks(axes: Axes, marks: Mapping[str, float], reach: tuple[float, float]) -> None:
    for name, rate in marks.items():
        if reach[0] < rate < reach[1]:
            axes.axhline(rate, color=style.GREY, lw=1, ls=(0, (6, 3)), zorder=1)
            text = f" {name}"
            axes.text(
                1.0,
                rate,
                text,
                transform=axes.get_yaxis_transform(),
                fontsize=9,
                va="center",
                color="#555555",
            )


_NAMED = 8
"""RPOs that are named at the axis one by one."""


def _ticks(axes: Axes, rpo: Floats) -> None:
    marks = [1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 7 * 86400]
    marks = rpo.tolist() if len(rpo) <= _NAMED else marks
    axes.xaxis.set_major_locator(
        FixedLocator([m for m in marks if rpo.min() / 1.05 <= m <= rpo.max() * 1.05])
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: format_duration(v)))


def _frontier_finding(found: Frontier) -> str:
    known = np.flatnonzero(~np.isnan(found.rate))
    if len(known) == 0:
        return f"No rate of {found.subject} that was tried keeps any of these RPOs"
    none = [format_duration(rpo) for rpo in found.rpo_s[np.isnan(found.rate)].tolist()]
    text = f"No rate keeps an RPO of {', '.join(none)}; {_needs(found, int(known[0]))}" if none else ""
    text = text or f"An RPO of {_needs(found, int(known[0]))}"
    return text + (f"; {_needs(found, int(known[-1]))}" if len(known) > 1 else "")


def _needs(found: Frontier, at: int) -> str:
    rate = found.rate[at]
    return f"{format_duration(found.rpo_s[at])} needs {format_bits(rate)}{_next(found, at)}"


def _next(found: Frontier, at: int) -> str:
    fits = [(rate, name) for name, rate in found.marks.items() if rate >= found.rate[at]]
    return f" ({min(fits)[1]})" if fits else ""
