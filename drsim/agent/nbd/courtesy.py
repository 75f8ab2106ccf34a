"""A program that sends many writes at a time is left to finish what it says before they are taken."""

from __future__ import annotations

import contextlib
import os
import threading

_SMOOTH = 1 / 16
_MANY, _FEW = 6.0, 3.0  # writes that are answered at once, on average


class Courtesy:
    """How this process is scheduled, by how many writes of hosts are answered at a time.

    A thread that is woken usually takes its processor from whoever runs there: from a host that has just sent the first
    of many writes, which is then taken by itself. While there are many at a time, and they are answered from memory,
    all threads wait their turn (SCHED_BATCH). What comes one by one, or has to wait for the disk, is served at once
    again. A policy that someone chose is left alone.
    """

    def __init__(self) -> None:
        self._mean = 0.0
        self._waits = False
        self._free = hasattr(os, "SCHED_BATCH") and os.sched_getscheduler(0) == os.SCHED_OTHER

    def answered(self, writes: int) -> None:
        """Note how many writes that came together were answered at once; 0 if they wait."""
        self._mean += _SMOOTH * (writes - self._mean)
        if self._waits is not (waits := self._mean > (_FEW if self._waits else _MANY)):
            self._waits = waits
            if self._free:
                _schedule(os.SCHED_BATCH if waits else os.SCHED_OTHER)


def _schedule(policy: int) -> None:
    for thread in threading.enumerate():
        with contextlib.suppress(OSError):  # it has ended, or a sandbox forbids it
            os.sched_setscheduler(thread.native_id or 0, policy, os.sched_param(0))
