"""How the classes of a link share it: first-in first-out, by priority, by weight, or by deadline."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drsim.units import Duration, Rate
from drsim.wan.capacity import Capacity
from drsim.wan.earliest import EarliestServer
from drsim.wan.fifo import FifoServer
from drsim.wan.priority import PriorityServer
from drsim.wan.server import Server
from drsim.wan.weighted import WeightedServer

_FORM = ConfigDict(allow_inf_nan=False, defer_build=True, extra="forbid", frozen=True)


class Share(BaseModel):
    """What one class may claim."""

    model_config = _FORM

    priority: int = Field(
        default=1, ge=0, description="lower goes first; equals are served first-in first-out"
    )
    weight: float = Field(default=1.0, gt=0, description="share of what is left, beside the others' weights")
    cap: Rate | None = Field(default=None, description="never faster than this")
    reserve: Rate | None = Field(
        default=None, description="never slower than this while it has something to send"
    )

    within: Duration | None = Field(
        default=None,
        description="how long its data may take once the link has it; the target's rpo unless said",
    )

    @model_validator(mode="after")
    def _floor_below_ceiling(self) -> Share:
        if self.cap is not None and self.reserve is not None and self.reserve > self.cap:
            raise ValueError("reserve is more than cap")
        return self


def _fifo(capacity: Capacity, shares: Sequence[Share]) -> Server:
    return FifoServer(capacity, len(shares))


def _priority(capacity: Capacity, shares: Sequence[Share]) -> Server:
    return PriorityServer(capacity, [share.priority for share in shares])


def _weighted(capacity: Capacity, shares: Sequence[Share]) -> Server:
    return WeightedServer(
        capacity,
        [share.weight for share in shares],
        [float(share.reserve or 0.0) for share in shares],
        [math.inf if share.cap is None else float(share.cap) for share in shares],
    )


def _earliest(capacity: Capacity, shares: Sequence[Share]) -> Server:
    return EarliestServer(capacity, [math.inf if s.within is None else float(s.within) for s in shares])


KINDS: dict[str, Callable[[Capacity, Sequence[Share]], Server]] = {
    "fifo": _fifo,
    "priority": _priority,
    "weighted": _weighted,
    "earliest": _earliest,
}
"""Discipline -> how to build its server from C(t) and one `Share` per class."""


_USED = {
    "fifo": set[str](),
    "priority": {"priority"},
    "weighted": {"weight", "cap", "reserve"},
    "earliest": {"within"},
}


class Sharing(BaseModel):
    """The discipline of a link and what each class may claim; written as a word, or as a mapping."""

    model_config = _FORM

    kind: str = Field(
        default="fifo",
        description="fifo, priority, weighted or earliest",
        json_schema_extra={"enum": [*KINDS]},
    )
    classes: dict[str, Share] = Field(
        default={}, description="by group, or group/resync for its resync alone"
    )

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _known(self) -> Sharing:
        if self.kind not in KINDS:
            raise ValueError(f"'{self.kind}' is not a way to share: use {', '.join(KINDS)}")
        for name, share in self.classes.items():
            idle = sorted(share.model_fields_set - _USED[self.kind])
            if idle:
                raise ValueError(f"{self.kind} sharing has no use for {idle[0]} of class {name}")
        return self

    def share(self, name: str) -> Share:
        """Give what a class may claim; ``group/resync`` falls back to ``group``, and that to the default."""
        return self.classes.get(name) or self.classes.get(name.partition("/")[0]) or Share()

    def server(
        self, capacity: Capacity, names: Sequence[str] = ("",), rpos: Sequence[float | None] = ()
    ) -> Server:
        """Build the server of one direction.

        Args:
            capacity: C(t) of the direction.
            names: class k is ``names[k]``.
            rpos: seconds; the objective of class k, which stands for a ``within`` that is not given.
        """
        shares = [self.share(name) for name in names]
        for k, rpo in enumerate(rpos):
            if shares[k].within is None and rpo is not None:
                shares[k] = shares[k].model_copy(update={"within": rpo})
        return KINDS[self.kind](capacity, shares)
