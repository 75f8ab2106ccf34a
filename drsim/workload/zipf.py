"""Tables for drawing ranks of which the k-th is written in proportion to a power of k."""

from __future__ import annotations

import functools

import numpy as np

from drsim.workload.columns import Floats, Ints

_CELLS = 1 << 16


@functools.lru_cache(maxsize=16)  # streams of one kind share their tables: 2 MiB and a fifth of a second each
def zipf_cells(count: int, exponent: float) -> tuple[Ints, Ints, Floats, Ints]:
    """Tables for drawing ranks 0..count-1 with weight (rank + 1) ** -exponent, in bounded memory.

    The first 32768 ranks have a cell each. The rest share 32768 cells of geometrically growing width,
    uniform inside: of 500 million ranks a cell spans 0.03 % of its rank, so weights are that near the truth.

    Returns:
        int64[c] first rank and int64[c] width of each cell, float64[c] and int64[c] Walker's keep and alias;
        read-only.
    """
    head = min(count, _CELLS // 2)
    edges = np.arange(head + 1, dtype=np.int64)
    if count > head:
        tail = np.geomspace(head, count, _CELLS // 2 + 1).round().astype(np.int64)
        edges = np.concatenate([edges, tail])
        edges = edges[np.append(True, np.diff(edges) > 0)]
    first, width = edges[:-1], np.diff(edges)
    tables = (first, width, *_walker(_power_mass(first, width, exponent)))
    for column in tables:
        column.flags.writeable = False
    return tables


def _power_mass(first: Ints, width: Ints, exponent: float) -> Floats:
    """Sum of k ** -exponent over each cell, by Euler and Maclaurin; exact for single ranks."""
    low, high = first + 0.5, first + width + 0.5
    if exponent == 1:
        area = np.log(high / low)
    else:
        area = (high ** (1 - exponent) - low ** (1 - exponent)) / (1 - exponent)
    # midpoint sum = integral - (f'(high) - f'(low)) / 24 + ...
    slope = -exponent * (high ** (-exponent - 1) - low ** (-exponent - 1))
    return np.where(width == 1, (first + 1.0) ** -exponent, area - slope / 24)


def _walker(mass: Floats) -> tuple[Floats, Ints]:
    """Alias tables of a distribution (Vose's method)."""
    n = len(mass)
    relative = mass / mass.sum() * n
    scaled = relative.tolist()
    large = np.flatnonzero(relative >= 1).tolist()
    if not large:  # equal weights, a rounding short of 1
        return np.ones(n), np.arange(n, dtype=np.int64)
    keep, alias = [1.0] * n, list(range(n))
    more = large.pop()
    left = scaled[more]
    for less in np.flatnonzero(relative < 1)[::-1].tolist():
        keep[less], alias[less] = scaled[less], more
        left -= 1 - scaled[less]
        while left < 1 and large:  # what is left of a large one is small, and comes next
            keep[more] = left
            alias[more] = more = large.pop()
            left = scaled[more] - (1 - left)
        if left < 1:
            break
    return np.array(keep), np.array(alias, np.int64)
