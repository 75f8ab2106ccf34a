"""Maximal intervals of time beyond an objective, joined as they come, in bounded memory."""

from __future__ import annotations

import numpy as np

from drsim.measure.stream import Floats

KEPT = 65536
"""Intervals kept apart; beyond this, neighbours are put together in pairs, with their seconds added up."""


class Violations:
    """Count, total and longest of maximal intervals, given as pieces in order; touching ones are one."""

    __slots__ = ("_begin", "_end", "_kept", "count", "longest_s", "total_s")

    def __init__(self) -> None:
        self.count = 0
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

    def columns(self) -> dict[str, Floats]:
        """After `finish`: begin, end and violated seconds of each kept interval (float64[m])."""
        table = np.array(self._kept).reshape(-1, 3)
        return {"begin": table[:, 0], "end": table[:, 1], "seconds": table[:, 2]}
