"""The simulated world's clock and its one rhythm: settle everything up to an instant, decide, go on.

SimPy clocks what decides (outages, deadlines, control frames, journal limits, faults, runbooks). Between
two decisions nothing depends on anything but arithmetic, so every part is settled with array expressions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

import simpy
from simpy.events import NORMAL, Event

from drsim.simulation.channel import Channel
from drsim.simulation.group import Group
from drsim.simulation.horizon import Horizon
from drsim.simulation.intake import Intake
from drsim.simulation.station import about

INFINITY = float("inf")
_GROWTH = 8.0
"""How many times as long as the one before a settle is at most."""
_SPREAD = 64
"""Groups beyond which a settle grows no longer."""


class Environment(simpy.Environment):
    """SimPy's environment with absolute times: an event at t happens at exactly t, not at now + (t - now)."""

    def at(self, when: float) -> Event:
        """An event that happens at ``when`` (seconds; not before now)."""
        event = Event(self)
        event._ok = True
        event._value = None
        heappush(self._queue, (max(when, self.now), NORMAL, next(self._eid), event))
        return event


class Awaited(Protocol):
    """A part of which one can ask when something finishes."""

    def next_awaited(self, *, every: bool) -> float:
        """When something finishes that somebody decides on (``every``: anything at all)."""


class Node(Awaited, Protocol):
    """A part that is settled: a channel or a station."""

    def settle(self, until: float) -> bool:
        """Move up to ``until``; says whether anything moved."""

    def follow(self, until: float) -> bool:
        """Move up to ``until`` at least in so far as something gets through by then; says whether anything moved."""

    def next_awaited(self, *, every: bool, later: bool = True) -> float:
        """As of `Awaited`; without ``later`` only of what is decided on as it happens."""


class Listener(Protocol):
    """A source that hears from its target."""

    @property
    def echo(self) -> float:
        """Seconds after which it hears of what happens there (inf: never); 0 where it is told in other ways too."""

    def hear(self, until: float) -> bool:
        """Take what has come back by ``until``; says whether anything has."""


class World:
    """All parts of a run, settled in an order in which nothing is late."""

    def __init__(self, env: Environment, *, writes_per_settle: int = 262_144) -> None:
        self.env = env
        self.now = 0.0
        self.intakes: list[Intake] = []
        self.groups: list[Group] = []
        self.nodes: list[Node] = []
        self.listeners: list[Listener] = []
        self.waiting: list[tuple[Callable[[], bool], Sequence[Awaited]]] = []
        self.on_settled: list[Callable[[float], None]] = []
        self.horizon: Horizon | None = None
        self.halts: list[Callable[[], float]] = []
        """Instants that hosts must not be ahead of, as what they issue afterwards costs something else."""
        self._writes_per_settle = writes_per_settle
        self._stride = 1e-3
        self._armed = 0
        self._reached = -INFINITY
        self._end = INFINITY
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._ticket = count()

    def open(self, connect: Callable[[], None]) -> None:
        """Let sessions open before observation starts, in no time."""
        channels = [node for node in self.nodes if isinstance(node, Channel)]
        for channel in channels:
            channel.opening = True
        connect()
        self._flow()
        for channel in channels:
            channel.opening = False

    def run(self, end: float) -> None:
        """Run to ``end`` (seconds), or, with inf, until nothing is left to do."""
        self._end = end
        self._arm()
        stop = self.env.at(end) if end < INFINITY else None
        self.env.run(until=stop)
        if end < INFINITY:
            self.settle(end)

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        """The engine drivers' timer: call once the world is settled to ``when``."""
        heappush(self._timers, (when, next(self._ticket), callback))

    @property
    def ended(self) -> bool:
        """Whether a run without an end of its own has nothing left to do."""
        return self._end == INFINITY and self.idle()

    def decide(self, when: float, decision: Callable[[], None]) -> None:
        """Settle to ``when``, let something change, and plan anew."""
        self.settle(when)
        decision()
        self.settle(when)
        self._arm()

    def settle(self, until: float) -> None:
        """Move every part to ``until``; engines decide at exactly the write that needs it."""
        issued = -INFINITY
        while True:
            reach = until if self.horizon is None else self.horizon(self.now, until)
            reach = min([reach, *(halt() for halt in self.halts)])
            if self.horizon is not None or reach > issued:
                for intake in self.intakes:
                    intake.advance(reach)
                issued = reach
            crossing = min((group.crossing() for group in self.groups), default=INFINITY)
            decision = self.next_decision()
            self.now = min(reach, max(min(crossing, decision), self.now))
            for group in self.groups:
                group.release(self.now)
            if self.now == reach or decision >= crossing or not self._overhear():
                self._flow()
            if (self._decide_crossings() or self._ring()) or self.now < until:
                continue
            if self.horizon is None or not self.horizon.eager(until):
                break
        for listener in self.on_settled:
            listener(until)

    def _decide_crossings(self) -> bool:
        """Hand over writes that wait at this instant; where one does not fit, its engine decides."""
        again = False
        for group in self.groups:
            if group.due(self.now):
                again = True
                if not group.fits():
                    group.force(self.now)
        if again:
            self._flow()
        return again

    def _ring(self) -> bool:
        """Call the timers that are due; says whether there were any."""
        rang = False
        while self._timers and self._timers[0][0] <= self.now:
            heappop(self._timers)[2]()
            rang = True
        if rang:
            self._flow()
        return rang

    def _flow(self) -> None:
        self._reached = self.now
        moved = True
        while moved:
            moved = False
            for node in self.nodes:
                moved = node.settle(self.now) or moved

    def _overhear(self) -> bool:
        """Let sources hear what targets have said, if all that is decided now is up to them; says whether they could.

        All else moves only as far as can have been heard of by now: what has come no farther decides nothing.
        """
        echo = min((each.echo for each in self.listeners), default=0.0)
        then = about(self.now - echo)
        if not self._reached < then < self.now or self._else_decided():
            return False
        self._reached = then
        for node in self.nodes:
            node.follow(then)
        heard = [each.hear(self.now) for each in self.listeners]
        return any(heard)

    def _else_decided(self) -> bool:
        """Whether anything is decided by now that a source does not hear of."""
        return (
            self.horizon is not None
            or (bool(self._timers) and self._timers[0][0] <= self.now)
            or any(waits() for waits, _ in self.waiting)
            or any(node.next_awaited(every=False, later=False) <= self.now for node in self.nodes)
        )

    def _arm(self) -> None:
        """Plan the next settle: a memory-sized stride, or, where somebody looks on, the next decision."""
        self._armed += 1
        generation = self._armed
        when = min(self.now + self._stride, self._end)
        if self._step_by_step():
            when = min(when, self.next_decision())
        if self._end == INFINITY and self.idle():
            return

        def wake(_: Event) -> None:
            if generation == self._armed:
                before = sum(group.taken for group in self.groups)
                began = self.now
                self.settle(when)
                self._adapt(sum(group.taken for group in self.groups) - before, self.now - began)
                self._arm()

        callbacks = self.env.at(when).callbacks
        assert callbacks is not None
        callbacks.append(wake)

    def _step_by_step(self) -> bool:
        """Whether each decision ends a settle of its own.

        A settle takes decisions one after the other, each at its own instant, and only hosts have gone on to its end
        meanwhile. That must not be while somebody listens for the instant at which something has happened, while
        hosts wait for what is decided, or where a disk has work of hosts in front of what is awaited.
        """
        return (
            self.horizon is not None
            or any(intake.ahead for intake in self.intakes)
            or any(waits() for waits, _ in self.waiting)
        )

    def idle(self) -> bool:
        """Whether hosts are done and nothing is under way."""
        return all(intake.exhausted() for intake in self.intakes) and all(
            node.next_awaited(every=True) == INFINITY for node in self.nodes
        )

    def next_decision(self) -> float:
        """When some engine must decide next, as things stand (seconds)."""
        soonest = min((node.next_awaited(every=False) for node in self.nodes), default=INFINITY)
        for waits, path in self.waiting:
            if waits():
                soonest = min([soonest, *(node.next_awaited(every=True) for node in path)])
        if self._timers:
            soonest = min(soonest, self._timers[0][0])
        return max(soonest, self.now)

    def _adapt(self, writes: int, span: float) -> None:
        """Aim the stride at a settle of so many writes; results do not depend on it.

        With many groups each settle's writes are spread thin, so it is longer: by the root of their number, so
        that memory stays bounded.
        """
        if span < 0.5 * self._stride:
            return
        wanted = self._writes_per_settle * math.sqrt(min(len(self.groups), _SPREAD))
        factor = wanted / writes if writes else 2.0
        self._stride *= min(max(factor, 0.25), _GROWTH)
