"""Loops behind the meters: merging two columns of instants, adding up by bins. Each has a NumPy body beside it."""

from __future__ import annotations

import numpy as np

from drsim.blocks.compiled import compiled
from drsim.measure.stream import Floats, Ints

_GIVEN = "Array(int64, 1, 'C', readonly=True)"
_GIVEN_FLOATS = "Array(float64, 1, 'C', readonly=True)"


@compiled(f"void({_GIVEN}, {_GIVEN}, {_GIVEN}, {_GIVEN}, int64[::1], int64[::1], int64[::1], int64[::1])")
def merge_levels(  # noqa: PLR0913 - a loop takes columns one by one
    came: Ints, put: Ints, went: Ints, taken: Ints, state: Ints, instants: Ints, level: Ints, writes: Ints
) -> None:
    """Merge arrivals and releases, releases first where equal, until one column or the room for them ends.

    Instants (not negative) are the bits of float64, of which the last is cleared: as integers they are in the same
    order. The twin of `drsim.measure.occupancy._interleaved` and the running sums after it.

    Args:
        came: int64[n], instants of arrivals.
        put: int64[n], their bytes.
        went: int64[m], instants of releases.
        taken: int64[m], their bytes.
        state: int64[5]: arrivals, releases and rows done, the level in bytes and in writes; moved on.
        instants: int64[k], filled from row ``state[2]`` on: the instants merged.
        level: int64[k], the level after each, bytes.
        writes: int64[k], the level after each, writes.
    """
    i, j, row, held = state[0], state[1], state[2], state[3]
    lead = state[4] - i + j
    while True:
        sure = min(len(instants) - row, len(came) - i, len(went) - j)
        if sure <= 0:
            break
        for _ in range(sure):  # without a branch: which of the two comes next cannot be foreseen
            arrival, release = came[np.uint64(i)] & -2, went[np.uint64(j)] & -2
            later = np.int64(release > arrival)
            held += (put[np.uint64(i)] & -later) - (taken[np.uint64(j)] & (later - 1))
            i += later
            j += 1 - later
            instants[np.uint64(row)] = min(arrival, release)
            level[np.uint64(row)] = held
            writes[np.uint64(row)] = lead + i - j
            row += 1
    for _ in range(min(len(instants) - row, len(came) - i)):
        held += put[i]
        i += 1
        instants[row], level[row], writes[row] = came[i - 1] & -2, held, lead + i - j
        row += 1
    for _ in range(min(len(instants) - row, len(went) - j)):
        held -= taken[j]
        j += 1
        instants[row], level[row], writes[row] = went[j - 1] & -2, held, lead + i - j
        row += 1
    state[0], state[1], state[2], state[3], state[4] = i, j, row, held, lead + i - j


@compiled(f"void({_GIVEN}, {_GIVEN_FLOATS}, int64, int64, float64[::1])")
def sum_by_bin(bits: Ints, values: Floats, drop: int, first: int, total: Floats) -> None:
    """Add each value to the bin that the upper bits of a float64 name; the twin of `numpy.add.at`.

    Args:
        bits: int64[n], the bits of the numbers that choose the bin.
        values: float64[n].
        drop: lower bits that do not count.
        first: the upper bits of bin 0.
        total: float64[bins], added to.
    """
    for i in range(len(bits)):
        total[(bits[i] >> drop) - first] += values[i]


@compiled(f"void({_GIVEN}, {_GIVEN_FLOATS}, int64, int64, float64[::1], float64[::1])")
def count_by_bin(bits: Ints, values: Floats, drop: int, first: int, count: Floats, total: Floats) -> None:
    """`sum_by_bin` that counts the values, too (``count``: float64[bins])."""
    for i in range(len(bits)):
        bin_ = (bits[i] >> drop) - first
        count[bin_] += 1.0
        total[bin_] += values[i]
