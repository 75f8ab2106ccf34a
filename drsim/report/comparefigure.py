"""The picture of compared designs: one panel a measure, a dot with its interval for each design."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from drsim.report import style
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
    labels: Sequence[str], measures: Sequence[Measured], footer: str = "", note: str = ""
) -> Figure:
    """Draw designs against the base, side by side in each measure.

    Args:
        labels: the designs, the base first.
        measures: what is compared, at most six or the panels get too small.
        footer: what identifies the study.
        note: a line below the title (``20 futures, 95 % intervals``).
    """
    count = len(labels)
    with style.look():
        wide = max(len(label) for label in labels) * 0.085 + 0.6
        size = (max(wide + 2.6 * len(measures), 7.0), 2.0 + 0.5 * count)
        figure, panels = plt.subplots(1, len(measures), figsize=size, sharey=True, squeeze=False)
        for axes, measured in zip(panels[0], measures, strict=True):
            _panel(axes, measured)
            axes.tick_params(axis="y", length=0)
        names = [f"{style.plain(label)}{' (base)' if i == 0 else ''}" for i, label in enumerate(labels)]
        panels[0][0].set_yticks(range(count), names)
        panels[0][0].set_ylim(count - 0.4, -0.6)
        style.headline(figure, _finding(labels, measures) + (f" ({note})" if note else ""))
        style.footer(figure, footer)
    return figure


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
        right = mean < top * 0.55
        note = axes.annotate(
            text,
            (mean, row),
            xytext=(4 if right else -4, 7),
            textcoords="offset points",
            ha="left" if right else "right",
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
