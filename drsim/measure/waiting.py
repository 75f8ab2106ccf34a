"""Columns of events that wait until all events before them are known; an instant's last bit does not count."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

import numpy as np

from drsim.blocks.batch import joined, repeated
from drsim.measure.stream import Floats, Ints

ALIKE = 64
"""Rows of one instant that are worth taking in one."""
SHORT = 1024
"""Rows of a chunk below which chunks are joined rather than measured one by one."""


class Side:
    """Events of one kind that wait until all events before them are known."""

    __slots__ = ("_waiting", "last")

    def __init__(self) -> None:
        self._waiting: deque[tuple[Floats, Ints]] = deque()
        self.last = -math.inf

    def add(self, times: Floats, nbytes: Ints) -> None:
        """Take events: float64[n] seconds, non-decreasing over all calls, and int64[n] bytes."""
        if len(times):
            self._waiting.append((times, nbytes))
            self.last = float(times[-1])

    def every(self, rows: int, limit: float) -> list[float]:
        """Instants about ``rows`` events apart, in order, before ``limit``."""
        return [t for times, _ in self._waiting for t in times[rows::rows].tolist() if t < limit]

    def at_once(self, limit: float) -> float | None:
        """The first instant before ``limit`` at which rows lie that are one instant in memory; None: there is none."""
        found = next((t[0] for t, _ in self._waiting if t[0] < limit and _one_instant(t)), None)
        return None if found is None else even(float(found))

    def all_at(self, at: float) -> Ints | None:
        """Take out the first rows, if they are one instant in memory and ``at`` is that: their bytes."""
        parts: list[Ints] = []
        while self._waiting and _one_instant(times := self._waiting[0][0]) and even(float(times[0])) == at:
            parts.append(self._waiting.popleft()[1])
        return joined(parts) if parts else None

    def before(self, limit: float) -> tuple[Ints, Ints]:
        """Take out the events strictly before ``limit``: bits of instants, bytes; then two rows that come later."""
        ready: list[tuple[Floats, Ints]] = []
        for times, nbytes, count in self._due(limit):
            if len(times) >= count + 2 and not ready:
                return np.ascontiguousarray(times[: count + 2]).view(np.int64), nbytes[: count + 2]
            ready.append((times[:count], nbytes[:count]))
        if not ready:
            return _NEVER.view(np.int64), _NOTHING
        size = joined([nbytes for _, nbytes in ready])
        if size.strides == (0,):
            size = repeated(size[:1], len(size) + 2)
        else:
            size = np.concatenate((size, _NOTHING))
        return np.concatenate([*(times for times, _ in ready), _NEVER]).view(np.int64), size

    def chunks(self, limit: float) -> list[tuple[Ints, Ints]]:
        """Take out the events strictly before ``limit``: bits of instants, bytes; short chunks joined."""
        ready = [(times[:count], nbytes[:count]) for times, nbytes, count in self._due(limit)]
        if len(ready) * SHORT > sum(len(times) for times, _ in ready):
            ready = [(np.concatenate(times), joined(nbytes)) for times, nbytes in [zip(*ready, strict=True)]]
        return [(np.ascontiguousarray(times).view(np.int64), nbytes) for times, nbytes in ready]

    def _due(self, limit: float) -> Iterator[tuple[Floats, Ints, int]]:
        """Take out the chunks with events strictly before ``limit``, and say of each how many it has."""
        while self._waiting and self._waiting[0][0][0] < limit:
            times, nbytes = self._waiting.popleft()
            count = len(times) if times[-1] < limit else int(times.searchsorted(limit))
            if count < len(times):
                self._waiting.appendleft((times[count:], nbytes[count:]))
            yield times, nbytes, count

    @property
    def first(self) -> float:
        """The first instant that waits, or inf."""
        return float(self._waiting[0][0][0]) if self._waiting else math.inf


def _one_instant(times: Floats) -> bool:
    """Whether these are many rows, and one instant in memory."""
    return times.strides == (0,) and len(times) >= ALIKE


_NEVER, _NOTHING = np.array([math.inf, math.inf]), np.zeros(2, np.int64)


def even(limit: float) -> float:
    """``limit`` with its last bit cleared, as the instants are compared: equal ones stay together."""
    return float((np.float64(limit).view(np.int64) & -2).view(np.float64)) if limit > 0 else limit


def after(at: float) -> float:
    """The next instant, as they are compared."""
    return even(math.nextafter(math.nextafter(at, math.inf), math.inf))


def instant(bits: Ints, row: int) -> float:
    """One of the instants, its last bit cleared."""
    return float((bits[row] & -2).view(np.float64))
