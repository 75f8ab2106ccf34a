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
        edges = np.unique(np.concatenate([edges, tail]))
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
    scaled = (mass / mass.sum() * n).tolist()
    keep, alias = [1.0] * n, list(range(n))
    small = [i for i, p in enumerate(scaled) if p < 1]
    large = [i for i, p in enumerate(scaled) if p >= 1]
    while small and large:
        less, more = small.pop(), large[-1]
        keep[less], alias[less] = scaled[less], more
        scaled[more] -= 1 - scaled[less]
        if scaled[more] < 1:
            small.append(large.pop())
    return np.array(keep), np.array(alias, np.int64)
