"""Granules that rows touch, and runs of granules: the loops of a bitmap, beside its NumPy bodies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Ints
from drsim.blocks.compiled import compiled

Words = NDArray[np.uint32]
_INTS, _WORDS = (f"Array({kind}, 1, 'C', readonly=True)" for kind in ("int64", "uint32"))


@compiled(f"int64({_INTS}, {_INTS}, int64, int64, uint32[::1])")
def fill(start: Ints, stop: Ints, shift: int, wide: int, found: Words) -> int:
    """Fill ``found`` with the granules of 2**shift bytes that ranges of bytes touch, row after row.

    Returns:
        How many; -1 where there is no room for them, or a row touches more than ``wide``, or one beyond 2**32.
    """
    at = 0
    for i in range(len(start)):
        first, last = start[i] >> shift, (stop[i] - 1) >> shift
        if last - first >= wide or at + last - first >= len(found) or last >= 1 << 32:
            return -1
        for granule in range(first, last + 1):
            found[at] = granule
            at += 1
    return at


@compiled(f"int64({_WORDS}, int64, int64[::1], int64[::1])")
def runs(granules: Words, shift: int, start: Ints, stop: Ints) -> int:
    """Fill ``start`` and ``stop`` with the bytes of runs of granules, which increase; give how many runs there are."""
    at = 0
    start[0] = np.int64(granules[0]) << shift
    for i in range(1, len(granules)):
        before, granule = np.int64(granules[i - 1]), np.int64(granules[i])
        if granule != before + 1:
            stop[at] = (before + 1) << shift
            at += 1
            start[at] = granule << shift
    stop[at] = (np.int64(granules[-1]) + 1) << shift
    return at + 1
