"""Intervals with no consistent image at a target: lag has no value there."""

from __future__ import annotations

import math

import numpy as np

from drsim.measure.stream import Floats


class Exposure:
    """Ordered intervals of time, apart from one another; the last may still be open (end is inf)."""

    __slots__ = ("intervals",)

    def __init__(self) -> None:
        self.intervals: list[tuple[float, float]] = []

    @property
    def open_since(self) -> float | None:
        """Begin of the interval that has no end yet, seconds; None when the last one is closed."""
        if self.intervals and math.isinf(self.intervals[-1][1]):
            return self.intervals[-1][0]
        return None

    def add(self, begin: float, end: float) -> None:
        """Add an interval (seconds) that begins not before the last one ended, or close the open one.

        Raises:
            ValueError: it ends before it begins, or begins inside or before an earlier one.
        """
        if not begin <= end:
            raise ValueError(f"an exposure must not end ({end} s) before it begins ({begin} s)")
        if self.intervals:
            last_begin, last_end = self.intervals[-1]
            if begin == self.open_since:
                self.intervals.pop()
            elif begin < last_end:
                raise ValueError(
                    f"an exposure from {begin} s begins before the one from {last_begin} s ended"
                )
            elif begin == last_end:
                self.intervals.pop()
                begin = last_begin
        if begin < end:
            self.intervals.append((begin, end))

    def within(self, end_s: float) -> list[tuple[float, float]]:
        """The intervals cut to [0, ``end_s``]."""
        return [(begin, min(end, end_s)) for begin, end in self.intervals if begin < end_s]

    def seconds(self, end_s: float) -> float:
        """Their length within [0, ``end_s``]."""
        return math.fsum(end - begin for begin, end in self.within(end_s))

    def touches(self, since: float, until: float) -> bool:
        """Whether any of them has a part between two instants."""
        return any(end > since and begin < until for begin, end in self.intervals)

    def trimmed(self, times: Floats, held: Floats, since: float) -> Floats:
        """Take exposure out of the intervals that end at ``times``.

        Args:
            times: float64[n], seconds, non-decreasing: the ends; each interval begins where the last one
            ended.
            held: float64[n], their lengths.
            since: where the first begins.
        """
        if not self.touches(since, float(times[-1])):
            return held
        touching = [(b, e) for b, e in self.intervals if e > since and b < times[-1]]
        edges = np.array([edge for interval in touching for edge in interval])
        edges = np.minimum(edges, times[-1])
        lengths = np.maximum(edges[1::2] - edges[::2], 0.0)
        lost = np.repeat(np.concatenate([[0.0], np.cumsum(lengths)]), 2)[1:-1]
        upto = np.interp(np.concatenate([[since], times]), edges, lost)
        result: Floats = np.maximum(held - np.diff(upto), 0.0)
        return result
