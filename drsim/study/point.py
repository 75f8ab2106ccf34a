"""A point of a study, its seed, and what came of running it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from drsim.study.design import Override

Summary = Mapping[str, Any]
"""A run's summary: nested mappings of numbers, as in ``summary.json``."""


Curves = Mapping[str, Mapping[str, Any]]
"""Small lag curves by ``group/target``: ``t`` and ``lag_s``, float64, every peak kept (NaN: no image)."""


class Ran(NamedTuple):
    """A run's summary with its curves."""

    summary: Summary
    curves: Curves


class World(Protocol):
    """What a study runs. It travels to worker processes, so it must pickle.

    The simulator is one (`drsim.study.world`); a formula with the same summary keys is another.
    """

    @property
    def seed(self) -> int:
        """The scenario's seed: replication 0 runs with it."""

    @property
    def name(self) -> str:
        """The scenario's name: a file name without its ending."""

    def ingredients(self) -> Mapping[str, str]:
        """Everything but overrides and seed that can change a result: name -> value or digest."""

    def check(self, overrides: tuple[Override, ...]) -> None:
        """Raise what is wrong with the scenario under these overrides; cheap."""

    def run(self, overrides: tuple[Override, ...], seed: int) -> Summary | Ran:
        """One run's summary, with its curves where it has any."""

    def command(self, overrides: tuple[Override, ...], seed: int) -> str:
        """The command that repeats this one run."""


@dataclass(frozen=True, slots=True)
class Point:
    """A set of overrides (sorted by path, so that a part is set before what is in it) and a replication."""

    overrides: tuple[Override, ...] = ()
    replication: int = 0

    @staticmethod
    def of(overrides: Iterable[Override], replication: int = 0) -> Point:
        """The point with its overrides in order."""
        return Point(tuple(sorted(overrides)), replication)

    @property
    def label(self) -> str:
        """For people: ``links.ab.type=DS3 groups.g.mode=sync #2``."""
        words = [f"{path}={value}" for path, value in self.overrides]
        return " ".join([*words, f"#{self.replication}"])

    def key(self, base: str, seed: int) -> str:
        """Twelve hex digits of all that can change the result; ``base`` digests the world's ingredients."""
        return digest({"base": base, "seed": str(seed), "overrides": json.dumps(self.overrides)})[:12]


def digest(ingredients: Mapping[str, str]) -> str:
    """SHA-256 of names and values, whatever their order."""
    text = json.dumps(sorted(ingredients.items()), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a point: a summary, or an error with its traceback; never both. Times are the run's own."""

    point: Point
    seed: int
    key: str
    wall_s: float
    summary: Summary | None = field(repr=False)
    error: str | None = None
    traceback: str | None = field(default=None, repr=False)
    cached: bool = False
    cpu_s: float = 0.0
    curves: Curves = field(default_factory=dict, repr=False, compare=False)

    @property
    def failed(self) -> bool:
        """True where there is no summary."""
        return self.summary is None


def replication_seed(seed: int, replication: int) -> int:
    """Seed of one replication, the same for every set of overrides: common random numbers.

    Replication 0 keeps the scenario's own seed, so that it is what ``drsim run`` shows; others are spawned
    from it (`numpy.random.SeedSequence`, collision chance 2**-63 a pair) and can be repeated with ``--seed``.
    """
    if replication == 0:
        return seed
    state = np.random.SeedSequence(seed, spawn_key=(replication,)).generate_state(1, np.uint64)
    return int(state[0] >> 1)


def verdicts(summary: Summary) -> dict[str, bool]:
    """Whether each expectation held, by its text; one judged several times (an RTO) must hold each time."""
    found: dict[str, bool] = {}
    for each in summary.get("expectations", ()):
        found[each["expect"]] = bool(each["passed"]) and found.get(each["expect"], True)
    return found


def flatten(summary: Summary, prefix: str = "") -> dict[str, float]:
    """Numeric leaves by dotted name, booleans as 0 and 1, in the summary's order; the rest is left out.

    >>> flatten({"groups": {"g": {"writes": 3, "note": "x"}}, "passed": True})
    {'groups.g.writes': 3.0, 'passed': 1.0}
    """
    found: dict[str, float] = {}
    for name, value in summary.items():
        if isinstance(value, Mapping):
            found |= flatten(value, f"{prefix}{name}.")
        elif isinstance(value, (bool, int, float)):
            found[f"{prefix}{name}"] = float(value)
        elif value is None:
            found[f"{prefix}{name}"] = float("nan")
    return found
