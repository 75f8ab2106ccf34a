"""One group's replication to one target: two engines, their hands, and the connection between them."""

from __future__ import annotations

import math

from drsim.blocks.batch import Floats, WriteBatch
from drsim.replication import events as on
from drsim.replication.driver import Clock, Driver
from drsim.replication.frames import Ack, Checkpoint, Data, Frame, Resync
from drsim.replication.source import SourceEngine
from drsim.replication.states import Target
from drsim.replication.target import TargetEngine
from drsim.simulation.cascade import Relay
from drsim.simulation.channel import Channel
from drsim.simulation.checker import judge_of
from drsim.simulation.gone import Gone
from drsim.simulation.media import nodes
from drsim.simulation.ports import Ground, GroupHooks, SourcePort, TargetPort
from drsim.simulation.snapshots import Snapshots
from drsim.simulation.staging_room import StagingRoom
from drsim.simulation.world import Node

HOPELESS = 1000
"""Connections that an end of ours may drop before a run gives up: our ends do not break their own protocol."""


class Leg:
    """Two engines on common ground.

    Args:
        name: ``group/target``.
        ground: path, media, probe and the world's time.
        source: the source engine.
        target: the target engine.
        clock: the world's clock, for deadlines.
    """

    def __init__(
        self, name: str, ground: Ground, source: SourceEngine, target: TargetEngine, clock: Clock
    ) -> None:
        self.name = name
        self.probe = ground.probe
        self.ground = ground
        self.relay: Relay | None = None
        self.over = False
        """The group runs elsewhere."""
        self.known = True
        """There is, or was, a target engine here; False while a site that will become one is away."""
        self.sent_before = 0
        self.sent_through: int | None = None
        """Bytes its link had carried for the group when it began, and when it was over."""
        self._apart: set[str] = set()
        self._dropped = 0
        self.engine = source
        self.sink = target
        self.here = SourcePort(ground, self.at_target, self.reconnect)
        decides = source.leg.settings.mode.closing() is not None
        self.there = TargetPort(ground, self.at_source, self.reconnect, decides=decides)
        self.source = Driver(self.engine, clock, self.here.perform)
        self.target = Driver(self.sink, clock, self.there.perform)
        size, self.valve = target.leg.settings.size, ground.path.valve
        if self.valve is not None:
            self.valve.open(self.here.leave, nodes(ground.path, ground.media)[1:])
        if size is not None or ground.media.volumes.station is not None:
            self.there.staging_room = StagingRoom(size, self._staged, self.valve)
        self.staging_room = self.there.staging_room
        self.here.deliver = self.source.deliver
        self.there.deliver = self.target.deliver

    @property
    def hooks(self) -> GroupHooks:
        """How the source speaks to its group."""
        return self.here.hooks

    @property
    def out(self) -> Channel:
        """Where writes go out."""
        return self.ground.path.out

    @property
    def back(self) -> Channel:
        """Where answers come back."""
        return self.ground.path.back

    @property
    def nodes(self) -> list[Node]:
        """Everything a write of this leg passes, and the way back."""
        return [*nodes(self.ground.path, self.ground.media), self.back]

    def acknowledging(self) -> list[Node]:
        """What a host's acknowledgement comes through while nobody is held: the journal, or all of the way."""
        if self.engine.leg.settings.mode.remote:
            return self.nodes
        journal = self.ground.media.journal.station
        return [] if journal is None else [journal]

    def settled(self, now: float) -> None:
        """Every fact before ``now`` is known."""
        self.probe.settled(now)
        self.there.snapshots.settled(self.sink.leg.written)
        if self.staging_room is not None:
            self.staging_room.meter.advance(now)

    def staging_peak(self) -> int | None:
        """Most bytes staged and not on the volumes at once; None where volumes take no time."""
        room = self.staging_room
        return None if room is None else room.peak(max(self.ground.now(), self.there.applied_at))

    def keep(self, snapshots: Snapshots) -> None:
        """Keep the target's snapshots there; its engine is told of one for which room runs out."""
        self.there.snapshots = snapshots
        snapshots.log, snapshots.history = self.probe.kept, self.probe.history
        snapshots.lost = lambda name, at: self.target.deliver(on.SnapshotLost(name, at))

    def _staged(self) -> int:
        return self.sink.staging.store.nbytes

    def feeds(self, hop: Leg, *, foreign: bool = False) -> None:
        """What is on this leg's target goes on to another one (``foreign``: see `Relay`)."""
        hop.relay = Relay(lambda: self.sink, hop.source.deliver, hop.sending, hop.headroom, foreign=foreign)
        self.there.passed_on.append(hop.relay)

    def sending(self) -> SourceEngine | None:
        """The source engine; None while its site is lost, or once the group runs elsewhere."""
        return self.engine if self.source.engine is self.engine else None

    def headroom(self) -> int | None:
        """Bytes of host writes the source engine takes before it must decide, or before the target is full."""
        room, valve, shipper = self.engine.headroom(), self.valve, self.engine.shipper
        if (
            valve is None
            or valve.holding
            or not shipper.open
            or self.engine.leg.settings.mode.closing() is not None
        ):
            return room  # A cycle is sent when it closes, which is a decision of its own.
        leg = self.engine.leg
        unsent = leg.journal.span(shipper.sent, leg.last) if leg.last > shipper.sent else 0
        free = max(valve.room() - unsent, 0)
        return free if room is None else min(room, free)

    def waiting(self) -> bool:
        """Whether an engine needs the very next fact at once.

        A cycle decides when all of it is staged or on the volumes, which its batches' last rows tell
        (`TargetPort.decides`): stepping through each row of it would change nothing, but where its source was told to
        wait for room.
        """
        if (engine := self.sending()) is not None and engine.waiting():
            return True
        if any(hop.waiting for hop in ([self.relay] if self.relay else []) + self.there.passed_on):
            return True
        sink = self.sink
        if self.over or self.target.engine is not sink:
            return False
        crowded = sink.leg.settings.size is not None and sink.headroom() is None
        whole = self.there.decides and not crowded
        pending = sink.protect.waiting or sink.leg.end is not None
        if not sink.roles.draining:  # Snapshots wait for one instant, which is asked for (`Queued`).
            pending = pending or sink.roles.busy
        return pending or (not whole and sink.staging.waiting())

    @property
    def echo(self) -> float:
        """Seconds after which the source hears of what happens at the target; 0 where it knows more than it hears."""
        if self.over:
            return math.inf
        return 0.0 if self.relay is not None or self.valve is not None else self.back.propagation_s

    def hear(self, until: float) -> bool:
        """The source takes what has come back by ``until``; says whether anything has."""
        return self.back.deliver(self.at_source, until)

    def host_writes(self, batch: WriteBatch) -> None:
        """The group's next writes."""
        self.source.deliver(on.HostWrites(batch))

    def begin(self) -> None:
        """The engines' first step, and the first session."""
        self.target.deliver(on.Due())
        self.source.deliver(on.Due())
        if self.relay is not None:
            self.relay.begin()
        if not self._apart:
            self.connect()

    def part(self, cause: str = "link") -> None:
        """Before it begins: ``cause`` keeps the ends apart."""
        self._apart.add(cause)

    def connect(self, cause: str = "link") -> None:
        """``cause`` keeps the ends apart no longer; when nothing does, both learn that the link is there."""
        self._apart.discard(cause)
        if not self._apart:
            if self.ground.path.restart is not None:
                self.ground.path.restart.opened(self.ground.now())
            self.target.deliver(on.LinkUp())
            self.source.deliver(on.LinkUp())

    def disconnect(self, cause: str = "link") -> None:
        """``cause`` keeps the ends apart: when it is the first that does, both learn that the link is gone."""
        if self.valve is not None:
            self.valve.clear()
        if not self._apart:
            self.source.deliver(on.LinkDown())
            self.target.deliver(on.LinkDown())
            self.ground.path.lost()
        self._apart.add(cause)

    def lose_source(self) -> None:
        """The site that sends is no more."""
        self.source.engine = Gone()

    def lose_hosts(self, at: float, *, for_good: bool) -> None:
        """The group's hosts are no more: the measures end here, for nothing is written that could be missing.

        Unless they may come back (not ``for_good``): then they end, or go on, as is known later.
        """
        if for_good:
            self.probe.close(at)
        else:
            self.probe.suspend(at)

    def lose_target(self, at: float) -> None:
        """The target is no more: from here on there is no image, which is exposure."""
        self.target.engine = Gone()
        self.probe.expose(at)
        self.there.snapshots.away(at)

    def revive_source(self, engine: SourceEngine) -> None:
        """The source is back, as far as its media know."""
        self.engine = self.source.engine = engine
        self.source.deliver(on.Due())
        if self.relay is not None:
            self.relay.begin()

    def go_on(self, last: int, at: float) -> None:
        """The group's hosts write again, after ``last``; all legs of a cascade measure on."""
        self.probe.resume()
        self.probe.restarted(last, at)
        if self.relay is not None:
            self.relay.restarted(last)

    def revive_target(self, engine: TargetEngine) -> None:
        """There is a target again, with the image ``engine`` knows of."""
        self.sink = self.target.engine = engine
        self.known = True
        self.there.staged.cut(engine.staged)
        if self.staging_room is not None:
            self.staging_room.restart(self.ground.now())
        self.there.checker = judge_of(engine)
        if self.there.comparer is not None:
            self.there.comparer.revived(engine.staged, copying=engine.state is Target.INCONSISTENT)
        self.target.deliver(on.Due())

    def stop(self, at: float) -> None:
        """The group goes elsewhere. The target's engine stays as it is, to be asked or inherited."""
        if self.over:
            return
        self.probe.close(at)
        self.drop()
        self.disconnect("moved")
        self.source.engine = Gone()
        self.over = True

    def drop(self) -> None:
        """What is under way on the link is lost."""
        self.out.drop({self.ground.path.flow, self.ground.path.copies}, self.at_target, self.ground.now())
        self.back.drop(set(), self.at_source, self.ground.now())

    def reconnect(self) -> None:
        """The connection was dropped by one end: what is under way is lost, and a new session opens."""
        if self._apart:
            return
        self._dropped += 1
        if self._dropped == HOPELESS:
            raise RuntimeError(f"{self.name}: one end has dropped the connection {HOPELESS} times")
        self.drop()
        self.disconnect("dropped")
        self.connect("dropped")

    def at_target(self, frame: Frame, at: Floats) -> None:
        """Frames arrived at the target."""
        if isinstance(frame, Checkpoint):
            self.probe.images.arrived(frame.seq, float(at[-1]))
        elif isinstance(frame, Resync):
            self.ground.path.arrived(frame)
        room = self.there.staging_room
        if room is None:
            self.target.deliver(on.Received(frame, at))
            return
        offered = frame.batch.nbytes if isinstance(frame, Data) else 0
        room.receive(lambda: self.target.deliver(on.Received(frame, at)), offered, float(at[-1]))

    def at_source(self, frame: Frame, at: Floats) -> None:
        """Frames arrived at the source."""
        if isinstance(frame, Ack):
            self.probe.released(frame.seq, at)
        self.source.deliver(on.Received(frame, at))
