"""The coherency timeline: which image a failover would have found at a target when, and how old it was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from drsim.measure.images import FOLLOWING, HELD, IMAGES, NONE, POINT, SNAPSHOT
from drsim.report import panels, style
from drsim.report.source import Source, Table
from drsim.units import format_duration

_LOOK: dict[str, dict[str, Any]] = {
    FOLLOWING: {"facecolor": "#9ecae1", "edgecolor": "white"},
    POINT: {"facecolor": "#0173b2", "edgecolor": "white"},
    HELD: {"facecolor": "#de8f05", "edgecolor": "white", "hatch": "xx"},
    SNAPSHOT: {"facecolor": "#cc78bc", "edgecolor": "white", "hatch": "\\\\\\"},
    NONE: {"facecolor": "white", "edgecolor": style.RED, "hatch": "////"},
}
_NAMES = {
    FOLLOWING: "in order, write by write",
    POINT: "newest whole image",
    HELD: "last image in order",
    SNAPSHOT: "protective snapshot",
    NONE: "no consistent image",
}
_OTHER_BLUE = "#6fb3e0"
_SHOWN = 12
"""Images drawn one by one; of more, those about the oldest."""


def worth_drawing(table: Table | None) -> bool:
    """Whether there is more to tell than that the image followed the source all the time."""
    return table is not None and set(table.get("image", ())) not in (set(), {FOLLOWING})


def images_figure(
    source: Source,
    group: str,
    target: str,
    start: datetime | None = None,
    window: tuple[float, float] | None = None,
) -> Figure:
    """Draw the age of the newest usable image, and below it which image that was.

    Args:
        source: the results; uses ``images/<group>/<target>`` (`drsim.measure.images`) and the lag curve.
        group: the group's name.
        target: the target's name.
        start: the calendar instant of 0.
        window: the part to draw, seconds; by default all, of many images a dozen about the oldest.
    """
    table = source.tables[f"images/{group}/{target}"]
    facts = source.groups()[group]["targets"][target]
    begin, end = window or _window(table)
    points = POINT in set(table["image"])
    with style.look():
        ratios = (3, 2.1) if points else (3, 0.8)
        figure = Figure(figsize=(11, 5.2 if points else 4.3))
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=ratios)
        _age(top, source, group, target, (begin, end))
        below.set_xlim(begin, end)
        for row in np.flatnonzero((table["begin"] < end) & (table["end"] > begin)):
            _image(
                below,
                {name: column[row] for name, column in table.items()},
                int(row),
                facts.get("rpo_s"),
                start,
            )
        names = ["usable at\nthe target", "in transfer", "taken at\nthe source"] if points else ["image"]
        below.set_yticks(range(len(names)), names)
        below.set_ylim(-0.55, len(names) - 0.45)
        below.grid(axis="y", visible=False)
        style.time_axis(below, end, start, begin_s=begin)
        below.set_xlabel(style.time_label(start, source.duration_s))
        _legend(top, table, points=points)
        style.headline(figure, finding(f"{group} at {target}", table, facts))
        style.footer(figure, source.footer)
    return figure


def _window(table: Table) -> tuple[float, float]:
    """All of it; of many images, as many as can be told apart, with the one that grew oldest among them."""
    last = float(table["end"][-1])
    if len(table["begin"]) <= _SHOWN + 2:
        return 0.0, last
    ages = np.nan_to_num(np.asarray(table["age_max_s"], float), nan=-1.0)
    first = min(max(int(ages.argmax()) - _SHOWN // 2, 0), len(ages) - _SHOWN)
    return float(table["begin"][first]), float(table["end"][first + _SHOWN - 1])


def _age(axes: Axes, source: Source, group: str, target: str, window: tuple[float, float]) -> None:
    curve = source.curve(group, target)
    rpo = source.groups()[group]["targets"][target].get("rpo_s")
    top = rpo or 0.0
    if curve is not None:
        shown = (curve["t"] >= window[0]) & (curve["t"] <= window[1])
        t, lag = panels.thinned(curve["t"][shown], curve["lag_s"][shown])
        axes.plot(t, lag, lw=1.3, color=style.SERIES[0])
        highest = float(np.nanmax(lag)) if len(lag) and not np.isnan(lag).all() else 0.0
        top = highest if not top or top > 5 * highest > 0 else max(top, highest)
        if rpo is not None:
            with np.errstate(invalid="ignore"):
                axes.fill_between(
                    t, rpo, lag, where=lag > rpo, color=style.RED, alpha=0.33, lw=0, interpolate=True
                )
    axes.set_ylim(0, (top or 1.0) * 1.15)
    if rpo is not None:
        far = bool(rpo > axes.get_ylim()[1])
        if not far:
            axes.axhline(rpo, color=style.RED, ls="--", lw=1.3)
        text = f" RPO {format_duration(rpo)}" + "\n far above" * far
        at = min(rpo, axes.get_ylim()[1])
        axes.text(
            1.0,
            at,
            text,
            transform=panels.right(axes),
            color=style.RED,
            fontsize=9,
            va="top" if far else "center",
        )
    for span in source.outages(group):
        axes.axvspan(span.begin, span.end, color=style.OUTAGE, lw=0, zorder=0.5)
    style.duration_axis(axes)
    axes.set_ylabel("age of the image")


def _image(
    axes: Axes, image: Mapping[str, Any], number: int, rpo: float | None, start: datetime | None
) -> None:
    kind, begin, end = str(image["image"]), float(image["begin"]), float(image["end"])
    look = dict(_LOOK[kind])
    late = rpo is not None and float(image["age_max_s"]) > rpo
    text = _NAMES[kind] if kind != POINT else f"of {_clock(float(image['taken']), start)}"
    if kind == POINT:
        look["facecolor"] = (look["facecolor"], _OTHER_BLUE)[number % 2]
        if late:
            look |= {"facecolor": style.RED, "hatch": "//"}
            text = "late"
        _way(axes, image, look["facecolor"])
    axes.barh(0, end - begin, left=begin, height=0.62, lw=0.8, **look)
    low, high = axes.get_xlim()
    shown = min(end, high) - max(begin, low)
    if shown > (high - low) * 0.0095 * len(text):
        style.inside(axes, max(begin, low) + shown / 2, 0, text, look["facecolor"])


def _clock(taken: float, start: datetime | None) -> str:
    """The hour at which an image was taken."""
    minutes = round(taken / 60)
    if start is None:
        return f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{start + timedelta(minutes=minutes):%H:%M}"


def _way(axes: Axes, image: Mapping[str, Any], colour: Any) -> None:
    """From taken to usable."""
    taken, sent, there = (float(image[name]) for name in ("taken", "sent_from", "sent_to"))
    if math.isnan(sent):
        return
    axes.plot([taken], [2], marker="D", ms=5, color=colour)
    until = float(image["begin"]) if math.isnan(there) else there
    axes.barh(1, until - sent, left=sent, height=0.42, color=colour, alpha=0.75)
    axes.plot([taken, float(image["begin"])], [2, 0.31], color=colour, lw=0.8, alpha=0.7)


def _legend(axes: Axes, table: Table, *, points: bool) -> None:
    there = [kind for kind in IMAGES if kind in set(table["image"])]
    handles = [
        Patch(label=_NAMES[kind], lw=0.8, **_LOOK[kind]) for kind in there if kind != POINT or not points
    ]
    if handles:
        axes.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(handles), borderaxespad=0.3
        )


def finding(name: str, table: Table, facts: Mapping[str, Any]) -> str:
    """What the picture shows, in a sentence."""
    kinds, rpo = np.array([str(kind) for kind in table["image"]]), facts.get("rpo_s")
    seconds = {kind: float((table["end"] - table["begin"])[kinds == kind].sum()) for kind in IMAGES}
    parts = []
    if (kinds == POINT).any():
        count = int((kinds == POINT).sum())
        late = int((np.nan_to_num(table["age_max_s"])[kinds == POINT] > rpo).sum()) if rpo is not None else 0
        parts.append(
            f"{late} of {count} images serve longer than the {format_duration(rpo)} RPO allows"
            if late and rpo is not None
            else f"{count} images" + (f", none older than its RPO of {format_duration(rpo)}" if rpo else "")
        )
    words = {
        HELD: "on the last image in order",
        SNAPSHOT: "on the protective snapshot",
        NONE: "without an image",
    }
    parts += [f"{format_duration(seconds[kind])} {text}" for kind, text in words.items() if seconds[kind]]
    return f"{name}: {', '.join(parts) if parts else 'every image is in order, write by write'}"
