"""A consistency group in the simulated world: its order, its legs, and who waits for whom."""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Floats, Ints, WriteBatch, sum_of
from drsim.columns import Column, ColumnQueue, stowed
from drsim.simulation.cascade import Relay
from drsim.simulation.content import Origin
from drsim.simulation.hosts import HostProbe
from drsim.simulation.probe import LegProbe
from drsim.simulation.snapshots import AtSource

_NEVER = float("inf")
_LOOK = 8192
"""Waiting writes whose bytes are added up at once."""
ROW = (np.uint16, np.int64, np.int64, np.uint8, np.int16)
"""Of a write on its way from a host: volume, offset, length, kind, feed."""


class SourceLeg(Protocol):
    """What a group needs of a leg: take writes, say how many bytes may come."""

    def host_writes(self, batch: WriteBatch) -> None:
        """Writes of the group's order, handed over at ``batch.time``."""

    def headroom(self) -> int | None:
        """Bytes that may come before the engine must decide; None: no limit."""


class Group:
    """Writes wait here between the host's disk and the engines; the order is given as they pass."""

    def __init__(self, name: str, after: int = 0, origin: Origin | None = None) -> None:
        self.name = name
        self.after = after
        self.origin = origin
        self.legs: list[SourceLeg] = []
        self.probes: list[LegProbe] = []
        """Of every leg, those further down a cascade too: what hosts were told is what a failover is measured by."""
        self.relays: list[Relay] = []
        self.kept: AtSource | None = None
        """The group's snapshots where it is at home, by timetable."""
        self.holders: set[int] = set()
        self.hosts: list[HostProbe] = []
        self.taken = after
        self.bytes_taken = 0
        self._queue = ColumnQueue(np.float64, np.float64, *ROW)  # handed, issued, and the rest
        self._queued_bytes = 0
        self._paces: dict[int, float] = {}
        self._handed_at = float("-inf")
        self._unanswered = ColumnQueue(np.float64, np.int16)  # issued, feed
        self._answers: dict[int, ColumnQueue] = {}
        self._counted: dict[int, int] = {}

    def join(self, host: HostProbe) -> int:
        """A stream of ``host`` will write here; gives its number."""
        self.hosts.append(host)
        return len(self.hosts) - 1

    def acknowledged(self, leg: int, legs: int, seq: Ints, at: Floats) -> None:
        """One of ``legs`` legs has acknowledged through ``seq[i]`` at ``at[i]``; a host waits for all."""
        rows = int(seq[-1]) - self._counted.get(leg, self.after)
        if rows <= 0:
            return
        if len(seq) != rows:
            first = self._counted.get(leg, self.after) + 1
            at = at[np.searchsorted(seq, np.arange(first, first + rows))]
        self._counted[leg] = int(seq[-1])
        if legs == 1:
            self._answer(at, int(seq[-1]))
            return
        self._answers.setdefault(leg, ColumnQueue(np.float64)).push(at)
        if len(self._answers) == legs:
            ready = min(len(queue) for queue in self._answers.values())
            if ready:
                parts = [cast("Floats", queue.pop(ready)[0]) for queue in self._answers.values()]
                self._answer(np.maximum.reduce(parts), min(self._counted.values()))

    def _answer(self, at: Floats, through: int) -> None:
        for probe in self.probes:
            probe.acknowledged(through, at)
        if self.kept is not None:
            self.kept.log.acknowledged(through, at)
        issued, feed = self._unanswered.pop(len(at))
        latency = at - cast("Floats", issued)
        if len(set(self.hosts)) == 1:
            self.hosts[0].latency.feed(latency)
            self.hosts[0].answered(at)
            return
        for host in dict.fromkeys(self.hosts):
            numbers = [n for n, each in enumerate(self.hosts) if each is host]
            mine = np.isin(feed, numbers) if len(numbers) > 1 else feed == numbers[0]
            if mine.any():
                host.latency.feed(latency[mine])
                host.answered(at[mine])

    @property
    def last(self) -> int:
        """The seq of the newest write in the order."""
        return self.taken

    def queue_rows(self, handed: Column, issued: Column, rest: tuple[Column, ...]) -> None:
        """Rows from the hosts: volume, offset, length, kind, feed in ``rest``."""
        self._queue.push(handed, issued, *rest)
        self._queued_bytes += sum_of(cast("Ints", rest[2]))

    @property
    def handed_at(self) -> float:
        """When the newest write entered the order here, seconds; -inf before the first."""
        return self._handed_at

    @property
    def writes(self) -> int:
        """Writes that entered the order here."""
        return self.taken - self.after

    @property
    def waits(self) -> int:
        """How many writes wait that no engine has been told of."""
        return len(self._queue)

    def abandon(self) -> None:
        """The hosts are no more: what waits here was never acknowledged, and never will be."""
        self._queue.clear()
        self._queued_bytes = 0

    def restart(self, last: int) -> None:
        """The site is back: the order goes on after ``last``; who waited for an answer is no more."""
        self.abandon()
        self._unanswered.clear()
        self._answers.clear()
        self._counted = dict.fromkeys(range(len(self.legs)), last)
        self.taken = last
        if self.origin is not None:
            self.origin.failed(last)
        if self.kept is not None:
            self.kept.log.moved(last)
        self.holders.clear()
        self._paces.clear()

    def limit(self) -> int | None:
        """Bytes that may pass before some engine must decide."""
        limits = [room for leg in self.legs if (room := leg.headroom()) is not None]
        limits += [room for hop in self.relays if (room := hop.slack()) is not None and room > 0]
        return min(limits) if limits else None

    @property
    def bounded(self) -> bool:
        """Whether the next write handed over may change what hosts are told."""
        return bool(self.holders or self._pace) or self.limit() is not None

    def crossing(self) -> float:
        """When the first waiting write comes that would exceed the headroom (inf: none)."""
        limit = self.limit()
        if self.holders or not len(self._queue):
            return _NEVER
        if self._pace:
            return self._next_handed()
        if limit is None or self._queued_bytes <= limit:
            return _NEVER
        index = self._rows_within(limit, len(self._queue))
        for chunk in self._queue:
            if index < len(chunk[0]):
                return float(chunk[0][index])
            index -= len(chunk[0])
        return _NEVER

    def next_awaited(self, *, every: bool) -> float:
        """When the next waiting write is handed over (with ``every``; else inf), as things stand."""
        return self._next_handed() if every and not self.holders and len(self._queue) else _NEVER

    def due(self, now: float) -> bool:
        """Whether a write waits that may be handed over by ``now``."""
        return not self.holders and len(self._queue) > 0 and self._next_handed() <= now

    def fits(self) -> bool:
        """Whether `release` hands over the first waiting write: within the headroom, and not paced."""
        if self._pace:
            return False
        limit = self.limit()
        return limit is None or int(next(iter(self._queue))[4][0]) <= limit

    def release(self, now: float) -> None:
        """Hand over what is due by ``now`` and fits."""
        if self.holders or self._pace:
            return
        rows = self._queue.due(now)
        limit = self.limit()
        if rows and limit is not None:
            rows = self._rows_within(limit, rows)
        if rows:
            self._hand_over(rows)

    def force(self, now: float) -> None:
        """Hand over the one write that does not fit, or is paced: its engine decides what becomes of it."""
        assert self._next_handed() <= now, "a decision must not come before its write"
        if self._pace:
            self._queue.raise_first(now)
        self._hand_over(1)

    def hold(self, leg: int) -> None:
        """An engine takes no more writes for now."""
        self.holders.add(leg)

    def unhold(self, leg: int, now: float) -> None:
        """The engine takes writes again; those that waited are handed over now."""
        self.holders.discard(leg)
        if not self.holders and len(self._queue):
            self._queue.raise_all(now)

    def pace(self, leg: int, delay_s: float) -> None:
        """An engine asks for ``delay_s`` between host writes; the slowest leg's word counts."""
        self._paces[leg] = delay_s

    def failed(self, seq: Ints) -> None:
        """The newest writes were refused: they never entered the order."""
        rows = len(seq)
        assert int(seq[-1]) == self.taken, "only the newest writes can fail"
        _, feed = self._unanswered.newest(rows)
        for number in feed.tolist():
            self.hosts[number].failed += 1
            self.hosts[number].answered(np.array([self._handed_at]))
        self._unanswered.drop_newest(rows)
        for probe in self.probes:
            probe.failed(rows)
        self.taken -= rows
        if self.origin is not None:
            self.origin.failed(self.taken)

    @property
    def _pace(self) -> float:
        return max(self._paces.values(), default=0.0)

    def _next_handed(self) -> float:
        return max(self._queue.first(), self._handed_at + self._pace)

    def _rows_within(self, limit: int, most: int) -> int:
        """How many of the first ``most`` waiting writes fit in ``limit`` bytes, looking no further than it takes."""
        rows = total = 0
        for chunk in self._queue:
            for start in range(0, len(chunk[4]), _LOOK):
                size = cast("Ints", chunk[4][start : start + min(_LOOK, most - rows)])
                nbytes = sum_of(size)
                if total + nbytes > limit:
                    if size.strides == (0,):
                        return rows + (limit - total) // int(size[0])
                    return rows + int(np.searchsorted(np.cumsum(size), limit - total, side="right"))
                rows += len(size)
                total += nbytes
                if rows == most:
                    return rows
        return rows

    def _hand_over(self, rows: int) -> None:
        handed, issued, volume, offset, length, kind, feed = self._queue.pop(rows)
        seq = np.arange(self.taken + 1, self.taken + rows + 1, dtype=np.int64)
        behind = max((probe.behind for probe in self.probes), default=0)
        seq, handed, volume, offset, length, kind = stowed(
            (seq, handed, volume, offset, length, kind), behind
        )
        batch = WriteBatch(
            seq,
            cast("Floats", handed),
            cast("NDArray[np.uint16]", volume),
            cast("Ints", offset),
            cast("Ints", length),
            cast("NDArray[np.uint8]", kind),
        )
        self.taken += rows
        size = batch.nbytes
        self.bytes_taken += size
        self._queued_bytes -= size
        self._unanswered.push(issued, feed)
        self._handed_at = float(batch.time[-1])
        if self.origin is not None:
            self.origin.written(batch)
        for probe in self.probes:
            probe.written(batch)
        for hop in self.relays:
            hop.coming(batch)
        for leg in self.legs:
            leg.host_writes(batch)
        if not self.legs:  # Nowhere to send to: the site's own volumes are all there is.
            self._answer(batch.time, batch.last)
        if self.kept is not None:
            self.kept.written(batch.through(self.taken))  # What was refused is on no volume.
