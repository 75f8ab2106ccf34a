"""A sweep: every point of a design, each replication, resumed where it stopped, told in one table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from drsim.study.design import Design, Override
from drsim.study.lab import Lab
from drsim.study.point import Outcome, Point, digest
from drsim.study.replicate import Replicated, summarise
from drsim.study.store import Store, write_whole
from drsim.study.table import Columns, tidy, write_parquet

Rerun = Literal["missing", "failed", "all"]

PASSED, OBJECTIVE_MISSED, INCOMPLETE = 0, 3, 4


@dataclass(frozen=True, slots=True)
class Sweep:
    """A design with its replications."""

    design: Design
    replications: int = 1

    @property
    def points(self) -> list[Point]:
        """All points, a design's replications side by side."""
        rows = self.design.rows
        return [Point.of(self.design.overrides(r), k) for r in rows for k in range(self.replications)]

    def name(self) -> str:
        """``sweep-`` and eight hex digits of what is asked, so that asking again finds the same folder."""
        asked = {
            "fixed": str(self.design.fixed),
            "paths": str(self.design.paths),
            "rows": str(self.design.rows),
        }
        return f"sweep-{digest(asked)[:8]}"


@dataclass(slots=True)
class Plan:
    """What a sweep will do: points to run with the reason for each, points known, failures left alone."""

    run: dict[Point, str] = field(default_factory=dict)
    cached: list[Point] = field(default_factory=list)
    left: dict[Point, Outcome] = field(default_factory=dict)
    afresh: bool = False

    def reasons(self) -> list[tuple[str, int]]:
        """Reasons with the number of points that run for each, the most frequent first."""
        return Counter(self.run.values()).most_common()


@dataclass(frozen=True, slots=True)
class SweepResult:
    """All that is known of a sweep's points."""

    sweep: Sweep
    outcomes: Mapping[Point, Outcome]

    @property
    def failed(self) -> list[Outcome]:
        """Points that gave an error."""
        return [outcome for outcome in self.outcomes.values() if outcome.failed]

    @property
    def missing(self) -> int:
        """Points never run (interrupted)."""
        return len(self.sweep.points) - len(self.outcomes)

    @property
    def missed(self) -> list[Outcome]:
        """Points that ran and failed an objective."""
        return [
            o for o in self.outcomes.values() if o.summary is not None and not o.summary.get("passed", True)
        ]

    def exit_code(self) -> int:
        """0 when all passed, 3 when an objective was missed, 4 when points failed or are missing."""
        if self.failed or self.missing:
            return INCOMPLETE
        return OBJECTIVE_MISSED if self.missed else PASSED

    def designs(self, confidence: float = 0.95) -> Iterator[tuple[tuple[Override, ...], Replicated]]:
        """Each design's overrides with the estimates over its replications."""
        for row in self.sweep.design.rows:
            overrides = self.sweep.design.overrides(row)
            points = (Point.of(overrides, k) for k in range(self.sweep.replications))
            found = [self.outcomes[point] for point in points if point in self.outcomes]
            yield overrides, summarise(found, confidence)

    def table(self) -> Columns:
        """The tidy table (`drsim.study.table.tidy`)."""
        return tidy(self.sweep.points, self.outcomes)


class Folder:
    """A sweep's place on disk: what was asked, with which ingredients, and the table of all points."""

    def __init__(self, path: Path, lab: Lab, store: Store) -> None:
        self.path = path
        self._lab = lab
        self._store = store

    @property
    def exists(self) -> bool:
        """True where this sweep was begun before."""
        return (self.path / "sweep.json").is_file()

    def plan(self, sweep: Sweep, rerun: Rerun = "missing") -> Plan:
        """Decide for each point whether it runs, and say why; nothing finished runs again unless ``all``."""
        before = self._before()
        changed = _changes(before.get("ingredients", {}), self._lab.world.ingredients())
        plan = Plan(afresh=rerun == "all")
        for point in sweep.points:
            seed, key = self._lab.identity(point)
            if rerun == "all":
                plan.run[point] = "asked for (--rerun all)"
            elif self._store.find(key) is not None:
                plan.cached.append(point)
            elif (failure := self._store.failure(key)) is None:
                plan.run[point] = _why(before.get("points", {}).get(point.label), key, changed)
            elif rerun == "failed":
                plan.run[point] = f"failed before: {failure.get('error')}"
            else:
                plan.left[point] = _as_outcome(point, seed, key, failure)
        return plan

    def _before(self) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = json.loads((self.path / "sweep.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def begin(self, sweep: Sweep) -> None:
        """Write down what is asked before anything runs, so that a crash leaves it."""
        self.path.mkdir(parents=True, exist_ok=True)
        points = {point.label: self._lab.identity(point)[1] for point in sweep.points}
        content = {
            "scenario": self._lab.world.name,
            "fixed": dict(sweep.design.fixed),
            "paths": sweep.design.paths,
            "replications": sweep.replications,
            "ingredients": dict(self._lab.world.ingredients()),
            "points": points,
        }
        write_whole(self.path / "sweep.json", content)

    def finish(self, result: SweepResult) -> None:
        """Write the table, complete or not."""
        about = {"scenario": self._lab.world.name, "ingredients": self._lab.base}
        write_parquet(self.path / "points.parquet", result.table(), about)


def run_sweep(lab: Lab, sweep: Sweep, folder: Folder, plan: Plan) -> SweepResult:
    """Run what the plan says. Whatever ends it, Ctrl-C too, the table holds all that finished."""
    folder.begin(sweep)
    outcomes: dict[Point, Outcome] = dict(plan.left)
    try:
        for outcome in lab.measure([*plan.cached, *plan.run], afresh=plan.afresh):
            outcomes[outcome.point] = outcome
    finally:
        ordered = {point: outcomes[point] for point in sweep.points if point in outcomes}
        result = SweepResult(sweep, ordered)
        folder.finish(result)
    return result


def _why(old_key: str | None, key: str, changed: str) -> str:
    if old_key is None:
        return "new"
    return "did not finish" if old_key == key else changed or "its result is gone"


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What differs between two sets of ingredients, in a few words."""
    names = [name for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name)]
    told = [f"{name}: {_short(before.get(name))} -> {_short(now.get(name))}" for name in names[:3]]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"changed: {', '.join(told)}{more}" if names else ""


def _short(value: str | None) -> str:
    if value is None:
        return "nothing"
    return value if len(value) <= 24 else value[:10] + "..."


def _as_outcome(point: Point, seed: int, key: str, failure: Mapping[str, Any]) -> Outcome:
    error, trace = str(failure.get("error")), failure.get("traceback")
    return Outcome(point, seed, key, float(failure.get("wall_s") or 0.0), None, error, trace, cached=True)
