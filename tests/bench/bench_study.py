"""What a sweep costs beyond its runs, and what a second core gives: ``python -m tests.bench.bench_study``.

The same points run bare (a loop over the simulator), as a sweep in one process (kept, indexed, tabulated), and
as a sweep in two, turn by turn so that a busy machine is busy for all. Prints both ratios; exits with 1 where
the overhead is 5 % or more, or two cores give less than 1.8 times.

Wall clock is what users feel, and what neighbours spoil: CPU seconds are printed beside it, and judged where the
machine was busy when it began.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from drsim.study.axes import parse_axis
from drsim.study.design import plan
from drsim.study.lab import Lab
from drsim.study.point import replication_seed
from drsim.study.pool import CorePool, HerePool, Pool
from drsim.study.store import Store
from drsim.study.sweep import Folder, Sweep, run_sweep
from drsim.study.world import ScenarioWorld
from tests.study.scenarios import CHANCE, written

ROUNDS = 3
DURATION = "24 h"


class Way:
    """A way of running the points, and what it took each time."""

    def __init__(self, name: str, call: Callable[[], float]) -> None:
        self.name, self._call = name, call
        self.wall: list[float] = []
        self.cpu: list[float] = []
        self.runs_cpu: list[float] = []

    def go(self) -> None:
        """Once more."""
        wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        self.runs_cpu.append(self._call())
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime)


def bare(world: ScenarioWorld, sweep: Sweep) -> float:
    """Just the runs."""
    for point in sweep.points:
        world.run(point.overrides, replication_seed(world.seed, point.replication))
    return 0.0


def swept(world: ScenarioWorld, sweep: Sweep, pool: Pool) -> float:
    """The whole sweep, into a folder of its own; returns the CPU seconds of its runs, wherever they ran."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), world)
        lab = Lab(world, pool, store)
        place = Folder(Path(folder) / sweep.name(), lab, store)
        result = run_sweep(lab, sweep, place, place.plan(sweep))
    assert not result.failed
    assert not result.missing
    return sum(outcome.cpu_s for outcome in result.outcomes.values())


def main() -> int:
    """Measure and judge."""
    quiet = os.getloadavg()[0] < 0.5
    with tempfile.TemporaryDirectory() as folder, CorePool(2) as two:
        world = ScenarioWorld.open(written(Path(folder), CHANCE.replace("6 h", DURATION)))
        options = ("links.ab.rate=130 kB/s,192 kB/s,400 kB/s", "groups.g.targets.b.rpo=1 min,1 h")
        sweep = Sweep(plan([parse_axis(option) for option in options]), replications=2)
        swept(world, sweep, two)  # imports in the workers
        alone = Way("bare runs", lambda: bare(world, sweep))
        one = Way("sweep, 1 process", lambda: swept(world, sweep, HerePool()))
        both = Way("sweep, 2 processes", lambda: swept(world, sweep, two))
        for _ in range(ROUNDS):
            for way in (alone, one, both):
                way.go()
    say(f"{len(sweep.points)} points, {ROUNDS} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for way in (alone, one, both):
        say(f"{way.name:20} {median(way.wall):6.2f} s wall, {median(way.cpu):6.2f} s CPU of the parent")
    overhead = median([s / b - 1 for s, b in zip(one.cpu, alone.cpu, strict=True)])
    speedup = median([s / b for s, b in zip(one.wall, both.wall, strict=True)])
    # What stands in the way of 2x: runs that cost more side by side, and work that only the parent does.
    possible = median([s / (r / 2 + p) for s, r, p in zip(one.cpu, both.runs_cpu, both.cpu, strict=True)])
    say(f"overhead beyond the runs {overhead:+.1%} (less than 5 %)")
    say(f"two processes {speedup:.2f}x by the clock, {possible:.2f}x by CPU seconds (1.8 or more)")
    if not quiet:
        say("the machine was busy, so the clock says nothing: judged by CPU seconds")
    return int(overhead >= 0.05 or (speedup if quiet else possible) < 1.8)


def say(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
