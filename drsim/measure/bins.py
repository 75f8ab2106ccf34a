"""Logarithmic bins of 0.1 %, named by the upper bits of the float64 itself: 1024 to each doubling.

No bin is wider than 1/1024 of its lower edge. How many values a bin has and where in it they lie (to 2**-40 of its
octave) are sums of whole numbers, which no order of adding changes.
"""

from __future__ import annotations

import numpy as np

from drsim.measure.loops import COARSE, DROP, HALF, INSIDE, SHIFT, count_by_bin
from drsim.measure.stream import Floats, Ints

_FINE_BITS = 52 - DROP
_OCTAVE = 1 << _FINE_BITS


def bins(values: Floats, octave: int) -> Ints:
    """Bin of each value (float64[n], at least ``2**octave``)."""
    index: Ints = values.view(np.int64) >> DROP
    index -= (1023 + octave) << _FINE_BITS
    return index


def edges(count: int, octave: int) -> Floats:
    """Lower edges of the first ``count`` bins (float64[count])."""
    index = np.arange(count, dtype=np.int64) + ((1023 + octave) << _FINE_BITS)
    return (index << DROP).view(np.float64)


def wide(bins: int) -> int:
    """Whole octaves that hold so many bins."""
    return -(-bins // _OCTAVE) * _OCTAVE


class Moments:
    """How many values fell in each bin, and their sum. Values are seconds, not negative.

    Bins are taken of ``value + 2**-13 s``, so that a value v is known to (v + 0.12 ms) / 1024.
    """

    __slots__ = ("cells",)
    octave = -13

    def __init__(self) -> None:
        self.cells: Ints = np.zeros((0, 2), np.int64)
        """For each bin: how many values, and the sum of how far they lie beyond its lower edge."""

    def add(self, values: Floats) -> None:
        """Count values (float64[n], seconds)."""
        if len(values) == 0:
            return
        top = float(values.max())
        cells = self.room(top)
        if top == 0.0:  # waiting for nothing is so common that it is worth a look
            cells[0, 0] += len(values)
            return
        chosen = values + SHIFT
        twin = count_by_bin.worth(len(chosen))
        if twin is not None:
            twin(chosen.view(np.int64), cells)
            return
        index = bins(chosen, self.octave)
        inside = chosen.view(np.int64)
        inside &= INSIDE
        inside += HALF
        inside >>= COARSE
        count = np.bincount(index)
        cells[: len(count), 0] += count
        cells[: len(count), 1] += np.bincount(index, inside).astype(np.int64)

    def room(self, top: float) -> Ints:
        """The cells (for a loop that adds to them), of which there are enough for values up to ``top``."""
        needed = int(bins(np.array([top + SHIFT]), self.octave)[0]) + 1
        if needed > len(self.cells):
            self.cells = np.concatenate([self.cells, np.zeros((wide(needed) - len(self.cells), 2), np.int64)])
        return self.cells

    def columns(self, size: int) -> tuple[Floats, Floats]:
        """Count of the values in each of the first ``size`` bins, and their sum, seconds (float64[size] each)."""
        count, total = np.zeros((2, size))
        rows = min(size, len(self.cells))
        octaves = np.ldexp(1.0, np.arange(rows) // _OCTAVE + self.octave - _FINE_BITS - DROP + COARSE)
        count[:rows] = self.cells[:rows, 0]
        total[:rows] = count[:rows] * (edges(rows, self.octave) - SHIFT) + self.cells[:rows, 1] * octaves
        return count, total
