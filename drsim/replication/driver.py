"""Feeds an engine and carries out what it asks: the one piece both worlds share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from drsim.replication.actions import Action
from drsim.replication.events import Due, Event


class Clock(Protocol):
    """All that a driver knows of time; the two worlds differ in nothing else."""

    def now(self) -> float:
        """Give the present, seconds."""

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        """Call back once, at ``when``."""


class Engine(Protocol):
    """A state machine of this room."""

    def step(self, event: Event, now: float) -> list[Action]:
        """Take one event; give what must be done, in order."""

    def deadline(self) -> float | None:
        """Give the time by which `Due` must come."""


Tap = Callable[[float, Event, list[Action]], None]


class Driver:
    """Runs one engine.

    `deliver` is the only way in. It may be called from inside an action being performed: the event then waits
    its turn, so an engine is never entered twice. If a port raises, the error leaves through `deliver`, the
    events not yet delivered are dropped with it, and the driver is usable again: whoever catches decides.

    Args:
        engine: the state machine.
        clock: the world's time.
        perform: carries out one action; called in order, all actions of a step before the next step.
        tap: sees every step: time, event, actions.
    """

    def __init__(
        self, engine: Engine, clock: Clock, perform: Callable[[Action], None], tap: Tap | None = None
    ) -> None:
        self.engine = engine
        self._clock = clock
        self._perform = perform
        self._tap = tap
        self._inbox: deque[Event] = deque()
        self._busy = False
        self._armed: float | None = None

    def deliver(self, event: Event) -> None:
        """Let an event happen now."""
        inbox = self._inbox
        if self._busy:
            inbox.append(event)
            return
        self._busy = True
        try:
            self._step(event)
            while inbox:
                self._step(inbox.popleft())
        finally:
            self._busy = False
            inbox.clear()
        self._arm()

    def _step(self, event: Event) -> None:
        now = self._clock.now()
        actions = self.engine.step(event, now)
        if self._tap is not None:
            self._tap(now, event, actions)
        for action in actions:
            self._perform(action)

    def _arm(self) -> None:
        """Ask for one call at the engine's deadline, unless one at least as early is on its way."""
        due = self.engine.deadline()
        if due is not None and (self._armed is None or due < self._armed):
            self._armed = due
            self._clock.call_at(due, lambda: self._ring(due))

    def _ring(self, due: float) -> None:
        if self._armed == due:
            self._armed = None
        self.deliver(Due())
