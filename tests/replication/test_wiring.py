"""Topologies are wiring of the same two machines; and the end of every resync under load."""

from collections import deque
from collections.abc import Callable

import numpy as np

from drsim.blocks.batch import WriteBatch
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication.generations import FIRST, Lineage
from drsim.replication.headers import SourceHeader
from drsim.replication.overflow import Track
from drsim.replication.policy import JournalMode, Mode, Sync
from drsim.replication.recovery import SavedSource, recover_source
from drsim.replication.settings import Resync, SourceSettings, TargetSettings
from drsim.replication.source import SourceEngine
from drsim.replication.states import Source, Target
from drsim.replication.target import TargetEngine
from tests.replication import oracle
from tests.replication.pair import Pair
from tests.replication.test_overflow import fill
from tests.replication.test_prefix import SIZES, Pen


class Hop:
    """A source and a target wired to each other at once: no delays, all media perfect."""

    def __init__(self, source: SourceEngine, target: TargetEngine, image: list[np.ndarray]) -> None:
        self.source, self.target, self.image = source, target, image
        self.up = True
        self.staged: list[WriteBatch] = []
        self.downstream: Callable[[WriteBatch], None] | None = None
        self.acknowledged = 0
        self._queue: deque[tuple[str, ev.Event]] = deque()
        self._busy = False

    def tell(self, who: str, event: ev.Event) -> None:
        self._queue.append((who, event))
        if self._busy:
            return
        self._busy = True
        while self._queue:
            who, event = self._queue.popleft()
            engine = self.source if who == "source" else self.target
            for action in engine.step(event, 1.0):
                self.perform(who, action)
        self._busy = False

    def perform(self, who: str, action: do.Action) -> None:
        match action:
            case do.AppendJournal(batch):
                self.tell("source", ev.JournalDurable(batch.seq, batch.time))
            case do.Send(frame, ready) if self.up:
                self.tell("target" if who == "source" else "source", ev.Received(frame, ready))
            case do.AppendStaging(batch, ready):
                self.staged.append(batch)
                self.tell("target", ev.StagingDurable(batch.seq, ready))
            case do.WriteBlocks(ticket, batch, ready):
                oracle.apply(self.image, batch)
                self.tell("target", ev.BlocksWritten(ticket, batch.seq, ready))
                if self.downstream is not None:
                    self.downstream(batch)
            case do.Acknowledge(seq):
                self.acknowledged = int(seq[-1])

    def connect(self) -> None:
        self.tell("target", ev.LinkUp())
        self.tell("source", ev.LinkUp())


def host_writes(pair_like: oracle.History, count: int) -> list[WriteBatch]:
    pen = Pen()

    class At:
        history = pair_like
        now = 1.0

    made = []
    for i in range(count):
        made.append(pen.batch(At, [(i % 2, i * 3 % 30, 2, 0)]))
        pair_like.add(made[-1])
    return made


def wired(mode: Mode | None = None, **target: object) -> Hop:
    """Two new engines and a blank image."""
    source = SourceSettings(volumes=SIZES, mode=mode or JournalMode())
    return Hop(SourceEngine(source), TargetEngine(TargetSettings(**target)), oracle.blank(SIZES))


def test_cascade_what_a_target_destages_feeds_the_next_hop():
    history = oracle.History(SIZES)
    near, far = wired(), wired()
    near.downstream = lambda batch: far.tell("source", ev.HostWrites(batch))
    near.connect()
    for i, batch in enumerate(host_writes(history, 20)):
        near.tell("source", ev.HostWrites(batch))
        if i == 10:
            far.connect()
    assert far.target.leg.held == 20
    assert oracle.equal(near.image, history.after(20))
    assert oracle.equal(far.image, history.after(20))


def test_fan_out_every_leg_is_told_the_same_columns():
    history = oracle.History(SIZES)
    legs = [wired() for _ in range(3)]
    legs[0].connect()
    legs[1].connect()
    for batch in host_writes(history, 10):
        for leg in legs:
            leg.tell("source", ev.HostWrites(batch))
            kept = leg.source.leg.journal._segments[leg.source.leg.journal._head :]
            assert not kept or kept[-1].batch is batch or kept[-1].last != batch.last
    assert legs[2].source.state is Source.BUFFERING
    legs[2].connect()
    for leg in legs:
        assert oracle.equal(leg.image, history.after(10))


def test_sync_near_and_async_far():
    """Hosts wait for the near target alone: it never lacks what they were told, however far behind the other is."""
    history = oracle.History(SIZES)
    near, far = wired(Sync(on_loss="stop")), wired()
    near.connect()
    far.connect()
    for i, batch in enumerate(host_writes(history, 20)):
        if i == 6:
            far.up = False
            far.tell("source", ev.LinkDown())
        for leg in (near, far):
            leg.tell("source", ev.HostWrites(batch))
        assert near.acknowledged == near.target.leg.held == i + 1
    assert far.target.leg.held == 6
    far.up = True
    far.connect()
    assert far.target.leg.held == 20
    near.up = False
    near.tell("source", ev.LinkDown())
    (batch,) = host_writes(history, 1)
    for leg in (near, far):
        leg.tell("source", ev.HostWrites(batch))
    told = min(near.acknowledged, far.acknowledged)  # A group tells its hosts what all its legs have said.
    assert (told, near.target.leg.held, far.target.leg.held) == (20, 20, 21)


def test_a_ring_of_sites_each_protects_the_next():
    """Three sites, each with hosts of its own; each is source of its group and target of its neighbour's."""
    histories = [oracle.History(SIZES) for _ in range(3)]
    ring = [wired() for _ in range(3)]
    writes = [host_writes(history, 12) for history in histories]
    for hop in ring:
        hop.connect()
    for i in range(12):
        for site, hop in enumerate(ring):
            if (site, i) == (1, 5):
                hop.up = False
                hop.tell("source", ev.LinkDown())
            hop.tell("source", ev.HostWrites(writes[site][i]))
    assert [hop.target.leg.held for hop in ring] == [12, 5, 12], "one broken link is one group's trouble"
    ring[1].up = True
    ring[1].connect()
    for hop, history in zip(ring, histories, strict=True):
        assert oracle.equal(hop.image, history.after(12))


def test_a_log_only_bunker_replays_to_the_far_target_without_loss():
    """Near: a log, synchronous. Far: a copy, asynchronous and behind. The site burns; the bunker's log completes it."""
    history = oracle.History(SIZES)
    bunker, far = wired(Sync(), destage=False), wired()
    bunker.connect()
    far.connect()
    for i, batch in enumerate(host_writes(history, 20)):
        bunker.tell("source", ev.HostWrites(batch))
        far.tell("source", ev.HostWrites(batch))
        if i == 8:
            far.up = False
            far.tell("source", ev.LinkDown())
    assert far.target.leg.held == 9
    assert bunker.target.leg.held == 20
    assert oracle.equal(bunker.image, history.after(0)), "a bunker destages nothing"
    saved = SavedSource(
        header=SourceHeader(Lineage(FIRST), boot=1, ordered=True, seeded=True),
        journal=bunker.staged,
        last=20,
    )
    rest = Hop(recover_source(SourceSettings(volumes=SIZES), saved), far.target, far.image)
    rest.connect()
    assert rest.source.state is Source.STREAMING
    assert far.target.leg.held == 20
    assert oracle.equal(far.image, history.after(20))


def test_a_resync_ends_under_load_whenever_the_link_is_faster_than_the_writes():
    """Liveness: hosts never stop, and still order is regained, within a few passes."""
    resync = Resync.model_validate({"window": "8 KiB", "slice": "4 KiB"})
    for policy in (Track(), Track(at_once=True)):
        pair = Pair(
            SourceSettings(volumes=SIZES, on_full=policy, size=16384, resync=resync), TargetSettings()
        )
        fill(pair, 40)
        assert pair.source.state is Source.TRACKING
        pair.link_up()
        for _ in range(100):
            fill(pair, 1)
            for _ in range(2):
                pair.journal_done(9)
                pair.read_blocks()
                pair.answer_read()
                pair.to_target(9)
                pair.snap()
                pair.staging_done(9)
                pair.destage(9)
                pair.to_source(9)
            if pair.source.state is Source.STREAMING and pair.target.state is Target.FOLLOWING:
                break
        else:
            raise AssertionError("never ended under load")
        pair.finish()
