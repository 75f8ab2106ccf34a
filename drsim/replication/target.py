"""The target engine: receive in order, stage, declare recoverable, destage. Events in, actions out."""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import Floats, Ints
from drsim.replication.actions import Action, Disconnect, Exposed, Noted, Recoverable
from drsim.replication.bounds import outside
from drsim.replication.events import (
    BlocksRead,
    BlocksWritten,
    Command,
    Due,
    Event,
    LinkDown,
    LinkUp,
    Received,
    SnapshotLost,
    SnapshotTaken,
    StagingDurable,
    StagingRead,
)
from drsim.replication.frames import (
    Checkpoint,
    Data,
    Dirt,
    Frame,
    Hashes,
    Hello,
    Ping,
    Pong,
    Refuse,
    Resync,
    ResyncBegin,
    ResyncEnd,
    Welcome,
)
from drsim.replication.generations import Lineage, Outcome, compare
from drsim.replication.protect import Protect
from drsim.replication.reorder import Reorder
from drsim.replication.roles import Roles
from drsim.replication.seeding import load
from drsim.replication.settings import TargetSettings
from drsim.replication.staging import Staging
from drsim.replication.states import Cause, Target
from drsim.replication.target_leg import TargetLeg

_REFUSED = {Outcome.SOURCE_NEW, Outcome.TARGET_NEWER, Outcome.SPLIT_BRAIN, Outcome.UNRELATED}


class TargetEngine:
    """One leg's target.

    The world performs the actions in order, delivers `Due` once at the beginning and at `deadline`, ends an
    arriving train where it would exceed `headroom`, and tells completions one by one while `waiting`.
    """

    def __init__(self, settings: TargetSettings) -> None:
        self.leg = TargetLeg(settings)
        self.order = Reorder(settings.early)
        self.staging = Staging(self.leg)
        self.protect = Protect(self.leg, self.staging)
        self.roles = Roles(self.leg, self.staging, self.protect)
        self._started = False
        self.peer: Lineage | None = None
        """Lineage of the source of this session."""
        self._caller: Hello | None = None
        """A source of another order, who waits until what is under way of the old one has landed."""

    @property
    def state(self) -> Target:
        """Where this target stands."""
        return self.leg.state

    @property
    def staged(self) -> int:
        """The order is durably staged through here."""
        return self.leg.staged

    @property
    def written(self) -> int:
        """The order is on the volumes through here."""
        return self.leg.written

    def deadline(self) -> float | None:
        """Give the time by which `Due` must come, None if nothing waits for time."""
        due, snapshot = self.staging.deadline(), self.roles.deadline()
        return due if snapshot is None else snapshot if due is None else min(due, snapshot)

    def headroom(self) -> int | None:
        """Give the bytes of `Data` that may be told before behaviour changes; None for no limit."""
        return self.staging.headroom()

    def waiting(self) -> bool:
        """Say whether the very next completion is needed at once."""
        leg = self.leg
        pending = self.protect.waiting or leg.end is not None or self._caller is not None
        return pending or self.roles.busy or self.staging.waiting()

    def step(self, event: Event, now: float) -> list[Action]:
        """Take one event; give what must be done, in order. No time in the event is later than ``now``."""
        leg, out = self.leg, list[Action]()
        leg.now, leg.out = now, out
        if not self._started:
            self._start()
        self.staging.ripen()
        match event:
            case Received():
                for frame, at in self.order.take(event, out):
                    self._receive(frame, at)
            case StagingDurable(seq, at):
                self._durable(seq, at)
            case BlocksWritten(ticket, seq, at):
                self._written(ticket, seq, at)
            case _:
                self._other(event)
        return out

    def _other(self, event: Event) -> None:
        match event:
            case SnapshotTaken(name, overwritten):
                if self.protect.snapshot_taken(name):
                    self._landed()
                else:
                    self.roles.snapshot_taken(name, overwritten)
                    self.protect.go_on()
            case SnapshotLost(name, at):
                self.protect.snapshot_lost(name, at)
                self.roles.snapshot_lost(name)
            case BlocksRead():
                self.protect.read(event)
            case StagingRead(batch):
                self.staging.read_back(batch)
            case LinkUp() | LinkDown():
                self.order.clear()
                self._session_over()
            case Due():
                self.staging.destage()
                self.roles.due()
            case Command(verb, argument):
                self._command(verb, argument)
            case _:
                raise TypeError(f"a target does not take {type(event).__name__}")

    def _command(self, verb: str, argument: str) -> None:
        match verb:
            case "promote":
                self.roles.promote(argument)
            case "rehearse":
                self.roles.rehearse(argument)
            case "end_rehearsal":
                self.roles.drop(argument)
            case "load" if self.protect.quiet:
                load(self.leg, self.staging, argument)
            case _:
                self.leg.out.append(Noted(f"ignored command {verb}", 0, self.leg.now))

    def _start(self) -> None:
        leg = self.leg
        self._started = True
        if leg.open is not None:
            self.staging.cut(leg.open)
        leg.save()
        self.protect.spare()
        if leg.state is Target.FOLLOWING:
            leg.out.append(Recoverable(np.array([leg.held]), np.array([leg.now])))
        elif leg.protected is not None:
            leg.out.append(Recoverable(np.array([leg.protected[1]]), np.array([leg.now])))
        else:
            leg.out.append(Exposed(leg.now))
        self.staging.destage()

    def _session_over(self) -> None:
        self.leg.session = 0
        self.staging.session_over()
        self.protect.session_over()
        self._caller = None
        if not self.leg.promoting:
            self.leg.point = None

    def _receive(self, frame: Frame, at: Floats) -> None:
        leg = self.leg
        if isinstance(frame, Hello):
            self._hello(frame)
            return
        if frame.session != leg.session or not leg.session:
            return  # Nothing of an earlier session counts.
        if leg.settings.volumes and outside(frame, leg.settings.volumes):
            leg.out.append(Disconnect("a place that no volume has"))
        else:
            self._obey(frame, at)

    def _obey(self, frame: Frame, at: Floats) -> None:
        leg = self.leg
        match frame:
            case Data():
                self.staging.data(frame, at)
            case Checkpoint():
                self.staging.checkpoint(frame)
                self._regain(leg.now)
            case ResyncBegin(_, base):
                self.roles.forget_wishes()
                self.protect.begin(base)
            case Resync():
                self.protect.resync(frame, at)
            case ResyncEnd(_, seq):
                self.protect.ended(seq)
                self._regain(leg.now)
            case Hashes():
                self.protect.hashes(frame)
            case Ping(session):
                leg.send(Pong(session))

    def _hello(self, frame: Hello) -> None:
        leg = self.leg
        self._session_over()
        if not self.staging.quiet and compare(frame.lineage, leg.lineage) is not Outcome.SAME:
            self._caller = frame
            return
        leg.session = frame.session
        reason = self._objection(frame)
        if reason is not None:
            leg.send(Refuse(frame.session, reason))
            leg.session = 0
            return
        self.peer, leg.caller = frame.lineage, frame.lineage.current
        outcome = compare(frame.lineage, leg.lineage)
        exact = frame.ordered and frame.first - 1 == leg.held
        if outcome is Outcome.DIFFERENCE and exact:
            self._rejoin()
            self.staging.cut(leg.held)  # A cycle that was under way was one of the order before.
        if leg.dirt and frame.lineage.current != leg.lineage.current:
            leg.send(Dirt(frame.session, leg.dirt.extents(), leg.dirt.granularity))
        consistent = leg.state is Target.FOLLOWING
        # In mid-copy from a source that is gone: no one can say in what this image differs, as if it were new.
        torso = outcome is Outcome.DIFFERENCE and not consistent and not leg.names_all(leg.caller)
        known = Lineage() if torso else leg.lineage
        leg.send(Welcome(frame.session, known, leg.held, leg.staged, consistent))
        if consistent and (outcome is Outcome.SAME or (outcome is Outcome.DIFFERENCE and exact)):
            self._adopt()  # Else the image belongs to the old order, until a copy has made it one of the new.

    def _rejoin(self) -> None:
        """An old source whose successor took over at exactly its last write, and knows all since, has an image."""
        leg = self.leg
        begun = leg.dirt or leg.feeder or leg.base != leg.held
        if leg.state is Target.INCONSISTENT and leg.retired and not begun:
            leg.become(Cause.REGAINED)
            leg.base, leg.retired, leg.since = None, False, leg.held
            leg.out.append(Recoverable(np.array([leg.held]), np.array([leg.now])))

    def _objection(self, frame: Hello) -> str | None:
        """Say why this source is not followed, if it is not: split brain is never resolved by itself."""
        leg = self.leg
        if frame.group != leg.settings.group:
            return f"this is group {leg.settings.group}, not {frame.group}"
        if leg.state is Target.PROMOTED or leg.promoting:
            return "this site has taken over"
        outcome = compare(frame.lineage, leg.lineage)
        if outcome is Outcome.SPLIT_BRAIN and leg.settings.split_brain == "discard":
            if leg.state is Target.FOLLOWING:
                leg.become(Cause.DISCARDED)
                leg.base = leg.held
                leg.out.append(Exposed(leg.now))
                leg.save()
            return None
        return outcome.value if outcome in _REFUSED else None

    def _adopt(self) -> None:
        """This site's data is the source's from now on."""
        leg = self.leg
        if self.peer is not None and leg.lineage != self.peer.joined():
            leg.lineage = self.peer.joined()
            leg.save()

    def _durable(self, seq: Ints, at: Floats) -> None:
        self.staging.durable(seq, at)
        if self.leg.end is not None:
            self._regain(float(at[-1]))
        self._landed()
        if self._caller is not None and self.staging.quiet:
            self._hello(self._caller)

    def _written(self, ticket: int, seq: Ints, at: Floats) -> None:
        if not self.protect.written(ticket, at):
            self.staging.written(seq)
            self.protect.compare()
        self._landed()

    def _landed(self) -> None:
        if self.protect.asked is not None:
            self.protect.go_on()
        if self.roles.busy:
            self.roles.go_on()

    def _regain(self, at: float) -> None:
        before = self.leg.state
        self.protect.regain(at)
        if self.leg.state is not before:
            self._adopt()
