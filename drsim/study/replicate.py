"""Replications: the same design under independent futures, until the numbers are known well enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drsim.randomness import child
from drsim.study.design import Override
from drsim.study.point import Outcome, Point, flatten
from drsim.study.stats import Estimate, estimate
from drsim.study.text import StudyError

Runner = Callable[[Iterable[Point]], Mapping[Point, Outcome]]
"""Runs points and returns all their outcomes (`drsim.study.lab.Lab.gather`)."""

FIRST_REPLICATIONS = 10
"""Replications before a precision is judged: with fewer, a lucky narrow interval stops the run too early."""

_NOISE = ("seed", "wall_s", "writes_per_wall_s", "schema_version")


@dataclass(frozen=True, slots=True)
class Replicated:
    """One design's replications.

    Attributes:
        outcomes: by replication, failed ones included.
        estimates: measure (dotted summary key) -> mean over replications with its interval.
        confidence: of the intervals.
        precise: True where the asked precision was reached (always, when none was asked).
    """

    outcomes: tuple[Outcome, ...]
    estimates: Mapping[str, Estimate]
    confidence: float
    precise: bool = True

    @property
    def failed(self) -> int:
        """Number of replications that gave no summary."""
        return sum(outcome.failed for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Precision:
    """How well a number shall be known.

    Attributes:
        share: half-width of its interval relative to its mean.
        measures: the measures (dotted summary keys) that must be so.
        most: replications after which to give up.
    """

    share: float
    measures: tuple[str, ...]
    most: int = 1000

    def wanting(self, estimates: Mapping[str, Estimate]) -> float:
        """Factor by which the widest interval is still too wide; at most 1 when all are narrow enough.

        A measure that is 0 in every replication is known. Relative precision is judged against the shrunk
        bound g / (1 + g), which is what makes the true mean lie within g (Law 2015, 9.4.1).
        """
        bound = self.share / (1 + self.share)
        factors = [0.0]
        for name in self.measures:
            if name not in estimates:
                raise StudyError(f"no measure '{name}' to be precise about", "give a key of summary.json")
            found = estimates[name]
            wide = found.half_width
            factors.append(0.0 if wide == 0 else wide / (bound * abs(found.mean)) if found.mean else math.inf)
        return max(factors)


def replicate(
    run: Runner,
    overrides: Sequence[Override],
    replications: int,
    *,
    confidence: float = 0.95,
    precision: Precision | None = None,
    seed: int = 0,
) -> Replicated:
    """Run one design's replications.

    Without ``precision``, exactly ``replications``. With it, at least `FIRST_REPLICATIONS`, then as many more
    as the interval's width calls for (it shrinks with the square root), at most doubling each time, until all
    of ``precision.measures`` are known or ``precision.most`` replications are done.
    ``seed`` is for the bootstrap's draws.
    """
    if replications < 1:
        raise StudyError(f"{replications} replications", "give 1 or more")
    wanted = max(replications, min(FIRST_REPLICATIONS, precision.most)) if precision else replications
    outcomes: dict[Point, Outcome] = {}
    while True:
        points = [Point.of(overrides, r) for r in range(len(outcomes), wanted)]
        outcomes |= run(points)
        found = summarise(list(outcomes.values()), confidence, seed)
        if precision is None or found.failed:
            return found
        factor = precision.wanting(found.estimates)
        if factor <= 1:
            return found
        if wanted >= precision.most:
            return Replicated(found.outcomes, found.estimates, confidence, precise=False)
        needed = 2 * wanted if math.isinf(factor) else math.ceil(wanted * factor**2)
        wanted = min(max(needed, wanted + 1), 2 * wanted, precision.most)


def summarise(outcomes: Iterable[Outcome], confidence: float = 0.95, seed: int = 0) -> Replicated:
    """Estimates of every measure from outcomes of one design, in order of replication."""
    ordered = tuple(sorted(outcomes, key=lambda outcome: outcome.point.replication))
    columns: dict[str, list[float]] = {}
    for outcome in ordered:
        if outcome.summary is not None:
            for name, value in flatten(outcome.summary).items():
                if name not in _NOISE:
                    columns.setdefault(name, []).append(value)
    found = {name: estimate(values, confidence, stream(seed, name)) for name, values in columns.items()}
    return Replicated(ordered, found, confidence)


def stream(seed: int, name: str) -> np.random.Generator:
    """A named stream of the study's own draws: adding a measure leaves the others' draws alone."""
    return np.random.default_rng(child(np.random.SeedSequence(seed), *name.encode()))
