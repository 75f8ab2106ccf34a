"""Modes of replication: when writes travel and what counts as acknowledged. To add one: list it in `KINDS`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from drsim.units import Duration, Size


class Mode(BaseModel):
    """Base of all modes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: str
    remote: ClassVar[bool] = False
    """Hosts are acknowledged only once the target holds the write."""
    cycles: ClassVar[bool] = False
    """Writes travel in cycles that are recoverable as a whole."""


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


class Cycle(Mode):
    """Delta sets: capture, transmit, receive, apply (SRDF/A).

    A cycle closes ``every`` so long, or sooner at ``size`` bytes, but never before the previous one has
    been applied: a slow link lengthens it. ``fold: none`` sends every write all the same.
    """

    kind: Literal["cycle"] = "cycle"
    every: Duration = 30.0
    size: Size | None = None
    fold: Literal["none", "cycle"] = "cycle"
    cycles: ClassVar[bool] = True


class Snapshot(Mode):
    """Periodic snapshots of the source; the last content of each changed block travels.

    ``every``: a fixed schedule; a snapshot that is due while one is still travelling is taken when that one
    has arrived. ``rpo``: the next starts so that it should be complete within the RPO, as the last transfers
    suggest (mean of the last 15, plus ``margin``: vSphere Replication's rule).
    """

    kind: Literal["snapshot"] = "snapshot"
    every: Duration | None = None
    rpo: Duration | None = None
    margin: float = 0.2
    cycles: ClassVar[bool] = True


KINDS: dict[str, type[Mode]] = {"sync": Sync, "journal": JournalMode, "cycle": Cycle, "snapshot": Snapshot}


def _named(value: Any) -> Any:
    """Let ``mode: journal`` stand for ``mode: {kind: journal}``."""
    return {"kind": value} if isinstance(value, str) else value


AnyMode = Annotated[
    Sync | JournalMode | Cycle | Snapshot, Field(discriminator="kind"), BeforeValidator(_named)
]
