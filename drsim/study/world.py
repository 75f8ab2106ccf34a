"""The simulator as a study sees it: a scenario file, overrides and a seed in, a summary out."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drsim import __version__, record
from drsim.measure.decimate import thin
from drsim.scenario import Problem, Scenario, examine, load
from drsim.scenario.expect import Expectation, Names, parse
from drsim.study.design import Override
from drsim.study.point import Curves, Ran

CURVE_POINTS = 400
"""Points of each lag curve that a study keeps: some kilobytes a run."""
_UNIMPORTANT = ("title", "seed")


@dataclass(frozen=True)
class ScenarioWorld:
    """A scenario file with overrides that all its points share.

    Attributes:
        file: the scenario's path.
        base: overrides under those of every point.
        seed: of replication 0.
        name: the scenario's name.
        parts: ingredients of the content key.
        warnings: what the loader has to say about the scenario.
    """

    file: str
    base: tuple[Override, ...]
    seed: int
    name: str
    parts: Mapping[str, str] = field(repr=False)
    warnings: tuple[Problem, ...] = field(default=(), repr=False, compare=False)

    @staticmethod
    def open(file: str | Path, base: tuple[Override, ...] = (), seed: int | None = None) -> ScenarioWorld:
        """Read and check a scenario; ScenarioError tells all that is wrong with it."""
        from drsim.simulation.limits import refuse

        checked = examine(file, base, seed)
        scenario = checked.scenario
        refuse(scenario)
        parts = dict(_flat(scenario.model_dump(mode="json", by_alias=True)))
        parts = {path: value for path, value in parts.items() if path not in _UNIMPORTANT}
        parts |= {f"file {path.name}": record.file_digest(path) for path in scenario.files()}
        parts |= {"drsim": __version__} | {
            k: v for k, v in record.versions().items() if k in ("numpy", "simpy")
        }
        return ScenarioWorld(str(file), base, int(scenario.seed), scenario.name, parts, checked.warnings)

    def ingredients(self) -> Mapping[str, str]:
        """Every value of the scenario by path, digests of files it names, versions that shape results."""
        return self.parts

    def scenario(self, overrides: tuple[Override, ...] = (), seed: int | None = None) -> Scenario:
        """The scenario under overrides."""
        return load(self.file, (*self.base, *overrides), self.seed if seed is None else seed)

    def check(self, overrides: tuple[Override, ...]) -> None:
        """ScenarioError where these overrides make no scenario, or one that is not simulated."""
        from drsim.simulation.limits import refuse

        refuse(self.scenario(overrides))

    def run(self, overrides: tuple[Override, ...], seed: int) -> Ran:
        """Simulate once."""
        from drsim.simulation import run  # the simulator is imported where it runs

        begin = time.perf_counter()
        made = run(self.scenario(overrides, seed))
        wall = time.perf_counter() - begin
        summary = {**made.summary, "wall_s": wall, "writes_per_wall_s": made.summary["writes"] / wall}
        return Ran(summary, _curves(made.tables))

    def command(self, overrides: tuple[Override, ...], seed: int) -> str:
        """The ``drsim run`` that repeats one run."""
        sets = [word for path, value in (*self.base, *overrides) for word in ("--set", f"{path}={value}")]
        return shlex.join(["drsim", "run", self.file, *sets, "--seed", str(seed)])

    def expectation(self, text: str) -> Expectation:
        """Read an expectation about this scenario; ExpectError (a ValueError) tells what is wrong."""
        scenario = self.scenario()
        groups = {name: tuple(group.targets) for name, group in scenario.groups.items()}
        return parse(text, Names(groups, tuple(scenario.links), tuple(scenario.hosts)))

    def value(self, path: str) -> str | None:
        """The scenario's own text at a path; None where it has none."""
        return self.parts.get(path)


def _curves(tables: Mapping[str, Mapping[str, Any]]) -> Curves:
    found = {}
    for name, table in tables.items():
        kind, _, where = name.partition("/")
        if kind == "curve":
            t, lag = thin(table["t"], table["lag_s"], CURVE_POINTS)
            found[where] = {"t": t, "lag_s": lag}
    return found


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of plain data by dotted path, as texts; empty and null ones are left out."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _flat(part, f"{path}.{name}" if path else str(name))
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield from _flat(part, f"{path}[{index}]")
    elif value is not None:
        yield path, str(value)
