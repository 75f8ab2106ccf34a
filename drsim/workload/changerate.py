"""Know your data: how much changes and when, how much of it folds away, and what that asks of a link."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from drsim.blocks import Kind
from drsim.workload.columns import Floats, Ints, Writes
from drsim.workload.lastseen import LastSeen, Uniques
from drsim.workload.load import Gather, Load

WINDOWS_S = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 86_400.0)
GRAIN = 4096
_WEEK_HOURS = 168


@dataclass(frozen=True)
class WindowRate:
    """Bytes written in the whole windows of one width, as bytes/s; aligned to the first instant, 0.

    ``peak_at_s`` is the busiest window's beginning.
    """

    window_s: float
    windows: int
    p95: float
    p99: float
    peak: float
    peak_at_s: float


@dataclass(frozen=True)
class WindowUnique:
    """How much of what is written survives folding within windows of one width, from the first instant, 0, on.

    ``ratio`` is the sum of distinct blocks over the sum of block writes; ``bytes_per_s`` is what is left.
    """

    window_s: float
    ratio: float
    bytes_per_s: float


@dataclass(frozen=True)
class ChangeRate:
    """What a stream of writes changes.

    Attributes:
        writes, nbytes: of writes; trims are told apart (``trims``, ``trimmed_bytes``).
        span_s: from 0 to the last write, or what the caller says.
        rates, uniques: by window.
        grain: bytes a block, for the uniques and the working set.
        block_writes: writes of blocks; one write may touch several.
        working_set_bytes: distinct blocks, as bytes.
        hot_share: the share of the working set that takes 80 % of the block writes.
        sizes: (length in bytes, writes), most frequent first.
        heat: bytes/s by hour of the week, float64[168] (Monday 00:00 first); NaN for hours not in the span.
        by_second: bytes written in each second, int64[s].
        load: the writes, for the planning answers.
    """

    writes: int
    nbytes: int
    trims: int
    trimmed_bytes: int
    span_s: float
    rates: list[WindowRate]
    uniques: list[WindowUnique]
    grain: int
    block_writes: int
    working_set_bytes: int
    hot_share: float
    sizes: list[tuple[int, int]]
    heat: Floats
    by_second: Ints
    load: Load

    @property
    def heat_by_hour(self) -> Floats:
        """Bytes/s by hour of the day, float64[24]: the mean over the days; NaN for hours not in the span."""
        days = self.heat.reshape(7, 24)
        known = ~np.isnan(days)
        with np.errstate(invalid="ignore"):
            means: Floats = np.where(known, days, 0.0).sum(axis=0) / known.sum(axis=0)
        return means

    @property
    def mean_bytes_per_s(self) -> float:
        """Bytes/s over the span."""
        return self.nbytes / self.span_s if self.span_s else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Give plain data for JSON, units in the names."""
        return {
            "writes": self.writes,
            "written_bytes": self.nbytes,
            "trims": self.trims,
            "trimmed_bytes": self.trimmed_bytes,
            "span_s": self.span_s,
            "mean_bytes_per_s": self.mean_bytes_per_s,
            "rates": [
                {
                    "window_s": r.window_s,
                    "windows": r.windows,
                    "p95_bytes_per_s": r.p95,
                    "p99_bytes_per_s": r.p99,
                    "peak_bytes_per_s": r.peak,
                    "peak_at_s": r.peak_at_s,
                }
                for r in self.rates
            ],
            "unique": [
                {"window_s": u.window_s, "ratio": u.ratio, "bytes_per_s": u.bytes_per_s} for u in self.uniques
            ],
            "grain_bytes": self.grain,
            "working_set_bytes": self.working_set_bytes,
            "hot_share": self.hot_share,
            "sizes": [{"length_bytes": n, "writes": count} for n, count in self.sizes],
            "heat_bytes_per_s": [None if np.isnan(v) else float(v) for v in self.heat],
        }


@dataclass
class _Totals:
    """Counts that need no address."""

    writes: int = 0
    nbytes: int = 0
    trims: int = 0
    trimmed: int = 0
    last: float = 0.0
    seconds: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    sizes: dict[int, int] = field(default_factory=dict)

    def feed(self, writes: Writes) -> None:
        self.writes += len(writes)
        self.nbytes += writes.nbytes
        self.last = float(writes.time[-1])
        second = writes.time.astype(np.int64)
        end = int(second[-1]) + 1
        if end > len(self.seconds):
            # Doubling: a long trace must not be copied once a block.
            grown = np.zeros(max(end, 2 * len(self.seconds)), np.int64)
            grown[: len(self.seconds)] = self.seconds
            self.seconds = grown
        edge = np.flatnonzero(np.append(True, second[1:] != second[:-1]))
        self.seconds[second[edge]] += np.add.reduceat(writes.length, edge)
        for length, count in zip(*np.unique(writes.length, return_counts=True), strict=True):
            self.sizes[int(length)] = self.sizes.get(int(length), 0) + int(count)


def change_rate(
    blocks: Iterable[Writes],
    *,
    windows: Sequence[float] = WINDOWS_S,
    grain: int = GRAIN,
    span_s: float | Callable[[], float] = 0.0,
    week_offset_s: float | Callable[[], float] = 0.0,
) -> ChangeRate:
    """Measure a finite stream of writes in one pass.

    Args:
        blocks: the writes, times from 0, non-decreasing.
        windows: widths in seconds for the unique rates; of those, whole seconds also for the rates.
        grain: bytes a block.
        span_s: the time observed, if longer than until the last write (reads may have followed); asked at the
            end if it is a function.
        week_offset_s: the first instant, in seconds after Monday 00:00, for the heat; asked at the end if it
            is a function.

    Memory grows with the blocks touched and the seconds spanned; the writes lie in a file if they are many.
    """
    meter = _Meter(windows, grain)
    for block in blocks:
        meter.feed(block)
    return meter.result(*(value() if callable(value) else value for value in (span_s, week_offset_s)))


class _Meter:
    """All that is measured, block by block."""

    def __init__(self, windows: Sequence[float], grain: int) -> None:
        self._totals, self._load, self._seen = _Totals(), Gather(), LastSeen(grain)
        self._windows = windows
        self._uniques = [Uniques(width) for width in windows]
        self._touched = 0

    def feed(self, block: Writes) -> None:
        trims = block.kind == Kind.TRIM
        if trims.any():
            self._totals.trims += int(trims.sum())
            self._totals.trimmed += int(block.length[trims].sum())
            block = block.take(np.flatnonzero(~trims))
        if not len(block):
            return
        self._totals.feed(block)
        self._load.feed(block)
        touches = self._seen.touch(block)
        self._touched += len(touches.now)
        for unique in self._uniques:
            unique.feed(touches)

    def result(self, span_s: float, week_offset_s: float) -> ChangeRate:
        totals, grain = self._totals, self._seen.grain
        span = max(totals.last, span_s)
        by_second = totals.seconds[: int(totals.last) + 1 if totals.writes else 0]
        counts = np.sort(self._seen.counts)[::-1]
        pairs = zip(self._uniques, self._windows, strict=True) if self._touched else ()
        return ChangeRate(
            writes=totals.writes,
            nbytes=totals.nbytes,
            trims=totals.trims,
            trimmed_bytes=totals.trimmed,
            span_s=span,
            rates=[rate for width in self._windows if (rate := window_rate(by_second, span, width))],
            uniques=[_unique(unique, width, self._touched, grain, span) for unique, width in pairs],
            grain=grain,
            block_writes=self._touched,
            working_set_bytes=len(counts) * grain,
            hot_share=_hot_share(counts),
            sizes=sorted(totals.sizes.items(), key=lambda item: (-item[1], item[0])),
            heat=_heat(by_second, span, week_offset_s),
            by_second=by_second,
            load=self._load.load(),
        )


def window_rate(by_second: Ints, span_s: float, width_s: float) -> WindowRate | None:
    """Rates in the whole windows of ``width_s`` (whole seconds) within the span; None if there is none."""
    width = int(width_s)
    number = int(span_s // width) if width == width_s and width else 0
    if not number:
        return None
    column = np.zeros(number * width, np.int64)
    known = by_second[: len(column)]
    column[: len(known)] = known
    rate = column.reshape(number, width).sum(axis=1) / width
    top = int(rate.argmax())
    p95, p99 = np.percentile(rate, [95, 99], method="inverted_cdf")
    return WindowRate(width_s, number, float(p95), float(p99), float(rate[top]), float(top * width))


def _unique(unique: Uniques, width: float, touched: int, grain: int, span: float) -> WindowUnique:
    distinct = int(unique.by_window.sum())
    return WindowUnique(width, distinct / touched, distinct * grain / span if span else 0.0)


def _hot_share(counts: Ints) -> float:
    """Share of the blocks (most written first) that takes 80 % of the block writes."""
    if not len(counts):
        return 0.0
    return float((np.searchsorted(np.cumsum(counts), 0.8 * counts.sum()) + 1) / len(counts))


def _heat(by_second: Ints, span_s: float, offset_s: float) -> Floats:
    """Mean bytes/s of each hour of the week over the seconds the span has in it."""
    if span_s <= 0:
        return np.full(_WEEK_HOURS, np.nan)
    hour = ((np.arange(int(span_s) + 1) + offset_s) // 3600 % _WEEK_HOURS).astype(np.int64)
    nbytes = np.bincount(hour[: len(by_second)], by_second, _WEEK_HOURS)
    whole = np.bincount(hour[: int(span_s)], minlength=_WEEK_HOURS).astype(np.float64)
    whole[hour[-1]] += span_s - int(span_s)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, nbytes / whole, np.nan)
