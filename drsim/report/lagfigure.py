"""The lag figure of a group: lag, journal and link use on one time axis, with outages through all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import blended_transform_factory

from drsim.measure.causes import Span
from drsim.report import panels as panels_
from drsim.report import style
from drsim.report.findings import group_finding
from drsim.report.source import Floats, Source
from drsim.units import format_duration


def lag_figure(source: Source, group: str, start: datetime | None = None) -> Figure:
    """Draw a group's lag at each target, its journal, and the links its data crosses.

    Args:
        source: the results.
        group: the group's name.
        start: the calendar instant of time 0, for the time axis.

    Raises:
        KeyError: there is no such group.
    """
    targets = list(source.groups()[group]["targets"])
    links = source.link_tables(group)[:3]
    ratios = [3.4, 2.0, *[1.9] * len(links)]
    with style.look():
        figure = Figure(figsize=(11, 1.4 + 0.95 * sum(ratios)))
        panels = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
        _outages(panels, source, group)
        _lag(panels[0], source, group, targets)
        panels_.journal(panels[1], source, group, targets)
        for axes, (name, table) in zip(panels[2:], links, strict=True):
            panels_.link(axes, name, table, source.duration_s)
        style.time_axis(panels[-1], source.duration_s, start)
        panels[-1].set_xlabel(style.time_label(start, source.duration_s))
        figure.align_ylabels(panels)
        style.headline(figure, group_finding(source, group))
        style.footer(figure, source.footer)
    return figure


def _outages(panels: Sequence[Axes], source: Source, group: str) -> None:
    """Grey bands through all panels; brief ones are given a width that can still be seen."""
    spans = source.outages(group)
    least = source.duration_s / 1200
    for span in spans:
        for axes in panels:
            axes.axvspan(span.begin, max(span.end, span.begin + least), color=style.OUTAGE, lw=0, zorder=0.5)


def _label_outages(axes: Axes, spans: Sequence[Span], duration_s: float) -> None:
    """Name outages at the upper edge, where there is room to."""
    place = blended_transform_factory(axes.transData, axes.transAxes)
    free_from = 0.0
    for span in spans:
        middle = (span.begin + span.end) / 2
        text = f"link down {format_duration(span.end - span.begin)}"
        half = duration_s * 0.0042 * len(text)
        if middle - half < free_from or middle + half > duration_s:
            continue
        axes.text(middle, 1.01, text, transform=place, ha="center", va="bottom", fontsize=8, color="#666666")
        free_from = middle + half


def _lag(axes: Axes, source: Source, group: str, targets: Sequence[str]) -> None:
    numbers = [source.groups()[group]["targets"][target] for target in targets]
    handles: list[Any] = []
    for index, (target, facts) in enumerate(zip(targets, numbers, strict=True)):
        curve = source.curve(group, target)
        if curve is None:
            continue
        t, lag = panels_.thinned(curve["t"], curve["lag_s"])
        look = style.series(index)
        axes.plot(t, lag, lw=1.3, **look)
        handles.append(Line2D([], [], lw=1.6, label=f"lag at {style.plain(target)}", **look))
        if facts.get("rpo_s") is not None:
            _violation(axes, t, lag, facts["rpo_s"])
        _exposure(axes, source.spans("exposure", f"{group}/{target}"))
    _scale(axes, numbers)
    _objectives(axes, numbers)
    _peaks(axes, source, group, targets)
    axes.set_ylabel("lag")
    _label_outages(axes, source.outages(group), source.duration_s)
    _legend(axes, [*handles, *_keys(source, group, numbers)])


def _violation(axes: Axes, t: Floats, lag: Floats, rpo: float) -> None:
    with np.errstate(invalid="ignore"):
        axes.fill_between(t, rpo, lag, where=lag > rpo, color=style.RED, alpha=0.33, lw=0, interpolate=True)


def _exposure(axes: Axes, spans: Sequence[Span]) -> None:
    for span in spans:
        axes.axvspan(
            span.begin,
            span.end,
            facecolor="white",
            edgecolor=style.RED,
            hatch="////",
            lw=0,
            alpha=0.9,
            zorder=1.5,
        )


def _keys(source: Source, group: str, numbers: Sequence[Any]) -> list[Any]:
    """Legend entries for what is on the panel besides the curves."""
    keys: list[Any] = []
    if any(facts.get("violation_s") for facts in numbers):
        keys.append(Patch(facecolor=style.RED, alpha=0.33, label="beyond the RPO"))
    if any(facts.get("exposure_s") for facts in numbers):
        keys.append(
            Patch(facecolor="white", edgecolor=style.RED, hatch="////", lw=0, label="no consistent image")
        )
    if source.outages(group):
        keys.append(Patch(color=style.OUTAGE, label="link down"))
    return keys


def _legend(axes: Axes, handles: list[Any]) -> None:
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.07),
        ncols=max(len(handles), 1),
        borderaxespad=0,
        handlelength=2.2,
        columnspacing=1.6,
    )


def _scale(axes: Axes, numbers: Sequence[Any]) -> None:
    """From 0 to above the peak; an RPO far above every lag stays off the scale, or nothing could be seen."""
    peak = max((facts.get("lag_max_s") or 0.0 for facts in numbers), default=0.0)
    near = [facts["rpo_s"] for facts in numbers if facts.get("rpo_s") and facts["rpo_s"] <= peak * 5]
    top = max([peak, *near, 1e-3 if peak == 0 else 0.0])
    axes.set_ylim(0, top * 1.17)
    style.duration_axis(axes)


def _objectives(axes: Axes, numbers: Sequence[Any]) -> None:
    """A dashed red line for each RPO, named in the right margin."""
    top = axes.get_ylim()[1]
    for rpo in sorted({facts["rpo_s"] for facts in numbers if facts.get("rpo_s") is not None}):
        text = f" RPO {format_duration(rpo)}"
        if rpo < top:
            axes.axhline(rpo, color=style.RED, ls="--", lw=1.3, zorder=3)
            axes.text(1.0, rpo, text, transform=panels_.right(axes), color=style.RED, fontsize=9, va="center")
        else:
            axes.text(
                1.0,
                top,
                f"{text}\n far above",
                transform=panels_.right(axes),
                color=style.RED,
                fontsize=9,
                va="top",
            )


def _peaks(axes: Axes, source: Source, group: str, targets: Sequence[str]) -> None:
    """Mark the highest lag of each target with its value."""
    for index, target in enumerate(targets):
        curve = source.curve(group, target)
        if curve is None or not len(curve["lag_s"]) or np.isnan(curve["lag_s"]).all():
            continue
        at = int(np.nanargmax(curve["lag_s"]))
        t, lag = float(curve["t"][at]), float(curve["lag_s"][at])
        if lag <= 0:
            continue
        axes.plot([t], [lag], "o", ms=4, color=style.series(index)["color"], zorder=4)
        left = t > source.duration_s * 0.82
        label = axes.annotate(
            format_duration(lag),
            (t, lag),
            xytext=(-6 if left else 6, 3),
            textcoords="offset points",
            ha="right" if left else "left",
            va="bottom",
            fontsize=9,
            color=style.DARK,
        )
        style.outlined(label)
