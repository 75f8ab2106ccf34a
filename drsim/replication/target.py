"""The target engine: receive in order, stage, declare recoverable, destage. Events in, actions out."""

from __future__ import annotations

from collections import deque

import numpy as np

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.replication.actions import (
    Action,
    AppendStaging,
    Disconnect,
    DropSnapshot,
    Exposed,
    Recoverable,
    SaveHeader,
    Send,
    StateChanged,
    TakeSnapshot,
    TrimStaging,
    WriteBlocks,
)
from drsim.replication.events import (
    BlocksWritten,
    Command,
    Due,
    Event,
    LinkDown,
    LinkUp,
    Received,
    SnapshotTaken,
    StagingDurable,
)
from drsim.replication.frames import (
    Ack,
    Data,
    Frame,
    Hello,
    Ready,
    Regained,
    Resync,
    ResyncAck,
    ResyncBegin,
    ResyncEnd,
    Welcome,
)
from drsim.replication.generations import Lineage
from drsim.replication.headers import TargetHeader
from drsim.replication.leg import rows_at
from drsim.replication.settings import TargetSettings
from drsim.replication.states import TARGET, Cause, Target, follow


class TargetEngine:
    """One leg's target.

    Invariants: ``written <= staged <= received``. Staging holds writes after ``written`` through ``staged``
    durably and in order; the volumes hold the order through ``written``. The image a failover finds is
    consistent at ``staged`` when the state is FOLLOWING, else at the protective snapshot, if there is one.
    """

    def __init__(self, settings: TargetSettings) -> None:
        self.settings = settings
        self.state = Target.FOLLOWING if settings.in_sync else Target.INCONSISTENT
        self.lineage = Lineage()
        self.session = 0
        self.received = 0
        """Order received through here."""
        self.staged = 0
        """Order durably staged through here."""
        self.written = 0
        """Order destaged through here."""
        self.base: int | None = None if settings.in_sync else 0
        self.end: int | None = None
        self.protected: tuple[str, int] | None = None
        self._asked: int | None = None
        """Base of a `ResyncBegin` that waits for the drain or the snapshot."""
        self._snapping: str | None = None
        self._staging: deque[WriteBatch] = deque()
        """Appended and not yet durable."""
        self._copies: dict[int, tuple[int, int, int]] = {}
        """Copied slices being written: own ticket -> (session, the source's ticket, rows left)."""
        self._ticket = 0
        self._now = 0.0
        self._out: list[Action] = []
        self._started = False

    def deadline(self) -> float | None:
        """Give the time by which `Due` must come, None if nothing waits for time."""
        return None

    def headroom(self) -> int | None:
        """Give the bytes of `Data` that may be told before behaviour changes; None for no limit."""
        return None

    def waiting(self) -> bool:
        """Say whether the very next completion is needed at once."""
        return self._asked is not None or self.end is not None

    def step(self, event: Event, now: float) -> list[Action]:
        """Take one event; give what must be done, in order."""
        self._now = now
        out: list[Action] = []
        self._out = out
        if not self._started:
            self._start()
        match event:
            case Received(frame, at):
                self._receive(frame, at)
            case StagingDurable(seq, at):
                self._durable(seq, at)
            case BlocksWritten(ticket, seq, _):
                self._blocks_written(ticket, seq)
            case SnapshotTaken(name):
                self._snapshot_taken(name)
            case LinkUp() | LinkDown():
                self.session = 0
                self._asked = None
            case Due() | Command():
                pass
            case _:
                raise TypeError(f"a target does not take {type(event).__name__}")
        return out

    def _start(self) -> None:
        self._started = True
        if self.state is Target.FOLLOWING:
            self._out.append(Recoverable(np.array([self.staged]), np.array([self._now])))
        elif self.protected is None:
            self._out.append(Exposed(self._now))

    # Frames.

    def _receive(self, frame: Frame, at: Floats) -> None:
        if isinstance(frame, Hello):
            self._hello(frame)
            return
        if frame.session != self.session or not self.session:
            return  # Nothing of an earlier session counts.
        match frame:
            case Data():
                self._data(frame, at)
            case ResyncBegin(_, base):
                self._asked = base
                self._try_begin()
            case Resync():
                self._resync(frame, at)
            case ResyncEnd(_, seq):
                self.end = seq
                self._save()
                self._try_regain(self._now)
            case _:
                pass

    def _hello(self, frame: Hello) -> None:
        self.session = frame.session
        self._asked = None
        consistent = self.state is Target.FOLLOWING
        self._send(Welcome(frame.session, self.lineage, self.staged, consistent))

    def _data(self, frame: Data, at: Floats) -> None:
        batch = frame.batch
        if frame.previous != self.received:
            if frame.previous > self.received:
                self._out.append(Disconnect("gap in the order"))
                return
            known = int(np.searchsorted(batch.seq, self.received, side="right"))
            batch, at = batch.slice(known, len(batch)), at[known:]
            if not len(batch):
                return
        self.received = batch.last
        self._staging.append(batch)
        self._out.append(AppendStaging(batch, at))

    # Staging.

    def _durable(self, seq: Ints, at: Floats) -> None:
        through = int(seq[-1])
        assert through <= self.received, "staging holds what was never received"
        if through <= self.staged:
            return
        self.staged = through
        if self.state is Target.FOLLOWING:
            self._out.append(Recoverable(seq, at))
        if self.session:
            self._out.append(Send(Ack(self.session, seq), at))
        while self._staging and self._staging[0].first <= through:
            batch = self._staging.popleft()
            if batch.last > through:
                self._staging.appendleft(batch.after(through))
                batch = batch.through(through)
            self._ticket += 1
            self._out.append(WriteBlocks(self._ticket, batch, rows_at(batch, seq, at)))
        if self.end is not None:
            self._try_regain(float(at[-1]))

    def _blocks_written(self, ticket: int, seq: Ints) -> None:
        copy = self._copies.get(ticket)
        if copy is None:
            self.written = int(seq[-1])
            self._out.append(TrimStaging(self.written))
        else:
            self._copy_written(ticket, copy, len(seq))
        if self._asked is not None:
            self._try_begin()

    # The unordered copy.

    def _resync(self, frame: Resync, at: Floats) -> None:
        if self.state is not Target.INCONSISTENT or self._asked is not None:
            return  # No pass is open.
        self._ticket += 1
        self._copies[self._ticket] = (frame.session, frame.ticket, len(frame.batch))
        self._out.append(WriteBlocks(self._ticket, frame.batch, at))

    def _copy_written(self, ticket: int, copy: tuple[int, int, int], rows: int) -> None:
        session, asked, left = copy
        if rows == left:
            del self._copies[ticket]
        else:
            self._copies[ticket] = (session, asked, left - rows)
        if session == self.session:
            self._send(ResyncAck(session, asked, rows))

    def _try_begin(self) -> None:
        """Open the copy once nothing older can land any more and the last good image is kept."""
        drained = self.written == self.received and not self._copies
        if self._asked is None or not drained or self._snapping is not None:
            return
        if self.state is Target.FOLLOWING and self.settings.protect and self.protected is None:
            self._snapping = f"protect-{self.written}"
            self._out.append(TakeSnapshot(self._snapping, self.written))
            return
        self._open_copy(self._asked)

    def _snapshot_taken(self, name: str) -> None:
        if name != self._snapping:
            return
        self._snapping = None
        self.protected = (name, self.written)
        self._try_begin()

    def _open_copy(self, base: int) -> None:
        self._asked = None
        if self.state is Target.FOLLOWING:
            self._become(Cause.RESYNC)
            if self.protected is None:
                self._out.append(Exposed(self._now))
        self.base, self.end = base, None
        self.received = self.staged = self.written = base
        self._save()
        self._send(Ready(self.session, base))

    def _try_regain(self, at: float) -> None:
        if self.state is not Target.INCONSISTENT or self.end is None or self.staged < self.end:
            return
        self._become(Cause.REGAINED)
        self.base = self.end = None
        snapshot, self.protected = self.protected, None
        self._save()
        self._out.append(Recoverable(np.array([self.staged]), np.array([at])))
        self._send(Regained(self.session, self.staged))
        if snapshot is not None:
            self._out.append(DropSnapshot(snapshot[0]))

    # Small hands.

    def _send(self, frame: Frame) -> None:
        if self.session:
            self._out.append(Send(frame, np.array([self._now])))

    def _become(self, cause: Cause) -> None:
        old, self.state = self.state, follow(TARGET, self.state, cause)
        self._out.append(StateChanged(old.value, self.state.value, self._now, cause.value))

    def _save(self) -> None:
        header = TargetHeader(self.lineage, self.written, self.base, self.end, self.protected, promoted=False)
        self._out.append(SaveHeader(header))
