"""History: which points there are and how long, how older ones are thinned, what staging reads back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks.batch import Kind, WriteBatch
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.generations import FIRST, Lineage
from drsim.replication.history import Keep
from drsim.replication.overflow import Track
from drsim.replication.policy import Cycle, JournalMode
from drsim.replication.settings import Resync, SourceSettings, TargetSettings
from drsim.replication.shelf import Moments, Schedule, Shelf
from drsim.replication.states import Source, Target
from drsim.replication.target import TargetEngine
from tests.replication.oracle import equal
from tests.replication.pair import Pair
from tests.replication.test_prefix import SIZES, Pen
from tests.replication.test_target_guards import at, batch


def following(**settings: object) -> TargetEngine:
    target = TargetEngine(TargetSettings(**settings))
    target.step(ev.Received(fr.Hello(1, "group", Lineage(FIRST), 1, 0, True), at()), 0.0)
    return target


def receive(target: TargetEngine, first: int, count: int, now: float) -> list[do.Action]:
    rows = batch(first, count)
    target.step(ev.Received(fr.Data(1, rows, first - 1), at(count)), now)
    return target.step(ev.StagingDurable(rows.seq, at(count)), now)


MARKED = [JournalMode(), JournalMode(fold="checkpoint"), Cycle.model_validate({"every": "1 h"})]


@pytest.mark.parametrize("mode", MARKED, ids=["journal", "folded", "cycle"])
@pytest.mark.parametrize("trouble", ["none", "cut", "source", "target", "later"])
def test_a_marker_is_exactly_its_point_whatever_comes_between(mode, trouble):
    """Two markers with writes around them; the link is cut, or a site stops, with all of it on its way."""
    source = SourceSettings(volumes=SIZES, mode=mode, resync=Resync.model_validate({"slice": "8 KiB"}))
    pair = Pair(source, TargetSettings(history=Keep.model_validate({"window": "1 d"})))
    pen = Pen()
    pair.link_up()
    pair.settle()
    for name in ("one", "two", ""):
        for place in range(3):
            pair.write(pen.batch(pair, [(0, place, 1, 0)]))
        pair.journal_done(9), pair.journal_done(9), pair.journal_done(9)
        if name:
            pair.step_source(ev.Command("mark", name))
    if mode.closing() is not None:
        pair.tick()
    pair.to_target(2), pair.to_target(2), pair.staging_done(1)
    if trouble == "cut":
        pair.link_down()
    elif trouble in ("source", "target"):
        (pair.crash_source if trouble == "source" else pair.crash_target)(0)
    pair.finish()
    assert pair.history.last == 9
    if trouble == "later":  # The source knows that its markers arrived, and tells them no more.
        pair.crash_target(0)
        pair.finish()
    assert [pair.target.leg.marked(name) for name in ("one", "two", "three")] == [3, 6, None]
    pair.link_down()
    pair.step_target(ev.Command("promote", "two"))
    pair.settle()
    assert pair.target.state is Target.PROMOTED
    assert equal(pair.image, pair.history.after(6))


def test_a_marker_within_the_redo_of_a_resync_does_not_keep_the_image_waiting():
    """The marker ends a cycle before the image is whole; the next one closes at once, an hour before its time."""
    mode, resync = Cycle.model_validate({"every": "1 h"}), Resync.model_validate({"slice": "8 KiB"})
    source = SourceSettings(volumes=SIZES, mode=mode, on_full=Track(at_once=True), size=4096, resync=resync)
    pair = Pair(source, TargetSettings())
    pen = Pen()
    pair.link_up()
    pair.settle()
    for place in range(9):
        pair.write(pen.batch(pair, [(1, place, 1, 0)]))
    assert pair.source.state is Source.RESYNCING
    pair.write(pen.batch(pair, [(0, 0, 1, 0)]))
    pair.step_source(ev.Command("mark", "noon"))
    pair.write(pen.batch(pair, [(0, 1, 1, 0)]))
    began = pair.now
    pair.settle()
    assert pair.now < began + 600
    assert pair.target.state is Target.FOLLOWING
    assert pair.target.leg.held == 11


def test_a_crash_while_the_history_gives_way_to_a_copy_leaves_no_half_image():
    """What is kept back goes to the volumes before a copy; the machine stops in the middle of it."""
    resync = Resync.model_validate({"window": "8 KiB", "slice": "8 KiB"})
    target = TargetSettings(history=Keep.model_validate({"window": "1 h"}))
    pair = Pair(SourceSettings(volumes=SIZES, size=4096, resync=resync), target)
    pen = Pen()
    pair.link_up()
    pair.settle()
    for place in range(4):
        pair.write(pen.batch(pair, [(0, place, 1, 0)]))
        pair.settle()
    for place in range(8):
        pair.write(pen.batch(pair, [(1, place, 2, 0)]))
    for _ in range(3):
        pair.to_target(9)
    pair.destage(1)
    assert pair.writes, "nothing is under way to the volumes"
    pair.crash_target(1)
    pair.step_target(ev.Command("rehearse", "drill"))
    for _ in range(9):
        pair.snap(), pair.destage(9)  # Judges what is kept.
    assert "drill" in pair.snapshots
    pair.finish()


def test_markers_are_points_as_long_as_the_window_reaches():
    target = following(history=Keep.model_validate({"window": "10 s"}))
    receive(target, 1, 5, 5.0)
    for seq, name in ((1, "old"), (3, "backup"), (5, "backup"), (5, "backup")):
        target.step(ev.Received(fr.Checkpoint(1, seq, name), at()), 5.0)
    assert target.leg.marks == [(1, "old"), (3, "backup"), (5, "backup")]
    assert target.leg.marked("backup") == 5
    (write,) = [a for a in target.step(ev.Due(), 13.0) if isinstance(a, do.WriteBlocks)]
    target.step(ev.BlocksWritten(write.ticket, write.batch.seq, write.ready), 13.0)
    assert target.leg.marked("old") is None
    assert target.leg.marked("backup") == 5
    actions = target.step(ev.Received(fr.Checkpoint(1, 2, "late"), at()), 13.0)
    assert [a.what for a in actions if isinstance(a, do.Noted)] == ["markers_missed"]
    assert target.leg.marked("late") is None


@pytest.mark.parametrize("back", range(7))
@pytest.mark.parametrize("resident", [None, 0, 1024])
@pytest.mark.parametrize("keep", [{"size": "1 KiB"}, {"size": "2 KiB"}, {"window": "1 h"}])
def test_a_site_takes_over_at_any_point_of_one_batch(keep, resident, back):
    """Whatever of the batch is on the volumes already, and whether the rest is still in memory."""
    target = TargetSettings(resident=resident, history=Keep.model_validate(keep))
    pair = Pair(SourceSettings(volumes=SIZES), target)
    pair.link_up()
    pair.settle()
    pair.write(Pen().batch(pair, [(0, place, 1, Kind.WRITE) for place in range(6)]))
    pair.settle()
    leg = pair.target.leg
    point, there = leg.held - back, leg.held - back >= leg.issued
    pair.link_down()
    pair.step_target(ev.Command("promote", str(point)))
    pair.settle()
    assert pair.target.state is (Target.PROMOTED if there else Target.FOLLOWING)
    assert not there or leg.written == point
    if there:
        back_again = pair.swap()
        back_again.finish()


def test_older_points_are_thinned_and_give_their_room_back():
    """Every write of the last 20 s is a point; before that one in 30 s, three of them; and nothing else takes room."""
    resync = Resync.model_validate({"window": "8 KiB", "slice": "4 KiB"})
    target = TargetSettings(
        history=Keep.model_validate({"window": "20 s"}), snapshots=(Schedule(every="30 s", keep=3),)
    )
    pair = Pair(SourceSettings(volumes=SIZES, resync=resync), target)
    pen = Pen()
    pair.link_up()
    pair.settle()
    while pair.now < 300:
        pair.write(pen.batch(pair, [(0, pair.history.last % 8, 1, 0)]))
        pair.settle()
        while (due := pair.target.deadline()) is not None and due <= pair.now:
            pair.step_target(ev.Due())
            pair.settle()
    leg, staging = pair.target.leg, pair.target.staging
    kept = [row for part in pair.staging for row in part.time.tolist()]
    assert min(kept) > pair.now - 20 - 9, "the medium keeps what has left the window"
    assert staging.store.nbytes == sum(part.nbytes for part in pair.staging)
    assert all(staging.is_point(seq) for seq in range(leg.written, leg.held + 1))
    names = sorted(pair.snapshots, key=lambda name: pair.snapshots[name][0])
    newest = int(names[-1].rpartition("-")[2])
    assert newest >= pair.now // 30 - 1
    assert names == [f"schedule-0-{n}" for n in range(newest - 2, newest + 1)]
    for seq, image in pair.snapshots.values():
        assert seq <= leg.written
        assert equal(image, pair.history.after(seq))


def test_writes_older_than_the_window_go_to_the_volumes_and_no_others():
    target = following(history=Keep.model_validate({"window": "10 s"}))
    assert not [a for a in receive(target, 1, 5, 5.0) if isinstance(a, do.WriteBlocks)]
    assert target.deadline() == 11.0  # write 1 was made at 1 s
    (write,) = [a for a in target.step(ev.Due(), 13.0) if isinstance(a, do.WriteBlocks)]
    assert write.batch.seq.tolist() == [1, 2, 3]
    assert target.deadline() == 14.0


def test_a_full_history_lets_the_oldest_go():
    target = following(history=Keep.model_validate({"window": "1 h", "size": "12288 B"}))
    writes = [a for a in receive(target, 1, 5, 5.0) if isinstance(a, do.WriteBlocks)]
    assert [w.batch.seq.tolist() for w in writes] == [[1, 2]]  # Three of 4,096 bytes fit exactly.


@st.composite
def kept_writes(draw: st.DrawFn) -> tuple[Keep, WriteBatch, np.ndarray]:
    """Settings, writes, and when each is durable in staging: times that binary fractions can't hold."""
    keep = draw(
        st.sampled_from(
            [{"window": "0.7 s"}, {"size": "2 KiB"}, {"window": "0.7 s", "size": "2 KiB"}, {"size": "1 B"}]
        )
    )
    gaps = draw(st.lists(st.tuples(*[st.sampled_from([0, 1, 2, 9])] * 2), min_size=1, max_size=30))
    n = len(gaps)
    time = np.cumsum([g for g, _ in gaps]) / 10
    durable = np.maximum.accumulate(time + np.array([late for _, late in gaps]) / 10)
    length = np.array(draw(st.lists(st.sampled_from([1, 512, 1024, 4096]), min_size=n, max_size=n)))
    none = np.zeros(n, np.int64)
    kind = np.zeros(n, np.uint8)
    return (
        Keep.model_validate(keep),
        WriteBatch(np.arange(1, n + 1), time, none.astype(np.uint16), none, length, kind),
        durable,
    )


def goes(keep: Keep, writes: WriteBatch, durable: np.ndarray) -> list[float]:
    """When each write has to go to the volumes, naively: at its age, or when too much is durable from it on."""
    found = []
    for row in range(len(writes)):
        due = np.inf if keep.window is None else writes.time[row] + keep.window
        kept = 0
        for later in range(row, len(writes)):
            kept += int(writes.length[later])
            if keep.size is not None and kept > keep.size:
                due = min(due, durable[later])
                break
        found.append(max(due, durable[row]))
    return found


@given(
    kept_writes(),
    st.lists(st.integers(0, 60), max_size=12),
    st.booleans(),
    st.sampled_from([1, 3, 60]),
    st.booleans(),
)
def test_each_write_leaves_the_history_at_its_instant_however_facts_are_batched(
    drawn, looks, slow, apiece, late
):
    """And, where nothing but its age keeps it, however late the engine is told of that."""
    keep, writes, durable = drawn
    target, told, went, now = following(history=keep, late=late), 0, {}, 0.0
    issued: list[do.WriteBlocks] = []
    ends = sorted({look / 5 for look in looks} | {float(durable[-1])})
    end = ends[-1] + 10
    while now < end:
        due = target.deadline()
        assert due is None or due > now, "a deadline that is past, for ever"
        later = [t for t in [*ends, end] if t > now]
        later += durable[told : told + 1].tolist() if target.waiting() else []
        now = max(now, min(later if due is None else [*later, due]))
        stop = int(np.searchsorted(durable, now, side="right"))
        actions: list[do.Action] = []
        while told < stop:
            some = min(told + apiece, stop)
            rows, at_ = writes.slice(told, some), durable[told:some]
            actions += target.step(ev.Received(fr.Data(1, rows, told), at_), now)
            actions += target.step(ev.StagingDurable(rows.seq, at_), now)
            told = some
        actions += target.step(ev.Due(), now)
        issued += [a for a in actions if isinstance(a, do.WriteBlocks)]
        went |= {
            int(s): t
            for a in actions
            if isinstance(a, do.WriteBlocks)
            for s, t in zip(a.batch.seq, a.ready, strict=True)
        }
        while issued and not slow:
            write = issued.pop(0)
            target.step(ev.BlocksWritten(write.ticket, write.batch.seq, write.ready), now)
    wanted = {i + 1: t for i, t in enumerate(goes(keep, writes, durable)) if t < end}
    assert went == wanted


def test_a_snapshot_holds_what_was_old_enough_when_it_was_taken_though_that_is_told_late():
    target = following(history=Keep.model_validate({"window": "10 s"}), late=True)
    rows = batch(1, 4)
    made = WriteBatch(rows.seq, np.array([1.0, 2, 3, 4]), rows.volume, rows.offset, rows.length, rows.kind)
    target.step(ev.Received(fr.Data(1, made, 0), at(4)), 4.0)
    target.step(ev.StagingDurable(made.seq, at(4)), 4.0)
    assert target.deadline() is None
    assert target.staging.expiry() == 11.0
    given_ = [a for a in target.step(ev.Command("rehearse", "drill"), 12.5) if isinstance(a, do.WriteBlocks)]
    assert [(a.batch.seq.tolist(), a.ready.tolist()) for a in given_] == [([1, 2], [11.0, 12.0])]
    taken = target.step(ev.BlocksWritten(given_[0].ticket, given_[0].batch.seq, at(2)), 13.5)
    assert [(a.name, a.seq) for a in taken if isinstance(a, do.TakeSnapshot)] == [("drill", 2)]
    told = target.step(
        ev.SnapshotTaken("drill"), 13.75
    )  # The third could not go while the volumes stood still.
    assert [a.ready.tolist() for a in told if isinstance(a, do.WriteBlocks)] == [[13.75]]


def test_a_delay_that_floats_can_not_hold_ends_all_the_same():
    target = following(history=Keep.model_validate({"window": "0.7 s"}))
    rows = batch(1, 1)
    early = WriteBatch(rows.seq, np.array([0.1]), rows.volume, rows.offset, rows.length, rows.kind)
    target.step(ev.Received(fr.Data(1, early, 0), at()), 0.1)
    target.step(ev.StagingDurable(early.seq, at()), 0.1)
    due = target.deadline()
    assert due == 0.1 + 0.7
    assert due - 0.7 < 0.1  # The write is not 0.7 s old by this sum, and must go by the other.
    assert [a.batch.seq.tolist() for a in target.step(ev.Due(), due) if isinstance(a, do.WriteBlocks)] == [
        [1]
    ]
    assert target.deadline() is None


def test_a_history_has_a_bound():
    with pytest.raises(ValueError, match="give window, size, or both"):
        Keep.model_validate({})


def test_a_full_staging_takes_the_room_of_its_history():
    target = following(size=8 * 4096, history=Keep.model_validate({"window": "1 h"}))
    actions = receive(target, 1, 9, 5.0)
    writes = [a for a in actions if isinstance(a, do.WriteBlocks)]
    assert [w.batch.seq.tolist() for w in writes] == [[1, 2, 3, 4, 5]]
    (write,) = writes
    actions = target.step(ev.BlocksWritten(write.ticket, write.batch.seq, write.ready), 6.0)
    assert any(isinstance(a, do.Send) and isinstance(a.frame, fr.Proceed) for a in actions)


@pytest.mark.parametrize(
    "kept_back", [{"history": Keep.model_validate({"window": "1 h"})}, {"destage": False}]
)
def test_what_is_kept_back_on_purpose_holds_no_cycle_up(kept_back):
    target = following(**kept_back)
    rows = batch(1, 3)
    target.step(ev.Received(fr.Data(1, rows, 0, folded=True), at(3)), 1.0)
    target.step(ev.Received(fr.Checkpoint(1, 3), at()), 1.0)
    actions = target.step(ev.StagingDurable(rows.seq, at(3)), 1.0)
    assert not any(isinstance(a, do.WriteBlocks) for a in actions)
    assert [a.frame.seq for a in actions if isinstance(a, do.Send) and isinstance(a.frame, fr.Applied)] == [3]


def test_a_full_staging_empties_though_its_history_has_left_memory():
    target = following(size=4 * 4096, resident=0, history=Keep.model_validate({"window": "1 h"}))
    (write,) = [a for a in receive(target, 1, 6, 5.0) if isinstance(a, do.WriteBlocks)]
    assert write.batch.seq.tolist() == [1, 2, 3, 4]
    actions = target.step(ev.BlocksWritten(write.ticket, write.batch.seq, write.ready), 6.0)
    (read,) = [a for a in actions if isinstance(a, do.ReadStaging)]
    actions = target.step(ev.StagingRead(batch(read.first, 2)), 6.0)
    (write,) = [a for a in actions if isinstance(a, do.WriteBlocks)]
    actions = target.step(ev.BlocksWritten(write.ticket, write.batch.seq, write.ready), 7.0)
    assert any(isinstance(a, do.Send) and isinstance(a.frame, fr.Proceed) for a in actions)


def test_a_cycle_leaves_the_history_whole():
    target = following(history=Keep.model_validate({"size": f"{6 * 4096} B"}))
    writes: list[list[int]] = []
    for first in (1, 5, 9):
        rows = batch(first, 4)
        target.step(ev.Received(fr.Data(1, rows, first - 1, folded=True), at(4)), float(first))
        target.step(ev.Received(fr.Checkpoint(1, first + 3), at()), float(first))
        actions = target.step(ev.StagingDurable(rows.seq, at(4)), float(first))
        writes += [a.batch.seq.tolist() for a in actions if isinstance(a, do.WriteBlocks)]
    assert writes == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_what_staging_no_longer_has_in_memory_is_read_back_to_be_destaged():
    target = following(resident=4096, history=Keep.model_validate({"window": "10 s"}))
    for first in (1, 3, 5):
        receive(target, first, 2, 6.0)
    (read,) = [a for a in target.step(ev.Due(), 30.0) if isinstance(a, do.ReadStaging)]
    assert (read.first, read.last) == (1, 2)
    actions = target.step(ev.StagingRead(batch(1, 2)), 30.0)
    writes = [a.batch.seq.tolist() for a in actions if isinstance(a, do.WriteBlocks)]
    assert writes[0] == [1, 2]


def test_several_schedules_on_one_group_each_keep_their_newest():
    schedules = tuple(
        Schedule.model_validate(s) for s in ({"every": "10 s", "keep": 2}, {"every": "25 s", "keep": 1})
    )
    target = following(snapshots=schedules)
    assert target.deadline() == 10.0
    taken, dropped = [], []
    for now in range(10, 60, 5):
        steps = target.step(ev.Due(), float(now))
        while steps:
            action = steps.pop(0)
            if isinstance(action, do.TakeSnapshot):
                taken.append(action.name)
                steps += target.step(ev.SnapshotTaken(action.name), float(now))
            elif isinstance(action, do.DropSnapshot):
                dropped.append(action.name)
    assert [n for n in taken if n.startswith("schedule-0")] == [f"schedule-0-{i}" for i in range(1, 6)]
    assert [n for n in taken if n.startswith("schedule-1")] == ["schedule-1-1", "schedule-1-2"]
    assert dropped == ["schedule-0-1", "schedule-0-2", "schedule-0-3", "schedule-1-1"]
    assert target.roles.shelf.kept == ["schedule-0-4", "schedule-0-5", "schedule-1-2"]


def test_a_schedule_begins_when_it_says_and_drops_what_has_grown_old():
    schedule = Schedule.model_validate({"every": "10 s", "first": "3 s", "keep": None, "age": "20 s"})
    shelf = Shelf([schedule, Moments((4.0, 6.0, 30.0), age=25.0)])
    gone = {}
    while shelf.deadline() <= 43.0:
        now = shelf.deadline()
        for name in shelf.due(now):
            gone[now, name] = shelf.taken(name)
    assert [now for now, name in gone if name.startswith("schedule-0")] == [3.0, 13.0, 23.0, 33.0, 43.0]
    assert {now: left for (now, _), left in gone.items() if left} == {
        23.0: ["schedule-0-0"],
        30.0: ["schedule-1-1"],
        33.0: ["schedule-0-1"],
        43.0: ["schedule-0-2"],
    }
    assert shelf.kept == ["schedule-0-3", "schedule-0-4", "schedule-1-2", "schedule-1-3"]


def test_a_protective_snapshot_for_which_room_runs_out_leaves_no_image():
    target = following()
    (write,) = [a for a in receive(target, 1, 2, 1.0) if isinstance(a, do.WriteBlocks)]
    target.step(ev.BlocksWritten(write.ticket, write.batch.seq, at(2)), 1.0)
    begun = target.step(ev.Received(fr.ResyncBegin(1, 4), at()), 2.0)
    (taken,) = [a for a in begun if isinstance(a, do.TakeSnapshot)]
    target.step(ev.SnapshotTaken(taken.name), 2.0)
    assert target.state is Target.INCONSISTENT
    assert not [a for a in target.step(ev.SnapshotLost("rehearsal", 2.5), 3.0) if isinstance(a, do.Exposed)]
    (exposed,) = [a for a in target.step(ev.SnapshotLost(taken.name, 2.5), 3.0) if isinstance(a, do.Exposed)]
    assert exposed.at == 2.5
    (note,) = target.step(ev.Command("promote", ""), 4.0)
    assert "no consistent image" in note.what


def test_a_snapshot_due_in_mid_resync_is_left_out_and_said_to_be():
    target = following(snapshots=(Schedule.model_validate({"every": "10 s"}),), protect=False)
    target.step(ev.Received(fr.ResyncBegin(1, 4), at()), 1.0)
    assert target.state is Target.INCONSISTENT
    actions = target.step(ev.Due(), 10.0)
    assert any(isinstance(a, do.Noted) and a.what == "snapshots_missed" for a in actions)
    assert not any(isinstance(a, do.TakeSnapshot) for a in actions)


def test_a_full_staging_makes_the_source_pause_and_go_on():
    target = following(size=8192)
    assert target.headroom() == 8192
    rows = batch(1, 3)
    actions = target.step(ev.Received(fr.Data(1, rows, 0), at(3)), 1.0)
    assert any(isinstance(a, do.Send) and isinstance(a.frame, fr.Pause) for a in actions)
    (write,) = [
        a for a in target.step(ev.StagingDurable(rows.seq, at(3)), 1.0) if isinstance(a, do.WriteBlocks)
    ]
    assert target.waiting()
    target.step(ev.BlocksWritten(write.ticket, rows.seq[:1], at(1)), 2.0)
    actions = target.step(ev.BlocksWritten(write.ticket, rows.seq[1:2], at(1)), 2.0)
    assert any(isinstance(a, do.Send) and isinstance(a.frame, fr.Proceed) for a in actions)


def test_refused_promotions_and_rehearsals_say_why():
    target = following()
    receive(target, 1, 2, 1.0)
    for command, words in (("9", "no point 9"), ("nowhere", "no point nowhere")):
        (note,) = target.step(ev.Command("promote", command), 2.0)
        assert words in note.what
    target = TargetEngine(TargetSettings(in_sync=False))
    target.step(ev.Due(), 0.0)
    (note,) = target.step(ev.Command("rehearse", "x"), 1.0)
    assert "refused" in note.what
    (note,) = target.step(ev.Command("dance"), 1.0)
    assert "ignored" in note.what
    assert np.isscalar(note.at)
