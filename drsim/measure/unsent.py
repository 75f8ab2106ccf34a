"""The largest backlog in bytes still to cross the link: a write under way counts with the part to come."""

from __future__ import annotations

from collections import deque

import numpy as np

from drsim.measure.stream import Floats, Ints

_Heads = tuple[Ints, Ints, Floats, Floats]
"""Of writes that are across: bytes across before each, its own bytes, when it began, when it was across."""


class UnsentPeak:
    """Peak over arrivals of ``bytes acknowledged - bytes across``, the arriving write included.

    Write j is under way from ``s_j = max(acked_j, recovered_{j-1})`` to ``recovered_j`` and crosses evenly, so an
    arrival at t finds ``(t - s_j) / (recovered_j - s_j)`` of it across: the unfinished work of a FIFO server
    (Lindley). Where an outage interrupts it, the part is at most one write.
    """

    def __init__(self) -> None:
        self.peak = 0.0
        self._arrivals: deque[tuple[Floats, Ints]] = deque()  # instants, bytes acknowledged through each
        self._heads: deque[_Heads] = deque()
        self._tops: deque[tuple[float, int]] = deque()
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
        self._heads.append((before, nbytes, began, recovered))

    def seen(self, until: float, top: int) -> None:
        """Hear that the backlog in whole writes was at most ``top`` since the last call, up to ``until`` seconds.

        Whole writes are never fewer than what is still to come of them: where they stay below the peak, there is
        nothing to look for.
        """
        self._tops.append((until, top))
        while self._heads and float(self._heads[0][3][-1]) <= until:
            heads = self._heads.popleft()
            last = float(heads[3][-1])
            self._search(heads, look=max(top for _, top in self._tops) > self.peak)
            while self._tops[0][0] < last:
                self._tops.popleft()

    def _search(self, heads: _Heads, *, look: bool) -> None:
        last = float(heads[3][-1])
        while self._arrivals and self._arrivals[0][0][0] < last:
            times, total = self._arrivals.popleft()
            due = int(np.searchsorted(times, last, side="left"))
            if due < len(times):
                self._arrivals.appendleft((times[due:], total[due:]))
            if look:
                self._look(times[:due], total[:due], heads)

    def _look(self, times: Floats, total: Ints, heads: _Heads) -> None:
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
        while self._heads:
            self._search(self._heads.popleft(), look=True)
        for _, total in self._arrivals:
            self.peak = max(self.peak, float(total[-1] - self._across))
        return self.peak
