"""Older points of the target's order that can still be returned to (CDP): a redo log in front of the volumes."""

from __future__ import annotations

import math

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.replication.journal import Journal
from drsim.units import Duration, Size


class Keep(BaseModel):
    """``history:`` of a target.

    Destaging is held back so that the volumes are ``window`` seconds old and staging holds everything since: any
    write in between is a point to return to. The same setting is a delayed apply. ``size`` bounds what is kept: when
    more is whole in staging, the oldest writes go to the volumes at that very write, and the window is shorter; a
    cycle goes whole. Without ``window`` only ``size`` lets anything go. Older points are thinned by timetable
    (`TargetSettings.snapshots`): of what has left the window, snapshots of the volumes keep one point in so long, and
    room is needed only for what was overwritten between two of them.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)
    window: Duration | None = None
    size: Size | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Keep:
        if self.window is None and self.size is None:
            raise ValueError("history: give window, size, or both")
        return self


class History:
    """When a write that is kept back has to go to the volumes.

    Args:
        keep: the settings; None keeps nothing back.
        room: bytes of staging in all; half of it at most is history, so that a full staging always empties.
    """

    def __init__(self, keep: Keep | None, room: int | None = None) -> None:
        self.keep = keep
        bounds = (
            []
            if keep is None
            else [b for b in (keep.size, None if room is None else room // 2) if b is not None]
        )
        self._bound = min(bounds, default=None)

    @property
    def delay(self) -> float:
        """Seconds the volumes stay behind, perhaps without end."""
        if self.keep is None:
            return 0.0
        return math.inf if self.keep.window is None else self.keep.window

    @property
    def contested(self) -> bool:
        """Whether a write may go for its age or for want of room, whichever comes first."""
        return self._bound is not None and self.delay < math.inf

    def aged(self, store: Journal, issued: int, now: float) -> int:
        """Give the last seq, at least ``issued``, of what is old enough to go."""
        return store.reach_time(issued, now, self.delay)

    def crowded(self, store: Journal, held: int) -> int | None:
        """Give a place such that what is whole (through ``held``) and later fits; None when all of it does.

        The write there goes as well.
        """
        if self._bound is None:
            return None
        excess = store.span(store.trimmed, held) - self._bound
        return store.reach(store.trimmed, excess - 1) + 1 if excess > 0 else None

    def leaving(self, store: Journal, batch: WriteBatch, seq: Ints, at: Floats) -> Floats:
        """Give when each write of a batch has to go: at its age, or when staging held too much from it on.

        Args:
            store: what is staged.
            batch: writes still in the store.
            seq: staging is durable through ``seq[i]`` since ``at[i]``; both increase. at: see there.

        Returns:
            float64[len(batch)] seconds; infinite for what may stay.
        """
        aged: Floats = batch.time + self.delay
        if self._bound is None:
            return aged
        begin = store.places(batch.seq) - batch.room
        fact = np.searchsorted(store.places(seq), begin + self._bound, side="right")
        crowded: Floats = np.append(at, np.inf)[fact]
        return np.minimum(aged, crowded)
