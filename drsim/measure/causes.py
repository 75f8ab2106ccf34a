"""Who is to blame for a violation: each second beyond an objective gets exactly one cause.

Lag rises one second a second. Picture it as a stack of levels, each painted with the cause that was at work
when lag last rose through it; when lag falls, the newest paint goes first. The cause of a violation at
time t is the one whose paint covers most of the stack above the objective. So the hours in which a backlog
drains are the outage's that made it, not the link's that empties it, while a link that never kept up
is blamed itself.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from drsim.measure.stream import Floats

CAUSES = ("outage", "tcp", "journal-full", "resync", "throttle", "destage", "schedule", "bandwidth")
"""Every cause; where spans overlap, the one named first is at work."""


class Span(NamedTuple):
    """A cause at work from ``begin`` to ``end`` (seconds), and at what: a link, a group, a target."""

    begin: float
    end: float
    cause: str
    subject: str = ""


class Piece(NamedTuple):
    """Part of a violation, with its one cause."""

    begin: float
    end: float
    seconds: float
    cause: str


@dataclass(slots=True)
class Paint:
    """The stack of levels of lag: ``(height, cause)`` from the bottom, in seconds."""

    above: float
    levels: list[tuple[float, str]] = field(default_factory=list)

    @property
    def top(self) -> float:
        """The lag, seconds."""
        return self.levels[-1][0] if self.levels else 0.0

    def rise(self, to: float, cause: str) -> None:
        """Let lag rise to ``to`` while ``cause`` is at work."""
        if to <= self.top:
            return
        if self.levels and self.levels[-1][1] == cause:
            self.levels.pop()
        self.levels.append((to, cause))

    def fall(self, to: float) -> None:
        """Let lag fall to ``to``."""
        while self.levels and self.levels[-1][0] > to:
            _, cause = self.levels.pop()
            if self.top < to:
                self.levels.append((to, cause))
                return

    def shares(self, above: float | None = None) -> dict[str, float]:
        """Seconds of each cause above the objective (or above ``above``)."""
        bottom = self.above if above is None else above
        found: dict[str, float] = {}
        for height, cause in self.levels:
            if height > bottom:
                found[cause] = found.get(cause, 0.0) + height - bottom
                bottom = height
        return found


def strongest(spans: Iterable[Span], usual: str) -> list[Span]:
    """Flatten overlapping spans into ordered ones that do not overlap, from -inf to inf, one cause each.

    ``usual`` fills the gaps: ``bandwidth`` for a stream, ``schedule`` for cycles and snapshots.
    """
    wanted = [span for span in spans if span.end > span.begin]
    edges = sorted({-math.inf, math.inf, *(s.begin for s in wanted), *(s.end for s in wanted)})
    starts = sorted(wanted, key=lambda s: s.begin)
    active: list[Span] = []
    flat: list[Span] = []
    for begin, end in itertools.pairwise(edges):
        while starts and starts[0].begin <= begin:
            active.append(starts.pop(0))
        active = [span for span in active if span.end > begin]
        best = min(active, key=lambda s: (CAUSES.index(s.cause), s.begin), default=Span(0, 0, usual))
        if flat and flat[-1].cause == best.cause and flat[-1].subject == best.subject:
            flat[-1] = flat[-1]._replace(end=end)
        else:
            flat.append(Span(begin, end, best.cause, best.subject))
    return flat


class Blame:
    """The painted history of one group's lag at one target.

    Args:
        t: float64[m], seconds, the lag curve's instants (non-decreasing).
        lag_s: float64[m], seconds; NaN where there was no consistent image.
        spans: causes at work.
        rpo_s: the objective, seconds (0 when there is none).
        usual: the cause where no span is at work.

    Raises:
        ValueError: a cause that is not in `CAUSES`.
    """

    def __init__(
        self, t: Floats, lag_s: Floats, spans: Sequence[Span], rpo_s: float, usual: str = "bandwidth"
    ) -> None:
        unknown = {span.cause for span in spans} - set(CAUSES)
        if unknown:
            raise ValueError(f"not a cause: {', '.join(sorted(unknown))} (known: {', '.join(CAUSES)})")
        self._points: list[tuple[float, float]] = list(zip(t.tolist(), lag_s.tolist(), strict=True))
        self._flat = strongest(spans, usual)
        self._ends = np.array([span.end for span in self._flat])
        self._rpo_s = rpo_s
        self._usual = usual

    def _at_work(self, begin: float, end: float) -> Iterator[Span]:
        """The flattened spans of an interval, cut to it."""
        at = int(np.searchsorted(self._ends, begin, side="right"))
        while at < len(self._flat) and self._flat[at].begin < end:
            span = self._flat[at]
            yield span._replace(begin=max(span.begin, begin), end=min(span.end, end))
            at += 1

    def _walk(self, until: float = math.inf) -> Iterator[tuple[float, float, str, Paint]]:
        """Paint along the curve; yield (begin, end, cause of a violation meanwhile, paint at the end)."""
        paint = Paint(self._rpo_s)
        for (t0, y0), (t1, y1) in zip(self._points, self._points[1:], strict=False):
            if t0 > until:
                return
            if math.isnan(y0) or math.isnan(y1):
                paint.levels.clear()
                yield t0, t1, "resync", paint
            elif t1 <= t0 or y1 <= y0:
                yield from self._drop(paint, (t0, t1), y1)
            else:
                yield from self._climb(paint, (t0, t1), (y0, y1), until)

    def _drop(
        self, paint: Paint, times: tuple[float, float], to: float
    ) -> Iterator[tuple[float, float, str, Paint]]:
        if times[1] > times[0]:  # while it falls, what was painted before still stands
            yield *times, _most(paint.shares(), self._usual), paint
        if to > paint.top:  # an image came back with lag already behind it
            paint.rise(to, "resync")
        paint.fall(to)

    def _climb(
        self, paint: Paint, times: tuple[float, float], lag: tuple[float, float], until: float
    ) -> Iterator[tuple[float, float, str, Paint]]:
        slope = (lag[1] - lag[0]) / (times[1] - times[0])
        paint.fall(lag[0])
        paint.rise(lag[0], "resync" if not paint.levels else paint.levels[-1][1])
        for span in self._at_work(times[0], min(times[1], until)):
            before = paint.shares()
            paint.rise(lag[0] + slope * (span.end - times[0]), span.cause)
            after = paint.shares()
            old, new = _most(before, span.cause), _most(after, span.cause)
            turn = span.end
            if old != new and before:
                grown = after[new] - before[old]
                turn = span.end - min(max(grown / slope, 0.0), span.end - span.begin)
                yield span.begin, turn, old, paint
            yield (turn if old != new and before else span.begin), span.end, new, paint

    def pieces(self, violations: dict[str, Floats]) -> list[Piece]:
        """Cut violations (columns begin, end, seconds, as from `Violations.columns`) by cause."""
        if not len(violations["begin"]):
            return []
        timeline: list[tuple[float, float, str]] = []
        for begin, end, cause, _ in self._walk():
            if timeline and timeline[-1][2] == cause and timeline[-1][1] == begin:
                timeline[-1] = (timeline[-1][0], end, cause)
            elif end > begin:
                timeline.append((begin, end, cause))
        ends = np.array([end for _, end, _ in timeline])
        found: list[Piece] = []
        rows = zip(*(violations[k].tolist() for k in ("begin", "end", "seconds")), strict=True)
        for begin, end, seconds in rows:
            at = int(np.searchsorted(ends, begin, side="right"))
            found += _cut(timeline[at:], begin, end, seconds, self._usual)
        return found

    def at(self, instant: float) -> dict[str, Any]:
        """Explain one instant.

        Returns:
            ``lag_s`` (None during exposure), ``violated``, ``cause`` (None while lag is 0), ``shares``
            (seconds of the lag by cause, bottom to top), ``at_work`` (the span at work, or None).
        """
        spans = [s for s in self._flat if s.begin <= instant < s.end]
        at_work = spans[0] if spans and spans[0].subject else None
        cause, paint = None, Paint(self._rpo_s)
        for begin, end, why, after in self._walk(instant):
            if begin <= instant:
                cause, paint = why, after
            if end > instant:
                break
        lag = self._lag(instant)
        if lag is None:
            shares = {"resync": 0.0}
        else:
            paint.fall(lag)
            shares = paint.shares(0.0)
            cause = _most(paint.shares(), _most(shares, self._usual)) if lag > 0 else None
        violated = lag is None or lag > self._rpo_s
        return {"lag_s": lag, "violated": violated, "cause": cause, "shares": shares, "at_work": at_work}

    def _lag(self, instant: float) -> float | None:
        """The lag at an instant, right-continuous; None while there is no image."""
        at = bisect.bisect_right(self._points, (instant, math.inf)) - 1
        if at < 0:
            return 0.0
        t0, y0 = self._points[at]
        if at + 1 == len(self._points):
            return None if math.isnan(y0) else y0
        t1, y1 = self._points[at + 1]
        if math.isnan(y0) or math.isnan(y1):
            return None if math.isnan(y1) else y1 if t1 <= t0 else None
        return float(y0 + (y1 - y0) * (instant - t0) / (t1 - t0)) if t1 > t0 else y1


def _most(shares: dict[str, float], otherwise: str) -> str:
    return max(shares, key=lambda cause: shares[cause]) if shares else otherwise


def _cut(
    timeline: list[tuple[float, float, str]], begin: float, end: float, seconds: float, usual: str
) -> list[Piece]:
    """Cut one violation along the timeline; the seconds of the pieces sum to those of the whole."""
    density = seconds / (end - begin) if end > begin else 0.0
    found: list[Piece] = []
    for since, until, cause in timeline:
        if since >= end:
            break
        low, high = max(since, begin), min(until, end)
        if high > low:
            found.append(Piece(low, high, (high - low) * density, cause))
    if not found:
        return [Piece(begin, end, seconds, usual)]
    rest = seconds - math.fsum(piece.seconds for piece in found)
    longest = max(range(len(found)), key=lambda i: found[i].seconds)
    found[longest] = found[longest]._replace(seconds=found[longest].seconds + rest)
    return found


def seconds_by_cause(pieces: Iterable[Piece], total_s: float) -> dict[str, float]:
    """Sum violated seconds by cause, in the order of `CAUSES`; their exact sum (math.fsum) is ``total_s``."""
    sums: dict[str, list[float]] = {}
    for piece in pieces:
        sums.setdefault(piece.cause, []).append(piece.seconds)
    found = {cause: math.fsum(sums[cause]) for cause in CAUSES if cause in sums}
    if found:
        # Parts in whole units of the total's last place: then what is left is a float64, and all sum to the total.
        grain = math.ulp(total_s)
        found = {cause: round(seconds / grain) * grain for cause, seconds in found.items()}
        longest = max(found, key=lambda cause: found[cause])
        found[longest] = total_s - math.fsum(v for cause, v in found.items() if cause != longest)
    return found
