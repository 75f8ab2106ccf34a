"""How much of a link is used, by class of traffic: bytes per bin of time, exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from drsim.blocks.batch import sum_of
from drsim.measure.stream import Floats, Ints

BINS = 1024
"""At most this many bins; when time outgrows them, their width doubles."""


class UsageMeter:
    """Bytes carried per bin and class. Bins are a power of two seconds wide, at least ``least_s``.

    Sums are of whole bytes, so they do not depend on how frames arrive.

    Args:
        least_s: bins are not made narrower than this, seconds (rounded up to a power of two).
    """

    def __init__(self, least_s: float = 1.0) -> None:
        if not least_s > 0:
            raise ValueError(f"a bin must be wider than nothing, not {least_s} s")
        self._exponent = math.ceil(math.log2(least_s))
        self._bytes: dict[str, Ints] = {}

    @property
    def width_s(self) -> float:
        """The width of a bin now, seconds."""
        return math.ldexp(1.0, self._exponent)

    def feed(self, kind: str, times: Floats, nbytes: Ints) -> None:
        """Take frames of one class: float64[n] seconds (when carried, any order) and int64[n] bytes."""
        if len(times) == 0:
            return
        ordered = bool((times[1:] >= times[:-1]).all())
        if not ordered:
            order = np.argsort(times, kind="stable")
            times, nbytes = times[order], nbytes[order]
        self._widen(float(times[-1]))
        first, last = int(times[0] / self.width_s), int(times[-1] / self.width_s)
        if (into := self._bytes.get(kind)) is None:
            into = self._bytes[kind] = np.zeros(BINS, np.int64)
        if first == last:
            into[first] += sum_of(nbytes)
            return
        cuts = np.searchsorted(times, np.arange(first, last + 1) * self.width_s, side="left")
        stops = np.append(cuts[1:], len(times))
        full = cuts < stops
        if nbytes.strides == (0,):
            into[first : last + 1] += (stops - cuts) * nbytes[0]
        else:
            into[first : last + 1][full] += np.add.reduceat(nbytes, cuts[full])

    def _widen(self, last_s: float) -> None:
        while last_s >= math.ldexp(BINS, self._exponent):
            self._exponent += 1
            for kind, filled in self._bytes.items():
                halved = np.zeros_like(filled)
                halved[: BINS // 2] = filled[::2] + filled[1::2]
                self._bytes[kind] = halved

    def total(self, kind: str) -> int:
        """Bytes carried of one class."""
        return int(self._bytes[kind].sum()) if kind in self._bytes else 0

    def columns(self, end_s: float, steps: Sequence[tuple[float, float]] = ()) -> dict[str, Floats | Ints]:
        """Give the bins from 0 to ``end_s``.

        Args:
            end_s: seconds.
            steps: what the link could carry, as ``(instant, bytes/s)``, each rate holding until the next.

        Returns:
            ``t`` (float64[m], begin of each bin, seconds), one int64[m] column of bytes for each class in
            the order first fed, and ``usable`` (float64[m], bytes) where ``steps`` are given.
        """
        self._widen(max(end_s, 0.0))
        count = max(1, math.ceil(end_s / self.width_s))
        t: Floats = np.arange(count, dtype=np.float64) * self.width_s
        found: dict[str, Floats | Ints] = {"t": t}
        for kind, filled in self._bytes.items():
            kept = filled[:count].copy()
            kept[-1] += filled[count:].sum()
            found[kind] = kept
        if steps:
            found["usable"] = np.diff(served(steps, np.append(t, max(end_s, 0.0))))
        return found


def served(steps: Sequence[tuple[float, float]], at: Floats) -> Floats:
    """Bytes a piecewise constant rate serves until each of ``at`` (float64[n], seconds)."""
    start = np.array([begin for begin, _ in steps])
    rate = np.array([each for _, each in steps])
    base = np.concatenate([[0.0], np.cumsum(np.diff(start) * rate[:-1])])
    index = np.maximum(np.searchsorted(start, at, side="right") - 1, 0)
    result: Floats = base[index] + np.maximum(at - start[index], 0.0) * rate[index]
    return result
