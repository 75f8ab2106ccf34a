"""A first-in first-out server in the work domain: exact finish times for whole batches, resumable.

With C(t) the cumulative capacity and S the cumulative work, item i finishes at work
``W_i = max(W_{i-1}, C(a_i)) + s_i`` (Lindley 1952, after the time change x = C(t)), so
``W = S + maximum.accumulate(C(a) - S_before)``. All sums are of integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from drsim.wan.capacity import NEVER, Capacity, Floats, Ints
from drsim.wan.columns import ColumnQueue
from drsim.wan.server import Finished, Server


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
        finish = self.finish_work(self.capacity.work(ready), self.capacity.units(nbytes))
        return self.capacity.when(finish), finish

    def finish_work(self, arrival: Ints, units: Ints) -> Ints:
        """Work-domain body of `serve`: arrivals and sizes in units; updates the state."""
        if len(units) == 0:
            return units
        if float(self.free_at) + float(arrival[-1]) + units.sum(dtype=np.float64) >= NEVER:
            return self._saturated(arrival, units)
        total = np.cumsum(units)
        begin = arrival - total
        begin += units
        begin[0] = max(int(begin[0]), self.free_at)
        np.maximum.accumulate(begin, out=begin)
        begin += total
        self.free_at = int(begin[-1])
        return begin

    def _saturated(self, arrival: Ints, units: Ints) -> Ints:
        """The same in unbounded integers, for a backlog that no link could ever carry."""
        finish = np.empty(len(units), np.int64)
        at = self.free_at
        for i, (a, s) in enumerate(zip(arrival.tolist(), units.tolist(), strict=True)):
            at = min(max(at, a) + s, NEVER)
            finish[i] = at
        self.free_at = at
        return finish


class FifoServer(Server):
    """All classes in one queue, served in the order in which they become ready."""

    def __init__(self, capacity: Capacity, classes: int = 1) -> None:
        super().__init__(capacity, classes)
        self._fifo = Fifo(capacity)
        self._ordered = ColumnQueue(np.int64, np.int64, np.int64, np.intp)

    def _admit(self, until: float) -> None:
        due = [self._due(klass, until) for klass in range(self.classes)]
        busy = [klass for klass, columns in enumerate(due) if len(columns[0])]
        if not busy:
            return
        if len(busy) == 1:
            ready, units = due[busy[0]]
            owner = np.full(len(ready), busy[0], np.intp)
        else:
            ready = np.concatenate([due[klass][0] for klass in busy])
            order = np.argsort(ready, kind="stable")
            ready = ready[order]
            units = np.concatenate([due[klass][1] for klass in busy])[order]
            owner = np.repeat(busy, [len(due[klass][0]) for klass in busy])[order]
        arrival = self.capacity.work(ready)
        self._ordered.append(self._fifo.finish_work(arrival, units), arrival, units, owner)

    def _collect(self, reached: int) -> Finished:
        finish, _, _, owner = self._ordered.take(reached, "right")
        if len(finish) == 0:
            return []
        at = self.capacity.when(finish)
        if self.classes == 1:
            return [(0, at)]
        split = [(klass, at[owner == klass]) for klass in range(self.classes)]
        return [(klass, instants) for klass, instants in split if len(instants)]

    def _foresee(self, klass: int, index: int) -> float:
        left = index
        for finish, _, _, owner in self._ordered:
            mine = np.flatnonzero(owner == klass) if self.classes > 1 else np.arange(len(finish))
            if left < len(mine):
                return self.capacity.when_at(int(finish[mine[left]]))
            left -= len(mine)
        return super()._foresee(klass, index)

    def _drop(self, klass: int | None, reached: int) -> None:
        finish, arrival, units, owner = self._ordered.all()
        self._ordered.clear()
        if klass is None or self.classes == 1:
            self._fifo.free_at = reached
            return
        if len(finish) == 0:
            return
        in_service = int(finish[0]) - int(units[0]) < reached
        keep = owner != klass
        served = reached - int(finish[0]) + int(units[0]) if in_service and keep[0] else 0
        left = units[keep]
        if served and len(left):
            left = left.copy()
            left[0] -= served
        self._fifo.free_at = reached
        self._ordered.append(self._fifo.finish_work(arrival[keep], left), arrival[keep], left, owner[keep])

    def _copy_into(self, twin: Self) -> None:
        twin._fifo = Fifo(self.capacity, self._fifo.free_at)
        twin._ordered = self._ordered.copy()
