"""A closed-loop host: at most so many writes unacknowledged; the next one waits for a place, or for a thought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Floats, Ints
from drsim.columns import Column, ColumnQueue
from drsim.simulation.group import ROW, Group
from drsim.simulation.hosts import HostProbe
from drsim.simulation.rounds import DiskPace, Round

NEVER = float("inf")
_ENDLESS = 10_000
"""Writes of one host at one instant after which it is clear that time will never pass."""


class EndlessError(ValueError):
    """A world in which time stands still."""


class Source(Protocol):
    """A stream of the host, as `drsim.simulation.intake.Feed` gives it."""

    group: Group
    volume: int
    number: int

    def known(self) -> float:
        """Through when its writes are at hand; inf where there are no more than those at hand."""

    def take(self, until: float) -> tuple[Floats, Ints, Ints, NDArray[np.uint8]]:
        """Writes with a time of at most ``until``."""

    def exhausted(self) -> bool:
        """Whether the stream has ended and all of it was taken."""

    def move(self, group: Group, after: float) -> None:
        """Go on in another order; what would have been written by ``after`` never is."""


class Loop:
    """One host with ``depth`` places.

    A write is issued when its arrival has come and a place is free, in the order of arrivals. With
    ``think`` arrivals only give the order: each place, once free, thinks for the next of these durations
    (seconds) and then issues the next write: a closed network of ``depth`` customers.

    Which write is issued when follows from acknowledgements alone, each taken at its own time, so a settle
    must not go past the first instant at which one that is not known yet could matter (`certain`).
    """

    def __init__(
        self, feeds: Sequence[Source], depth: int, probe: HostProbe, think: Iterator[Floats] | None = None
    ) -> None:
        self.feeds = list(feeds)
        self._groups: list[Group] = []
        self._probe = probe
        self._think = think
        self._thoughts = np.empty(0)
        self._minded: list[float] = []
        # Arrival, group, volume, offset, length, kind, feed.
        self._rows = ColumnQueue(np.float64, np.int16, *ROW)
        self._depth = depth
        self._free = np.zeros(depth)
        self._last = 0.0
        self._burst = 0
        self._round: Round | None = None
        self._stale = 0
        if think is not None:
            self._free = np.sort(self._draw(depth))
        probe.answered = self.answered

    def number(self, groups: list[Group]) -> None:
        """Groups are told apart by their place in ``groups``."""
        self._groups = groups

    @property
    def outstanding(self) -> int:
        """Writes issued and not acknowledged."""
        return self._depth - len(self._free)

    def answered(self, at: Floats) -> None:
        """Writes were acknowledged (or refused) at ``at`` (float64[n], seconds): as many places are free."""
        if self._round is not None:
            return  # It knew.
        if self._stale:
            stale = min(self._stale, len(at))
            self._stale, at = self._stale - stale, at[stale:]
        free = at if self._think is None else at + self._draw(len(at))
        self._free = np.sort(np.concatenate([self._free, free]), kind="stable")
        assert len(self._free) <= self._depth, "more writes were acknowledged than were issued"

    def certain(self, now: float, soonest: float) -> float:
        """Through when its writes do not depend on what is not known.

        Args:
            now: seconds, the instant reached.
            soonest: seconds, before which no acknowledgement can come of what was issued.
        """
        self._fill(len(self._free) + 1)
        if not len(self._rows):
            return NEVER
        places = len(self._free)
        if self._think is None:
            if len(self._rows) <= places:
                return NEVER
            arrival = float(self._head(places + 1)[0][-1])
            if arrival > now:
                return arrival
        return max(min(self.next_issue(), soonest if self.outstanding else NEVER), now)

    def next_issue(self) -> float:
        """When it issues its next write, as far as is known; inf if a place must come free first."""
        self._fill(1)
        if not len(self._free) or not len(self._rows):
            return NEVER
        arrival = 0.0 if self._think is not None else self._rows.first()
        return max(arrival, float(self._free[0]), self._last)

    def take(self, until: float) -> tuple[Column, ...] | None:
        """What it issues by ``until``: time, group, volume, offset, length, kind, feed."""
        if self._round is not None:
            return self._told(self._round.fetch())
        self._fill(len(self._free))
        count = min(len(self._free), len(self._rows))
        if not count or self.next_issue() > until:
            return None
        arrival = cast("Floats", self._head(count)[0])
        issue = self._free[:count] if self._think is not None else np.maximum(arrival, self._free[:count])
        issue = np.maximum.accumulate(np.maximum(issue, self._last))
        count = int(np.searchsorted(issue, until, side="right"))
        issue = issue[:count]
        self._notice(issue)
        self._free = self._free[count:]
        return self._told((issue, *self._rows.pop(count)))

    def _told(self, rows: tuple[Column, ...] | None) -> tuple[Column, ...] | None:
        """Rows as the site's disk gets them, without their arrival; what they waited for a place is noted."""
        if rows is None:
            return None
        issue, arrival, *rest = rows
        if self._think is None:
            self._probe.wait.feed(cast("Floats", issue) - cast("Floats", arrival))
        return (issue, *rest)

    def begin_rounds(self, disk: DiskPace | None) -> Round:
        """From here on it knows by itself when it is answered: by the site's disk."""
        self._round = Round(self, disk)
        return self._round

    @property
    def free(self) -> Floats:
        """When its free places became, or become, free (float64[n], seconds)."""
        return self._free

    @property
    def waits_for_arrivals(self) -> bool:
        """Whether a write is issued no sooner than it arrives."""
        return self._think is None

    def thought(self) -> float:
        """How long the next place thinks (seconds)."""
        if self._think is None:
            return 0.0
        if not self._minded:
            drawn, self._thoughts = self._thoughts, np.empty(0)
            self._minded = (drawn if len(drawn) else next(self._think)).tolist()
            self._minded.reverse()
        return self._minded.pop()

    def more(self) -> tuple[Column, ...]:
        """The next rows of its streams, none once they have ended: arrival, then columns as `take` gives them."""
        self._fill(1)
        return self._rows.pop(len(self._rows))

    def exhausted(self) -> bool:
        """Whether its streams have ended and every write was acknowledged."""
        if self._round is not None:
            return self._round.exhausted()
        self._fill(1)
        return not len(self._rows) and not self.outstanding

    @property
    def groups(self) -> list[Group]:
        """The groups it writes to."""
        return list(dict.fromkeys(feed.group for feed in self.feeds))

    def halt(self, owed: int) -> None:
        """It issues no more, for now; ``owed`` answers to what it has issued still come, and count no more."""
        if self._round is not None:
            rows, self._round = self._round.rest(), None
            if rows:
                self._rows.push(*rows)
        self._stale, self._free = owed, np.zeros(self._depth)

    def forget(self) -> None:
        """What it has issued is answered no more."""
        self._stale = 0

    def restart(self, now: Mapping[str, Group], groups: list[Group], at: float) -> None:
        """Go on with its groups as they are ``now``, all among ``groups``, from ``at`` (seconds), every place free.

        What would have arrived by then never does, unless it thinks.
        """
        before = [(self._groups.index(feed.group), feed.number) for feed in self.feeds]
        for feed in self.feeds:
            feed.move(now[feed.group.name], at if self._think is None else -NEVER)
        if self._think is None:
            self._rows.take(at)
        self._groups = groups
        if len(self._rows):
            names = {
                old: (groups.index(f.group), f.number) for old, f in zip(before, self.feeds, strict=True)
            }
            arrival, owner, *rest, number = self._rows.pop(len(self._rows))
            told = [names[each] for each in zip(owner.tolist(), number.tolist(), strict=True)]
            owner, number = np.array(told, np.int16).T
            self._rows.push(arrival, owner, *rest, number)
        self._last, self._burst = at, 0
        self._thoughts = np.concatenate([self._minded[::-1], self._thoughts])
        self._minded = []
        self._free = np.full(self._depth, at)
        if self._think is not None:
            self._free = np.sort(at + self._draw(self._depth))

    def _head(self, count: int) -> tuple[Column, ...]:
        """The first rows, without taking them."""
        rows = next(iter(self._rows))
        if len(rows[0]) < count:
            rows = self._rows.pop(len(self._rows))
            self._rows.push(*rows)  # as one chunk
        return tuple(column[:count] for column in rows)

    def _fill(self, count: int) -> None:
        """Have ``count`` rows at hand, or all there are."""
        while len(self._rows) < count and not all(feed.exhausted() for feed in self.feeds):
            known = min(feed.known() for feed in self.feeds)
            parts = [self._part(feed, known) for feed in self.feeds]
            joined = tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))
            order = np.argsort(joined[0], kind="stable")
            self._rows.push(*(column[order] for column in joined))

    def _part(self, feed: Source, until: float) -> tuple[Column, ...]:
        time, offset, length, kind = feed.take(until)
        n = len(time)
        group = np.full(n, self._groups.index(feed.group), np.int16)
        volume = np.full(n, feed.volume, np.uint16)
        return time, group, volume, offset, length, kind, np.full(n, feed.number, np.int16)

    def _draw(self, count: int) -> Floats:
        assert self._think is not None
        while len(self._thoughts) < count:
            self._thoughts = np.concatenate([self._thoughts, next(self._think)])
        drawn, self._thoughts = self._thoughts[:count], self._thoughts[count:]
        return drawn

    def _notice(self, issue: Floats) -> None:
        self._burst = self._burst + len(issue) if issue[-1] == self._last else 0
        self._last = float(issue[-1])
        self.notice(self._burst)

    def notice(self, burst: int) -> None:
        """Refuse a world in which nothing takes time, for there its writes would never end: so many at one instant."""
        if burst > _ENDLESS:
            raise EndlessError(
                "a closed-loop host writes without end at one instant: nothing it waits for takes time"
            )
