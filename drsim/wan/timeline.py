"""A link's life in time: what each direction can carry when, when connections break, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drsim.wan.capacity import Capacity, capacity

Ints = NDArray[np.int64]
Step = tuple[float, float]


class Span(NamedTuple):
    """An interval (seconds) and its cause: outage, tcp, throttle, brownout, loss, background …"""

    begin: float
    end: float
    cause: str


class Cut(NamedTuple):
    """The connection is lost at ``down_at`` and exists again from ``up_at`` (seconds)."""

    down_at: float
    up_at: float
    cause: str


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """One direction of a full-duplex link.

    Attributes:
        steps: (instant, bytes/s) in order from 0, the last holding for ever; 0 while nothing can pass.
    """

    steps: tuple[Step, ...]

    def capacity(self, horizon: float) -> Capacity:
        """C(t) of this direction; ``horizon`` in seconds."""
        return capacity(self.steps, horizon)


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Everything a link's configuration decides, up to a horizon.

    Attributes:
        forward, reverse: from the first site to the second, and back.
        cuts: when connections are lost, in order and apart; ``up_at`` includes TCP's silence, if modelled.
        spans: what slowed the link when, in order of begin.
        propagation_s: one-way delay, seconds.
        charge: (payload bytes int64[n], frame overhead bytes int64 or int64[n]) -> the bytes that count
            against the steps, int64[n].
    """

    forward: Direction
    reverse: Direction
    cuts: tuple[Cut, ...]
    spans: tuple[Span, ...]
    propagation_s: float
    charge: Callable[[Ints, Ints | int], Ints] = field(repr=False)

    @property
    def down_s(self) -> float:
        """Seconds without a connection, all cuts together."""
        return sum(cut.up_at - cut.down_at for cut in self.cuts)

    def direction(self, *, forward: bool) -> Direction:
        """Give one direction."""
        return self.forward if forward else self.reverse


def layer(
    intervals: Iterable[tuple[float, float, float]], combine: Callable[[list[float]], float], idle: float
) -> list[Step]:
    """Lay intervals with values over one another.

    Args:
        intervals: (begin, end, value), any order, may overlap.
        combine: what values mean together, given in order of their begin.
        idle: the value where there is no interval.

    Returns:
        (instant, value) steps in order, beginning at 0.
    """
    edges: list[tuple[float, int, int, float]] = []
    for key, (begin, end, value) in enumerate(sorted(i for i in intervals if i[1] > i[0])):
        edges += [(begin, 1, key, value), (end, 0, key, value)]
    edges.sort()
    present: dict[int, float] = {}
    steps: list[Step] = [(0.0, idle)]
    for i, (at, enters, key, value) in enumerate(edges):
        if enters:
            present[key] = value
        else:
            del present[key]
        if i + 1 < len(edges) and edges[i + 1][0] == at:
            continue
        now = combine(list(present.values())) if present else idle
        if at <= steps[-1][0]:
            steps[-1] = (steps[-1][0], now)
        elif now != steps[-1][1]:
            steps.append((at, now))
    return steps


def overlay(layers: Sequence[Sequence[Step]], combine: Callable[..., float]) -> tuple[Step, ...]:
    """Combine step functions: ``combine`` gets the value of each layer; equal neighbours are merged."""
    instants = np.unique(np.concatenate([np.array([at for at, _ in steps]) for steps in layers]))
    columns = []
    for steps in layers:
        at, value = (np.array(column) for column in zip(*steps, strict=True))
        columns.append(value[np.searchsorted(at, instants, side="right") - 1].tolist())
    merged: list[Step] = []
    for at, *values in zip(instants.tolist(), *columns, strict=True):
        now = combine(*values)
        if not merged or now != merged[-1][1]:
            merged.append((at, now))
    return tuple(merged)


def cuts_of(
    downs: Iterable[tuple[float, float, str]], silence: Callable[[float], float]
) -> tuple[list[Cut], list[Span]]:
    """Find when connections are lost, given when the link is down.

    Args:
        downs: (begin, end, cause) in any order; they may overlap.
        silence: seconds from a repair until data flows again, by how long the connection was dead.

    Returns:
        The cuts in order and apart, and a span of cause ``tcp`` for each silence. A link that goes down
        again before data flowed prolongs the cut: the timers go on from its beginning.
    """
    cuts: list[Cut] = []
    silent: list[Span] = []
    healed = 0.0
    for begin, end, cause in sorted(downs):
        if cuts and begin <= cuts[-1].up_at:
            last, quiet = cuts.pop(), silent.pop()
            silent.append(Span(quiet.begin, min(begin, quiet.end), "tcp"))
            begin, cause, end = last.down_at, last.cause, max(end, healed)
        healed = end
        up = end + silence(end - begin)
        cuts.append(Cut(begin, up, cause))
        silent.append(Span(end, up, "tcp"))
    return cuts, [span for span in silent if span.end > span.begin]
