"""Modes of replication: when writes travel, what counts as acknowledged. To add one: list it in `KINDS`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from drsim.units import Duration, Ratio, Size


class Closing(Protocol):
    """When a cycle closes, given that the previous one has been applied."""

    @property
    def folds(self) -> bool:
        """Whether only the last write of each block travels."""

    @property
    def on_grid(self) -> bool:
        """Whether an empty cycle closes too (a timetable); otherwise the next write closes an overdue one."""

    @property
    def bytes_limit(self) -> int | None:
        """Bytes at which it closes before its time."""

    def due(self, opened: float, transfers: list[float]) -> float:
        """Give the time it closes, seconds; ``transfers`` are the last cycles' times from close to applied."""


class Mode(BaseModel):
    """Base of all modes."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)
    kind: str
    remote: ClassVar[bool] = False
    """Hosts are acknowledged only once the target holds the write."""

    def closing(self) -> Closing | None:
        """Give the rule by which cycles close; None when writes travel one by one."""
        return None


class Sync(Mode):
    """A write is done when target and journal both hold it.

    ``on_loss``: without a target, ``continue`` unprotected or ``stop`` the hosts. After a loss the leg is
    synchronous again once at most ``rejoin`` bytes are unconfirmed.
    """

    kind: Literal["sync"] = "sync"
    on_loss: Literal["continue", "stop"] = "continue"
    rejoin: Size = 1 << 20
    remote: ClassVar[bool] = True


class JournalMode(Mode):
    """Every write travels, in order, as soon as the link takes it; each is a point to recover to.

    ``fold: checkpoint`` folds what has piled up while the link was busy or away, up to a checkpoint: fewer
    bytes, and no points to recover to in between.
    """

    kind: Literal["journal"] = "journal"
    fold: Literal["none", "checkpoint"] = "none"

    def closing(self) -> Closing | None:
        """Folded: as soon as the previous stretch has been applied."""
        return Eager() if self.fold == "checkpoint" else None


class Cycle(Mode):
    """Delta sets: capture, transmit, receive, apply (SRDF/A).

    A cycle closes ``every`` so long, or sooner at ``size`` bytes, but never before the previous one has
    been applied: a slow link lengthens it. ``fold: none`` sends every write all the same.
    """

    kind: Literal["cycle"] = "cycle"
    every: Annotated[Duration, Field(gt=0)] = 30.0
    size: Annotated[Size, Field(gt=0)] | None = None
    fold: Literal["none", "cycle"] = "cycle"

    def closing(self) -> Closing:
        """By time or size."""
        return self

    @property
    def folds(self) -> bool:
        """Unless told not to."""
        return self.fold == "cycle"

    @property
    def on_grid(self) -> bool:
        """Cycles switch on even when nothing was written."""
        return True

    @property
    def bytes_limit(self) -> int | None:
        """Its ``size``."""
        return self.size

    def due(self, opened: float, transfers: list[float]) -> float:
        """``every`` after it opened."""
        del transfers
        return opened + self.every


class Snapshot(Mode):
    """Periodic snapshots of the source; the last content of each changed block travels.

    ``every``: a fixed schedule; a snapshot that is due while one is still travelling is taken when that one
    has arrived. ``rpo``: the next starts so that it should be complete within the RPO, as the last transfers
    suggest (mean of the last 15, plus ``margin``: vSphere Replication's rule).
    """

    kind: Literal["snapshot"] = "snapshot"
    every: Duration | None = None
    rpo: Duration | None = None
    margin: Ratio = 0.2

    @model_validator(mode="after")
    def _one_schedule(self) -> Snapshot:
        if (self.every is None) == (self.rpo is None):
            raise ValueError("snapshot: give either every or rpo")
        if not (self.every or self.rpo):
            raise ValueError("snapshot: the interval must be longer than 0")
        return self

    def closing(self) -> Closing:
        """By the schedule."""
        return self

    @property
    def folds(self) -> bool:
        """Always: a snapshot has one content a block."""
        return True

    @property
    def on_grid(self) -> bool:
        """A fixed schedule is a timetable; an RPO with nothing to protect waits."""
        return self.every is not None

    @property
    def bytes_limit(self) -> int | None:
        """None."""
        return None

    def due(self, opened: float, transfers: list[float]) -> float:
        """The next time on the timetable; or so early that the last transfers would end within the RPO."""
        if self.every is not None:
            return (math.floor(opened / self.every) + 1) * self.every
        assert self.rpo is not None
        estimate = sum(transfers) / len(transfers) * (1 + self.margin) if transfers else self.rpo / 2
        return opened + max(0.0, self.rpo - estimate)


@dataclass(frozen=True, slots=True)
class Eager:
    """The rule of folded journal mode: whatever has piled up goes when the previous stretch is applied."""

    folds: bool = True
    on_grid: bool = False
    bytes_limit: int | None = None

    def due(self, opened: float, transfers: list[float]) -> float:
        """At once."""
        del transfers
        return opened


KINDS: dict[str, type[Mode]] = {"sync": Sync, "journal": JournalMode, "cycle": Cycle, "snapshot": Snapshot}


def _named(value: Any) -> Any:
    """Let ``mode: journal`` stand for ``mode: {kind: journal}``."""
    return {"kind": value} if isinstance(value, str) else value


AnyMode = Annotated[
    Sync | JournalMode | Cycle | Snapshot, Field(discriminator="kind"), BeforeValidator(_named)
]
