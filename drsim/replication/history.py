"""Older points of the target's order that can still be returned to (CDP): a redo log in front of the volumes."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from drsim.units import Duration, Size


class Keep(BaseModel):
    """``history:`` of a target.

    Destaging is held back so that the volumes are ``window`` seconds old and staging holds everything since: any
    write in between is a point to return to. The same setting is a delayed apply. ``size`` bounds staging: when it
    is reached older writes go to the volumes and the window is shorter. Points older than ``dense`` are thinned to
    one in ``every``; markers are kept as long as the window reaches.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    window: Duration
    size: Size | None = None
    dense: Duration | None = None
    every: Duration = 60.0


@dataclass(frozen=True, slots=True)
class Point:
    """A place to return to."""

    seq: int
    time: float
    name: str = ""


class History:
    """Checkpoints and markers within the window."""

    def __init__(self, keep: Keep | None) -> None:
        self.keep = keep
        self._points: list[Point] = []

    @property
    def delay(self) -> float | None:
        """Seconds the volumes stay behind; None for none."""
        return None if self.keep is None else self.keep.window

    @property
    def size(self) -> int | None:
        """Bytes of staging allowed."""
        return None if self.keep is None else self.keep.size

    def mark(self, seq: int, time: float, name: str = "") -> None:
        """Remember a point."""
        if self.keep is None and not name:
            return
        self._points.append(Point(seq, time, name))

    def forget(self, written: int) -> None:
        """The volumes have passed these: they can't be returned to, and need no memory."""
        if self._points and self._points[0].seq < written:
            del self._points[: bisect_right(self._points, written - 1, key=lambda p: p.seq)]

    def clear(self) -> None:
        """Order was lost: no older point can be returned to."""
        self._points.clear()

    def points(self, written: int, now: float) -> list[Point]:
        """Give the points that can be returned to now, oldest first, thinned as the settings say."""
        self.forget(written)
        if self.keep is None or self.keep.dense is None:
            return list(self._points)
        kept: list[Point] = []
        slot = None
        for point in self._points:
            place = point.time // self.keep.every
            if point.name or point.time >= now - self.keep.dense or place != slot:
                kept.append(point)
            slot = place if point.time < now - self.keep.dense else None
        self._points = list(kept)
        return kept

    def find(self, name: str) -> int | None:
        """Give the seq of the newest point so named."""
        for point in reversed(self._points):
            if point.name == name:
                return point.seq
        return None
