"""Which points a study visits: grids, zipped axes, Latin hypercube and Sobol designs over axes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from drsim.study.axes import Axis
from drsim.study.text import StudyError

Override = tuple[str, str]
"""A scenario path and the text of its value."""
Kind = Literal["grid", "lhs", "sobol"]
KINDS: tuple[Kind, ...] = ("grid", "lhs", "sobol")

MOST_POINTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Design:
    """Points of a study.

    Attributes:
        fixed: overrides that all points share.
        paths: the paths that vary, in the order the user gave them.
        rows: for each point the texts of ``paths``.
    """

    fixed: tuple[Override, ...]
    paths: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def overrides(self, row: Sequence[str]) -> tuple[Override, ...]:
        """All overrides of one row."""
        return (*self.fixed, *zip(self.paths, row, strict=True))

    def trials(self) -> list[tuple[Override, ...]]:
        """Few sets of overrides in which every value of every path occurs: what to check before running."""
        trials: dict[tuple[Override, ...], None] = {}
        seen: set[Override] = set()
        for row in self.rows:
            pairs = set(zip(self.paths, row, strict=True))
            if not pairs <= seen or not trials:
                seen |= pairs
                trials[self.overrides(row)] = None
        return list(trials)


def plan(
    sets: Sequence[Axis],
    zips: Sequence[Axis] = (),
    kind: Kind = "grid",
    samples: int | None = None,
    rng: np.random.Generator | None = None,
) -> Design:
    """Lay out the points.

    Args:
        sets: axes; those with one value are overrides, the others cross (grid) or are drawn from.
        zips: axes that step together, as one axis more.
        kind: ``grid`` crosses all values, the last axis fastest; ``lhs`` and ``sobol`` draw ``samples``
            points (McKay, Beckman and Conover 1979; Sobol 1967 with Owen's scrambling; by scipy.stats.qmc).
        samples: number of drawn points; for ``sobol`` a power of two, where the sequence is balanced.
        rng: named stream for the draws.
    """
    _refuse_repeated([*sets, *zips])
    _refuse_duplicates(sets)
    fixed = tuple((axis.path, axis.values[0]) for axis in sets if not axis.varies)
    varying = [axis for axis in sets if axis.varies]
    steps = _zipped(zips)
    if kind == "grid":
        _refuse_grid(varying, samples)
        size = max(len(steps), 1)
        for axis in varying:
            size *= len(axis.values)
        _refuse_too_many(size)
        rows = [
            (*itertools.chain.from_iterable(parts),)
            for parts in itertools.product(*([(v,) for v in axis.values] for axis in varying), steps)
        ]
    else:
        rows = _drawn(varying, steps, kind, _checked(kind, samples, varying), rng)
    paths = (*(axis.path for axis in varying), *(axis.path for axis in zips))
    return Design(fixed, paths, tuple(dict.fromkeys(rows)))


def _zipped(zips: Sequence[Axis]) -> list[tuple[str, ...]]:
    for axis in zips:
        if not axis.values:
            raise StudyError(
                f"{axis.path}: a zipped axis needs to know how many values", "write log5 or lin5"
            )
    lengths = {axis.path: len(axis.values) for axis in zips}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{path} has {n}" for path, n in lengths.items())
        raise StudyError(f"zipped axes must have as many values each: {listed}", "use --set to cross them")
    return list(zip(*(axis.values for axis in zips), strict=True)) if zips else [()]


def _refuse_repeated(axes: Sequence[Axis]) -> None:
    for path, count in Counter(axis.path for axis in axes).items():
        if count > 1:
            raise StudyError(f"{path} is set {count} times", f"give all its values at once: {path}=V1,V2")


def _refuse_duplicates(sets: Sequence[Axis]) -> None:
    for axis in sets:
        for value, count in Counter(axis.values).items():
            if count > 1:
                raise StudyError(
                    f"{axis.path}: '{value}' is given twice", "each point runs once; see --replications"
                )


def _refuse_grid(varying: Sequence[Axis], samples: int | None) -> None:
    for axis in varying:
        if not axis.values:
            raise StudyError(f"{axis.path}: a grid needs to know how many values", "write log5 or lin5")
    if samples is not None:
        raise StudyError("a grid has as many points as it has", "--samples goes with --design lhs or sobol")


def _refuse_too_many(size: int) -> None:
    if size > MOST_POINTS:
        raise StudyError(f"a grid of {size} points", "draw from it: --design sobol --samples 256")


def _checked(kind: Kind, samples: int | None, varying: Sequence[Axis]) -> int:
    if samples is None or samples < 1:
        raise StudyError(f"how many points shall {kind} draw?", "add --samples 64")
    _refuse_too_many(samples)
    if kind == "sobol" and samples & (samples - 1):
        lower = 1 << (samples.bit_length() - 1)
        raise StudyError(f"{samples} Sobol points are unbalanced", f"write --samples {lower} or {2 * lower}")
    if not varying:
        raise StudyError(f"nothing to draw {kind} points from", "give a range: --set PATH=LOW:HIGH:log")
    for axis in varying:
        if axis.span is not None and axis.values:
            raise StudyError(
                f"{axis.path}: a count has no meaning in {kind}", "write lin or log without a number"
            )
    return samples


def _drawn(
    varying: Sequence[Axis],
    steps: Sequence[tuple[str, ...]],
    kind: Kind,
    samples: int,
    rng: np.random.Generator | None,
) -> list[tuple[str, ...]]:
    from scipy.stats import qmc  # a second's import that a grid does not need

    crossed = len(steps) > 1
    dimensions = len(varying) + crossed
    sampler = qmc.LatinHypercube if kind == "lhs" else qmc.Sobol
    shares = sampler(dimensions, rng=rng).random(samples)
    rows = []
    for point in shares:
        row = tuple(_value(axis, share) for axis, share in zip(varying, point, strict=False))
        step = steps[int(point[-1] * len(steps))] if crossed else steps[0]
        rows.append((*row, *step))
    return rows


def _value(axis: Axis, share: float) -> str:
    if axis.span is not None:
        return axis.span.at(float(share))
    return axis.values[int(share * len(axis.values))]
