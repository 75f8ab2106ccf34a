"""Disciplines that need a loop over events: what they share, and how the loop is compiled where numba is.

A loop is plain Python over numbers and gives the same bits interpreted and compiled; without numba it runs
on lists, at a few hundred thousand items a second, with numba at ten million and more.
"""

from __future__ import annotations

import importlib
import itertools
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from drsim.columns import ColumnQueue, Columns
from drsim.wan.capacity import Capacity, Floats, Ints, cumulate
from drsim.wan.server import Finished, Server

_MOST = 1 << 18
"""Rows of a class that are taken up at once; of more, as many as last until the others come up."""
_FORESIGHT = 4.0
_FOR_EVER = 1e12

Loop = Callable[..., Any]


def compile_loop(loop: Loop, parts: Sequence[Loop]) -> Loop | None:
    """Compile ``loop``, which calls ``parts``; None where numba is not installed.

    Nothing in these loops makes or drops an array, so numba's reference counting is left out: it costs
    four times the arithmetic. ``fastmath`` stays off, or the bits would differ.
    """
    try:
        numba = importlib.import_module("numba")
        extending = importlib.import_module("numba.extending")
    except ImportError:
        return None
    lean = {"error_model": "numpy", "_nrt": False}
    for part in parts:
        extending.register_jitable(**lean)(part)
    compiled: Loop
    try:
        compiled = numba.njit(cache=True, **lean)(loop)
    except RuntimeError:  # nowhere to keep the compiled code: compile once a run instead
        compiled = numba.njit(**lean)(loop)
    return compiled


class LoopServer(Server):
    """A server whose classes each have a queue of what they must have been served for each item to finish."""

    def __init__(self, capacity: Capacity, classes: int, *more: type) -> None:
        super().__init__(capacity, classes)
        self._totals = [0] * classes
        self._queue = [ColumnQueue(np.int64, *more) for _ in range(classes)]
        self._done: Finished = []

    @abstractmethod
    def _rows(self, klass: int, ready: Floats, sums: Ints) -> Columns:
        """Give the queue's rows of new items: ``sums`` is what the class has been offered with each."""

    @abstractmethod
    def _served(self, klass: int) -> tuple[int, float]:
        """Give what a class was served (units), and when that was true (seconds)."""

    @abstractmethod
    def _serve(self, until: float, arrivals: Columns, items: Columns) -> Floats:
        """Run the loop.

        Args:
            until: seconds, maybe inf.
            arrivals: next and last place of each class (int64[classes]) in ready (seconds) and sums (units).
            items: next and last place of each class in the queue's columns. The loop moves the next place
                behind what finishes.

        Returns:
            float64, when each item finished.
        """

    @abstractmethod
    def _idle(self, until: float) -> None:
        """Pass time with nothing to serve."""

    def _admit(self, until: float) -> None:
        self._done = []
        if not any(self._count):
            self._idle(until)
            return
        while (step := self._step(until)) < until:
            self.now = step
        everything = sorted(self._done, key=lambda each: each[0])
        self._done = [
            (klass, np.concatenate([finish for _, finish in parts]))
            for klass, parts in itertools.groupby(everything, key=lambda each: each[0])
        ]

    def _step(self, until: float) -> float:
        """Serve up to ``until``, or as far as what is taken up at once lasts; give how far."""
        came, until = self._coming(until)
        fresh = [self._arrivals(klass, *columns) for klass, columns in enumerate(came)]
        rows = [self._rows(klass, *columns) for klass, columns in enumerate(fresh)]
        items = [self._candidates(klass, until, columns) for klass, columns in enumerate(rows)]
        first, last = _places([len(ready) for ready, _ in fresh])
        begin, stop = _places([len(columns[0]) for columns in items])
        place = begin.copy()
        ready, sums = (np.concatenate(column) for column in zip(*fresh, strict=True))
        joined = [np.concatenate(column) for column in zip(*items, strict=True)]
        finish = self._serve(until, (first, last, ready, sums), (place, stop, *joined))
        for klass, (i, j) in enumerate(zip(begin.tolist(), place.tolist(), strict=True)):
            if i < j:
                self._done.append((klass, finish[i:j]))
            self._keep(klass, tuple(column[j - i :] for column in items[klass]), rows[klass])
        return until

    def _coming(self, until: float) -> tuple[list[Columns], float]:
        """What is ready before ``until``, or no more of it than lasts so long at full capacity; and how long that is.

        A class that is busy all the while finishes the same whether what comes last in it is known or not.
        """
        came = [queue.take(until, "left", _MOST) for queue in self._pending]
        step = until
        for klass, (_, units) in enumerate(came):
            if self._pending[klass].first() < until:
                served, at = (
                    self._served(klass) if len(self._queue[klass]) else (self._totals[klass], self.now)
                )
                left = self._totals[klass] + int(units.sum()) - served
                left -= (left >> 40) + (2 << self.capacity.shift)
                step = min(step, self.capacity.when_at(self.capacity.work_at(at) + max(left, 0)))
        if step <= self.now < until:  # many writes of hardly a byte
            rest = [queue.take(until, "left") for queue in self._pending]
            came = [
                tuple(map(np.concatenate, zip(*both, strict=True))) for both in zip(came, rest, strict=True)
            ]
            return came, until
        for klass, (ready, units) in enumerate(came):
            due = int(ready.searchsorted(step, side="left"))
            self._pending[klass].push_front(ready[due:], units[due:])
            came[klass] = ready[:due], units[:due]
        return came, step

    def _arrivals(self, klass: int, ready: Floats, units: Ints) -> tuple[Floats, Ints]:
        sums = cumulate(self._totals[klass], units)
        self._totals[klass] = int(sums[-1])
        return ready, sums[1:]

    def _candidates(self, klass: int, until: float, rows: Columns) -> Columns:
        """What may finish or be in service by ``until``: no more than the link could carry, and one item."""
        queue = self._queue[klass]
        if not len(queue):
            return rows
        served, at = self._served(klass)
        could = served + self.capacity.work_at(until) - self.capacity.work_at(at)
        parts = [queue.take(could + (could >> 40) + (1 << self.capacity.shift), "right"), queue.take_one()]
        if not len(queue):
            parts.append(rows)
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))

    def _keep(self, klass: int, rest: Columns, rows: Columns) -> None:
        whole = len(self._queue[klass]) == 0
        self._queue[klass].push_front(*rest)
        if not whole:
            self._queue[klass].push(*rows)

    def _collect(self, reached: int) -> Finished:
        del reached
        done, self._done = self._done, []
        return done

    def _foresee(self, klass: int, index: int) -> float:
        """Run a copy ahead, in growing strides, until the item finishes."""
        twin, stride = self.copy(), 1e-3
        while True:
            until = twin.now + stride
            for each, finish in twin.advance(until if stride < _FOR_EVER else math.inf):
                if each == klass and index < len(finish):
                    return float(finish[index])
                index -= len(finish) if each == klass else 0
            if stride >= _FOR_EVER:
                return math.inf
            stride *= _FORESIGHT

    def _finish_of(self, klass: int, index: int) -> float:
        return self._foresee(klass, index)

    def _copy_into(self, twin: Self) -> None:
        twin._totals = self._totals.copy()
        twin._queue = [queue.copy() for queue in self._queue]


def _places(lengths: Sequence[int]) -> tuple[Ints, Ints]:
    """First and last place of each class in columns laid end to end."""
    stop = np.cumsum(np.array(lengths, np.int64))
    return stop - np.array(lengths, np.int64), stop
