"""The lab: runs points on a pool, keeps what they give, and repeats nothing that is known."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, Protocol

from drsim.study.point import Curves, Outcome, Point, Ran, Summary, World, digest, replication_seed
from drsim.study.pool import HerePool, Pool, run_all

_LONGEST_ERROR = 400


class Shelf(Protocol):
    """Where outcomes are kept between commands (`drsim.study.store.Store`)."""

    def find(self, key: str) -> Summary | None:
        """The summary kept under this key, if any."""

    def keep(self, outcome: Outcome) -> None:
        """Keep an outcome, failed or not."""

    def curves(self, key: str) -> Curves:
        """The curves kept under this key, if any."""


class Listener(Protocol):
    """Who is told what happens (a progress display)."""

    def planned(self, points: int, cached: int) -> None:
        """More points are wanted, of which so many are known already."""

    def finished(self, outcome: Outcome) -> None:
        """A point ended or was found."""


class _Answer(NamedTuple):
    summary: Summary | None
    wall_s: float
    error: str | None = None
    traceback: str | None = None
    cpu_s: float = 0.0
    curves: Curves = MappingProxyType({})


class Lab:
    """Runs points of one world.

    Args:
        world: what to run.
        pool: where to run.
        shelf: where outcomes are kept; without it they are known until the lab is dropped.
        listener: who is told.
    """

    def __init__(
        self,
        world: World,
        pool: Pool | None = None,
        shelf: Shelf | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.world = world
        self.base = digest(world.ingredients())
        self._pool: Pool = pool or HerePool()
        self._shelf = shelf
        self._listener = listener
        self._known: dict[Point, Outcome] = {}
        self.runs = 0
        """Runs made so far, kept answers not counted."""

    def measure(self, points: Iterable[Point], *, afresh: bool = False) -> Iterator[Outcome]:
        """Outcomes as they come: known ones first, then as runs end.

        ``afresh`` runs every point even where a summary is kept. Each outcome is kept before it is handed
        out, so whatever interrupts the caller, nothing finished is lost. A point that raises gives a failed
        outcome.
        """
        wanted = list(dict.fromkeys(points))
        known = {} if afresh else {p: found for p in wanted if (found := self._recall(p)) is not None}
        if self._listener:
            self._listener.planned(len(wanted), len(known))
        for outcome in known.values():
            yield self._told(outcome)
        missing = (point for point in wanted if point not in known)
        for point, answer in run_all(missing, partial(_run, self.world), self._pool):
            self.runs += 1
            if isinstance(answer, Exception):
                answer = _Answer(None, 0.0, _said(answer))
            seed, key = self.identity(point)
            outcome = Outcome(
                point,
                seed,
                key,
                answer.wall_s,
                answer.summary,
                answer.error,
                answer.traceback,
                cpu_s=answer.cpu_s,
                curves=answer.curves,
            )
            if self._shelf:
                self._shelf.keep(outcome)
                outcome = replace(outcome, curves={})  # a sweep of many points need not hold them
            yield self._told(outcome)

    def gather(self, points: Iterable[Point]) -> dict[Point, Outcome]:
        """All outcomes at once, in the order of the points."""
        wanted = list(dict.fromkeys(points))
        found = {outcome.point: outcome for outcome in self.measure(wanted)}
        return {point: found[point] for point in wanted}

    def curves(self, outcome: Outcome) -> Curves:
        """An outcome's curves, from where they are kept where it was known before; none where none were kept."""
        if outcome.curves or self._shelf is None or outcome.failed:
            return outcome.curves
        return self._shelf.curves(outcome.key)

    def identity(self, point: Point) -> tuple[int, str]:
        """The point's seed and key."""
        seed = replication_seed(self.world.seed, point.replication)
        return seed, point.key(self.base, seed)

    def _recall(self, point: Point) -> Outcome | None:
        if point in self._known:
            return self._known[point]
        seed, key = self.identity(point)
        summary = self._shelf.find(key) if self._shelf else None
        if summary is None:
            return None
        wall = summary.get("wall_s", 0.0)
        return Outcome(point, seed, key, float(wall), summary, cached=True)

    def _told(self, outcome: Outcome) -> Outcome:
        if not outcome.failed:
            self._known[outcome.point] = outcome
        if self._listener:
            self._listener.finished(outcome)
        return outcome


def _run(world: World, point: Point) -> _Answer:
    """In the worker: one run, with its error as text, since not every exception can travel."""
    begin, cpu = time.perf_counter(), time.process_time()
    try:
        found = world.run(point.overrides, replication_seed(world.seed, point.replication))
    except Exception as error:
        return _Answer(None, time.perf_counter() - begin, _said(error), traceback.format_exc())
    wall, used = time.perf_counter() - begin, time.process_time() - cpu
    summary, curves = found if isinstance(found, Ran) else (found, {})
    return _Answer(summary, wall, cpu_s=used, curves=curves)


def _said(error: Exception) -> str:
    """The error on one line; the whole is in the traceback."""
    name, text = type(error).__name__, " ".join(str(error).split())
    return f"{name}: {text[:_LONGEST_ERROR]}" if text else name
