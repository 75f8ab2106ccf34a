"""Slow start after idle: a TCP connection that has sent nothing for a while begins again with a small window.

RFC 5681 §4.1: after more than one retransmission timeout without sending, the congestion window falls back to the
restart window, which is the initial one; from there it doubles every round trip. Linux does so unless an operator
sets ``tcp_slow_start_after_idle`` to 0 (it halves the window once for each timeout, which matters for the first
second or two of idle time only). So the first megabytes of a cycle or a burst cost round trips, not bandwidth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from drsim.wan.capacity import Floats, Ints

TICKS = 1e9
"""Ticks a second of the clock that tells idle times: whole numbers, so that batches change nothing."""

_LOOK = 64
"""Rows looked at after a restart; twice as many whenever all of them were taken, so that none is seen often."""


@dataclass(slots=True)
class IdleRestart:
    """When each frame of one connection may leave, were the link its own.

    Byte B since a restart belongs to round k of windows w, 2w, 4w …; round k begins with byte ``w (2**k - 1)``, k round
    trips after the restart. The window is taken to double whether or not it was used up, until it fills the link. A
    frame is held back by the round of its last byte; one that begins when the window fills the link is not.

    Attributes:
        rate: what the connection can reach, wire bytes/s (more than 0).
        rtt: round trip, seconds.
        first: the initial window, wire bytes (all streams together).
        timeout: the retransmission timeout, seconds.
    """

    rate: float
    rtt: float
    first: int
    timeout: float
    _edges: Ints = field(init=False)
    _began: float = -math.inf
    _sent: int = 0
    _free: int = 0

    def __post_init__(self) -> None:
        rounds = max(math.ceil(math.log2(max(self.rate * self.rtt, 1) / self.first)), 0)
        self._edges = self.first * (2 ** np.arange(rounds + 1, dtype=np.int64) - 1)
        self.opened(0.0)

    @property
    def lost(self) -> float:
        """Seconds a large transfer after idle ends later than with a full window."""
        rounds = len(self._edges) - 1
        return max(rounds * self.rtt - int(self._edges[-1]) / self.rate, 0.0)

    def opened(self, at: float) -> None:
        """A fresh connection from ``at`` (seconds) on, whose own slow start is told elsewhere."""
        self._free, self._began, self._sent = int(at * TICKS), -math.inf, int(self._edges[-1]) + 1

    def pace(self, ready: Floats, nbytes: Ints) -> Floats:
        """Hold frames back while the window is small.

        Args:
            ready: float64[n], seconds, non-decreasing: when each frame is handed over.
            nbytes: int64[n], wire bytes of each.

        Returns:
            float64[n]: from when each may be transmitted, never earlier than ``ready``.
        """
        if len(self._edges) == 1:
            return ready
        out, time = ready, (ready * TICKS).astype(np.int64)
        work = np.ceil(nbytes * (TICKS / self.rate)).astype(np.int64)
        at, look = 0, _LOOK
        while at < len(ready):
            piece = slice(at, at + look)
            rows = ready[piece], time[piece], nbytes[piece], work[piece]
            count = 0
            if self._sent > self._edges[-1] or self._idle(int(time[at])):
                count = self._without_ramp(*rows)
            if count == 0:
                out = ready.copy() if out is ready else out
                count = self._ramp(*rows, out[piece])
            at += count
            look = 2 * look if count == len(rows[0]) else _LOOK
        return out

    def _idle(self, time: int) -> bool:
        return time - self._free > self.timeout * TICKS

    def _without_ramp(self, ready: Floats, time: Ints, nbytes: Ints, work: Ints) -> int:
        """Take frames that no window holds back, up to a restart with more than one window to send."""
        free = _served(time, work, self._free)
        gaps = time - np.concatenate([[self._free], free[:-1]])
        begins = np.flatnonzero(gaps > self.timeout * TICKS)
        if len(begins) == 0:
            count = len(time)
            self._sent += int(nbytes.sum())
        else:
            sums = np.add.reduceat(nbytes, begins)
            heavy = np.flatnonzero(sums > self.first)
            count = int(begins[heavy[0]]) if len(heavy) else len(time)
            if len(heavy) == 0:
                self._began, self._sent = float(ready[begins[-1]]), int(sums[-1])
        if count:
            self._free = int(free[count - 1])
        return count

    def _ramp(self, ready: Floats, time: Ints, nbytes: Ints, work: Ints, out: Floats) -> int:
        """Take frames while the window grows, up to the next restart; the first may be one. Says how many."""
        if self._idle(int(time[0])):
            self._began, self._sent = float(ready[0]), 0
        total = self._sent + np.cumsum(nbytes)
        number = np.searchsorted(self._edges, total, side="left") - 1
        ahead = total - self._edges[number] - nbytes
        bound = (total > self.first) & (total - nbytes <= self._edges[-1])
        allowed = self._began + number * self.rtt + ahead / self.rate
        starts = np.where(bound, np.maximum(ready, allowed), ready)
        held = np.maximum(time, (starts * TICKS).astype(np.int64))
        free = _served(held, work, self._free)
        quiet = time[1:] - free[:-1] > self.timeout * TICKS
        count = int(quiet.argmax()) + 1 if quiet.any() else len(time)
        out[:count] = starts[:count]
        self._free, self._sent = int(free[count - 1]), int(total[count - 1])
        return count


def _served(time: Ints, work: Ints, free: int) -> Ints:
    """Finish ticks of a FIFO server that is free from ``free`` on."""
    total = np.cumsum(work)
    finish: Ints = total + np.maximum(np.maximum.accumulate(time - (total - work)), free)
    return finish
