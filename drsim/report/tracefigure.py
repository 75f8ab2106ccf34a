"""One picture of a trace: what it writes when, what folding leaves of it, the bandwidth it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from drsim.report import style
from drsim.units import DAY_NAMES, format_bits, format_duration, format_fraction, format_rate
from drsim.workload.changerate import ChangeRate, WindowUnique

_POINTS = 1200
_DAY_S = 86_400
_SIZES = 6
_APART = 0.15


def trace_figure(
    rate: ChangeRate,
    name: str,
    bandwidth: Sequence[tuple[float, float, float]] = (),
    hours: str = "the trace's start",
) -> Figure:
    """Draw a trace's change rate.

    Args:
        rate: what was measured.
        name: the trace's name, for the footer.
        bandwidth: (RPO in seconds, share of time, nominal bytes/s), as `drsim trace` finds them.
        hours: what the hours of the heat map are counted by.
    """
    with style.look():
        long = rate.span_s >= _DAY_S
        rows: list[Any] = [["rate"] * 3, *([["heat"] * 3] if long else []), ["unique", "sizes", "need"]]
        figure = Figure(figsize=(12, 9.6 if long else 7.2))
        panels: dict[str, Axes] = figure.subplot_mosaic(rows, height_ratios=[3, 2, 2] if long else [3, 2])
        _over_time(panels["rate"], rate)
        if long:
            _heat(panels["heat"], rate, hours)
        _unique(panels["unique"], rate)
        _sizes(panels["sizes"], rate)
        _need(panels["need"], bandwidth)
        style.headline(figure, _finding(rate))
        style.footer(figure, f"{name}: {rate.writes} writes in {format_duration(rate.span_s)}")
    return figure


def _over_time(axes: Axes, rate: ChangeRate) -> None:
    width = max(1, -(-len(rate.by_second) // _POINTS))
    padded = np.zeros(-(-len(rate.by_second) // width) * width, np.int64)
    padded[: len(rate.by_second)] = rate.by_second
    seconds = padded.reshape(-1, width)
    at = np.arange(len(seconds)) * width
    axes.fill_between(
        at, seconds.max(axis=1), step="post", color=style.SERIES[0], alpha=0.25, lw=0, label="busiest second"
    )
    axes.step(
        at,
        seconds.mean(axis=1),
        where="post",
        color=style.SERIES[0],
        lw=1.2,
        label=f"mean of {format_duration(width)}",
    )
    axes.axhline(rate.mean_bytes_per_s, color=style.DARK, ls=":", lw=1.2, label="mean of all")
    axes.set_yscale("symlog", linthresh=max(rate.mean_bytes_per_s / 10, 1.0))
    axes.set_ylim(bottom=0)
    axes.set_ylabel("written")
    _rates(axes)
    style.time_axis(axes, max(rate.span_s, 1.0))
    axes.legend(loc="upper right", ncols=3)


def _heat(axes: Axes, rate: ChangeRate, hours: str) -> None:
    """A week of days by hours; what the trace does not reach stays white."""
    axes.set_title(f"written by hour, by {hours}")
    image = axes.imshow(
        rate.heat.reshape(7, 24), aspect="auto", cmap="Blues", vmin=0, interpolation="nearest"
    )
    axes.set_xticks(range(0, 24, 3), [f"{hour:02}:00" for hour in range(0, 24, 3)])
    days = DAY_NAMES if hours != "the trace's start" else [f"day {day + 1}" for day in range(7)]
    axes.set_yticks(range(7), list(days))
    axes.grid(visible=False)
    bar = axes.figure.colorbar(image, ax=axes, pad=0.01)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: format_rate(v)))


def _sizes(axes: Axes, rate: ChangeRate) -> None:
    axes.set_title("write sizes")
    shown = sorted(rate.sizes[:_SIZES])
    at = np.arange(len(shown))
    writes = [count / rate.writes for _, count in shown]
    nbytes = [n * count / rate.nbytes for n, count in shown]
    axes.barh(at + 0.2, writes, 0.38, color=style.SERIES[0], label="of writes")
    axes.barh(at - 0.2, nbytes, 0.38, color=style.SERIES[1], hatch="//", edgecolor="white", label="of bytes")
    axes.set_yticks(at, [f"{n // 1024} KiB" if n % 1024 == 0 else f"{n} B" for n, _ in shown])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: format_fraction(v)))
    if shown:
        axes.legend()


def _unique(axes: Axes, rate: ChangeRate) -> None:
    axes.set_title("left after folding within")
    found = _folded(rate)
    axes.plot([u.window_s for u in found], [u.ratio for u in found], marker="o", ms=4, **style.series(0))
    axes.set(xscale="log", ylim=(0, 1.03))
    _durations(axes, [u.window_s for u in found])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: format_fraction(v)))


def _folded(rate: ChangeRate) -> list[WindowUnique]:
    """The windows that the trace is long enough to tell of."""
    return [u for u in rate.uniques if u.window_s <= rate.span_s]


def _need(axes: Axes, bandwidth: Sequence[tuple[float, float, float]]) -> None:
    axes.set_title("nominal bandwidth for an RPO")
    shares = sorted({s for _, s, _ in bandwidth}, reverse=True)
    for index, kept in enumerate(shares):
        points = sorted((rpo, value * 8) for rpo, s, value in bandwidth if s == kept)
        label = f"{format_fraction(kept)} of the time"
        axes.plot(*zip(*points, strict=True), marker="o", ms=3.5, label=label, **style.series(index))
    axes.set(xscale="log", yscale="log")
    _durations(axes, [rpo for rpo, _, _ in bandwidth])
    axes.yaxis.set_major_locator(LogLocator(10, (1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: format_bits(v / 8)))
    axes.yaxis.set_minor_locator(NullLocator())
    if shares:
        axes.legend()


def _durations(axes: Axes, at: Sequence[float]) -> None:
    """Label a logarithmic axis of seconds at the values drawn, as far as the labels leave one another room."""
    shown: list[float] = []
    for value in sorted(set(at), reverse=True):
        if not shown or np.log(shown[-1] / value) >= _APART * np.log(max(at) / min(at)):
            shown.append(value)
    axes.xaxis.set_major_locator(FixedLocator(shown[::-1]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: format_duration(v)))
    axes.xaxis.set_minor_locator(NullLocator())


def _rates(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: format_rate(v)))


def _finding(rate: ChangeRate) -> str:
    if not rate.writes:
        return "Nothing is written"
    said = f"{format_rate(rate.mean_bytes_per_s)} on average"
    if rate.rates:
        said += f", {format_rate(rate.rates[0].peak)} in the busiest {_span(rate.rates[0].window_s)}"
    found = _folded(rate)
    if not found:
        return said
    half = next((u for u in found if u.ratio <= 0.5), None)
    if half is not None:
        return f"{said}; folding within {format_duration(half.window_s)} saves half"
    best = min(found, key=lambda u: u.ratio)
    return f"{said}; folding within {format_duration(best.window_s)} saves {format_fraction(1 - best.ratio)}"


def _span(seconds: float) -> str:
    return "second" if seconds == 1 else format_duration(seconds)
