"""One leg of a source: its engine, what that must remember in files, and its link to the target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from drsim.agent.legfiles import LegFiles
from drsim.blocks.batch import WriteBatch
from drsim.blocks.extents import Extents
from drsim.replication import actions as do
from drsim.replication.driver import Clock, Driver, Tap
from drsim.replication.events import (
    BlocksRead,
    Command,
    Due,
    Event,
    HostWrites,
    JournalDurable,
    JournalRead,
)
from drsim.replication.frames import Frame
from drsim.replication.source import SourceEngine
from drsim.replication.states import Source


class Link(Protocol):
    """A leg's connection, as far as its engine may act on it."""

    def send(self, frame: Frame) -> None:
        """Send a frame if there is a connection; otherwise it is lost, as on any wire."""

    def drop(self, cause: str) -> None:
        """Cut the connection."""

    def throttle(self, full: bool) -> None:
        """Read no more from the connection while ``full``: TCP makes the peer wait."""


class Shared(Protocol):
    """What a leg needs of its group."""

    def append(self, batch: WriteBatch) -> None:
        """Journal a batch."""

    def read_journal(self, first: int, last: int) -> WriteBatch:
        """Read journalled writes back."""

    def read_volumes(self, extents: Extents) -> WriteBatch:
        """Read extents of the volumes, one row an extent."""

    def progress(self) -> None:
        """Apply and answer what may be."""

    def fail_writes(self, seq: int) -> None:
        """Rows from ``seq`` on were refused."""

    def trim(self) -> None:
        """A leg needs less of the journal."""

    def ask_to_tell(self) -> None:
        """Host writes may be told again."""

    def fail(self, error: BaseException) -> None:
        """A disk refused."""


class SourceLeg:
    """Performs what one leg's engine asks.

    Attributes:
        asked: the leg wants the journal durable through here.
        durable: the engine knows that it is.
        acknowledged: the engine has acknowledged the order through here.
        trimmed: the leg needs nothing of the journal up to here.
        holding: the engine takes no host writes now.
        pace_s: delay of each host write.
        reads: of volumes, each for when they hold the order through a place.
    """

    def __init__(
        self, name: str, engine: SourceEngine, group: Shared, files: LegFiles, clock: Clock, last: int
    ) -> None:
        self.name = name
        self.engine = engine
        self.files = files
        self.link: Link | None = None
        self.observers: list[Tap] = []
        self.asked = self.durable = self.acknowledged = self.trimmed = last
        self.holding = False
        self.pace_s = 0.0
        self._suspended = bool(files.marks.get("suspended", False))
        self._group = group
        self._clock = clock
        self._driver = Driver(engine, clock, self._perform, self._observe)
        self.reads: list[tuple[int, do.ReadBlocks]] = []  # applied through this first, then read
        self._table: dict[type[Any], Callable[[Any], None]] = {
            do.AppendJournal: self._append,
            do.TrimJournal: self._trim,
            do.ReadJournal: lambda a: self.deliver(JournalRead(group.read_journal(a.first, a.last))),
            do.MarkDirty: lambda a: files.mark(a.extents, a.dirty),
            do.SaveHeader: lambda a: files.save_header(a.header),
            do.SaveActivity: lambda a: files.save_activity(a.volume, a.extent, a.hot),
            do.Disconnect: self._disconnect,
            do.ReadBlocks: self._read_blocks,
            do.Send: self._send,
            do.Acknowledge: self._acknowledge,
            do.FailWrites: lambda a: group.fail_writes(int(a.seq[0])),
            do.HoldHosts: lambda _: self._hold(True),
            do.ReleaseHosts: lambda _: self._hold(False),
            do.PaceHosts: self._pace,
        }

    def begin(self) -> None:
        """Start the engine; a leg that was suspended stays so until its operator resumes it."""
        suspended = self._suspended
        self._suspended = False
        self.deliver(Due())
        if suspended:
            self.deliver(Command("suspend"))

    def deliver(self, event: Event) -> None:
        """Let the engine know; a disk that refuses on the way ends the group."""
        before, leg = self.acknowledged, self.engine.leg
        try:
            self._driver.deliver(event)
            if leg.state is Source.STREAMING:
                self.files.confirm(leg.confirmed)
            if leg.suspended is not self._suspended:
                self._suspended = leg.suspended
                self.files.marks.put(suspended=self._suspended)
            if self.acknowledged != before:
                self._group.progress()
        except OSError as error:
            self._group.fail(error)

    def _observe(self, now: float, event: Event, actions: list[do.Action]) -> None:
        for observer in self.observers:
            observer(now, event, actions)

    def _perform(self, action: do.Action) -> None:
        perform = self._table.get(type(action))
        if perform is not None:  # the others are facts, for observers
            perform(action)

    # From the group.

    def told(self, batch: WriteBatch) -> None:
        """Host writes of the group."""
        self.deliver(HostWrites(batch))
        if self.asked < batch.last:  # not journalled by this leg: it keeps no one from trimming
            self.trimmed = max(self.trimmed, self.acknowledged)
            self._group.progress()

    def journal_durable(self, through: int) -> None:
        """The group's journal is on stable media through here."""
        through = min(through, self.asked)
        if through > self.durable:
            self.durable, before = through, self.acknowledged
            self.deliver(JournalDurable(np.array([through]), np.array([self._clock.now()])))
            if self.acknowledged == before:  # else it was done
                self._group.progress()

    @property
    def safe(self) -> int:
        """Writes through here are safe as far as this leg is concerned: they may reach the volumes."""
        return max(self.durable, self.acknowledged)

    def blocks_may_be_read(self, applied: int) -> None:
        """The volumes hold the order through here: do the reads that waited for it."""
        while self.reads and self.reads[0][0] <= applied:
            _, action = self.reads.pop(0)
            self.deliver(BlocksRead(action.ticket, self._group.read_volumes(action.extents)))

    # From the engine.

    def _append(self, action: do.AppendJournal) -> None:
        self.trimmed = min(self.trimmed, action.batch.first - 1)
        self.asked = action.batch.last
        self._group.append(action.batch)

    def _trim(self, action: do.TrimJournal) -> None:
        self.trimmed = action.through
        self._group.trim()

    def _disconnect(self, action: do.Disconnect) -> None:
        if self.link is not None:
            self.link.drop(action.cause)

    def _send(self, action: do.Send) -> None:
        if self.link is not None:
            self.link.send(action.frame)

    def _read_blocks(self, action: do.ReadBlocks) -> None:
        """What the engine has acknowledged must be on the volumes first: the copy may not miss it."""
        self.reads.append((self.acknowledged, action))
        self._group.progress()

    def _acknowledge(self, action: do.Acknowledge) -> None:
        self.acknowledged = int(action.seq[-1])

    def _hold(self, holding: bool) -> None:
        self.holding = holding
        if not holding:
            self._group.ask_to_tell()

    def _pace(self, action: do.PaceHosts) -> None:
        self.pace_s = action.delay_s
