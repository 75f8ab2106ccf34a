"""How far hosts may issue at once: closed loops must not outrun acknowledgements that are not known yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from drsim.simulation.group import Group
from drsim.simulation.intake import Intake

Soonest = Callable[[], float]


class Awaited(Protocol):
    """A part of which one can ask when something finishes (see `drsim.simulation.world`)."""

    def next_awaited(self, *, every: bool) -> float:
        """When something finishes."""


class Horizon:
    """The instant to which every host's writes are certain, given what is known.

    Args:
        intakes: the hosts of each site.
        groups: every group.
        paths: beside each intake that has closed loops, what their acknowledgements come through.
        decision: when the next decision of any engine comes, as things stand.
    """

    def __init__(
        self,
        intakes: Sequence[Intake],
        groups: Sequence[Group],
        paths: Sequence[tuple[Intake, Sequence[Awaited]]],
        decision: Soonest,
    ) -> None:
        self._intakes = intakes
        self._groups = groups
        self._paths = paths
        self._decision = decision

    def __call__(self, now: float, until: float) -> float:
        """Through when hosts may issue, from ``now`` on and not beyond ``until`` (seconds)."""
        decision = self._decision()
        reach = until
        for intake, path in self._paths:
            parts: list[Awaited] = [intake, *intake.groups, *path]
            soonest = min([decision, *(part.next_awaited(every=True) for part in parts)])
            reach = min([reach, *(loop.certain(now, soonest) for loop in intake.loops)])
        if any(group.bounded for group in self._groups):
            # One write at a time: a full journal may acknowledge, hold or slow what comes after it.
            crossings = [group.crossing() for group in self._groups]
            reach = min([reach, decision, *crossings, *(intake.next_event() for intake in self._intakes)])
        return max(reach, now)

    def eager(self, until: float) -> bool:
        """Whether a closed loop has a write to issue by ``until``."""
        return any(loop.next_issue() <= until for intake, _ in self._paths for loop in intake.loops)
