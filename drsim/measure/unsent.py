"""The largest backlog in bytes still to cross the link: a write under way counts with the part to come."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from drsim.blocks.batch import sum_of
from drsim.columns import touched
from drsim.measure.stream import Floats, Ints

_Heads = tuple[Floats, Ints, Floats, int, float]
"""Of writes that are across: when acknowledged, bytes, when across; bytes across and the instant before the first."""


class UnsentPeak:
    """Peak over arrivals of ``bytes acknowledged - bytes across``, the arriving write included.

    Write j is under way from ``s_j = max(acked_j, recovered_{j-1})`` to ``recovered_j`` and crosses evenly, so an
    arrival at t finds ``(t - s_j) / (recovered_j - s_j)`` of it across: the unfinished work of a FIFO server
    (Lindley). Where an outage interrupts it, the part is at most one write. Columns given are kept for a while and
    must not be changed; running sums are made only where the peak may be.
    """

    def __init__(self) -> None:
        self.peak = 0.0
        self._arrivals: deque[tuple[Floats, Ints, int]] = deque()  # instants, bytes, bytes before the first
        self._heads: deque[_Heads] = deque()
        self._tops: deque[tuple[float, float]] = deque()
        self._came = 0
        self._across = 0
        self._last = 0.0

    def arrive(self, acked: Floats, nbytes: Ints) -> None:
        """Take writes as they are acknowledged: float64[n] seconds, int64[n] bytes."""
        if len(acked):
            self._arrivals.append((acked, nbytes, self._came))
            self._came += sum_of(nbytes)

    def feed(self, acked: Floats, nbytes: Ints, recovered: Floats) -> None:
        """Take the next writes that are across (columns of their order; ``recovered`` non-decreasing)."""
        if len(acked):
            self._heads.append((acked, nbytes, recovered, self._across, self._last))
            self._last = float(recovered[-1])
            self._across += sum_of(nbytes)

    def seen(self, tops: list[tuple[float, float]]) -> None:
        """Hear that the backlog in whole writes was at most so many bytes up to some instants (seconds), in order.

        Whole writes are never fewer than what is still to come of them: where they stay below the peak, there is
        nothing to look for.
        """
        self._tops += tops
        until = tops[-1][0]
        while self._heads and float(self._heads[0][2][-1]) <= until:
            self._search(self._heads.popleft())

    def _search(self, heads: _Heads) -> None:
        last, before = float(heads[2][-1]), None
        while self._arrivals and self._arrivals[0][0][0] < last:
            times, nbytes, came = self._arrivals.popleft()
            touched(len(times))
            due = int(np.searchsorted(times, last, side="left"))
            if due < len(times):
                rest = came + sum_of(nbytes[:due])
                self._arrivals.appendleft((times[due:], nbytes[due:], rest))
            for top, begin, end in sorted(self._high(times[:due]), reverse=True):
                if top <= self.peak:
                    break  # those that are left are no higher
                if before is None:
                    before = np.cumsum(heads[1])
                    before += heads[3] - heads[1]
                total = np.cumsum(nbytes[begin:end])
                total += came + sum_of(nbytes[:begin])
                self._look(times[begin:end], total, heads, before)

    def _high(self, times: Floats) -> list[tuple[float, int, int]]:
        """The stretches of ``times`` whose backlog in whole writes went beyond the peak: how high, and their rows."""
        found, begin = [], 0
        while self._tops and begin < len(times):
            until, top = self._tops[0]
            limit = math.nextafter(until, math.inf)  # told to one unit in the last place
            if times[-1] <= limit:
                end = len(times)
            else:
                end = int(times.searchsorted(limit, side="right"))
                self._tops.popleft()
            if top > self.peak and begin < end:
                found.append((top, begin, end))
            begin = end
        if begin < len(times):  # nobody has told of the last ones yet
            found.append((math.inf, begin, len(times)))
        return found

    def _look(self, times: Floats, total: Ints, heads: _Heads, before: Ints) -> None:
        """``before``: bytes across before each of the heads."""
        acked, nbytes, recovered, _, since = heads
        head = np.searchsorted(recovered, times, side="right")
        level = total - before[head]
        rows = np.flatnonzero(level > self.peak)
        if not len(rows):
            return
        head, times = head[rows], times[rows]
        free = np.where(head > 0, recovered[np.maximum(head - 1, 0)], since)
        began = np.maximum(free, acked[head])
        share = (times - began) / (recovered[head] - began)
        found = level[rows] - nbytes[head] * np.clip(share, 0.0, 1.0)
        self.peak = max(self.peak, float(found.max()))

    def finish(self) -> float:
        """The peak, with the writes that never got across."""
        while self._heads:
            self._search(self._heads.popleft())
        for _, nbytes, came in self._arrivals:
            self.peak = max(self.peak, float(came + sum_of(nbytes) - self._across))
        return self.peak
