"""Which image a failover would have found at a target at each time: its kind, how old it grew, its way there."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from drsim.measure.stream import Floats, Ints

Stretch = tuple[tuple[float, float], str]
"""(begin, end) in seconds, and the name of the source's state."""

FOLLOWING, POINT, HELD, SNAPSHOT, NONE = "following", "point", "held", "snapshot", "none"
IMAGES = {
    FOLLOWING: "write by write behind the source",
    POINT: "the newest whole cycle or snapshot",
    HELD: "the last one in order, while order is lost",
    SNAPSHOT: "the protective snapshot, during a resync",
    NONE: "no consistent image",
}
"""Kinds of image, and what each is."""

_OUT_OF_ORDER = {"TRACKING": HELD, "RESYNCING": SNAPSHOT}


class ImageLog:
    """Notes what becomes recoverable at one target.

    Args:
        points: images come one by one (cycles, snapshots), not with every write.
    """

    def __init__(self, *, points: bool) -> None:
        self.points = points
        self._captured: dict[int, float] = {}
        self._sent: dict[int, tuple[float, float]] = {}
        self._found: list[tuple[float, int]] = [(0.0, 0)]
        self._ordered = True

    def captured(self, seq: int, at: float) -> None:
        """A cycle or snapshot that holds the order through ``seq`` was closed and begins its way at ``at``."""
        if self.points:
            self._captured.setdefault(seq, at)
            self._sent[seq] = (at, math.nan)

    def arrived(self, seq: int, at: float) -> None:
        """The last of it arrived at the target."""
        if seq in self._sent:
            self._sent[seq] = (self._sent[seq][0], at)

    def found(self, seq: Ints, at: Floats) -> None:
        """The order through ``seq[i]`` can be recovered from ``at[i]`` on."""
        if self.points:
            self._found += [(float(t), int(s)) for s, t in zip(seq, at, strict=True)]
        elif not self._ordered:
            self._found.append((float(at[-1]), int(seq[-1])))

    def turned(self, state: str, at: float, recoverable: int) -> None:
        """The source changed its state at ``at``; the order is recoverable through ``recoverable``."""
        if not self.points:
            self._found.append((at, recoverable))
        self._ordered = state not in _OUT_OF_ORDER

    def columns(
        self,
        end: float,
        states: Sequence[Stretch],
        exposed: Sequence[tuple[float, float]],
        lag: Mapping[str, Floats],
    ) -> dict[str, Any]:
        """Rows that divide [0, ``end``] by the newest image that was usable at the target.

        Args:
            end: seconds, the window's end.
            states: the source's states in order.
            exposed: intervals without any consistent image, in order.
            lag: the lag curve, ``t`` and ``lag_s``.

        Returns:
            ``begin``, ``end``: seconds. ``image``: a word of `IMAGES`. ``seq``: the last write it held at
            ``begin``. ``taken``: everything acknowledged before this second is in it (NaN for ``following``,
            which has no one such second, and for ``none``). ``age_max_s``: the greatest lag while it served
            (NaN for ``none``). ``sent_from``, ``sent_to``: its way over the link (NaN but for ``point``).
        """
        found = sorted(self._found)
        news = {at for at, _ in found} if self.points else set()
        rows = _rows(_edges(end, states, exposed, news), states, exposed, news)
        names = ("begin", "end", "image", "seq", "taken", "age_max_s", "sent_from", "sent_to")
        cells = [self._row(row, found, lag) for row in rows]
        columns: dict[str, Any] = {name: [row[i] for row in cells] for i, name in enumerate(names)}
        as_columns: dict[str, Any] = {
            name: values if name == "image" else np.array(values, np.int64 if name == "seq" else np.float64)
            for name, values in columns.items()
        }
        return as_columns

    def _row(
        self, row: tuple[float, float, str], found: Sequence[tuple[float, int]], lag: Mapping[str, Floats]
    ) -> tuple[Any, ...]:
        begin, end, image = row
        seq = found[bisect_right(found, (begin, math.inf)) - 1][1]
        if image == NONE:
            return (*row, seq, math.nan, math.nan, math.nan, math.nan)
        inside = (lag["t"] > begin) & (lag["t"] <= end) & ~np.isnan(lag["lag_s"])
        t, value = lag["t"][inside], lag["lag_s"][inside]
        top = int(value.argmax()) if len(value) else -1
        age = float(value[top]) if len(value) else 0.0
        taken = math.nan if image == FOLLOWING else float(t[top]) - age if age > 0 else begin
        sent = (math.nan, math.nan)
        if image == POINT:
            taken = self._captured.get(seq, min(taken, begin))
            sent = self._sent.get(seq, sent)
        return (*row, seq, taken, age, *sent)


def _edges(
    end: float,
    states: Sequence[Stretch],
    exposed: Sequence[tuple[float, float]],
    news: Collection[float],
) -> list[float]:
    """Every instant at which another image may begin to serve.

    A change of state a rounding away from an exposure's edge is the same instant.
    """
    sure = {0.0, end, *news, *(edge for stretch in exposed for edge in stretch)}
    edges = sorted(edge for edge in sure if 0.0 <= edge <= end)
    for edge in sorted({edge for stretch, _ in states for edge in stretch}):
        at = bisect_right(edges, edge)
        near = min(abs(edge - other) for other in edges[max(at - 1, 0) : at + 1])
        if 0.0 < edge < end and near > 1e-9 * (1.0 + edge):
            edges.insert(at, edge)
    return edges


def _rows(
    edges: Sequence[float],
    states: Sequence[Stretch],
    exposed: Sequence[tuple[float, float]],
    news: Collection[float],
) -> list[tuple[float, float, str]]:
    """(begin, end, image) between the edges; a row goes on until another kind, or at ``news`` another point."""
    rows: list[tuple[float, float, str]] = []
    for begin, end in itertools.pairwise(edges):
        middle = begin + (end - begin) / 2
        image = POINT if news else FOLLOWING
        for (since, until), state in states:
            if since <= middle < until:
                image = _OUT_OF_ORDER.get(state, image)
        if any(since <= middle < until for since, until in exposed):
            image = NONE
        if rows and rows[-1][2] == image and (image != POINT or begin not in news):
            rows[-1] = (rows[-1][0], end, image)
        else:
            rows.append((begin, end, image))
    return rows
