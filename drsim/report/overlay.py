"""Lag curves of several designs over one another, in the same future."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from drsim.report import panels, style
from drsim.report.source import Floats
from drsim.units import format_duration

MOST = len(style.SERIES)
"""Designs that can be told apart in one picture."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """The lag of one target under each design.

    Attributes:
        name: ``erp at lyon``.
        curves: by design, ``t`` and ``lag`` (float64, seconds; NaN without an image).
        rpo_s: the objective; None without one, or where the designs' differ.
    """

    name: str
    curves: Mapping[str, tuple[Floats, Floats]]
    rpo_s: float | None = None

    @property
    def worst(self) -> dict[str, float]:
        """The greatest lag of each design; NaN where it never had any."""
        return {
            label: float(np.nanmax(lag)) if len(lag) and not np.isnan(lag).all() else np.nan
            for label, (_, lag) in self.curves.items()
        }


def overlay(axes: Axes, each: Overlay, start: datetime | None = None) -> None:
    """Draw the curves into a panel, with the objective."""
    end = max((float(t[-1]) for t, _ in each.curves.values() if len(t)), default=1.0)
    for index, (t, lag) in enumerate(each.curves.values()):
        axes.plot(t, lag, lw=1.3, **style.series(index))
    peak = np.nanmax([*each.worst.values(), 0.0])
    top = float(peak) if each.rpo_s is None or each.rpo_s > 5 * peak else max(float(peak), each.rpo_s)
    axes.set_ylim(0, (top or 1.0) * 1.12)
    if each.rpo_s is not None and each.rpo_s <= top:
        axes.axhline(each.rpo_s, color=style.RED, ls="--", lw=1.2, zorder=1)
        text = f" RPO {format_duration(each.rpo_s)}"
        axes.text(
            1.0, each.rpo_s, text, transform=panels.right(axes), color=style.RED, fontsize=9, va="center"
        )
    style.duration_axis(axes)
    style.time_axis(axes, end, start)
    axes.set_ylabel(f"lag of {style.plain(each.name)}")


def overlay_figure(found: Sequence[Overlay], footer: str = "", start: datetime | None = None) -> Figure:
    """Draw a panel for each target.

    Args:
        found: at most a few, of the same designs (at most `MOST`).
        footer: what identifies the study.
        start: the calendar instant of 0.
    """
    labels = list(found[0].curves)
    with style.look():
        figure = Figure(figsize=(11.0, 1.7 + 2.5 * len(found)))
        rows = figure.subplots(len(found), 1, sharex=True, squeeze=False)
        for axes, each in zip(rows[:, 0], found, strict=True):
            overlay(axes, each, start)
        lines = [
            Line2D([], [], lw=1.6, label=style.plain(x), **style.series(i)) for i, x in enumerate(labels)
        ]
        columns = max(1, min(len(labels), int(110 / (max(map(len, labels)) + 8))))
        rows[0, 0].legend(
            handles=lines, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.3
        )
        ends = [float(t[-1]) for t, _ in found[0].curves.values() if len(t)]
        rows[-1, 0].set_xlabel(style.time_label(start, max(ends, default=1.0)))
        style.headline(figure, finding(found))
        style.footer(figure, footer)
    return figure


def finding(found: Sequence[Overlay]) -> str:
    """The longest lag of each target, under the best and the worst design."""
    parts = []
    for each in found:
        known = {label: lag for label, lag in each.worst.items() if not np.isnan(lag)}
        if not known:
            parts.append(f"{each.name} never has an image")
            continue
        best, worst = min(known, key=lambda x: known[x]), max(known, key=lambda x: known[x])
        text = f"{each.name}: lag reaches {format_duration(known[worst])}"
        parts.append(
            text
            if known[best] == known[worst]
            else f"{text} with {worst}, {format_duration(known[best])} with {best}"
        )
    return "; ".join(parts)
