"""Panels below the lag: how full the journal is, who uses the link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import blended_transform_factory

from drsim.measure.decimate import thin
from drsim.report import style
from drsim.report.source import Floats, Source, Table, classes
from drsim.units import format_bits, format_size

POINTS = 2400
"""Points drawn of a curve; a longer one is thinned to the extremes of equal stretches."""


def journal(axes: Axes, source: Source, group: str, targets: Sequence[str]) -> None:
    """Journal occupancy with its capacity; without a journal, the bytes each target lacks."""
    curves = [(target, source.curve(group, target)) for target in targets]
    known = [(target, curve) for target, curve in curves if curve is not None]
    column = "journal_bytes" if any("journal_bytes" in curve for _, curve in known) else "backlog_bytes"
    peak = 0.0
    for index, (_, curve) in enumerate(known):
        if column not in curve:
            continue
        t, level = thinned(curve["t"], curve[column])
        peak = max(peak, float(level.max(initial=0.0)))
        axes.plot(t, level, lw=1.2, drawstyle="steps-post", **style.series(index))
        if column == "journal_bytes":
            axes.fill_between(t, level, step="post", color=style.series(index)["color"], alpha=0.12, lw=0)
            break
    limit = next((v for target in targets if (v := source.journal_limit(group, target))), None)
    top = max(peak, 1.0)
    if limit is not None and limit < top * 6:
        top = max(top, limit)
        axes.axhline(limit, color=style.DARK, ls="--", lw=1.1)
        axes.text(
            1.0, limit, f" full at\n {format_size(limit)}", transform=right(axes), fontsize=9, va="center"
        )
    elif limit is not None:
        axes.text(
            1.0,
            top * 1.1,
            f" full at\n {format_size(limit)}\n far above",
            transform=right(axes),
            fontsize=9,
            va="top",
        )
    axes.set_ylim(0, top * 1.14)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: format_size(v) if v else "0"))
    axes.set_ylabel("journal" if column == "journal_bytes" else "backlog")
    _overflows(axes, source, group, top)


def _overflows(axes: Axes, source: Source, group: str, top: float) -> None:
    """Mark the instants at which the journal overflowed."""
    at = source.overflows(group)
    for index, t in enumerate(at[:50]):
        axes.plot([t], [top * 1.05], marker="v", ms=7, color=style.DARK, clip_on=False, zorder=5)
        if index == 0:
            left = t > source.duration_s * 0.8
            note = axes.annotate(
                "overflow → resync" + (f" ({len(at)}×)" if len(at) > 1 else ""),
                (t, top * 1.05),
                xytext=(-8 if left else 8, 0),
                textcoords="offset points",
                ha="right" if left else "left",
                va="center",
                fontsize=8.5,
            )
            style.outlined(note)


def link(axes: Axes, name: str, table: Table, duration_s: float) -> None:
    """Mean rate of each class per bin, stacked, below the rate the link could carry."""
    edges = np.append(table["t"], duration_s)
    widths = np.diff(edges)
    widths = np.where(widths > 0, widths, 1.0)
    kinds = [kind for kind in classes(table) if table[kind].sum() > 0]
    below = np.zeros(len(widths))
    for kind, shade in zip(kinds, style.shades(len(kinds)), strict=True):
        rate = table[kind] / widths
        axes.stairs(below + rate, edges, baseline=below, fill=True, color=shade, label=style.plain(kind))
        below = below + rate
    top = float(below.max(initial=0.0))
    if "usable" in table:
        usable = table["usable"] / widths
        axes.stairs(usable, edges, baseline=None, color=style.DARK, lw=1.2, label="usable rate")
        top = max(top, float(usable.max(initial=0.0)))
    axes.set_ylim(0, (top or 1.0) * 1.12)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: format_bits(v) if v else "0"))
    axes.set_ylabel(style.plain(name.replace(" ", "\n", 1)), fontsize=9)
    if kinds:
        axes.legend(
            loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, handlelength=1.2, fontsize=8.5
        )


def right(axes: Axes) -> Any:
    """Coordinates of the right margin: x in parts of the panel, y in the panel's values."""
    return blended_transform_factory(axes.transAxes, axes.transData)


def thinned(t: Floats, values: Floats) -> tuple[Floats, Floats]:
    """At most about `POINTS` points: the lowest and highest of equal stretches; gaps (NaN) are kept."""
    return thin(t, values, POINTS)
