"""Loops behind drawing instants and addresses; each has a NumPy body beside it (see `drsim.blocks.compiled`)."""

from __future__ import annotations

import numpy as np

from drsim.blocks.compiled import compiled
from drsim.workload.columns import Floats, Ints

_GIVEN = "Array({}, 1, 'C', readonly=True)".format
_INTS, _FLOATS = _GIVEN("int64"), _GIVEN("float64")


@compiled("float64(float64[::1], float64)")
def added_up(gaps: Floats, at: float) -> float:
    """Turn gaps (float64[n], overwritten) into instants from ``at`` on; give the last. The twin of `numpy.cumsum`."""
    for i in range(len(gaps)):
        at += gaps[i]
        gaps[i] = at
    return at


@compiled(f"void({_FLOATS}, {', '.join(['float64'] * 7)}, float64[::1])")
def in_one_hour(  # noqa: PLR0913 - a loop takes numbers one by one
    u: Floats,
    entered: float,
    gone: float,
    reached: float,
    slope: float,
    begin: float,
    end: float,
    later: float,
    t: Floats,
) -> None:
    """Fill ``t``: the twin of `drsim.workload.timechange.Weekly.when` for instants of one segment of one week.

    Args:
        u: float64[n], non-decreasing.
        entered: what a week's begin is before ``u``. gone, reached, slope, begin, end, later: see `Weekly`.
        t: float64[n], seconds, filled.
    """
    last = -np.inf
    for i in range(len(u)):
        last = max(last, min((u[i] + entered - gone - reached) * slope + begin, end) + later)
        t[i] = last


_SCATTER = "UniTuple(int64, 4)"
_Steps = tuple[int, int, int, int]


@compiled(f"void({_FLOATS}, {_FLOATS}, float64, int64, int64, int64, {_SCATTER}, int64[::1])")
def hot(  # noqa: PLR0913 - a loop takes numbers one by one
    which: Floats, where: Floats, share: float, warm: int, cold: int, skip: int, steps: _Steps, slot: Ints
) -> None:
    """Fill ``slot``: the twin of `drsim.workload.access._Hot.slots`.

    Args:
        which, where: float64[n] in [0, 1).
        share: of the writes that go to the hot part.
        warm, cold: slots of either part. skip: slots before the cold part.
        steps: `drsim.workload.access.Scatter.steps`.
        slot: int64[n], filled.
    """
    for i in range(len(slot)):
        size = warm if which[i] < share else cold
        rank = min(int(where[i] * np.float64(size)), size - 1)
        slot[i] = rank if which[i] < share else rank + skip
    _scatter(slot, steps)


@compiled(f"void({_FLOATS}, {_FLOATS}, {_INTS}, {_INTS}, {_FLOATS}, {_INTS}, {_SCATTER}, int64[::1])")
def zipf(  # noqa: PLR0913 - a loop takes columns one by one
    u: Floats, where: Floats, first: Ints, width: Ints, keep: Floats, alias: Ints, steps: _Steps, slot: Ints
) -> None:
    """Fill ``slot``: the twin of `drsim.workload.access._Zipf.slots`.

    Args:
        u, where: float64[n] in [0, 1).
        first, width, keep, alias: int64[c], int64[c], float64[c], int64[c]: `drsim.workload.access.zipf_cells`.
        steps: `drsim.workload.access.Scatter.steps`.
        slot: int64[n], filled.
    """
    cells = np.float64(len(keep))
    for i in range(len(slot)):
        slot[i] = int(u[i] * cells)
    for i in range(len(slot)):
        cell = slot[i]
        slot[i] = cell if u[i] * cells - np.float64(cell) < keep[cell] else ~cell
    for i in range(len(slot)):
        # All ones where its alias is meant: a branch would be guessed wrongly half the time.
        cell, other = slot[i], slot[i] >> 63
        slot[i] = cell + (other & (alias[cell ^ other] - cell))
    for i in range(len(slot)):
        cell = slot[i]
        slot[i] = int(where[i] * np.float64(width[cell])) + first[cell]
    _scatter(slot, steps)


def _scatter(slot: Ints, steps: _Steps) -> None:
    """Turn ranks into slots, as a `drsim.workload.access.Scatter` does."""
    run, runs, step, shift = steps
    one_run, one_round = 1.0 / np.float64(run), 1.0 / np.float64(runs)
    for i in range(len(slot)):
        rank = slot[i]
        lot = int(np.float64(rank) * one_run)  # a reciprocal is a place off at most, and put right
        lot -= 1 if lot * run > rank else 0
        lot += 1 if lot * run + run <= rank else 0
        x = lot * step + shift
        x -= int(np.float64(x) * one_round) * runs
        x += runs if x < 0 else 0
        x -= runs if x >= runs else 0
        slot[i] = x * run + rank - lot * run if lot < runs else rank
