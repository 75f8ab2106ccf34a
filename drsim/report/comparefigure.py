"""The picture of compared designs: one panel a measure, a dot with its interval for each design."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from drsim.report import style
from drsim.report.overlay import Overlay, overlay
from drsim.units import format_duration

_MARKS = {
    "better": ("✓ better", style.TEAL),
    "worse": ("✗ worse", style.DARK),
    "unclear": ("unclear", style.GREY),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure of every design.

    Attributes:
        name: of the measure.
        mean: of each design, the base first.
        low, high: ends of each design's confidence interval (equal to the mean with one future).
        verdict: for each design but the base: better, worse, more, less, same, unclear.
        show: writes a value.
    """

    name: str
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    verdict: Sequence[str]
    show: Callable[[float], str] = format_duration


def compare_figure(
    labels: Sequence[str],
    measures: Sequence[Measured],
    footer: str = "",
    note: str = "",
    overlays: Sequence[Overlay] = (),
) -> Figure:
    """Draw designs against the base, side by side in each measure.

    Args:
        labels: the designs, the base first.
        measures: what is compared, at most six or the panels get too small.
        footer: what identifies the study.
        note: a line below the title (``20 futures, 95 % intervals``).
        overlays: lag curves of the designs, drawn below in a panel for each target.
    """
    count = len(labels)
    with style.look():
        wide = max(len(label) for label in labels) * 0.085 + 0.6
        high = 2.0 + 0.5 * count
        figure = Figure(figsize=(max(wide + 2.6 * len(measures), 7.0), high + 2.5 * len(overlays)))
        ratios = [high - 1.2, *(2.4 for _ in overlays)]
        grid = figure.add_gridspec(1 + len(overlays), len(measures), height_ratios=ratios)
        panels = [figure.add_subplot(grid[0, at]) for at in range(len(measures))]
        for axes, measured in zip(panels, measures, strict=True):
            _panel(axes, measured)
            axes.tick_params(axis="y", length=0, labelleft=axes is panels[0])
            axes.set_ylim(count - 0.4, -0.6)
            axes.set_yticks([])
        for at, each in enumerate(overlays):
            _curves(figure.add_subplot(grid[1 + at, :]), each, first=at == 0)
        names = [f"{style.plain(label)}{' (base)' if i == 0 else ''}" for i, label in enumerate(labels)]
        panels[0].set_yticks(range(count), names)
        style.headline(figure, _finding(labels, measures) + (f" ({note})" if note else ""))
        style.footer(figure, footer)
    return figure


def _curves(axes: Axes, each: Overlay, *, first: bool) -> None:
    """Lag curves, with the designs' names in a row above the first."""
    overlay(axes, each)
    axes.set_xlabel("time since the start")
    if first:
        lines = [
            Line2D([], [], lw=1.6, label=style.plain(x), **style.series(i)) for i, x in enumerate(each.curves)
        ]
        axes.legend(handles=lines, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0.3)


def _panel(axes: Axes, measured: Measured) -> None:
    top = max(max(measured.high), max(measured.mean), 0.0) or 1.0
    axes.axvline(measured.mean[0], color=style.GREY, ls=":", lw=1.2, zorder=1)
    for row, (mean, low, high) in enumerate(zip(measured.mean, measured.low, measured.high, strict=True)):
        word: str = ""
        colour: str | tuple[float, float, float] = style.SERIES[0]
        if row:
            verdict = measured.verdict[row - 1]
            word, colour = _MARKS.get(verdict, (verdict, style.GREY))
        axes.plot([low, high], [row, row], color=colour, lw=2.4, alpha=0.55, solid_capstyle="butt")
        axes.plot([mean], [row], "o", ms=6, color=colour, zorder=3)
        text = f"{measured.show(mean)}  {word}".rstrip()
        side, aside = (
            ("left", 4) if mean < top * 0.35 else ("right", -4) if mean > top * 0.65 else ("center", 0)
        )
        note = axes.annotate(
            text,
            (mean, row),
            xytext=(aside, 7),
            textcoords="offset points",
            ha=side,
            fontsize=8.5,
            color=colour if word else style.DARK,
        )
        style.outlined(note)
    axes.set_xlim(-top * 0.04, top * 1.08)
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.set_title(style.plain(measured.name), fontsize=9.5, fontweight="normal")


def _finding(labels: Sequence[str], measures: Sequence[Measured]) -> str:
    """Which design is better in how many measures."""
    base, parts = labels[0], []
    for index, label in enumerate(labels[1:]):
        words = np.array([measured.verdict[index] for measured in measures])
        better, worse = int((words == "better").sum()), int((words == "worse").sum())
        of = f"of {len(measures)} measures"
        if better and not worse:
            parts.append(f"{label} is better than {base} in {better} {of}, worse in none")
        elif better or worse:
            parts.append(
                f"{label} is better than {base} in {better} and worse in {worse} of {len(measures)} measures"
            )
        else:
            parts.append(f"{label} cannot be told from {base}")
    return "; ".join(parts)
