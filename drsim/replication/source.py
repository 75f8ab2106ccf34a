"""The source engine: one group's writes to one target, through every state. Events in, actions out."""

from __future__ import annotations

from drsim.blocks.batch import Floats, Ints
from drsim.replication.acks import Acks
from drsim.replication.actions import Action, Disconnect, MarkDirty, Noted, TrimJournal
from drsim.replication.activity import ActivityLog
from drsim.replication.bounds import clipped, outside
from drsim.replication.cycle import Cycles
from drsim.replication.events import (
    BlocksRead,
    Command,
    Copied,
    Due,
    Event,
    HostWrites,
    JournalDurable,
    JournalRead,
    LinkDown,
    LinkUp,
    Received,
)
from drsim.replication.frames import (
    Ack,
    Applied,
    Differ,
    Dirt,
    Frame,
    Pause,
    Ping,
    Pong,
    Proceed,
    Ready,
    Refuse,
    Regained,
    ResyncAck,
    Welcome,
)
from drsim.replication.generations import FIRST, Lineage, successor
from drsim.replication.intake import Intake, in_use, whole
from drsim.replication.leg import Leg
from drsim.replication.reorder import Reorder
from drsim.replication.resync import Copy
from drsim.replication.seeding import ship
from drsim.replication.sessions import Sessions
from drsim.replication.settings import SourceSettings
from drsim.replication.shipping import Shipper
from drsim.replication.states import Source
from drsim.replication.stream import Stream
from drsim.replication.verify import TICKETS, Verify


class SourceEngine:
    """One leg's source.

    The world tells every host write of the group to every leg (`HostWrites`; the columns are shared),
    performs the actions in order, and promises that a batch never costs more than `headroom` unless it is one
    write, that `Due` comes at `deadline`, and that facts come one by one while `waiting`. It delivers `Due`
    once at the beginning.
    """

    def __init__(self, settings: SourceSettings) -> None:
        self.leg = leg = Leg(settings)
        self.order = Reorder(settings.early)
        rule = settings.mode.closing()
        self.shipper: Shipper = Stream(leg) if rule is None else Cycles(leg, rule)
        self.copy = Copy(leg)
        self.acks = Acks(leg)
        self.verify = Verify(leg)
        self.intake = Intake(leg, self.shipper, self.copy, self.acks)
        self.sessions = Sessions(leg, self.shipper, self.copy, self.acks, self.intake)
        if settings.activity is not None:
            leg.activity = ActivityLog(settings.activity)
        if not settings.in_sync:
            leg.state = Source.TRACKING
            leg.dirty.mark(in_use(settings))

    def mark_everything(self) -> None:
        """At birth: nothing is known of the target, so every block must be copied."""
        assert not self.leg.started
        self.leg.dirty.mark(whole(self.leg.settings))

    @property
    def state(self) -> Source:
        """Where this leg stands."""
        return self.leg.state

    def deadline(self) -> float | None:
        """Give the time by which `Due` must come, None if nothing waits for time."""
        due, copying = self.shipper.deadline(), self.copy.deadline()
        return due if copying is None else copying if due is None else min(due, copying)

    def headroom(self) -> int | None:
        """Give the bytes (`WriteBatch.spent`) that may be told before behaviour changes; None: no limit."""
        if self.intake.marking:
            return None
        room, more = self.leg.settings.on_full.headroom(self.intake), self.shipper.headroom()
        if room is None or (more is not None and more < room):
            room = more
        return room if room is None or room > 0 else 0

    def waiting(self) -> bool:
        """Say whether the very next acknowledgement is needed at once."""
        leg = self.leg
        handing = "handing over" in leg.holds and leg.confirmed < leg.last
        return (
            handing
            or leg.settings.on_full.waiting(self.intake)
            or self.shipper.waiting()
            or self.acks.waiting()
            or self.shipper.ending()
        )

    def step(self, event: Event, now: float) -> list[Action]:
        """Take one event; give what must be done, in order. No time in the event is later than ``now``."""
        leg = self.leg
        leg.now = now
        out: list[Action] = []
        leg.out = out
        if not leg.started:
            self._start()
        if isinstance(event, HostWrites):
            self.intake.write(event.batch)
        elif isinstance(event, JournalDurable):
            self.intake.durable(event.seq, event.at)
        elif isinstance(event, Received):
            for frame, at in self.order.take(event, out):
                self._receive(frame, at)
        else:
            self._other(event)
        return out

    def _other(self, event: Event) -> None:
        match event:
            case BlocksRead(ticket):
                (self.verify if ticket > TICKETS else self.copy).read(event)
            case Copied():
                self.intake.copied(event)
            case JournalRead(batch):
                self.shipper.read_back(batch)
            case LinkUp():
                self.order.clear()
                self.sessions.link_up()
            case LinkDown():
                self.order.clear()
                self.verify.stop()
                self.sessions.link_down()
            case Command(verb, argument):
                self._command(verb, argument)
            case Due():
                self.shipper.due()
                self.copy.due()
            case _:
                raise TypeError(f"a source does not take {type(event).__name__}")

    def _start(self) -> None:
        """On the first step of a life: say durably what it starts from."""
        leg = self.leg
        leg.started = True
        leg.boot += 1
        if not leg.lineage.current:
            known = leg.settings.in_sync or leg.settings.akin
            leg.lineage = Lineage(FIRST if known else successor(leg.lineage, leg.settings.origin))
        leg.session = leg.boot << 32
        if leg.dirty:
            leg.out.append(MarkDirty(leg.dirty.extents(), dirty=True))
        leg.save()
        if leg.state is Source.TRACKING and leg.last:
            leg.out.append(TrimJournal(leg.last))  # Whatever it still holds is under the bits by now.

    # The peer.

    def _receive(self, frame: Frame, at: Floats) -> None:
        leg = self.leg
        if frame.session != leg.session or not leg.link:
            return  # Nothing of an earlier session counts.
        if leg.suspended and not isinstance(frame, Ping):
            return  # Nor what was under way when the operator said stop: `resume` opens a session of its own.
        match frame:
            case Ack(_, seq):
                self._acked(seq, at)
            case Welcome():
                self.sessions.welcome(frame)
            case Ready(_, base):
                self.copy.ready(base)
                self.sessions.copied()
            case ResyncAck():
                self.copy.confirmed(frame)
                self.sessions.copied()
            case Regained(_, seq):
                self.sessions.regained(seq)
            case _:
                self._less_often(frame)

    def _less_often(self, frame: Frame) -> None:
        match frame:
            case Applied(_, seq):
                self.shipper.applied(seq)
            case Differ(_, ticket):
                (self.verify if ticket > TICKETS else self.copy).differ(frame)
                self.sessions.copied()
            case Pause():
                self.shipper.pause(True)
            case Proceed():
                self.shipper.pause(False)
            case Dirt() if outside(frame, self.leg.settings.volumes):
                self.leg.out.append(Disconnect("a place that no volume has"))
            case Dirt():
                self.sessions.dirt(clipped(frame.extents, self.leg.settings.volumes))
            case Refuse(_, reason):
                self.leg.out.append(Noted(f"refused: {reason}", 1, self.leg.now))
            case Ping(session):
                self.leg.send(Pong(session))
            case _:
                pass

    def _acked(self, seq: Ints, at: Floats) -> None:
        leg = self.leg
        through = int(seq[-1])
        if through <= leg.confirmed or through > leg.last:
            return
        leg.confirmed = through
        if leg.journal.trim(min(through, leg.durable)):
            leg.out.append(TrimJournal(leg.journal.trimmed))
            self.acks.confirmed(seq, at)
            leg.settings.on_full.eased(self.intake)
        if leg.activity is not None:
            leg.out.extend(leg.activity.cool(through))
        self.shipper.confirmed()
        self._drained()

    # The operator.

    def _drained(self) -> None:
        """Handing over: say when the target holds every acknowledged write."""
        leg = self.leg
        if "handing over" in leg.holds and leg.state is Source.STREAMING and leg.confirmed == leg.last:
            leg.out.append(Noted("drained", leg.last, leg.now))

    def _command(self, verb: str, argument: str) -> None:
        leg = self.leg
        match verb:
            case "resume" if leg.suspended:
                leg.suspended = False
                if leg.link:
                    self.sessions.hello()
            case "suspend" | "trip" if not leg.suspended:
                self.sessions.halt()
            case "demote" if "handing over" not in leg.holds:
                leg.hold("handing over")
                self._drained()
            case "verify" if leg.state is Source.STREAMING:
                self.verify.start()
            case "repair" if leg.state is Source.STREAMING and leg.suspect:
                self.sessions.repair()
            case "ship":
                ship(leg)
            case "mark":
                leg.markers.append((leg.last, argument))
                leg.save()
                self.shipper.ship()
            case _:
                leg.out.append(Noted(f"ignored command {verb}", 0, leg.now))
