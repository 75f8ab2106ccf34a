"""Listens to one leg and keeps its exact measures; engines state facts, probes listen, reports compute."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from drsim.blocks.batch import Floats, Ints, WriteBatch, joined, repeated, stretched
from drsim.columns import ColumnQueue, stowed
from drsim.measure.images import ImageLog
from drsim.measure.lag import LagMeter
from drsim.measure.occupancy import OccupancyMeter
from drsim.measure.snapshots import HistoryMeter, SnapshotLog
from drsim.measure.unsent import UnsentPeak
from drsim.replication import actions as do


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a leg's story."""

    at: float
    who: str
    what: str
    detail: str


class LegProbe:
    """Pairs, for each write of the order, when its host was told and when a failover would have found it.

    Args:
        rpo_s: the objective, seconds.
        journal_limit: bytes the journal holds.
        since: where the window of the measures begins, seconds; `finish`, `lag` and `journal` count from there.
        after: the order goes on after this seq; an image before it has no place in the order.
        points: images are whole cycles, of which each is a point of its own.
    """

    def __init__(
        self,
        rpo_s: float | None,
        journal_limit: int | None,
        since: float = 0.0,
        after: int = 0,
        *,
        points: bool = False,
    ) -> None:
        self.since = since
        self.kept: SnapshotLog | None = None
        self.history: HistoryMeter | None = None
        self.images = ImageLog(points=points)
        self.lag = LagMeter(rpo_s)
        self.journal = OccupancyMeter(journal_limit, spread=False)
        self._unsent = UnsentPeak()
        self.lag.backlog.watch = self._unsent.seen
        self.story: list[Told] = []
        self.counters: dict[str, float] = {}
        self.told = self.recoverable = self._after = after
        self.told_at = self.recovered_at = self._released_at = since
        self._written = ColumnQueue(np.int64)
        self._acked = ColumnQueue(np.float64, np.int64)
        self._found = ColumnQueue(np.float64)
        self._journalled = ColumnQueue(np.int64, np.int64)
        self.strange = False
        """What the target holds is of another order, unless it is the very image this one begins with."""
        self._exposed_since: float | None = None
        self._image_since = 0.0
        self._closed_at = math.inf
        self._unheard: list[Callable[[], None]] | None = None

    def written(self, batch: WriteBatch) -> None:
        """The leg was told of the group's next writes."""
        if self.closed:
            return
        self._written.push(batch.length)

    def acknowledged(self, through: int, at: Floats) -> None:
        """Hosts were told of the order's writes up to ``through``, one by one, at ``at``."""
        rows = through - self.told
        if rows <= 0 or self.closed:
            return
        assert rows <= len(at), "a write was acknowledged of which nobody was told"
        at = at[len(at) - rows :]
        self.told += rows
        self.told_at = float(at[-1])
        written = self._written.pop(rows)
        if self.kept is not None:
            self.kept.acknowledged(through, at, cast("Ints", written[0]))
        at, nbytes = stowed((self._within(at), *written), len(self._acked))
        self.lag.arrive(at, cast("Ints", nbytes))
        self._unsent.arrive(at, cast("Ints", nbytes))
        self._acked.push(at, nbytes)
        self._pair()

    @property
    def behind(self) -> int:
        """Writes of which hosts were told and that no failover would find."""
        return len(self._acked)

    def failed(self, rows: int) -> None:
        """The newest writes never entered the order."""
        self._written.drop_newest(rows)

    def journalled(self, batch: WriteBatch) -> None:
        """Writes entered the journal as they were handed over."""
        if self._later(partial(self.journalled, batch)):
            return
        self.journal.arrive(self._within(batch.time), batch.room)
        self._journalled.push(batch.seq, batch.room)

    def released(self, seq: Ints, at: Floats) -> None:
        """The source learned at ``at[i]`` that the target holds the order through ``seq[i]``."""
        if self._later(partial(self.released, seq, at)):
            return
        rows = self._journalled.due(int(seq[-1]))
        if not rows:
            return
        freed, sizes = zip(*self._journalled.pop_chunks(rows), strict=True)
        if len(seq) == 1:
            at = repeated(at, rows)
        elif rows != len(seq) or freed[0][0] != seq[0]:
            at = at[np.searchsorted(seq, cast("Ints", joined(freed)))]
        self.journal.release(self._within(at), cast("Ints", joined(sizes)))
        self._released_at = float(at[-1])

    def trimmed(self, through: int, now: float) -> None:
        """The journal forgot the order through ``through``."""
        self.released(np.array([through]), np.array([now]))

    def found(self, seq: Ints, at: Floats) -> None:
        """A failover at ``at[i]`` or later finds an image consistent at ``seq[i]``."""
        foreign = int(seq[-1]) < self._after or (self.strange and int(seq[-1]) != self._after)
        if foreign or self._later(partial(self.found, seq, at)):
            return
        self.strange = False
        first = int(np.searchsorted(seq, self._after)) if seq[0] < self._after else 0
        seq, at = seq[first:], at[first:]
        if self._exposed_since is not None:
            self._covered(max(float(at[0]), self._exposed_since))
        assert seq[0] >= self.recoverable, "a recoverable point went back"
        onward = bool((seq[1:] > seq[:-1]).all())
        inside = self._within(at)
        if onward and seq[0] > self.recoverable and int(seq[-1]) - self.recoverable == len(seq):
            self._found.push(inside)  # one by one
        else:
            assert onward or (seq[1:] >= seq[:-1]).all(), "a recoverable point went back"
            self._found.push(stretched(inside, np.diff(seq, prepend=self.recoverable)))
        self.images.found(seq, at)
        self.recoverable = int(seq[-1])
        self.recovered_at = max(self.recovered_at, float(at[-1]))
        self._pair()

    def fact(self, who: str, action: do.Action, now: float) -> None:
        """Anything else an engine says."""
        match action:
            case do.Noted(what=what, value=value):
                self.counters[what] = self.counters.get(what, 0.0) + value
                if what.startswith("resync_not_converging"):
                    what, _, why = what.partition(": ")
                    self.story.append(Told(now, who, what, why))
            case do.StateChanged(old=old, new=new, at=at, cause=cause):
                self.story.append(Told(at, who, f"{old} -> {new}", cause))
                if who == "source":
                    self.images.turned(new, at, self.recoverable)
            case do.Exposed(at=at):
                self.expose(max(at, self.since))
            case do.TakeSnapshot(name=name, seq=seq):
                self.story.append(Told(now, who, "snapshot", f"{name} at {seq}"))

    def settled(self, now: float) -> None:
        """Every acknowledgement and recovery before ``now`` is known."""
        if self.closed or self._unheard is not None:
            return
        self.lag.advance(now - self.since)
        self.journal.advance(now - self.since)

    def missing(self) -> tuple[Floats, Ints]:
        """Acknowledged writes no failover would find now: when, bytes."""
        at, nbytes = self._missing()
        return at + self.since if self.since else at, nbytes

    def _missing(self) -> tuple[Floats, Ints]:
        return cast("tuple[Floats, Ints]", self._acked.all())

    def _within(self, at: Floats) -> Floats:
        """Instants counted from the window's begin; none lies before it."""
        at = at - self.since if self.since else at
        return np.maximum(at, 0.0) if at[0] < 0 else at

    def states(self, end: float) -> list[tuple[tuple[float, float], str]]:
        """The source's states as ((begin, end), state), over [0, ``end``]."""
        end = self.until(end)
        changes = [
            told for told in self.story if told.who == "source" and " -> " in told.what and told.at <= end
        ]
        spans: list[tuple[tuple[float, float], str]] = []
        for index, told in enumerate(changes):
            until = changes[index + 1].at if index + 1 < len(changes) else end
            spans.append(((told.at, until), told.what.rpartition(" -> ")[2]))
        return spans

    def finish(self, end: float) -> dict[str, Any]:
        """The summary keys of this target over [``since``, ``end``], or to where the leg was closed."""
        self.resume()
        end = self.until(end)
        if self._exposed_since is not None:
            self._covered(end)
        summary = self.lag.finish(end - self.since, *self._missing())
        summary["backlog_peak_bytes"] = self._unsent.finish()
        # Acknowledgements may still come back after everything is recoverable.
        last = max(end, self._released_at) - self.since
        summary["journal_peak_bytes"] = self.journal.finish(last)["peak_bytes"]
        return summary

    @property
    def closed(self) -> bool:
        """Whether the window of the leg's measures has ended."""
        return self._closed_at < math.inf

    @property
    def exposed(self) -> bool:
        """Whether a failover would find no consistent image now."""
        return self._exposed_since is not None

    def close(self, at: float) -> None:
        """The window of the leg's measures ends at ``at``: nothing more is written that could be missing."""
        if not self.closed:
            self._unheard = None
            self.settled(at)
            self._closed_at = at

    def suspend(self, at: float) -> None:
        """The source is away from ``at`` on. Whether the window ends there is known later: `close` or `resume`."""
        if not self.closed:
            self.settled(at)
            self._unheard = []

    def resume(self) -> None:
        """The source is back, and the window goes on: what happened meanwhile counts."""
        unheard, self._unheard = self._unheard, None
        for fact in unheard or ():
            fact()

    def restarted(self, last: int, at: float) -> None:
        """The source is back at ``at``: the order goes on after ``last``, and what it took beyond is forgotten."""
        if last > self.told:
            self.acknowledged(last, np.full(last - self.told, at))
        self._written.clear()
        kept = self._journalled.due(last)
        rows = self._journalled.newest(len(self._journalled) - kept)
        self._journalled.drop_newest(len(rows[0]))
        if len(rows[0]):
            self.journal.release(self._within(np.full(len(rows[0]), at)), cast("Ints", rows[1]))

    def _later(self, fact: Callable[[], None]) -> bool:
        """Whether a fact is of no use now: the window has ended, or is known to go on only later (then it is kept)."""
        if self._unheard is not None:
            self._unheard.append(fact)
        return self.closed or self._unheard is not None

    def until(self, end: float) -> float:
        """Where the window ends in a run that ends at ``end``."""
        return min(end, self._closed_at)

    def expose(self, at: float) -> None:
        """From ``at`` on there is no consistent image at the target."""
        if not self._later(partial(self.expose, at)) and self._exposed_since is None:
            self._exposed_since = at
            self.lag.expose(at - self.since, math.inf)

    def _covered(self, at: float) -> None:
        """There is an image again from ``at`` on."""
        assert self._exposed_since is not None
        self._image_since = at - self.since
        self.lag.expose(self._exposed_since - self.since, at - self.since)
        self._exposed_since = None

    def _pair(self) -> None:
        rows = min(len(self._acked), len(self._found))
        if self._exposed_since is not None:
            # An acknowledgement may come after the image that had the write is gone: it counts when there is one again.
            gone = self._exposed_since - self.since
            rows = min(rows, self._acked.due(gone), self._found.due(gone))
        if rows:
            (found,) = cast("tuple[Floats]", self._found.pop(rows))
            if found[0] < self._image_since:
                found = np.maximum(found, self._image_since)
            whole = found.strides == (0,)
            parts = self._acked.pop_chunks(rows) if whole else [self._acked.pop(rows)]
            for at, nbytes in cast("list[tuple[Floats, Ints]]", parts):
                recovered, found = found[: len(at)], found[len(at) :]
                if recovered[0] < at[-1]:
                    recovered = np.maximum(recovered, at)
                self.lag.feed(at, nbytes, recovered)
                self._unsent.feed(at, nbytes, recovered)
