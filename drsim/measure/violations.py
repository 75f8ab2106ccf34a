"""Maximal intervals of time beyond an objective, joined as they come, in bounded memory."""

from __future__ import annotations

import numpy as np

from drsim.measure.stream import Floats
from drsim.units import SAME_S

KEPT = 65536
"""Intervals kept apart; beyond this, neighbours are put together in pairs, with their seconds added up."""


class Violations:
    """Count, total and longest of maximal intervals, given as pieces in order; touching ones are one.

    Args:
        rpo_s: the objective, seconds; None when there is none.
    """

    __slots__ = ("_begin", "_end", "_kept", "count", "integral_s2", "longest_s", "rpo_s", "total_s")

    def __init__(self, rpo_s: float | None = None) -> None:
        self.rpo_s = rpo_s
        self.count = 0
        self.integral_s2 = 0.0
        self.total_s = 0.0
        self.longest_s = 0.0
        self._begin = 0.0
        self._end = -1.0
        self._kept: list[tuple[float, float, float]] = []

    def add(self, begin: Floats, end: Floats) -> None:
        """Take pieces: float64[n] each, seconds, ``begin < end``, in order, not overlapping."""
        if len(begin) == 0:
            return
        self.total_s += float((end - begin).sum())
        fresh = np.flatnonzero(begin != np.concatenate([[self._end], end[:-1]]))
        if len(fresh) == 0:
            self._end = float(end[-1])
            return
        last_end = float(end[fresh[0] - 1]) if fresh[0] > 0 else self._end
        self._close(last_end)
        starts, stops = begin[fresh], end[np.append(fresh[1:], len(end)) - 1]
        self.count += len(fresh)
        closed_starts, closed_stops = starts[:-1], stops[:-1]
        if len(closed_starts):
            self.longest_s = max(self.longest_s, float((closed_stops - closed_starts).max()))
            self._kept += zip(
                closed_starts.tolist(),
                closed_stops.tolist(),
                (closed_stops - closed_starts).tolist(),
                strict=True,
            )
        self._begin, self._end = float(starts[-1]), float(stops[-1])
        self._thin()

    def beyond(self, acked: Floats, begin: Floats, end: Floats) -> None:
        """Take ramps of lag, ``t - acked`` from ``begin`` to ``end`` (float64[n] each); there is an objective.

        A lag that comes up to the objective and no further, but for what instants are rounded by, is within it.
        """
        assert self.rpo_s is not None
        crossed = np.maximum(begin, acked + self.rpo_s)
        rows = np.flatnonzero((crossed < end) & (end - acked > self.rpo_s + SAME_S))
        since, until, acked = crossed[rows], end[rows], acked[rows]
        excess = (until - since) * ((since - acked - self.rpo_s) + (until - acked - self.rpo_s))
        self.integral_s2 += float(np.maximum(excess, 0.0).sum()) / 2
        self.add(since, until)

    def _close(self, end: float) -> None:
        if self.count:
            self.longest_s = max(self.longest_s, end - self._begin)
            self._kept.append((self._begin, end, end - self._begin))

    def _thin(self) -> None:
        while len(self._kept) > KEPT:
            pairs = zip(self._kept[::2], self._kept[1::2], strict=False)
            odd = self._kept[-1:] if len(self._kept) % 2 else []
            self._kept = [(a[0], b[1], a[2] + b[2]) for a, b in pairs] + odd

    def finish(self) -> None:
        """Close the interval still open; nothing may be added afterwards."""
        self._close(self._end)
        self._end = -1.0

    def keys(self, end_s: float) -> dict[str, float | int | None]:
        """After `finish`: the keys of the summary, over [0, ``end_s``]; None for each without an objective."""
        keys = {
            "violations": self.count,
            "violation_s": self.total_s,
            "violation_fraction": self.total_s / end_s if end_s > 0 else 0.0,
            "violation_longest_s": self.longest_s,
            "violation_integral_s2": self.integral_s2,
        }
        return {key: None if self.rpo_s is None else value for key, value in keys.items()}

    def columns(self) -> dict[str, Floats]:
        """After `finish`: begin, end and violated seconds of each kept interval (float64[m])."""
        table = np.array(self._kept).reshape(-1, 3)
        return {"begin": table[:, 0], "end": table[:, 1], "seconds": table[:, 2]}
