"""Pictures of one run beside the lag figure: exceedance, causes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from drsim.measure.causes import CAUSES
from drsim.report import style
from drsim.report.findings import share
from drsim.report.source import Source
from drsim.units import format_duration

CAUSE_COLOURS = dict(
    zip(
        CAUSES,
        ("#4d4d4d", "#949494", "#56b4e9", "#0173b2", "#de8f05", "#cc78bc", "#029e73", "#ece133"),
        strict=True,
    )
)
"""One colour for each cause in every picture (from seaborn's colourblind palette; red is not among them)."""
_HATCHES = dict(zip(CAUSES, ("", "..", "xx", "", "//", "\\\\", "--", "oo"), strict=True))


def exceedance_figure(source: Source, wanted: float = 1e-3) -> Figure:
    """Draw how often lag is longer than each value, for every target, on a logarithmic scale.

    Args:
        source: the results; uses its ``exceedance/...`` tables.
        wanted: a share of time marked as the target line (0.1 % by default).
    """
    with style.look():
        figure = Figure(figsize=(10.5, 5.2))
        axes = figure.subplots()
        longest, index = 0.0, -1
        for index, (group, target, numbers) in enumerate(source.targets()):
            table = source.tables.get(f"exceedance/{group}/{target}")
            if table is None:
                continue
            lag = np.maximum(table["lag_s"], 1e-3)
            shares = np.maximum(table["share"], 1e-9)
            look = style.series(index)
            axes.plot(lag, shares, lw=1.8, label=style.plain(f"{group} → {target}"), **look)
            longest = max(longest, float(lag[-1]))
            _objective(axes, table["lag_s"], table["share"], numbers.get("rpo_s"), look["color"])
        axes.set(xscale="log", yscale="log", ylim=(max(wanted / 100, 1e-5), 1.6))
        _log_durations(axes, 1e-3, max(longest, *_rpos(source), 1.0) * 1.5)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v * 100:.6g} %"))
        axes.axhline(wanted, color=style.GREY, ls=":", lw=1.2)
        axes.text(
            1.0,
            wanted,
            f" {wanted * 100:g} %",
            transform=axes.get_yaxis_transform(),
            va="center",
            color=style.GREY,
        )
        axes.set(xlabel="lag", ylabel="share of time with more lag")
        if index >= 0:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(index + 1, 4), borderaxespad=0.3)
        style.headline(figure, _exceedance_finding(source))
        style.footer(figure, source.footer)
    return figure


def _rpos(source: Source) -> list[float]:
    return [float(n["rpo_s"]) for _, _, n in source.targets() if n.get("rpo_s") is not None]


def _objective(axes: Axes, lag: Any, shares: Any, rpo: float | None, colour: Any) -> None:
    """A red stroke at the objective, with the share of time beyond it."""
    if rpo is None:
        return
    axes.axvline(rpo, color=style.RED, ls="--", lw=1, zorder=1)
    beyond = float(np.interp(rpo, lag, shares))
    if beyond > 0:
        axes.plot([rpo], [beyond], "o", ms=6, color=colour, mec=style.RED, mew=1.3, zorder=4)
        note = axes.annotate(
            share(beyond), (rpo, beyond), xytext=(7, 4), textcoords="offset points", fontsize=9
        )
        style.outlined(note)
    text = axes.text(
        rpo,
        1.0,
        f" RPO {format_duration(rpo)}",
        transform=axes.get_xaxis_transform(),
        rotation=90,
        ha="right",
        va="top",
        fontsize=8,
        color=style.RED,
    )
    style.outlined(text)


def _exceedance_finding(source: Source) -> str:
    late = [
        f"{g} at {t} {share(n['violation_fraction'])}" for g, t, n in source.targets() if n.get("violation_s")
    ]
    if not late:
        return "Lag stays within every RPO"
    exposed = any(n.get("exposure_s") for _, _, n in source.targets())
    more = " (with the time without an image, which the curve leaves out)" if exposed else ""
    return "Share of time beyond the RPO: " + ", ".join(late) + more


def _log_durations(axes: Axes, low: float, high: float) -> None:
    marks = [1e-3, 1e-2, 0.1, 1, 10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400]
    axes.set_xlim(low, high)
    axes.set_xticks([m for m in marks if low <= m <= high])
    axes.xaxis.set_minor_locator(MultipleLocator(math.inf))
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: format_duration(v)))


def causes_figure(source: Source) -> Figure:
    """Draw for each target how the seconds of violation divide into causes.

    Uses ``violation_s_by_cause`` of each target's summary.
    """
    rows = [(f"{g} → {t}", dict(n.get("violation_s_by_cause") or {})) for g, t, n in source.targets()]
    with style.look():
        figure = Figure(figsize=(10.5, 1.9 + 0.62 * max(len(rows), 1)))
        axes = figure.subplots()
        most = max((sum(by.values()) for _, by in rows), default=0.0) or 1.0
        for at, (_, by) in enumerate(rows):
            _bar(axes, at, by, most)
        axes.set_yticks(range(len(rows)), [style.plain(name) for name, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, most * 1.14)
        style.duration_axis(axes, "x")
        axes.set_xlabel("time beyond the RPO")
        axes.grid(axis="y", visible=False)
        seen = [cause for cause in CAUSES if any(cause in by for _, by in rows)]
        if seen:
            patches = [Patch(**_fill(cause)) for cause in seen]
            axes.legend(
                patches, seen, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(seen), borderaxespad=0.3
            )
        style.headline(figure, _causes_finding(rows))
        style.footer(figure, source.footer)
    return figure


def _fill(cause: str) -> dict[str, Any]:
    return {"facecolor": CAUSE_COLOURS[cause], "hatch": _HATCHES[cause], "edgecolor": "white", "lw": 0.8}


def _bar(axes: Axes, at: int, by: Mapping[str, float], most: float) -> None:
    left = 0.0
    for cause in CAUSES:
        seconds = by.get(cause, 0.0)
        if seconds <= 0:
            continue
        axes.barh(at, seconds, left=left, height=0.58, **_fill(cause))
        text = f"{cause} {format_duration(seconds)}"
        if seconds > most * 0.0125 * len(text):
            style.inside(axes, left + seconds / 2, at, text, CAUSE_COLOURS[cause])
        left += seconds
    axes.text(left + most * 0.008, at, format_duration(left) if left else "never", va="center", fontsize=9)


def _causes_finding(rows: list[tuple[str, dict[str, float]]]) -> str:
    total: dict[str, float] = {}
    for _, by in rows:
        for cause, seconds in by.items():
            total[cause] = total.get(cause, 0.0) + seconds
    whole = sum(total.values())
    if whole <= 0:
        return "No RPO was violated"
    first = max(total, key=lambda cause: total[cause])
    return f"{share(total[first] / whole)} of the time beyond an RPO is due to {first}"
