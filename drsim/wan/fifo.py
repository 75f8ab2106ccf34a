"""A first-in first-out server in the work domain: exact finish times for whole batches, resumable.

With C(t) the cumulative capacity and S the cumulative work, item i finishes at work
``W_i = max(W_{i-1}, C(a_i)) + s_i`` (Lindley 1952, after the time change x = C(t)), so
``W = S + maximum.accumulate(C(a) - S_before)``. All sums are of integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from drsim.blocks.batch import joined, narrow
from drsim.columns import ColumnQueue
from drsim.wan import loops
from drsim.wan.capacity import NEVER, PIECE, Capacity, Floats, Ints
from drsim.wan.server import Finished, Server, drop_from

_FEW = 8


@dataclass(slots=True)
class Fifo:
    """The state a FIFO server carries from batch to batch: the work at which it falls idle."""

    capacity: Capacity
    free_at: int = 0

    def serve(self, ready: Floats, nbytes: Ints) -> tuple[Floats, Ints]:
        """Serve items in order.

        Args:
            ready: float64[n], seconds, when each item may start (it also waits for those before it).
            nbytes: int64[n], the work of each, bytes.

        Returns:
            float64[n] finish instants (inf if never), int64[n] finish work (units).
        """
        finish = self.admit(ready, self.capacity.units(nbytes))
        return self.capacity.when(finish, ordered=True), finish

    def admit(self, ready: Floats, units: Ints) -> Ints:
        """`serve` up to the finish work; sizes in units, ``ready`` non-decreasing."""
        twin = loops.serve.worth(len(units)) if len(units) > _FEW else None
        if twin is None:
            return self._in_pieces(ready, units)
        finish = np.empty(len(units), np.int64)
        segment = self.capacity.segment_of(float(ready[0]))
        columns = np.ascontiguousarray(ready), narrow(units)
        at = int(twin(*columns, *self.capacity.segments, segment, self.free_at, NEVER, finish))
        if at < 0:
            return self._in_pieces(ready, units)
        self.free_at = at
        return finish

    def _in_pieces(self, ready: Floats, units: Ints) -> Ints:
        """`admit` a piece after the other, each of which stays in the processor's cache."""
        finish = np.empty(len(units), np.int64)
        for i in range(0, len(units), PIECE):
            part = slice(i, i + PIECE)
            finish[part] = self.finish_work(self.capacity.work(ready[part], ordered=True), units[part])
        return finish

    def finish_work(self, arrival: Ints, units: Ints) -> Ints:
        """Work-domain body of `serve`: arrivals and sizes in units; updates the state."""
        if len(units) <= _FEW:
            return self._one_by_one(arrival, units)
        alike = units.strides == (0,)
        most = float(units[0]) * len(units) if alike else units.sum(dtype=np.float64)
        if float(self.free_at) + float(arrival[-1]) + most >= NEVER:
            return self._one_by_one(arrival, units)
        total = np.arange(1, len(units) + 1) * units[0] if alike else np.cumsum(units)
        begin = arrival - total
        begin += units
        begin[0] = max(int(begin[0]), self.free_at)
        np.maximum.accumulate(begin, out=begin)
        begin += total
        self.free_at = int(begin[-1])
        return begin

    def _one_by_one(self, arrival: Ints, units: Ints) -> Ints:
        """The same in unbounded integers: for few items, or a backlog that no link could ever carry."""
        finish = []
        at = self.free_at
        for a, s in zip(arrival.tolist(), units.tolist(), strict=True):
            at = min(max(at, a) + s, NEVER)
            finish.append(at)
        self.free_at = at
        return np.array(finish, np.int64)


_LOOKED_UP = 4096
"""Finishes remembered before all are forgotten."""


class FifoServer(Server):
    """All classes in one queue, served in the order in which they become ready."""

    def __init__(self, capacity: Capacity, classes: int = 1) -> None:
        super().__init__(capacity, classes)
        self._fifo = Fifo(capacity)
        self._queue = ColumnQueue(np.int64, np.int64, np.int64)
        self._served = [0] * classes
        self._known: dict[tuple[int, int], float] = {}
        """Finishes already looked up, by class and place since the beginning: final once taken up."""

    @property
    def free_at(self) -> int:
        """Work (units) at which all that was offered is done, if nothing else is."""
        at = self._fifo.free_at
        for pending in self._pending:
            ready, units = pending.all()
            for arrival, size in zip(self.capacity.work(ready).tolist(), units.tolist(), strict=True):
                at = min(max(at, arrival) + size, NEVER)
        return at

    def advance(self, until: float) -> Finished:
        """Serve up to ``until``; see `Server.advance`."""
        ahead = self._ahead
        if isinstance(ahead, FifoServer) and self._latest_pending() < until:  # What was foreseen has come.
            self._queue, self._fifo = ahead._queue, ahead._fifo
            for queue in self._pending:
                queue.clear()
        done = super().advance(until)
        for klass, finish in done:
            self._served[klass] += len(finish)
        return done

    def _latest_pending(self) -> float:
        return max((self._latest[k] for k, queue in enumerate(self._pending) if len(queue)), default=math.inf)

    def _foresee(self, klass: int, index: int) -> float:
        if index >= self._count[klass] - len(self._pending[klass]):
            return super()._foresee(klass, index)
        place = (klass, self._served[klass] + index)
        known = self._known.get(place)
        if known is None:
            if len(self._known) > _LOOKED_UP:
                self._known.clear()
            known = self._known[place] = self._finish_of(klass, index)
        return known

    def _admit(self, until: float) -> None:
        waiting = [klass for klass, queue in enumerate(self._pending) if len(queue)]
        for ready, units, owner in self._due(until, waiting):
            self._queue.push(self._fifo.admit(ready, units), units, owner)

    def _collect(self, reached: int) -> Finished:
        done = self._queue.take_chunks(reached, "right")
        if not done:
            return []
        finish, owner = (
            self.capacity.when_each([chunk[0] for chunk in done]),
            joined([chunk[2] for chunk in done]),
        )
        return self._split(range(self.classes), owner, finish)

    def _drop(self, klass: int | None, reached: int) -> None:
        rows = self._queue.none if klass is None else self._queue.all()
        self._queue.clear()
        self._known.clear()
        self._fifo.free_at = reached
        if klass is not None:
            units, owner = drop_from(rows, klass, reached)
            arrival = np.full(len(units), reached)
            self._queue.push(self._fifo.finish_work(arrival, units), units, owner)

    def _finish_of(self, klass: int, index: int) -> float:
        return self.capacity.when_at(int(self._queue.nth(2, klass, index)[0]))

    def _copy_into(self, twin: Self) -> None:
        twin._fifo = Fifo(self.capacity, self._fifo.free_at)
        twin._served, twin._known = self._served.copy(), {}
        twin._queue = self._queue.copy()
