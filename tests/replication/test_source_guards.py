"""What a source must not believe, and must not forget, each with an engine driven by hand."""

from dataclasses import replace

import numpy as np
import pytest

from drsim.blocks.extents import Extents
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.activity import EXTENT, ActivityLog
from drsim.replication.bounds import outside
from drsim.replication.generations import FIRST, Lineage
from drsim.replication.overflow import Block
from drsim.replication.settings import Resync, SourceSettings, TargetSettings
from drsim.replication.source import SourceEngine
from drsim.replication.states import Source
from drsim.replication.target import TargetEngine
from tests.replication.test_target_guards import SIZES, at, batch, meet, sent, streaming


def resyncing() -> SourceEngine:
    """A source whose copy is under way: ticket 1 was sent."""
    resync = Resync.model_validate({"window": "4 KiB", "slice": "4 KiB"})
    source = SourceEngine(SourceSettings(volumes=(1 << 14,), resync=resync, in_sync=False))
    meet(source, 0, Lineage(), consistent=False)
    source.step(ev.Received(fr.Ready(source.leg.session, 0), at()), 1.0)
    source.step(ev.BlocksRead(1, batch(1, 1)), 1.0)
    return source


FRAMES = [
    lambda s: fr.Ack(s, np.array([5])),
    lambda s: fr.ResyncAck(s, 1, 1),
    lambda s: fr.Ready(s, 0),
    lambda s: fr.Regained(s, 5),
    lambda s: fr.Pause(s),
    lambda s: fr.Applied(s, 5),
    lambda s: fr.Ping(s),
]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("make", [lambda: streaming(3), resyncing])
def test_nothing_of_another_session_counts(frame, make):
    source = make()
    for session in (source.leg.session - 1, source.leg.session + 1, 0):
        assert not source.step(ev.Received(frame(session), at()), 2.0)


def test_nothing_counts_after_the_link_went_down():
    source = resyncing()
    session = source.leg.session
    source.step(ev.LinkDown(), 2.0)
    for frame in FRAMES:
        assert not source.step(ev.Received(frame(session), at()), 2.0)


def test_a_regained_order_of_an_earlier_pass_is_not_believed():
    source = resyncing()
    source.step(ev.Received(fr.Regained(source.leg.session, 99), at()), 2.0)
    assert source.state is Source.RESYNCING
    source.leg.end = 7
    source.step(ev.Received(fr.Regained(source.leg.session, 6), at()), 2.0)
    assert source.state is Source.RESYNCING


@pytest.mark.parametrize("granule", [0, 1, 2048, 4097, 12_288, (1 << 20) - 4096, 1 << 21])
@pytest.mark.parametrize("count", [0, 1])
def test_a_peer_names_places_in_granules_that_a_bitmap_has(granule: int, count: int) -> None:
    named = Extents(*(np.zeros(count, kind) for kind in (np.uint16, np.int64)), np.full(count, 4096))
    assert not outside(fr.Dirt(1, named, 4096), (1 << 14,))
    assert outside(fr.Dirt(1, named, granule), (1 << 14,))
    source = streaming(3)
    done = source.step(ev.Received(fr.Dirt(source.leg.session, named, granule), at()), 2.0)
    assert [type(each) for each in done] == [do.Disconnect]


def test_a_target_ends_its_session_with_a_new_connection():
    target = TargetEngine(TargetSettings())
    target.step(ev.Received(fr.Hello(1, "group", Lineage(FIRST), 1, 0, True), at()), 1.0)
    assert target.step(ev.Received(fr.Data(1, batch(1, 1), 0), at()), 1.0)
    target.step(ev.LinkUp(), 2.0)
    assert not target.step(ev.Received(fr.Data(1, batch(2, 1), 1), at()), 2.0)


def test_what_was_never_whole_is_not_taken_for_a_cycle():
    """The checkpoint arrives before its rows are durable: no image, no confirmation."""
    target = TargetEngine(TargetSettings())
    target.step(ev.Received(fr.Hello(1, "group", Lineage(FIRST), 1, 0, True), at()), 1.0)
    rows = batch(1, 3)
    target.step(ev.Received(fr.Data(1, rows, 0, folded=True), at(3)), 1.0)
    assert not target.step(ev.Received(fr.Checkpoint(1, 3), at()), 1.0)
    target.step(ev.StagingDurable(rows.seq[:2], at(2)), 2.0)
    assert target.leg.held == 0
    assert target.waiting()
    actions = target.step(ev.StagingDurable(rows.seq[2:], at(1)), 3.0)
    assert [type(f) for f in sent(actions)] == [fr.Ack]
    assert target.leg.held == 3


def test_writes_held_for_room_are_taken_when_order_is_lost():
    source = SourceEngine(SourceSettings(volumes=SIZES, on_full=Block(), size=8192, in_sync=False))
    meet(source, 0, Lineage(), consistent=False)
    for seq in (1, 2, 3):
        source.step(ev.HostWrites(batch(seq, 1)), 1.0)
    assert source.headroom() == 0
    assert source.waiting()
    actions = source.step(ev.LinkDown(), 2.0)
    told = [int(a.seq[-1]) for a in actions if isinstance(a, do.Acknowledge)]
    assert told[-1] == 3
    assert any(isinstance(a, do.ReleaseHosts) for a in actions)


def test_an_extent_stays_hot_until_its_writes_are_confirmed():
    log = ActivityLog(1)
    for seq in (1, 2, 3):
        write = batch(seq, 1)
        write = type(write)(
            write.seq, write.time, write.volume, np.array([seq * EXTENT]), write.length, write.kind
        )
        (action,) = log.touch(write)
        assert isinstance(action, do.SaveActivity)
        assert action.hot
        assert not log.touch(write), "already hot"
    assert not log.cool(0)
    assert len(log) == 3
    (action,) = log.cool(1)
    assert isinstance(action, do.SaveActivity)
    assert (action.extent.tolist(), action.hot) == ([1], False)
    (action,) = log.cool(3)
    assert len(log) == 1, "cooled down to its size, no further"


def test_a_welcome_that_comes_after_suspend_opens_nothing():
    """Else the session it opens stands in the way of the one that `resume` asks for."""
    source = SourceEngine(SourceSettings(volumes=SIZES))
    (hello,) = sent(source.step(ev.LinkUp(), 1.0))
    source.step(ev.Command("suspend"), 2.0)
    late = fr.Welcome(hello.session, Lineage(FIRST), 0, 0, True)
    assert not source.step(ev.Received(late, at()), 3.0)
    assert source.state is Source.BUFFERING
    (again,) = sent(source.step(ev.Command("resume"), 4.0))
    source.step(ev.Received(fr.Welcome(again.session, Lineage(FIRST), 0, 0, True), at()), 5.0)
    assert source.state is Source.STREAMING


def test_a_suspended_source_still_answers_a_heartbeat():
    source = streaming(3)
    source.step(ev.Command("suspend"), 2.0)
    assert [type(f) for f in sent(source.step(ev.Received(fr.Ping(source.leg.session), at()), 3.0))] == [
        fr.Pong
    ]


class Watched(np.ndarray):
    """A column that counts how often somebody looks into it."""

    looks = 0

    def __getitem__(self, at):
        Watched.looks += 1
        return super().__getitem__(at)


def test_a_journal_is_sent_without_being_read():
    """A terabyte that waits lies in a file: a look into each batch would bring the file to memory at once."""
    source = streaming(confirmed=5)
    source.step(ev.LinkDown(), 2.0)
    for first in range(6, 206, 2):
        writes = batch(first, 2)
        writes = replace(writes, seq=writes.seq.view(Watched), time=writes.time.view(Watched))
        source.step(ev.HostWrites(writes), 300.0)
        source.step(ev.JournalDurable(np.arange(first, first + 2), writes.time), 300.0)
    Watched.looks = 0
    frames = sent(meet(source, 5, Lineage(FIRST)))
    assert [frame.previous for frame in frames if isinstance(frame, fr.Data)] == list(range(5, 205, 2))
    assert Watched.looks < 10, "the first batch, not each"
