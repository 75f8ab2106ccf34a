"""What every queueing discipline of a link has in common: offer, advance, cut, forecast."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np

from drsim.blocks.batch import repeated, row_by_row
from drsim.columns import Column, ColumnQueue, Columns
from drsim.wan import loops
from drsim.wan.capacity import NEVER, Capacity, Floats, Ints

_FEW = 8
Finished = list[tuple[int, Floats]]
_SHORT = 1024
"""Rows of a chunk below which chunks are joined rather than served one by one."""
_MANY = 1 << 19
"""Rows beyond which what waits is taken up part by part."""


class Server(ABC):
    """A server of capacity C(t) shared by classes, each first-in first-out; resumable by time.

    Nothing is computed for the future: `advance` moves the server from the last instant to the next
    and tells what finished on the way. Where the instants are placed changes no finish by a bit.
    An item offered at or before ``until`` takes part from its ``ready`` on; items that are ready exactly
    at ``until`` are taken up by the next `advance`, so that those offered later at the same instant
    stand beside them and not behind (equal instants: lower class first, then the order of offers).
    An item of no bytes costs one unit (2**-shift bytes), so that it too waits for a link that is down.

    Attributes:
        capacity: C(t).
        now: seconds, the instant reached.
    """

    def __init__(self, capacity: Capacity, classes: int = 1) -> None:
        self.capacity = capacity
        self.now = float(capacity.start[0])
        self._pending = [ColumnQueue(np.float64, np.int64) for _ in range(classes)]
        self._latest = [self.now] * classes
        self._count = [0] * classes
        self._ahead: Server | None = None

    @property
    def classes(self) -> int:
        """How many classes share the server."""
        return len(self._pending)

    def queued(self, klass: int) -> int:
        """Items of a class that were offered, not cut, and did not finish by ``now``."""
        return self._count[klass]

    def offer(self, klass: int, ready: Floats, nbytes: Ints) -> None:
        """Add items behind those of the same class.

        Args:
            klass: which class, from 0.
            ready: float64[n], seconds, from when each may be served; earlier than ``now`` means ``now``,
                earlier than the item before means together with it.
            nbytes: int64[n], bytes, not negative.
        """
        if len(ready) == 0:
            return
        alike = nbytes.strides == (0,)
        units = None if alike or ready[0] < self._latest[klass] else self._quickly(ready, nbytes)
        if units is None:
            if ready[0] < self._latest[klass] or (len(ready) > 1 and bool((ready[1:] < ready[:-1]).any())):
                ready = np.maximum.accumulate(np.maximum(ready, self._latest[klass]))
            units = row_by_row(self._units, nbytes)
        self._latest[klass] = float(ready[-1])
        self._pending[klass].push(ready, units)
        self._count[klass] += len(ready)
        self._ahead = None

    def _units(self, nbytes: Ints) -> Ints:
        units = self.capacity.units(nbytes)
        return units if units.min() > 0 else np.maximum(units, 1)

    def _quickly(self, ready: Floats, nbytes: Ints) -> Ints | None:
        """The units of items that come in order and are of no unheard-of size, by the compiled loop."""
        twin = loops.offered.worth(len(ready)) if len(ready) > _FEW else None
        if twin is None:
            return None
        units, shift = np.empty(len(ready), np.int64), self.capacity.shift
        columns = np.ascontiguousarray(ready), np.ascontiguousarray(nbytes)
        return units if twin(*columns, shift, NEVER >> shift, units) else None

    def advance(self, until: float) -> Finished:
        """Serve up to ``until`` (seconds, not before ``now``).

        Returns:
            ``(class, float64[k])`` for each class of which something finished: the k oldest unfinished
            items did, at these instants (non-decreasing, each ``<= until``).
        """
        if until < self.now:
            raise ValueError(f"a server cannot go back from {self.now} s to {until} s")
        self._admit(until)
        done = self._collect(self.capacity.work_at(until))
        self.now = until
        self._latest = [max(latest, until) for latest in self._latest]
        for klass, finish in done:
            self._count[klass] -= len(finish)
        self._ahead = None
        return done

    def cut(self, at: float, klass: int | None = None) -> None:
        """Drop everything unfinished in a class (in all, without ``klass``); partial work is lost.

        ``at`` must be ``now``: advance first. Raises ValueError otherwise.
        """
        if at != self.now:
            raise ValueError(f"cut at {at} s, but the server stands at {self.now} s")
        for each in range(self.classes) if klass is None else [klass]:
            self._pending[each].clear()
            self._latest[each] = at
            self._count[each] = 0
        self._drop(klass, self.capacity.work_at(at))
        self._ahead = None

    def next_finish(self, klass: int) -> float:
        """When the oldest unfinished item of a class finishes if nothing else is offered; inf if none."""
        return self.finish_of(klass, 0)

    def finish_of(self, klass: int, index: int) -> float:
        """When the unfinished item ``index`` (0 = oldest) of a class finishes if nothing else is offered."""
        if index >= self._count[klass]:
            return float("inf")
        return self._foresee(klass, index)

    def _foresee(self, klass: int, index: int) -> float:
        """`finish_of` for an item that exists."""
        if not any(len(queue) for queue in self._pending):
            return self._finish_of(klass, index)
        if self._ahead is None:
            self._ahead = self.copy()
            self._ahead._admit(float("inf"))
        return self._ahead._finish_of(klass, index)

    def copy(self) -> Self:
        """Give a server in the same state that can be moved on its own."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._pending = [queue.copy() for queue in self._pending]
        twin._ahead = None
        twin._latest, twin._count = self._latest.copy(), self._count.copy()
        self._copy_into(twin)
        return twin

    def _due(self, until: float, classes: Sequence[int]) -> Iterator[Columns]:
        """Take what is ready before ``until`` from these classes: ready, units, class; in order, part by part."""
        waiting = [klass for klass in classes if len(self._pending[klass])]
        if len(waiting) == 1:
            yield from self._as_they_came(waiting[0], until)
            return
        while sum(len(self._pending[klass]) for klass in waiting) > _MANY:
            bound = min(float(next(iter(self._pending[klass]))[0][-1]) for klass in waiting)
            if bound >= until:
                break
            yield from self._merged(waiting, bound)
            for klass in waiting:  # Of what is ready at one instant, a lower class goes first.
                while len((rows := self._pending[klass].take(bound, "right", _MANY))[0]):
                    yield *rows, _repeated(klass, rows[0])
            waiting = [klass for klass in waiting if len(self._pending[klass])]
        yield from self._merged(waiting, until)

    def _merged(self, classes: Sequence[int], until: float) -> Iterator[Columns]:
        """What of these classes is ready before ``until``, if anything is, in one part."""
        due = [(klass, self._pending[klass].take(until, "left")) for klass in classes]
        due = [(klass, columns) for klass, columns in due if len(columns[0])]
        if len(due) == 1:
            klass, (ready, units) = due[0]
            yield ready, units, _repeated(klass, ready)
        elif due:
            owner = np.repeat([klass for klass, _ in due], [len(columns[0]) for _, columns in due])
            ready = np.concatenate([columns[0] for _, columns in due])
            units = np.concatenate([columns[1] for _, columns in due])
            order = np.argsort(ready, kind="stable")
            yield ready[order], units[order], owner[order]

    def _as_they_came(self, klass: int, until: float) -> Iterator[Columns]:
        """What of the only class that waits is ready before ``until``: chunk by chunk, but for short ones."""
        while due := self._pending[klass].take_chunks(until, "left", _MANY):
            if len(due) > 1 and len(due) * _SHORT > sum(len(chunk[0]) for chunk in due):
                due = [tuple(np.concatenate(column) for column in zip(*due, strict=True))]
            for ready, units in due:
                yield ready, units, _repeated(klass, ready)

    def _split(self, classes: Sequence[int], owner: Column, finish: Floats) -> Finished:
        """Sort finishes of several classes into one column for each."""
        if len(finish) == 0:
            return []
        if len(classes) == 1:
            return [(classes[0], finish)]
        if owner.strides == (0,) or (owner[0] == owner[-1] and bool((owner == owner[0]).all())):
            return [(int(owner[0]), finish)]
        split = [(klass, finish[owner == klass]) for klass in classes]
        return [(klass, instants) for klass, instants in split if len(instants)]

    @abstractmethod
    def _admit(self, until: float) -> None:
        """Take up what is ready before ``until``."""

    @abstractmethod
    def _collect(self, reached: int) -> Finished:
        """Give what is finished once the capacity has come to ``reached`` (units)."""

    @abstractmethod
    def _drop(self, klass: int | None, reached: int) -> None:
        """Forget what is unfinished in one class or all; the capacity stands at ``reached`` (units)."""

    @abstractmethod
    def _finish_of(self, klass: int, index: int) -> float:
        """When unfinished item ``index`` of a class, already taken up, finishes if nothing else comes."""

    @abstractmethod
    def _copy_into(self, twin: Self) -> None:
        """Give ``twin`` own copies of whatever this discipline changes in place."""


def drop_from(rows: Columns, klass: int, reached: int) -> Columns:
    """Take one class out of a work-conserving FIFO queue of (finish work, units, class) rows.

    What is left of an item in service stays; partial work on an item that goes is lost.

    Returns:
        (units left, class) of what stays, in order.
    """
    finish, units, owner = rows
    keep = owner != klass
    if len(finish) and keep[0]:
        served = reached - (int(finish[0]) - int(units[0]))
        if served > 0:
            units = units.copy()
            units[0] -= served
    return units[keep], owner[keep]


def _repeated(klass: int, ready: Column) -> Column:
    return repeated(np.int16(klass), len(ready))
