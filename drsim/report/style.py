"""How drsim's pictures look: colours that say one thing, times as people write them, reproducible bytes."""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter
from PIL import Image

from drsim.units import format_duration
from drsim.whole import whole

RED = "#c8102e"
"""Objectives and violations, and nothing else."""
TEAL = "#00796b"
"""What passes: ticks and frontiers."""
DARK = "#2b2b2b"
GREY = "#8a8a8a"
OUTAGE = "#dcdcdc"
_COLOURS = ["#0173b2", "#de8f05", "#029e73", "#cc78bc", "#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9"]
_CREST = ["#a5cd90", "#81bc91", "#61aa90", "#48988f", "#33858d", "#20728b", "#1e5d86", "#27477d", "#2c3172"]
"""Seaborn's map ``crest``, at nine points."""
SERIES: list[Any] = [to_rgb(colour) for colour in _COLOURS]
"""Targets, in the scenario's order: seaborn's colourblind palette without its red (copied, for importing seaborn
takes longer than many a run)."""
DASHES: list[Any] = ["-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5))]
"""Line styles by the same order, so that colour never stands alone."""

_RC: Any = {
    "svg.hashsalt": "drsim",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.constrained_layout.use": True,
    "hatch.linewidth": 0.6,
    "path.simplify": True,
    "path.simplify_threshold": 0.1,
    "axes.unicode_minus": True,
}

_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200]
_DAY = 86400


@contextmanager
def look() -> Iterator[None]:
    """The settings under which every picture is drawn; they are undone afterwards."""
    with mpl.rc_context(_elsewhere() | _RC):
        yield


def _elsewhere() -> dict[str, Any]:
    """Matplotlib's own settings where this process has others (``rcdefaults`` would read every style there is)."""
    now = dict(mpl.rcParams.copy())
    own = dict(mpl.rcParamsDefault.copy())
    return {key: value for key, value in own.items() if key != "backend" and now[key] != value}


def series(index: int) -> dict[str, Any]:
    """Colour and dash of the ``index``-th series."""
    return {"color": SERIES[index % len(SERIES)], "linestyle": DASHES[index % len(DASHES)]}


def shades(count: int) -> list[Any]:
    """Colours of ``count`` stacked classes, light to dark."""
    at = np.array([0.35]) if count == 1 else np.linspace(0.1, 0.95, count)
    points = np.linspace(0, 1, len(_CREST))
    channels = np.array([to_rgb(colour) for colour in _CREST]).T
    return [*zip(*(np.interp(at, points, each).tolist() for each in channels), strict=True)]


def outlined(text: Any) -> Any:
    """Give a text a white halo, so that it reads over lines."""
    text.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground="white")])
    return text


def inside(axes: Axes, x: float, y: float, text: str, fill: Any) -> None:
    """Write centred text upon a coloured area, dark or white, whichever is read more easily."""
    red, green, blue = mpl.colors.to_rgb(fill)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.52
    effects = [patheffects.withStroke(linewidth=2.2, foreground=fill)]
    axes.text(
        x,
        y,
        plain(text),
        ha="center",
        va="center",
        fontsize=8.5,
        clip_on=True,
        color="white" if dark else "black",
        path_effects=effects,
    )


def footer(figure: Figure, text: str) -> None:
    """Write what identifies the picture below it, small."""
    figure.supxlabel(plain(text), fontsize=8, color=GREY, x=0.995, ha="right")


def headline(figure: Figure, finding: str, more: str = "") -> None:
    """Write the finding above everything, wrapped to the picture's width, and a line of detail below it."""
    width = figure.get_figwidth()
    figure.suptitle(
        _wrapped(finding, int(width * 7.4)), x=0.01, ha="left", fontsize=13, fontweight="bold", color=DARK
    )
    if more:
        axes = figure.axes[0]
        axes.set_title(_wrapped(more, int(width * 11)), fontsize=9.5, fontweight="normal", color="#555555")


def _wrapped(text: str, width: int) -> str:
    return plain("\n".join(textwrap.wrap(text, max(width, 30), break_on_hyphens=False)))


def plain(text: str) -> str:
    """Names from a scenario are never mathematics."""
    return text.replace("$", r"\$")


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write ``stem.png`` (160 dpi) and ``stem.svg``; the same picture gives the same bytes."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")]
    with look():
        _settle(figure)
        figure.set_dpi(160)
        # Figure.savefig would draw once more, without ink, for a layout that is done, and keep an alpha of 1.
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        size = canvas.get_width_height(physical=True)
        picture = Image.frombytes("RGB", size, canvas.buffer_rgba(), "raw", "RGBX")
    with ThreadPoolExecutor(1) as other:  # packing a PNG needs no Python, and another core may do it
        saved = other.submit(picture.save, png := io.BytesIO(), "PNG", dpi=(160, 160), compress_level=3)
        text = _svg(figure)
        saved.result()
    for path, data in zip(paths, (png.getvalue(), text.encode()), strict=True):
        with whole(path) as beside:
            beside.write_bytes(data)
    return paths


def svg_text(figure: Figure, label: str, prefix: str) -> str:
    """The picture as an ``<svg>`` element for HTML.

    Args:
        figure: the picture.
        label: what it says, for those who cannot see it.
        prefix: put before its ids, so that several pictures fit in one document.
    """
    text = _svg(figure)
    text = _METADATA.sub("", text[text.index("<svg") :])
    text = _IDENTIFIER.sub(rf"\1{prefix}-", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)


def _settle(figure: Figure) -> None:
    """Lay the figure out once and round the places: the layout solver's last digits are not reproducible."""
    engine = figure.get_layout_engine()
    if not isinstance(engine, ConstrainedLayoutEngine):
        return
    engine.execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (round(float(v), 4) for v in axes.get_position(original=True).bounds)
        axes.set_position((left, bottom, width, height))
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position((round(float(x), 4), round(float(y), 4)))


def _svg(figure: Figure) -> str:
    """SVG text, without a date, coordinates to a hundredth of a point."""
    buffer = io.StringIO()
    with look():
        _settle(figure)
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})
    return _MORE_DIGITS.sub("", buffer.getvalue())


_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_IDENTIFIER = re.compile(r"(\bid=\"|href=\"#|url\(#)")
_MORE_DIGITS = re.compile(r"(?<=\d\.\d\d)\d+(?=[\s\"Lz])")


def time_axis(
    axes: Axes, end_s: float, start: datetime | None = None, *, begin_s: float = 0.0, ticks: int = 9
) -> None:
    """Label an axis of seconds as clock times, or as days where the window is long.

    Args:
        axes: its x axis is in seconds since the run's start.
        end_s: the window's end, seconds.
        start: the calendar instant of 0, when the scenario has one.
        begin_s: the window's begin, seconds.
        ticks: about how many ticks.
    """
    axes.set_xlim(begin_s, end_s if end_s > begin_s else begin_s + 1)
    step = _tick_step(end_s - begin_s, ticks)
    since = 0.0
    if start is not None:
        since = (start - start.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
    first = math.ceil((begin_s + since) / step - 1e-9) * step - since
    at = np.arange(first, end_s + step * 1e-6, step)
    axes.xaxis.set_major_locator(FixedLocator(at.tolist()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _tick(x, step, start)))


def _tick_step(end_s: float, ticks: int) -> float:
    wanted = max(end_s, 1e-9) / ticks
    if wanted <= 1:
        power = 10.0 ** math.floor(math.log10(wanted))
        return next(power * k for k in (1, 2, 5, 10) if power * k >= wanted)
    fine = [s for s in _STEPS if s >= wanted]
    if fine:
        return float(fine[0])
    return float(_DAY * next((d for d in (1, 2, 7, 14, 28, 56, 91, 182) if d * _DAY >= wanted), 365))


def _tick(seconds: float, step: float, start: datetime | None) -> str:
    if step < 1:
        return format_duration(seconds)
    if step < 60 and start is None:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
    days, rest = divmod(round(seconds), _DAY)
    if start is None:
        clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}"
        if step >= _DAY:
            return f"day {days + 1}"
        return clock if days == 0 and seconds < _DAY else f"{days} d {clock}"
    at = start + timedelta(seconds=round(seconds))
    if step >= 28 * _DAY:
        return f"{at.day} {at:%b}\n{at:%Y}"
    if step >= _DAY:
        return f"{at:%a} {at.day} {at:%b}"
    clock = f"{at:%H:%M:%S}" if step < 60 else f"{at:%H:%M}"
    midnight = at.hour == at.minute == at.second == 0
    return f"{at:%a} {at.day}\n{clock}" if midnight else clock


def time_label(start: datetime | None, end_s: float) -> str:
    """The label of a time axis."""
    if start is None:
        return "time since the start" + (" (min:s)" if end_s < 540 and end_s > 9 else "")
    return f"time, from {start:%a} {start.day} {start:%b %Y %H:%M}"


def duration_axis(axes: Axes, which: str = "y") -> None:
    """Label an axis of seconds as durations, at round values."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    low, high = axes.get_ylim() if which == "y" else axes.get_xlim()
    axis.set_major_locator(FixedLocator(nice_durations(low, high)))
    axis.set_major_formatter(FuncFormatter(lambda v, _: format_duration(v)))


def nice_durations(low: float, high: float, count: int = 5) -> list[float]:
    """Round durations (seconds) from ``low`` to ``high``, about ``count``."""
    span = (high - low) / count
    if span <= 0:
        return [low]
    if span < 1:
        power = 10.0 ** math.floor(math.log10(span))
        step = next(power * k for k in (1, 2, 5, 10) if power * k >= span * 0.999)
    else:
        steps: Sequence[float] = [*_STEPS, *(d * _DAY for d in (1, 2, 5, 10, 30, 90, 365))]
        step = next((s for s in steps if s >= span * 0.999), steps[-1])
    first = math.ceil(low / step - 1e-9) * step
    return [float(v) for v in np.arange(first, high + step * 1e-6, step)]
