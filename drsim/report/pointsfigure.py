"""The picture of recovery points: which snapshots were there when, and how far back each reached."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from drsim.measure.snapshots import FULL, LOST
from drsim.report import style
from drsim.report.source import Floats, Source, Table
from drsim.units import format_duration, format_size

_FRESH = 1 / 400
"""A point begins so low in the picture, as a share of its height, however young it is."""


def points_figure(source: Source, group: str, site: str, start: datetime | None = None) -> Figure:
    """Draw each snapshot of a timetable as it grows older, from when it was taken until it went.

    The lowest line at any instant is the newest point one could return to, the highest the oldest. Crosses: gone
    because room had run out, or with the site's data.

    Args:
        source: the results; uses ``snapshots/<group>/<site>`` (`drsim.measure.snapshots`).
        group: the group's name.
        site: the target's, or the source's.
        start: the calendar instant of 0.
    """
    table = source.tables[f"snapshots/{group}/{site}"]
    with style.look():
        figure = Figure(figsize=(11, 4.2))
        axes = figure.subplots()
        begin, end, lacks = _lines(table, source.duration_s)
        numbers = [int(str(name).split("-")[1]) for name in table["name"]]
        top = float((end - lacks).max(initial=1.0))
        for number in sorted(set(numbers)):
            mine = np.array(numbers) == number
            low = np.maximum(begin - lacks, top * _FRESH)[mine]
            ends = np.stack([begin[mine], low, end[mine], np.maximum((end - lacks)[mine], low)], axis=1)
            look = style.series(number)
            lines = LineCollection(
                list(ends.reshape(-1, 2, 2)), colors=look["color"], ls=look["linestyle"], lw=1.3
            )
            axes.add_collection(lines)
        _gone(axes, table, end, lacks)
        axes.set_ylim(0, top * 1.12)
        style.duration_axis(axes)
        axes.set_ylabel("how far back a point is")
        style.time_axis(axes, source.duration_s, start)
        axes.set_xlabel(style.time_label(start, source.duration_s))
        _legend(axes, sorted(set(numbers)), table)
        style.headline(figure, finding(source, group, site))
        style.footer(figure, source.footer)
    return figure


def finding(source: Source, group: str, site: str) -> str:
    """What the picture shows, in a sentence."""
    facts = source.groups()[group]
    numbers = facts["targets"].get(site, facts)
    text = f"{group} at {site}: {numbers['snapshots_taken']} snapshots"
    if numbers["snapshot_age_max_s"] is not None:
        text += f", the newest never older than {format_duration(numbers['snapshot_age_max_s'])}"
    if numbers["snapshots_lost"]:
        text += f", {numbers['snapshots_lost']} lost"
    return text + f"; up to {format_size(numbers['snapshot_space_peak_bytes'])} kept for them"


def _lines(table: Table, last: float) -> tuple[Floats, Floats, Floats]:
    """When each was taken, when it went (or the end), and up to when it holds everything."""
    begin = np.asarray(table["taken_at"], np.float64)
    gone = np.asarray(table["gone_at"], np.float64)
    lacks = np.asarray(table["lacks_from"], np.float64)
    return (
        begin,
        np.where(np.isnan(gone), last, gone),
        np.where(np.isnan(lacks), begin, np.minimum(lacks, begin)),
    )


def _gone(axes: Axes, table: Table, end: Floats, lacks: Floats) -> None:
    lost = np.array([str(why) in (FULL, LOST) for why in table["end"]], np.bool_)
    axes.plot(end[lost], (end - lacks)[lost], "x", ms=6, mew=1.6, color=style.RED, ls="")


def _legend(axes: Axes, numbers: list[int], table: Table) -> None:
    handles = [Line2D([], [], label=f"timetable {n + 1}", **style.series(n)) for n in numbers]
    if any(str(why) in (FULL, LOST) for why in table["end"]):
        handles.append(Line2D([], [], marker="x", color=style.RED, ls="", label="lost"))
    if len(handles) > 1:
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=6, borderaxespad=0.3)
