"""A target's staging of finite size, as its sender feels it: no room, no frame; the link waits.

Room is told to the sender as a receive window is: a frame may leave when everything sent in this session
and not yet on the volumes, itself included, fits in the staging. That something got onto the volumes is
known to the sender one way later. So staging never holds more than its size, and what does not fit waits
in front of the transmitter, where other groups' frames overtake it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from drsim.blocks.batch import Floats, Ints
from drsim.replication.frames import Data, Frame
from drsim.replication.trains import part

NEVER = float("inf")
PassOn = Callable[[Frame, Floats], None]


class Awaited(Protocol):
    """A part of which one can ask when something finishes (see `drsim.simulation.world`)."""

    def next_awaited(self, *, every: bool) -> float:
        """When something finishes."""


@dataclass(slots=True)
class _Waiting:
    """A frame or train that waits: when its members may leave at best, and how much must be free for each."""

    frame: Frame
    ready: Floats
    need: Ints


class Valve:
    """Lets frames of one leg pass while the target has room for them.

    Args:
        size: bytes of staging. A write larger than that passes alone.
        one_way_s: seconds from the target to the source.
    """

    def __init__(self, size: int, one_way_s: float) -> None:
        self.size = size
        self.one_way_s = one_way_s
        self._pass_on: PassOn
        self.path: Sequence[Awaited] = ()
        """What a write passes between here and the volumes."""
        self._held: deque[_Waiting] = deque()
        self._credits: deque[tuple[Floats, Ints]] = deque()
        self._promised = 0
        self._freed = 0
        self._sent = 0
        self._latest = -NEVER

    def open(self, pass_on: PassOn, path: Sequence[Awaited]) -> None:
        """A leg begins: ``pass_on`` takes its frames with the instants at which they may leave.

        ``path``: what a write passes between here and the volumes.
        """
        self.clear()
        self._pass_on = pass_on
        self.path = [part for part in path if part is not self]

    @property
    def holding(self) -> bool:
        """Whether frames wait for room."""
        return bool(self._held)

    def room(self) -> int:
        """Bytes that may be sent before frames must wait, as far as the sender knows; may be below 0."""
        return self.size + self._freed - self._sent

    def outstanding(self) -> int:
        """Bytes sent, or staged before, that are not known to be on the volumes."""
        return self._sent - self._freed

    def send(self, frame: Frame, ready: Floats, now: float) -> None:
        """Pass a frame or train on, or keep it until there is room."""
        if isinstance(frame, Data):
            spent = frame.batch.spent
            end = self._sent + spent
            self._sent = int(end[-1])
            # What fits never has to wait for more than its place; what does not, for an empty staging.
            need = np.maximum.accumulate(np.minimum(end - self.size, end - np.diff(spent, prepend=0)))
        else:
            need = np.zeros(len(ready), np.int64)
        self._held.append(_Waiting(frame, ready, need))
        self.settle(now)

    def credit(self, at: Floats, nbytes: Ints) -> None:
        """Bytes left the staging at ``at`` (float64[n] seconds, int64[n] bytes): the sender knows one way later."""
        total = self._promised + np.cumsum(nbytes)
        self._promised = int(total[-1])
        self._credits.append((at + self.one_way_s, total))

    def welcome(self, staged: int) -> None:
        """A session begins; the target has ``staged`` bytes that are not on its volumes."""
        self.clear()
        self._sent = staged

    def clear(self) -> None:
        """The session is over: what waits was not sent, what is on its way back is lost."""
        self._held.clear()
        self._credits.clear()
        self._promised = self._freed = self._sent = 0
        self._latest = -NEVER

    def settle(self, until: float) -> bool:
        """Let pass what may leave by ``until``; says whether anything did."""
        moved = False
        while self._held:
            head = self._held[0]
            at = self._leaves(head, len(head.ready))
            due = int(np.searchsorted(at, until, side="right"))
            if not due:
                break
            moved = True
            self._latest = float(at[due - 1])
            self._held.popleft()
            if due < len(head.ready):
                rest = part(head.frame, due, len(head.ready))
                self._held.appendleft(_Waiting(rest, head.ready[due:], head.need[due:]))
            self._pass_on(part(head.frame, 0, due), at[:due])
        while self._credits and self._credits[0][0][0] <= until:
            times, total = self._credits.popleft()
            known = int(np.searchsorted(times, until, side="right"))
            self._freed = int(total[known - 1])
            if known < len(times):
                self._credits.appendleft((times[known:], total[known:]))
                break
        return moved

    follow = settle

    def next_awaited(self, *, every: bool, later: bool = True) -> float:  # noqa: ARG002
        """When the first frame that waits may leave, if that is known (with ``every``; else inf)."""
        return float(self._leaves(self._held[0], 1)[0]) if every and self._held else NEVER

    def horizon(self) -> Horizon:
        """Give what the world asks while frames wait: the instant before which no more room can be known."""
        return Horizon(self)

    def _leaves(self, waiting: _Waiting, count: int) -> Floats:
        """When the first ``count`` members may leave, as far as is known: to the first of which it is not (inf)."""
        times = np.concatenate([[-NEVER], *(t for t, _ in self._credits), [NEVER]])
        total = np.concatenate([[self._freed], *(n for _, n in self._credits)])
        count = min(count, int(np.searchsorted(waiting.need, total[-1], side="right")) + 1)
        free = times[np.searchsorted(total, waiting.need[:count], side="left")]
        return np.maximum.accumulate(np.maximum(np.maximum(waiting.ready[:count], free), self._latest))


@dataclass(frozen=True, slots=True)
class Horizon:
    """Room becomes known no sooner than something on the way to the volumes finishes, or leaves, and one way later."""

    valve: Valve

    def next_awaited(self, *, every: bool) -> float:
        """The instant through which all room is known."""
        parts: list[Awaited] = [self.valve, *self.valve.path]
        return min(part.next_awaited(every=every) for part in parts) + self.valve.one_way_s
