"""Hosts of one site: their streams merged in time, written to the site's disk, handed to their groups.

Hosts come before everything else on a disk, so what they see never depends on destaging.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Floats, Ints, chosen, joined, repeated, row_by_row
from drsim.columns import Column, ColumnQueue
from drsim.scenario.site import NO_JUMP
from drsim.simulation.group import ROW, Group
from drsim.simulation.hosts import HostProbe
from drsim.simulation.loop import Loop
from drsim.simulation.rounds import DiskPace, Rounds, units
from drsim.workload.columns import Writes


class Feed:
    """One stream of one host, read block by block and cut at any instant."""

    def __init__(
        self, blocks: Iterator[Writes], group: Group, volume: int, host: HostProbe, *, addresses: bool
    ) -> None:
        self.group = group
        self.volume = volume
        self.host = host
        self.number = group.join(host)
        self._blocks = blocks
        self._addresses = addresses
        self._rows = ColumnQueue(np.float64, np.int64, np.int64, np.uint8)
        self._ended = False

    def move(self, group: Group, after: float) -> None:
        """Go on in another order, or after a stop: what would have been written by ``after`` never is."""
        self.take(after)
        if group is not self.group:
            self.number = group.join(self.host)
            self.group = group

    def take(self, until: float) -> tuple[Floats, Ints, Ints, NDArray[np.uint8]]:
        """Writes with a time of at most ``until``: time, offset, length, kind."""
        while not self._ended and self._rows.last() <= until:
            self._read()
        time, offset, length, kind = self._rows.take(until)
        return (
            cast("Floats", time),
            cast("Ints", offset),
            cast("Ints", length),
            cast("NDArray[np.uint8]", kind),
        )

    def known(self) -> float:
        """Through when its writes are at hand; inf where there are no more than those at hand."""
        if not len(self._rows) and not self._ended:
            self._read()
        return float("inf") if self._ended else self._rows.last()

    def next_time(self) -> float:
        """When its next write comes (inf: never)."""
        self.known()
        return self._rows.first()

    def exhausted(self) -> bool:
        """Whether the stream has ended and all of it was taken."""
        if not len(self._rows) and not self._ended:
            self._read()
        return self._ended and not len(self._rows)

    def _read(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            self._ended = True
            return
        offset = block.offset if self._addresses else repeated(np.int64(0), len(block.time))
        self._rows.push(block.time, offset, block.length, block.kind)


class Intake:
    """The hosts of a site; ``advance`` hands acknowledged-to-be writes to the groups in time order."""

    def __init__(self, feeds: list[Feed], disk: DiskPace | None, loops: Sequence[Loop] = ()) -> None:
        self._feeds = feeds
        self._disk = disk
        self._queue = ColumnQueue(np.float64, np.int16, *ROW)
        self._end = -1, -1
        every = [*feeds, *(feed for loop in loops for feed in loop.feeds)]
        self.groups = list(dict.fromkeys(feed.group for feed in every))
        self.loops = list(loops)
        self._rounds: Rounds | None = None
        for loop in loops:
            loop.number(self.groups)

    def let_run(self) -> None:
        """The hosts of closed loops here wait for nothing but the disk."""
        self._rounds = Rounds(self._disk)
        self._rounds.add(self.loops)

    @property
    def waiting(self) -> bool:
        """Whether there are closed loops that wait for more than the disk."""
        return bool(self.loops) and self._rounds is None

    @property
    def ahead(self) -> bool:
        """Whether a settle leaves work of these hosts on their disk that is later than what is being decided."""
        return self._disk is not None and bool(self._feeds or self.loops)

    def stop(self) -> None:
        """The hosts are no more, and with them what they were writing."""
        self._feeds.clear()
        self._halt(self.loops, lost=True)
        self._queue.clear()
        if self._disk is not None:
            self._disk.server.cut(self._disk.server.now)

    def start(self, feeds: list[Feed], loops: Sequence[Loop], now: Mapping[str, Group], at: float) -> None:
        """Hosts write here from ``at`` (seconds) on to groups as they are ``now`` (see `Feed.move`, `Loop.restart`)."""
        self.groups += [group for group in now.values() if group not in self.groups]
        for feed in feeds:
            feed.move(now[feed.group.name], at)
        self._feeds += feeds
        for loop in loops:
            loop.restart(now, self.groups, at)
        self.loops += loops
        if self._rounds is not None:
            self._rounds.add(loops)

    def quiesce(self, group: Group) -> None:
        """The hosts write no more to a group; what they have issued still lands."""
        self._feeds = [feed for feed in self._feeds if feed.group is not group]
        self._halt([loop for loop in self.loops if group in loop.groups], lost=False)

    def _halt(self, loops: Sequence[Loop], *, lost: bool) -> None:
        for loop in loops:
            owed = loop.outstanding if self._rounds is None else self._rounds.drop(loop)
            loop.halt(0 if lost else owed)
        self.loops = [loop for loop in self.loops if loop not in loops]

    def owes(self, group: Group) -> bool:
        """Whether writes to a group are still on their way through the site's disk."""
        return self.under_way(group) > 0

    def under_way(self, group: Group) -> int:
        """How many writes to a group are on their way through the site's disk."""
        index = self.groups.index(group) if group in self.groups else -1
        return sum(int(np.count_nonzero(chunk[1] == index)) for chunk in self._queue)

    def next_awaited(self, *, every: bool) -> float:
        """When the next write on its way through the disk is handed over (with ``every``; else inf)."""
        if self._disk is None or not every or not len(self._queue):
            return float("inf")
        return self._disk.server.finish_of(0, 0) + self._disk.latency_s

    def exhausted(self) -> bool:
        """Whether every stream has ended and its writes were handed over."""
        streams = [*(f.exhausted() for f in self._feeds), *(loop.exhausted() for loop in self.loops)]
        return not len(self._queue) and all(streams)

    def next_event(self) -> float:
        """When a host next issues a write, or the disk hands one over, as far as is known."""
        issues = [feed.next_time() for feed in self._feeds] + [loop.next_issue() for loop in self.loops]
        return min([self.next_awaited(every=True), *issues])

    def advance(self, until: float) -> None:
        """Issue and serve host writes up to ``until`` (seconds)."""
        if self._disk is not None:
            self._through_disk(self._disk, until)
        elif self.loops:
            rows = self._issue(until, self._feeds)
            if rows is not None:
                self._hand_over(cast("Floats", rows[0]), rows)
        else:
            for group in self.groups:
                rows = self._issue(until, [f for f in self._feeds if f.group is group])
                if rows is not None:
                    group.queue_rows(rows[0], rows[0], rows[2:])

    def _issue(self, until: float, feeds: list[Feed]) -> tuple[Column, ...] | None:
        """Merge the streams' writes by time; ties keep the streams' order."""
        parts: list[tuple[Column, ...]] = []
        for feed in feeds:
            time, offset, length, kind = feed.take(until)
            n = len(time)
            if n:
                group = repeated(np.int16(self.groups.index(feed.group)), n)
                volume = repeated(np.uint16(feed.volume), n)
                parts.append((time, group, volume, offset, length, kind, repeated(np.int16(feed.number), n)))
        if self._rounds is not None and self.loops:
            self._rounds.advance(until, *self._opened(parts))
        parts += [rows for loop in self.loops if (rows := loop.take(until)) is not None]
        if not parts:
            return None
        if len(parts) == 1:
            return parts[0]
        columns = [joined(each) for each in zip(*parts, strict=True)]
        order = np.argsort(columns[0], kind="stable")
        return tuple(chosen(column, order) for column in columns)

    def _opened(self, parts: list[tuple[Column, ...]]) -> tuple[Floats, Ints]:
        """When open streams issue, in order, and what that costs the disk."""
        if not parts or self._disk is None:
            return np.empty(0), np.empty(0, np.int64)
        time = np.concatenate([cast("Floats", part[0]) for part in parts])
        order = np.argsort(time, kind="stable")
        length = np.concatenate([cast("Ints", part[4]) for part in parts])
        return time[order], units(self._disk, length)[order]

    def _through_disk(self, disk: DiskPace, until: float) -> None:
        rows = self._issue(until, self._feeds)
        if rows is not None:
            cost = self._cost(disk, rows)
            for index, group in enumerate(self.groups):
                if group.kept is not None and group.kept.at_issue:
                    mine, cost = np.flatnonzero(rows[1] == index), np.array(cost)
                    cost[mine] += disk.saving(group.kept.issued([rows[i][mine] for i in (0, 2, 3, 4, 5)]))
            disk.server.offer(0, cast("Floats", rows[0]), cost)
            disk.shadow(cast("Floats", rows[0]), cost)
            self._queue.push(*rows)
        finished = disk.server.advance(max(_before(until, disk.latency_s), disk.server.now))
        if not finished:
            return
        finish = finished[0][1]
        handed = finish + disk.latency_s if disk.latency_s else finish
        self._hand_over(handed, self._queue.pop(len(finish)))

    def _hand_over(self, handed: Floats, rows: tuple[Column, ...]) -> None:
        """Give each group its own of the rows, at the times at which they may enter the order."""
        issued, group, *rest = rows
        if len(self.groups) == 1:
            self.groups[0].queue_rows(handed, issued, tuple(rest))
            return
        for index, owner in enumerate(self.groups):
            mine = np.flatnonzero(group == index)
            if len(mine):
                owner.queue_rows(handed[mine], issued[mine], tuple(chosen(column, mine) for column in rest))

    def _cost(self, disk: DiskPace, rows: tuple[Column, ...]) -> Ints:
        length = cast("Ints", rows[4])
        if disk.seeks:
            return disk.charge(length, self._jumps(rows))
        return row_by_row(lambda sizes: disk.charge(sizes, NO_JUMP), length)

    def _jumps(self, rows: tuple[Column, ...]) -> NDArray[np.bool_]:
        """Which writes do not go on where the one before them on the disk ended."""
        offset, length = cast("Ints", rows[3]), cast("Ints", rows[4])
        place = cast("Ints", rows[6])
        jump = np.empty(len(offset), np.bool_)
        jump[0] = (int(offset[0]), int(place[0])) != self._end
        jump[1:] = (offset[1:] != offset[:-1] + length[:-1]) | (place[1:] != place[:-1])
        self._end = int(offset[-1]) + int(length[-1]), int(place[-1])
        return jump


def _before(until: float, latency: float) -> float:
    """The last instant which ``latency`` later is not after ``until``, to the last bit."""
    if until + latency <= until:
        return until
    low, high = until - latency, until
    if low + latency > until:
        low = math.nextafter(low, -math.inf)
    elif math.nextafter(low, math.inf) + latency <= until:
        # Rounding lets more instants pass: find the last of them.
        while low < (middle := low + (high - low) / 2) < high:
            low, high = (middle, high) if middle + latency <= until else (low, middle)
    return low
