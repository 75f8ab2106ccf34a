"""One suite for every policy of a full journal; a new class in `KINDS` joins by itself."""

import numpy as np
import pytest

from drsim.blocks.batch import WriteBatch
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.generations import FIRST, Lineage
from drsim.replication.overflow import KINDS, Pace, Track
from drsim.replication.settings import Resync, SourceSettings, TargetSettings
from drsim.replication.source import SourceEngine
from drsim.replication.states import Source
from tests.replication.pair import Pair
from tests.replication.test_prefix import POLICIES, SIZES, Pen

ALL = [(kind, i) for kind in KINDS for i in range(len(POLICIES[kind]))]


def leg(kind: str, choice: int, size: int = 4096, **more: object) -> Pair:
    policy = KINDS[kind].model_validate(POLICIES[kind][choice])
    resync = Resync.model_validate({"window": "8 KiB", "slice": "4 KiB"})
    return Pair(
        SourceSettings(volumes=SIZES, on_full=policy, size=size, resync=resync, **more), TargetSettings()
    )


def fill(pair: Pair, count: int) -> None:
    pen = Pen()
    pen.count = pair.history.last
    for i in range(count):
        pair.write(pen.batch(pair, [(i % 2, i % 30, 2, 0)]))


@pytest.mark.parametrize(("kind", "choice"), ALL)
def test_overflow_with_the_link_down_loses_nothing_and_ends_well(kind, choice):
    pair = leg(kind, choice)
    fill(pair, 12)
    limit = pair.source.leg.journal.size
    assert pair.source.leg.journal.nbytes <= limit
    pair.finish()


@pytest.mark.parametrize(("kind", "choice"), ALL)
def test_overflow_with_the_link_up_loses_nothing_and_ends_well(kind, choice):
    pair = leg(kind, choice)
    pair.link_up()
    pair.settle()
    for _ in range(4):
        fill(pair, 5)
        pair.to_target(2)
        pair.staging_done(1)
        pair.to_source(1)
    pair.finish()


@pytest.mark.parametrize(("kind", "choice"), ALL)
def test_a_batch_within_headroom_changes_nothing(kind, choice):
    """The promise on which the simulator ends its epochs: up to headroom, only appending happens."""
    pair = leg(kind, choice)
    for _ in range(20):
        room = pair.source.headroom()
        if room is None or room < 1024 or pair.source.state is Source.TRACKING:
            break
        before = pair.source.state
        actions = pair.source.step(ev.HostWrites(plain(pair.source, room // 1024)), pair.now)
        quiet = (do.AppendJournal, do.PaceHosts)
        assert all(isinstance(a, quiet) for a in actions)
        assert pair.source.state is before


@pytest.mark.parametrize(("kind", "choice"), ALL)
@pytest.mark.parametrize("cut", [1, 3, 7, 40])
def test_decisions_fall_at_the_same_write_however_the_writes_are_batched(kind, choice, cut):
    policy = KINDS[kind].model_validate(POLICIES[kind][choice])
    whole, parts = (SourceEngine(SourceSettings(volumes=SIZES, on_full=policy, size=9000)) for _ in range(2))
    tell_all(whole, 40, 40)
    tell_all(parts, 40, cut)
    assert whole.leg.last == parts.leg.last
    assert whole.state is parts.state
    assert whole.leg.journal.nbytes == parts.leg.journal.nbytes
    assert whole.leg.level == parts.leg.level
    assert list(whole.leg.dirty.extents().rows()) == list(parts.leg.dirty.extents().rows())


def plain(engine: SourceEngine, count: int) -> WriteBatch:
    first = engine.leg.last + 1
    seq = np.arange(first, first + count)
    return WriteBatch(
        seq,
        seq * 1.0,
        np.zeros(count, np.uint16),
        seq % 20 * 1024,
        np.full(count, 1024),
        np.zeros(count, np.uint8),
    )


def tell_all(engine: SourceEngine, count: int, cut: int) -> None:
    """As a world does: batches within headroom, or one write."""
    left = count
    while left and not engine.leg.holds:
        room = engine.headroom()
        n = min(cut, left) if room is None else max(1, min(cut, left, room // 1024))
        before = engine.leg.last
        engine.step(ev.HostWrites(plain(engine, n)), 1.0)
        left -= n
        if engine.leg.last == before:
            return


def rounds(pair: Pair, writes: int, carried: int) -> list[str]:
    """Let a host write while a slow link carries a few frames; give the states passed through."""
    for _ in range(60):
        fill(pair, writes)
        pair.journal_done(100)
        pair.read_blocks()
        pair.answer_read()
        for _ in range(carried):
            pair.to_target(1)
            pair.staging_done(1)
            pair.destage(1)
            pair.snap()
        for _ in range(4):
            pair.to_source(100)
    return [new for _, new in pair.states]


def swings(on_full: Track) -> int:
    resync = Resync.model_validate({"window": "4 KiB", "slice": "4 KiB"})
    pair = Pair(SourceSettings(volumes=SIZES, on_full=on_full, size=4096, resync=resync), TargetSettings())
    pair.link_up()
    pair.settle()
    again = rounds(pair, writes=2, carried=4).count("RESYNCING")
    pair.finish()
    return again


def test_the_pull_ahead_oscillation_is_shown_and_stopped():
    """DRBD issue 46: journalling at once during a resync fills the journal again and again; the chase does not."""
    naive = swings(Track(at_once=True))
    calm = swings(Track())
    assert naive >= 10
    assert calm <= 3


def test_a_resync_that_cannot_converge_says_so():
    policy = Track.model_validate({"journal_below": 0})
    resync = Resync.model_validate({"window": "4 KiB", "slice": "4 KiB"})
    told: list[str] = []
    settings = SourceSettings(volumes=SIZES, on_full=policy, size=1024, resync=resync)
    pair = Pair(settings, TargetSettings(), told.append)
    pair.link_up()
    pair.settle()
    for _ in range(60):
        fill(pair, 30)
        pair.read_blocks()
        pair.answer_read()
        for _ in range(3):
            for move in (pair.to_target, pair.destage, pair.to_source):
                move(9)
            pair.snap()
    assert any("not_converging" in line for line in told)


def test_pace_grows_from_low_to_high_and_falls_with_hysteresis():
    policy = Pace.model_validate({"low": "20 %", "high": "80 %", "steps": 4, "delay": "40 ms"})
    engine = SourceEngine(SourceSettings(volumes=SIZES, on_full=policy, size=10240))
    actions = [a for _ in range(10) for a in engine.step(ev.HostWrites(plain(engine, 1)), 1.0)]
    delays = [round(a.delay_s, 6) for a in actions if isinstance(a, do.PaceHosts)]
    assert delays == [0.01, 0.02, 0.03, 0.04]
    (hello,) = [a.frame for a in engine.step(ev.LinkUp(), 2.0) if isinstance(a, do.Send)]
    engine.step(ev.JournalDurable(np.arange(1, 11), np.zeros(10)), 2.0)
    engine.step(ev.Received(fr.Welcome(hello.session, Lineage(FIRST), 0, 0, True), np.zeros(1)), 2.0)
    after = {}
    for seq in range(3, 11):
        actions = engine.step(ev.Received(fr.Ack(hello.session, np.array([seq])), np.zeros(1)), 3.0)
        after[seq] = [round(a.delay_s, 6) for a in actions if isinstance(a, do.PaceHosts)]
    assert after[4] == [], "one step below its mark is not yet calmer"
    assert [after[s] for s in range(5, 11)] == [[0.02], [], [], [0.0], [], []]


def test_one_slow_target_does_not_force_its_policy_on_another():
    slow = SourceEngine(SourceSettings(volumes=SIZES, on_full=Track(), size=2048))
    fast = SourceEngine(SourceSettings(volumes=SIZES, on_full=Track()))
    for _ in range(6):
        batch = plain(fast, 1)
        slow.step(ev.HostWrites(batch), 1.0)
        fast.step(ev.HostWrites(batch), 1.0)
    assert slow.state is Source.TRACKING
    assert fast.state is Source.BUFFERING
    assert fast.leg.journal.nbytes == 6 * 1024
