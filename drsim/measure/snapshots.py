"""Older points of a target: what each snapshot holds, how old the newest grew; how far back a history reached."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from drsim.measure.latency import LatencyMeter
from drsim.measure.stream import Floats, Ints

KEPT, RETIRED, FULL, LOST = "kept", "retired", "full", "lost"
ENDS = {
    KEPT: "there at the end",
    RETIRED: "went for a newer one, as its timetable says",
    FULL: "gone because room for what is overwritten had run out",
    LOST: "gone with its site's data",
}
"""What became of a snapshot."""

NUMBERS = (
    "snapshots_taken",
    "snapshots_kept",
    "snapshots_lost",
    "snapshot_age_mean_s",
    "snapshot_age_max_s",
    "snapshot_none_s",
)
"""The keys of the summary, None without a timetable."""


WINDOW = ("history_mean_s", "history_min_s", "history_cut_writes")
"""The keys of the summary about a history, None without one."""


class HistoryMeter:
    """For how long writes could be undone at a target that keeps older points in front of its volumes.

    Args:
        keep: seconds wanted; None where room alone decides.
    """

    def __init__(self, keep: float | None) -> None:
        self._keep = keep
        self._ages = LatencyMeter()
        self._min = math.inf
        self._cut = 0

    def left(self, made: Floats, at: Floats) -> None:
        """Writes handed over at ``made`` went to the volumes at ``at`` (float64[n] seconds both)."""
        age = at - made
        self._ages.feed(age)
        self._min = min(self._min, float(age.min()))
        if self._keep is not None:
            self._cut += int(np.count_nonzero(at < made + self._keep))

    def finish(self) -> dict[str, Any]:
        """Mean and least age of writes that left, and how many did before their time; None where none left."""
        mean = self._ages.finish()["write_latency_mean_s"]
        numbers = (mean, None if mean is None else self._min, self._cut)
        return dict(zip(WINDOW, numbers, strict=True))


@dataclass(slots=True)
class Taken:
    """One snapshot: its name, when it was taken (seconds), and the order's last write in it.

    ``level``: the last write of the order as it goes on in it; the same but where a takeover left some out.
    ``lacks_from``: when the oldest acknowledged write that is not in it was acknowledged (None: nothing was since).
    ``nbytes``: bytes of all acknowledged writes in it, as soon as one was acknowledged that is not.
    ``gone_at``: when it went (inf: it is there), ``end`` why.
    """

    name: str
    at: float
    seq: int
    level: int
    lacks_from: float | None = None
    nbytes: int = 0
    gone_at: float = math.inf
    end: str = KEPT


class SnapshotLog:
    """Notes the snapshots of one timetable's site, and pairs each with the first write it lacks.

    Args:
        after: the order goes on after this seq.
    """

    def __init__(self, after: int = 0) -> None:
        self.taken: list[Taken] = []
        self._open: list[Taken] = []
        self._acked: deque[tuple[int, Floats, Ints | None]] = deque()
        self._told = after
        self._forgotten = self._nbytes = 0
        self._there: dict[str, Taken] = {}
        self._away: list[tuple[float, float]] = []

    def acknowledged(self, through: int, at: Floats, nbytes: Ints | None = None) -> None:
        """Hosts were told of the order's writes up to ``through`` at ``at``, the last rows of which are new.

        ``nbytes``: int64[n], their sizes; without them nobody asks how much a snapshot lacks.
        """
        rows = through - self._told
        if rows > 0:
            new = None if nbytes is None else nbytes[len(nbytes) - rows :]
            self._nbytes += 0 if new is None else int(new.sum())
            self._acked.append((self._told + 1, at[len(at) - rows :], new))
            self._told = through

    def take(self, name: str, seq: int, at: float) -> None:
        """A snapshot was taken that holds the order through ``seq``."""
        self.gone(name, at, RETIRED)
        each = Taken(name, at, seq, seq)
        self.taken.append(each)
        self._open.append(each)
        self._there[name] = each

    def gone(self, name: str, at: float, end: str) -> None:
        """A snapshot is there no longer."""
        each = self._there.pop(name, None)
        if each is not None:
            each.gone_at, each.end = at, end

    def away(self, at: float) -> None:
        """The site is lost: nothing there can be used."""
        self._away.append((at, math.inf))

    def back(self, at: float, *, empty: bool) -> None:
        """The site is there again, with its snapshots or without."""
        lost = self._away[-1][0]
        self._away[-1] = (lost, at)
        for name in list(self._there) if empty else ():
            self.gone(name, lost, LOST)

    def moved(self, after: int) -> None:
        """The order goes on after a seq, perhaps elsewhere: what was acknowledged beyond it is of it no longer."""
        for each in self._open:
            each.level = min(each.level, after)
        acked, self._acked = self._acked, deque()
        for first, at, nbytes in acked:
            rows = min(len(at), max(after + 1 - first, 0))
            if rows:
                self._acked.append((first, at[:rows], None if nbytes is None else nbytes[:rows]))
        self._told = after

    def settled(self, written: int) -> None:
        """All acknowledgements so far are known; no later snapshot ends before ``written``."""
        still = []
        for each in self._open:
            self._look_for(each)
            if each.lacks_from is None:
                still.append(each)
        self._open = still
        needed = min([written, *(each.level for each in still)])
        while self._acked and self._acked[0][0] + len(self._acked[0][1]) - 1 <= needed:
            _, _, nbytes = self._acked.popleft()
            self._forgotten += 0 if nbytes is None else int(nbytes.sum())

    def _look_for(self, each: Taken) -> None:
        """Find the first acknowledged write that a snapshot lacks."""
        before = self._forgotten
        for first, at, nbytes in self._acked:
            rows = max(each.level + 1 - first, 0)
            if rows < len(at):
                each.lacks_from = float(at[rows])
                each.nbytes = before + (0 if nbytes is None else int(nbytes[:rows].sum()))
                return
            before += 0 if nbytes is None else int(nbytes.sum())

    def newest(self, by: float) -> Taken | None:
        """The newest snapshot that is there and was taken by then (seconds)."""
        return max((each for each in self._there.values() if each.at <= by), key=lambda t: t.at, default=None)

    def lost(self, each: Taken, at: float) -> tuple[float, int, int]:
        """What going back to a snapshot loses at ``at``, in seconds, bytes and writes."""
        if each.lacks_from is None:
            return 0.0, 0, 0
        return at - each.lacks_from, self._nbytes - each.nbytes, self._told - each.seq

    def finish(self, begin: float, end: float) -> dict[str, Any]:
        """The `NUMBERS` over the window [``begin``, ``end``], seconds."""
        area = covered = 0.0
        oldest: float | None = None
        for low, high, lacks in self._served(begin, end):
            covered += high - low
            oldest = max(oldest or 0.0, high - lacks, 0.0)
            if high > lacks:
                area += (high - lacks) ** 2 / 2 - max(low - lacks, 0.0) ** 2 / 2
        inside = [each for each in self.taken if each.at <= end]
        ends = [each.end for each in inside if each.gone_at <= end]
        gone = ends.count(FULL) + ends.count(LOST)
        mean = area / covered if covered else None
        numbers = (len(inside), len(inside) - len(ends), gone, mean, oldest, max(end - begin - covered, 0.0))
        return dict(zip(NUMBERS, numbers, strict=True))

    def _served(self, begin: float, end: float) -> Iterator[tuple[float, float, float]]:
        """Stretches in which one snapshot was the newest: (from, to, its ``lacks_from``)."""
        edges = {begin, end, *(t for gap in self._away for t in gap)}
        edges |= {t for each in self.taken for t in (each.at, each.gone_at)}
        times = sorted(t for t in edges if begin <= t <= end)
        stack: list[Taken] = []
        coming = deque(self.taken)
        for low, high in itertools.pairwise(times):
            while coming and coming[0].at <= low:
                stack.append(coming.popleft())
            while stack and stack[-1].gone_at <= low:
                stack.pop()
            if stack and not any(since <= low < until for since, until in self._away):
                lacks = stack[-1].lacks_from
                yield low, high, math.inf if lacks is None else lacks

    def columns(self, end: float) -> dict[str, Any]:
        """One row a snapshot, in the order taken.

        Returns:
            ``name``; ``taken_at``: seconds; ``seq``: the order's last write in it; ``lacks_from``: everything
            acknowledged before this second is in it (NaN: nothing was acknowledged since); ``gone_at``: seconds
            (NaN: it is there); ``end``: a word of `ENDS`.
        """
        rows = [each for each in self.taken if each.at <= end]
        gone = [each.gone_at if each.gone_at <= end else math.nan for each in rows]
        lacks = [math.nan if each.lacks_from is None else each.lacks_from for each in rows]
        return {
            "name": [each.name for each in rows],
            "taken_at": np.array([each.at for each in rows], np.float64),
            "seq": np.array([each.seq for each in rows], np.int64),
            "lacks_from": np.array(lacks, np.float64),
            "gone_at": np.array(gone, np.float64),
            "end": [each.end if each.gone_at <= end else KEPT for each in rows],
        }
