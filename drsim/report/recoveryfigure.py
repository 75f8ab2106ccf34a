"""The picture of bad days: where each group wrote when, and step by step how it came back."""

from __future__ import annotations

from datetime import datetime

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from drsim.report import style
from drsim.report.recovery import STEPS, Facts, finding, told
from drsim.report.source import Source
from drsim.units import format_duration

DOWN = "#5f5f5f"
STEP_COLOURS = dict(zip(STEPS, style.shades(len(STEPS)), strict=True))


def recovery_figure(source: Source, start: datetime | None = None) -> Figure:
    """Draw the table ``recovery`` over the run, a lane a group, and below it each recovery from its beginning.

    Hatched: hosts write, but no other site holds an image. Dark: hosts stand still. A red stroke is an RTO.
    """
    table = source.tables["recovery"]
    lanes = list(dict.fromkeys(str(group) for group in table["group"]))
    bars = [(group, each) for group, each in told(source) if each["steps"]]
    heights = [max(len(lanes), 1) * 0.8 + 0.8, max(len(bars), 1) * 0.5 + 0.8]
    with style.look():
        figure = Figure(figsize=(11, 1.6 + sum(heights)))
        upper, lower = figure.subplots(2, 1, height_ratios=heights)
        _lanes(upper, source, lanes)
        style.time_axis(upper, source.duration_s, start)
        upper.set_xlabel(style.time_label(start, source.duration_s))
        _steps(lower, bars)
        style.headline(figure, finding(source))
        style.footer(figure, source.footer)
    return figure


def _lanes(axes: Axes, source: Source, lanes: list[str]) -> None:
    table = source.tables["recovery"]
    sites: dict[str, int] = {}
    rows = zip(*(table[name] for name in ("group", "begin", "end", "what", "site")), strict=True)
    for group, begin, end, what, site in rows:
        at, width = lanes.index(str(group)), max(float(end - begin), source.duration_s / 900)
        if what not in ("protected", "unprotected"):
            axes.barh(at, width, left=float(begin), height=0.6, color=DOWN)
            continue
        colour = style.series(sites.setdefault(str(site), len(sites)))["color"]
        hatch = "" if what == "protected" else "////"
        axes.barh(
            at, width, left=float(begin), height=0.6, color=colour, hatch=hatch, edgecolor="white", lw=0
        )
    axes.set_yticks(range(len(lanes)), [style.plain(name) for name in lanes])
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    names = [Patch(color=style.series(n)["color"], label=style.plain(f"at {s}")) for s, n in sites.items()]
    names += [
        Patch(facecolor="#bbbbbb", hatch="////", edgecolor="white", label="no image elsewhere"),
        Patch(color=DOWN, label="hosts stand still"),
    ]
    axes.legend(handles=names, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5, borderaxespad=0.3)


def _steps(axes: Axes, bars: list[tuple[str, Facts]]) -> None:
    longest = 0.0
    for at, (_, each) in enumerate(bars):
        left = 0.0
        for step in STEPS:
            seconds = float(each["steps"].get(step) or 0.0)
            axes.barh(at, seconds, left=left, height=0.6, color=STEP_COLOURS[step])
            left += seconds
        axes.text(left, at, f" {format_duration(left)}", va="center", fontsize=9)
        longest = max(longest, left)
        if each["rto_s"] is not None and each["rto_s"] <= 1.5 * max(left, 1e-9):
            axes.plot([each["rto_s"]] * 2, [at - 0.4, at + 0.4], color=style.RED, lw=2)
            longest = max(longest, each["rto_s"])
    axes.set_yticks(range(len(bars)), [style.plain(f"{g}: {e['cause']}") for g, e in bars])
    axes.set_ylim(max(len(bars), 1) - 0.5, -0.5)
    axes.set_xlim(0, longest * 1.12 or 1.0)
    style.duration_axis(axes, "x")
    axes.set_xlabel("time since hosts stopped")
    seen = [s for s in STEPS if any(each["steps"].get(s) for _, each in bars)]
    handles = [Patch(color=STEP_COLOURS[s], label=s) for s in seen]
    if handles:
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=8, borderaxespad=0.3)
