"""What a source and a target must notice about each other, each with engines driven by hand."""

import numpy as np

from drsim.blocks.batch import WriteBatch
from drsim.blocks.extents import written
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.generations import FIRST, Lineage
from drsim.replication.settings import SourceSettings, TargetSettings
from drsim.replication.source import SourceEngine
from drsim.replication.states import Cause, Source
from drsim.replication.target import TargetEngine

SIZES = (1 << 20, 1 << 20)


def batch(first: int, count: int) -> WriteBatch:
    seq = np.arange(first, first + count)
    n = np.full(count, 4096)
    return WriteBatch(seq, seq * 1.0, np.zeros(count, np.uint16), seq * 4096, n, np.zeros(count, np.uint8))


def sent(actions: list[do.Action]) -> list[fr.Frame]:
    return [a.frame for a in actions if isinstance(a, do.Send)]


def at(n: int = 1) -> np.ndarray:
    return np.zeros(n)


def meet(source: SourceEngine, held: int, lineage: Lineage, consistent: bool = True) -> list[do.Action]:
    source.step(ev.LinkDown(), 1.0)
    (hello,) = sent(source.step(ev.LinkUp(), 1.0))
    welcome = fr.Welcome(hello.session, lineage, held, held, consistent)
    return source.step(ev.Received(welcome, at()), 1.0)


def streaming(confirmed: int) -> SourceEngine:
    source = SourceEngine(SourceSettings(volumes=SIZES))
    writes = batch(1, 5)
    source.step(ev.HostWrites(writes), 1.0)
    source.step(ev.JournalDurable(writes.seq, writes.time), 1.0)
    meet(source, 0, Lineage(FIRST))
    ack = fr.Ack(source.leg.session, np.arange(1, confirmed + 1))
    source.step(ev.Received(ack, at(confirmed)), 1.0)
    assert source.state is Source.STREAMING
    return source


def test_a_gap_in_the_order_is_refused():
    target = TargetEngine(TargetSettings())
    target.step(ev.Received(fr.Hello(1, "group", Lineage(FIRST), 1, 9, True), at()), 1.0)
    actions = target.step(ev.Received(fr.Data(1, batch(4, 2), 3), at(2)), 1.0)
    assert [type(a) for a in actions] == [do.Disconnect]
    assert target.leg.received == 0


def test_a_copy_of_an_old_session_that_lands_late_confirms_nothing():
    target = TargetEngine(TargetSettings(in_sync=False))
    hello = fr.Hello(1, "group", Lineage(5), 1, 0, False)
    target.step(ev.Received(hello, at()), 1.0)
    assert sent(target.step(ev.Received(fr.ResyncBegin(1, 0), at()), 1.0))
    copied = batch(1, 2)
    copied = WriteBatch(at(2).astype(int), at(2), copied.volume, copied.offset, copied.length, copied.kind)
    (write,) = target.step(ev.Received(fr.Resync(1, 1, copied), at(2)), 1.0)
    target.step(ev.LinkUp(), 2.0)
    target.step(ev.Received(fr.Hello(2, "group", Lineage(5), 1, 0, False), at()), 2.0)
    assert not sent(target.step(ev.Received(fr.ResyncBegin(2, 0), at()), 2.0)), "ready before it landed"
    answers = sent(target.step(ev.BlocksWritten(write.ticket, copied.seq, at(2)), 3.0))
    assert [type(f) for f in answers] == [fr.Ready]


def test_nothing_is_compared_while_an_older_copy_may_still_land():
    """Else: found equal, then overwritten by the older copy, and called clean."""
    target = TargetEngine(TargetSettings(in_sync=False))
    target.step(ev.Received(fr.Hello(1, "group", Lineage(5), 1, 0, False), at()), 1.0)
    target.step(ev.Received(fr.ResyncBegin(1, 0), at()), 1.0)
    copied = batch(1, 1)
    copied = WriteBatch(at().astype(int), at(), copied.volume, copied.offset, copied.length, copied.kind)
    (write,) = target.step(ev.Received(fr.Resync(1, 1, copied), at()), 1.0)
    hashes = fr.Hashes(1, 2, written(copied), np.zeros(1, np.uint64), 0)
    assert not target.step(ev.Received(hashes, at()), 2.0)
    actions = target.step(ev.BlocksWritten(write.ticket, copied.seq, at()), 3.0)
    assert [type(a) for a in actions] == [do.Send, do.ReadBlocks]


def test_a_target_that_lost_what_it_confirmed_gets_everything():
    source = streaming(confirmed=3)
    meet(source, 2, Lineage(FIRST))
    assert source.state is Source.RESYNCING
    assert source.leg.dirty.nbytes == sum(SIZES)


def test_that_is_noticed_with_order_lost_too():
    source = streaming(confirmed=3)
    source.step(ev.LinkDown(), 1.0)
    source.intake.lose_order(batch(6, 1), Cause.JOURNAL_FULL)
    assert source.state is Source.TRACKING
    meet(source, 2, Lineage(FIRST))
    assert source.leg.dirty.nbytes == sum(SIZES)


def test_a_new_disk_at_the_target_gets_everything():
    source = streaming(confirmed=3)
    source.step(ev.LinkDown(), 1.0)
    source.leg.confirmed = 0
    meet(source, 3, Lineage(), consistent=True)
    assert source.leg.dirty.nbytes == sum(SIZES)


def test_a_target_that_is_ahead_is_not_streamed_to():
    source = streaming(confirmed=3)
    meet(source, 9, Lineage(FIRST))
    assert source.state is Source.RESYNCING


def test_an_acknowledgement_of_what_was_never_written_is_ignored():
    source = streaming(confirmed=3)
    source.step(ev.Received(fr.Ack(source.leg.session, np.array([99])), at()), 1.0)
    assert source.leg.confirmed == 3


def test_everything_kept_in_memory_is_bounded():
    """A journal far beyond ``resident`` keeps only what may be kept, and all of it can be read back."""
    source = SourceEngine(SourceSettings(volumes=SIZES, resident=40_960))
    for first in range(1, 1001, 10):
        writes = batch(first, 10)
        writes = WriteBatch(
            writes.seq, writes.time, writes.volume, writes.offset % SIZES[0], writes.length, writes.kind
        )
        source.step(ev.HostWrites(writes), 1.0)
        source.step(ev.JournalDurable(writes.seq, writes.time), 1.0)
    kept = [s for s in source.leg.journal._segments if s.batch is not None]
    assert sum(s.nbytes for s in kept) <= 40_960
    assert source.leg.journal.nbytes == 1000 * 4096
    actions = meet(source, 0, Lineage(FIRST))
    asked = [a for a in actions if isinstance(a, do.ReadJournal)]
    assert [(a.first, a.last) for a in asked] == [(1, 10)]


def test_a_question_about_a_far_point_of_the_order_holds_back_no_other():
    """A verify asked, then order was lost: its point may never come, and the copy's hashes must not wait for it."""
    target = TargetEngine(TargetSettings())
    target.step(ev.Received(fr.Hello(1, "group", Lineage(FIRST), 1, 9, True), at()), 1.0)
    blocks = written(batch(1, 1))
    digest = np.zeros(1, np.uint64)
    assert not target.step(ev.Received(fr.Hashes(1, 7, blocks, digest, 99), at()), 1.0)
    (read,) = target.step(ev.Received(fr.Hashes(1, 8, blocks, digest, 0), at()), 1.0)
    assert isinstance(read, do.ReadBlocks)


def test_a_protective_snapshot_whose_copy_never_began_is_given_up():
    target = TargetEngine(TargetSettings())
    target.step(ev.Received(fr.Hello(1, "group", Lineage(FIRST), 1, 0, True), at()), 1.0)
    (take,) = [a for a in target.step(ev.Received(fr.ResyncBegin(1, 4), at()), 1.0) if not sent([a])]
    assert isinstance(take, do.TakeSnapshot)
    target.step(ev.LinkDown(), 2.0)
    dropped = [
        a.name for a in target.step(ev.SnapshotTaken(take.name), 3.0) if isinstance(a, do.DropSnapshot)
    ]
    assert dropped == [take.name]
    assert target.leg.protected is None
