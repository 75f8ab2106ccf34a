"""What the commands of many runs share: where results go, and what is said while they run."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import Progress

    from drsim.study.lab import Lab
    from drsim.study.point import Outcome, World
    from drsim.study.store import Store

_HEARTBEAT_S = 30.0


def store_of(world: World, output: str, *, written: bool = True) -> Store:
    """Where a scenario's points are kept; it must be a place to write to where it is ``written`` to."""
    from drsim.cli.results import check_writable
    from drsim.record import safe_name
    from drsim.study.store import Store

    if written:
        check_writable(Path(output))
    return Store(Path(output) / safe_name(world.name), world)


@contextmanager
def lab_of(world: World, asked: Mapping[str, Any], watcher: Watcher) -> Iterator[tuple[Lab, Store, int]]:
    """A lab with its store and its width, on the pool that was asked for."""
    from drsim.study.lab import Lab
    from drsim.study.pool import open_pool

    store = store_of(world, asked["output"], written=not asked.get("no_save"))
    shelf = None if asked.get("no_save") else store
    kept = None if shelf is None else shelf.root
    with told_at_ctrl_c(watcher, kept), open_pool(asked["jobs"], asked["cluster"]) as pool, watcher:
        yield Lab(world, pool, shelf, watcher), store, pool.width


@contextmanager
def told_at_ctrl_c(watcher: Watcher, kept: Path | None) -> Iterator[None]:
    """Whoever interrupts hears what is done, where it is kept (nowhere: None), and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(watcher.interrupted(kept)) from None


class Watcher:
    """Tells on stderr how many points run, were known, and failed: live on a terminal, else now and then.

    ``total``: how many points there will be, where that is known from the beginning.
    """

    def __init__(self, name: str, *, quiet: bool, total: int | None = None) -> None:
        self._name, self._quiet, self.total = name, quiet, total
        self._progress: Progress | None = None
        self._wanted = self._ran = self._cached = self._failed = 0
        self._began = self._told = time.monotonic()

    def __enter__(self) -> Watcher:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
            console = Console(stderr=True)
            self._progress = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
            self._progress.start()
            self._progress.add_task(self._name, total=None, told="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def planned(self, points: int, cached: int) -> None:
        """More points are wanted."""
        self._wanted += points - cached
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], total=self._wanted)

    def finished(self, outcome: Outcome) -> None:
        """A point ended, or was known; what fails is named at once."""
        self._cached += outcome.cached
        self._failed += outcome.failed
        self._ran += not outcome.cached
        if outcome.failed and not outcome.cached:
            self.say(f"failed: {outcome.point.label}: {outcome.error}")
        if self._progress is not None:
            task = self._progress.task_ids[0]
            self._progress.update(task, completed=self._ran, told=self.told)
        elif time.monotonic() - self._told > _HEARTBEAT_S:
            self.say(self.told)

    @property
    def told(self) -> str:
        """``12 run / 84 cached / 3 failed``."""
        return f"{self._ran} run / {self._cached} cached / {self._failed} failed"

    def interrupted(self, kept: Path | None) -> str:
        """What an interrupted command leaves: how much is done, where it is kept, and how to go on."""
        done = self._ran + self._cached
        if not done:
            return "no run was done yet"
        runs = f"{done}{f' of {self.total}' if self.total else ''} runs are done"
        if kept is None:
            return f"{runs}, and not kept, as --no-save asks"
        return f"{runs} and kept in {kept}; the same command goes on from there"

    def say(self, text: str) -> None:
        """A line on stderr."""
        self._told = time.monotonic()
        if self._quiet:
            return
        if self._progress is not None:
            self._progress.console.print(text, highlight=False, markup=False)
        else:
            click.echo(f"{self._name}: {text}", err=True)


def warn(world: Any, *, quiet: bool) -> None:
    """The loader's warnings on stderr."""
    for warning in () if quiet else world.warnings:
        click.echo(warning.render(), err=True)


def write_json(content: Mapping[str, Any], to: str | None) -> None:
    """Write a result as JSON where that is asked for; numbers that are none become null."""
    if to is None:
        return
    from drsim.cli.results import say_json

    say_json(finite(content), to)


def finite(value: Any) -> Any:
    """Plain data for JSON: nan and inf, which it lacks, as None."""
    if isinstance(value, Mapping):
        return {str(key): finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value


def estimate_json(found: Any) -> dict[str, Any]:
    """An `Estimate` as plain data."""
    return {
        name: getattr(found, name)
        for name in ("mean", "low", "high", "least", "median", "most", "n", "method")
    }


def columns_of(names: Sequence[str]) -> list[str]:
    """Measures that a study's table shows, of those there are: lag, violation and journal of each target."""
    wanted = ("lag_p99_s", "lag_max_s", "violation_s", "exposure_s", "journal_peak_bytes")
    return [name for name in names if name.rpartition(".")[2] in wanted and ".targets." in name]
