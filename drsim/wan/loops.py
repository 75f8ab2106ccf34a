"""The work domain item by item: the loops behind `Capacity`, `Fifo` and a level of priority, for numba.

Each does to the bit what the NumPy body beside its caller does. Columns that a loop fills are handed in.
"""

from __future__ import annotations

from typing import Any

from numpy import int64

from drsim.wan.compiled import Kernel

NEVER = 2**62
_EXACT = 2**53
_NEVER = 4611686018427387904.0


def _work(t: Any, start: Any, rate: Any, base: Any, total: Any) -> None:
    """Units served by each instant; ``rate`` in units a second."""
    at, last = 0, len(start) - 1
    for i in range(len(t)):
        now = t[i]
        while at < last and start[at + 1] <= now:
            at += 1
        while at > 0 and start[at] > now:
            at -= 1
        done = (now - start[at]) * rate[at]
        total[i] = min(base[at] + int64(min(done, _NEVER)), NEVER)


def _when(work: Any, start: Any, rate: Any, base: Any, t: Any, bits: Any) -> None:
    """First instant at which the work is reached; ``bits`` are ``t``'s own, as int64."""
    at, last = 0, len(base) - 1
    for i in range(len(work)):
        wanted = work[i]
        while at < last and base[at + 1] < wanted:
            at += 1
        while at > 0 and base[at] >= wanted:
            at -= 1
        left = wanted - base[at]
        if left <= 0:
            t[i] = start[at]
            continue
        if rate[at] <= 0 or wanted >= NEVER:
            t[i] = float("inf")
            continue
        goal = float(left)
        if left > _EXACT and int64(goal) < left:
            # The next float up: bits of a positive float count as integers do.
            t[i] = goal
            bits[i] += 1
            goal = t[i]
        t[i] = goal / rate[at] + start[at]
        while (t[i] - start[at]) * rate[at] < goal:
            bits[i] += 1
        while True:
            bits[i] -= 1
            if (t[i] - start[at]) * rate[at] < goal:
                bits[i] += 1
                break


def _queue(arrival: Any, units: Any, free_at: Any, finish: Any) -> Any:
    """Lindley's recursion; gives when the server falls idle."""
    at = free_at
    for i in range(len(arrival)):
        at = max(at, arrival[i])
        at = NEVER if at > NEVER - units[i] else at + units[i]
        finish[i] = at
    return at


def _leaves(x: Any, arrival: Any, idle: Any, total: Any, left: Any) -> None:
    """What a level leaves to those below it by each ``x``."""
    after, count = 0, len(arrival)
    for i in range(len(x)):
        now = x[i]
        while after < count and arrival[after] <= now:
            after += 1
        while after > 0 and arrival[after - 1] > now:
            after -= 1
        left[i] = max(now - total[after], idle[after])


def _returns(y: Any, idle: Any, total: Any, x: Any) -> None:
    """Where a level has left each ``y``."""
    at, count = 0, len(idle)
    for i in range(len(y)):
        wanted = y[i]
        while at < count and idle[at] < wanted:
            at += 1
        while at > 0 and idle[at - 1] >= wanted:
            at -= 1
        x[i] = wanted + total[at - 1]


WORK, WHEN, QUEUE = Kernel(_work), Kernel(_when), Kernel(_queue)
LEAVES, RETURNS = Kernel(_leaves), Kernel(_returns)
KINDS = (WORK, WHEN, QUEUE, LEAVES, RETURNS)
