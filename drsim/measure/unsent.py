"""The largest backlog in bytes still to cross the link: a write under way counts with the part to come."""

from __future__ import annotations

from collections import deque

import numpy as np

from drsim.measure.stream import Floats, Ints


class UnsentPeak:
    """Peak over arrivals of ``bytes acknowledged - bytes across``, the arriving write included.

    Write j is under way from ``s_j = max(acked_j, recovered_{j-1})`` to ``recovered_j`` and crosses evenly, so an
    arrival at t finds ``(t - s_j) / (recovered_j - s_j)`` of it across: the unfinished work of a FIFO server
    (Lindley). Where an outage interrupts it, the part is at most one write.
    """

    def __init__(self) -> None:
        self.peak = 0.0
        self._arrivals: deque[tuple[Floats, Ints]] = deque()  # instants, bytes acknowledged through each
        self._came = 0
        self._across = 0
        self._last = 0.0

    def arrive(self, acked: Floats, nbytes: Ints) -> None:
        """Take writes as they are acknowledged: float64[n] seconds, int64[n] bytes."""
        if len(acked):
            total = np.cumsum(nbytes)
            total += self._came
            self._came = int(total[-1])
            self._arrivals.append((acked, total))

    def feed(self, acked: Floats, nbytes: Ints, recovered: Floats) -> None:
        """Take the next writes that are across (columns of their order; ``recovered`` non-decreasing)."""
        if not len(acked):
            return
        before = np.cumsum(nbytes)
        across = self._across + int(before[-1])
        before += self._across - nbytes
        began = np.empty(len(acked))
        began[0] = self._last
        began[1:] = recovered[:-1]
        np.maximum(began, acked, out=began)
        self._last, self._across = float(recovered[-1]), across
        while self._arrivals and self._arrivals[0][0][0] < self._last:
            times, total = self._arrivals.popleft()
            due = int(np.searchsorted(times, self._last, side="left"))
            if due < len(times):
                self._arrivals.appendleft((times[due:], total[due:]))
            self._look(times[:due], total[:due], (before, nbytes, began, recovered))

    def _look(self, times: Floats, total: Ints, heads: tuple[Ints, Ints, Floats, Floats]) -> None:
        before, nbytes, began, recovered = heads
        head = np.searchsorted(recovered, times, side="right")
        level = total - before[head]
        rows = np.flatnonzero(level > self.peak)
        if not len(rows):
            return
        head, times = head[rows], times[rows]
        share = (times - began[head]) / (recovered[head] - began[head])
        found = level[rows] - nbytes[head] * np.clip(share, 0.0, 1.0)
        self.peak = max(self.peak, float(found.max()))

    def finish(self) -> float:
        """The peak, with the writes that never got across."""
        for _, total in self._arrivals:
            self.peak = max(self.peak, float(total[-1] - self._across))
        return self.peak
