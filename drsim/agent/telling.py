"""When a source's engines are told of what hosts wrote: at once, or when more has been gathered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from operator import attrgetter

from drsim.agent.clock import LoopClock
from drsim.agent.commits import Committer
from drsim.agent.intake import Intake
from drsim.agent.leg import SourceLeg
from drsim.blocks.batch import WriteBatch

_ROWS = 1024  # rows told at once: more would only make the engine's answer later
_GATHER_BYTES = 8 << 20
_HOLDING, _PACE = attrgetter("holding"), attrgetter("pace_s")
PATIENT_S = 8e-3  # where hosts have been answered already, so long is gathered


class Teller:
    """Tells every leg of the rows that were gathered.

    Args:
        legs: of the group; more may still be added.
        journal: while it commits, what comes is gathered.

    Attributes:
        closed: nothing is told any more.
        straight: whoever has rows told does all that follows from it, now.
    """

    def __init__(
        self, intake: Intake, legs: Sequence[SourceLeg], journal: Committer[WriteBatch], clock: LoopClock
    ) -> None:
        self.closed = self.straight = False
        self._intake = intake
        self._legs = legs
        self._journal = journal
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._lone = False  # hosts write one at a time and are not slowed down: there is nothing to gather
        self._asked: asyncio.Handle | None = None
        self._at = self._next = self._told_at = 0.0

    def ask(self) -> None:
        """Tell soon; meanwhile more may come, from this connection or another."""
        intake = self._intake
        if not len(intake):
            return
        patient = intake.patient and not self._enough()
        if (patient and self._asked is not None) or self._held():
            return
        at = self._next
        if patient:
            at = max(at, self._told_at + PATIENT_S)
        if self._asked is not None:
            if self._at <= at:
                return
            self._asked.cancel()
        self._at = at
        soon = at <= self._loop.time()
        self._asked = self._loop.call_soon(self._due) if soon else self._loop.call_at(at, self._due)

    def go_straight(self) -> bool:
        """Tell at once what a host that writes one at a time has just written, and see its commit through; say whether.

        Where there may be something to gather, it is told soon.
        """
        if not self._lone or self._asked is not None or self._intake.patient or self._held():
            self.ask()
            return False
        self.straight = True
        try:
            if len(self._intake):
                self._tell()
            self._journal.finish()
        finally:
            self.straight = False
        return True

    def _enough(self) -> bool:
        return self._intake.nbytes >= _GATHER_BYTES or len(self._intake) >= _ROWS

    def _held(self) -> bool:
        return self._holding() or (self._journal.busy and not self._enough())

    def _holding(self) -> bool:
        return True in map(_HOLDING, self._legs)

    def _due(self) -> None:
        self._asked = None
        if not (self.closed or not len(self._intake) or self._holding()):
            self._tell()

    def _tell(self) -> None:
        batch = self._intake.tell(self._clock.now(), _ROWS, self._headroom())
        rows = len(batch)
        delay = max(map(_PACE, self._legs)) * rows
        self._lone = rows == 1 and not delay
        self._told_at = self._loop.time()
        self._next = self._told_at + delay
        for leg in self._legs:
            leg.told(batch)
        if len(self._intake):
            self.ask()

    def _headroom(self) -> int:
        """Give the bytes that may be told before a leg behaves differently."""
        rooms = [room for leg in self._legs if (room := leg.engine.headroom()) is not None]
        return min(rooms, default=_GATHER_BYTES)
