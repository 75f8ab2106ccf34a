"""The unordered way through a target: keep the last good image, take the copy, regain order."""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import Floats
from drsim.blocks.digest import comparable, digests
from drsim.blocks.extents import written
from drsim.replication.actions import (
    CutStaging,
    DropSnapshot,
    Exposed,
    ReadBlocks,
    Recoverable,
    TakeSnapshot,
    WriteBlocks,
)
from drsim.replication.events import BlocksRead
from drsim.replication.frames import Differ, Hashes, Ready, Regained, Resync, ResyncAck
from drsim.replication.staging import Staging
from drsim.replication.states import Cause, Target
from drsim.replication.target_leg import TargetLeg


class Protect:
    """Receives resyncs."""

    def __init__(self, leg: TargetLeg, staging: Staging) -> None:
        self.leg = leg
        self.staging = staging
        self.asked: int | None = None
        """Base of a `ResyncBegin` that waits for the drain or the snapshot."""
        self._snapping: str | None = None
        self._copies: dict[int, tuple[int, int, int]] = {}
        """Copied slices being written: own ticket -> (session, the source's ticket, rows left)."""
        self._hashes: dict[int, Hashes] = {}
        self._compares: list[Hashes] = []

    @property
    def waiting(self) -> bool:
        """Something is decided as soon as older writes have landed: a copy opens, a comparison begins."""
        return self.asked is not None or bool(self._compares)

    @property
    def quiet(self) -> bool:
        """No copied block is on its way to the volumes, and no protective snapshot is being taken."""
        return not self._copies and self._snapping is None

    def session_over(self) -> None:
        """What was asked in the old session is void; what is being written will land all the same."""
        self.asked = None
        self._hashes.clear()
        self._compares.clear()
        self.spare()

    def spare(self) -> None:
        """Drop a protective snapshot whose copy never began: the next one takes a newer."""
        leg = self.leg
        if leg.state is Target.FOLLOWING and leg.protected is not None and self.asked is None:
            name, leg.protected = leg.protected[0], None
            leg.save()
            leg.out.append(DropSnapshot(name))

    def begin(self, base: int) -> None:
        """The source wants to copy."""
        self.asked = base
        self.go_on()

    def go_on(self) -> None:
        """Open the copy once nothing older can land any more and the last good image is kept."""
        leg = self.leg
        if self.asked is None or self._snapping is not None:
            return
        if not self.staging.quiet or self._copies or leg.frozen:
            return
        if leg.point is None:
            leg.point = leg.held
            self.staging.cut(leg.held)
            self.staging.destage()
        if leg.written < leg.held:
            return
        if leg.state is Target.FOLLOWING and leg.settings.protect and leg.protected is None:
            self._snapping = f"protect-{leg.written}"
            leg.out.append(TakeSnapshot(self._snapping, leg.written))
            return
        self._open(self.asked)

    def snapshot_taken(self, name: str) -> bool:
        """Say whether the snapshot was ours."""
        if name != self._snapping:
            return False
        self._snapping = None
        self.leg.protected = (name, self.leg.written)
        self.leg.save()
        self.go_on()
        self.spare()
        return True

    def snapshot_lost(self, name: str, at: float) -> None:
        """Room for a snapshot ran out: if it was the last good image, there is none until order is regained."""
        leg = self.leg
        if leg.protected is None or leg.protected[0] != name:
            return
        leg.protected = None
        leg.save()
        if leg.state is Target.INCONSISTENT:
            leg.out.append(Exposed(at))

    def resync(self, frame: Resync, at: Floats) -> None:
        """Copied blocks came."""
        leg = self.leg
        if leg.state is not Target.INCONSISTENT:
            return  # No pass was ever opened.
        leg.dirt.add(written(frame.batch))
        ticket = leg.ticket()
        self._copies[ticket] = (frame.session, frame.ticket, len(frame.batch))
        leg.out.append(WriteBlocks(ticket, frame.batch, at))

    def written(self, ticket: int, at: Floats) -> bool:
        """Say whether the rows written (at these instants) were copied ones; confirm them to their session."""
        rows = len(at)
        copy = self._copies.get(ticket)
        if copy is None:
            return False
        session, asked, left = copy
        if rows == left:
            del self._copies[ticket]
        else:
            self._copies[ticket] = (session, asked, left - rows)
        if session == self.leg.session:
            self.leg.send(ResyncAck(session, asked, rows), at[-1:])
        self.compare()
        return True

    def ended(self, seq: int) -> None:
        """The order was sent through ``seq``: there the image is consistent again."""
        self.leg.end = seq
        self.leg.save()

    def regain(self, at: float) -> None:
        """Say that order is whole, once the redo is durable."""
        leg = self.leg
        if leg.state is not Target.INCONSISTENT or leg.end is None or leg.held < leg.end:
            return
        leg.become(Cause.REGAINED)
        leg.base = leg.end = None
        leg.since = leg.held
        leg.dirt.reset()
        leg.retired, leg.feeder = False, 0
        snapshot, leg.protected = leg.protected, None
        leg.save()
        if snapshot is not None and snapshot[1] > leg.held:
            leg.out.append(Exposed(at))  # It was a point of another order, which is followed no more.
        if snapshot is None or snapshot[1] != leg.held:
            leg.out.append(Recoverable(np.array([leg.held]), np.array([at])))
        leg.send(Regained(leg.session, leg.held))
        if snapshot is not None:
            leg.out.append(DropSnapshot(snapshot[0]))

    def hashes(self, frame: Hashes) -> None:
        """The source wants to know what differs: read once the volumes are as far as it was."""
        self._compares.append(frame)
        self.compare()

    def compare(self) -> None:
        """Read what can be compared now: nothing may land on a block after it was found equal."""
        leg = self.leg
        if not self._compares or self._copies:
            return
        waiting, self._compares = self._compares, []
        for (
            frame
        ) in waiting:  # One that waits for a far point of the order (a verify) must not hold back a copy's.
            if frame.seq > leg.written:
                self._compares.append(frame)
                continue
            ticket = leg.ticket()
            self._hashes[ticket] = frame
            leg.out.append(ReadBlocks(ticket, frame.extents))

    def read(self, event: BlocksRead) -> None:
        """Own blocks were read: answer which differ; a simulated world cannot tell, so all do."""
        frame = self._hashes.pop(event.ticket, None)
        if frame is None:
            return
        if comparable(event.batch):
            rows = digests(event.batch) != frame.digest
        else:
            rows = np.ones(len(event.batch), np.bool_)
        self.leg.send(Differ(frame.session, frame.ticket, rows))

    def _open(self, base: int) -> None:
        leg = self.leg
        self.asked = leg.point = None
        if leg.state is Target.FOLLOWING:
            leg.become(Cause.RESYNC)
            leg.dirt.reset()
            leg.dirt_known, leg.retired = True, False
            if leg.protected is None:
                leg.out.append(Exposed(leg.now))
        leg.base, leg.end, leg.feeder = base, None, leg.caller
        before = leg.written
        self.staging.restart(base)
        leg.save()
        if before > base:  # Another site took over at an older point: places beyond it will be used again.
            leg.out.append(CutStaging(base))
        leg.send(Ready(leg.session, base))
