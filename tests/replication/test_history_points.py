"""History: which points there are, which are thinned, what a schedule keeps, what staging reads back."""

import numpy as np

from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.generations import FIRST, Lineage
from drsim.replication.history import History, Keep
from drsim.replication.settings import TargetSettings
from drsim.replication.shelf import Moments, Schedule, Shelf
from drsim.replication.states import Target
from drsim.replication.target import TargetEngine
from tests.replication.test_target_guards import at, batch


def following(**settings: object) -> TargetEngine:
    target = TargetEngine(TargetSettings(**settings))
    target.step(ev.Received(fr.Hello(1, "group", Lineage(FIRST), 1, 0, True), at()), 0.0)
    return target


def receive(target: TargetEngine, first: int, count: int, now: float) -> list[do.Action]:
    rows = batch(first, count)
    target.step(ev.Received(fr.Data(1, rows, first - 1), at(count)), now)
    return target.step(ev.StagingDurable(rows.seq, at(count)), now)


def test_old_points_are_thinned_and_markers_are_kept():
    history = History(Keep.model_validate({"window": "1 h", "dense": "60 s", "every": "30 s"}))
    for second in range(0, 200, 10):
        history.mark(second + 1, float(second), "backup" if second == 40 else "")
    points = history.points(written=0, now=200.0)
    assert [p.time for p in points] == [0, 30, 40, 60, 90, 120, 140, 150, 160, 170, 180, 190]
    assert history.find("backup") == 41
    assert history.find("none") is None
    assert [p.seq for p in history.points(written=180, now=200.0)] == [181, 191]


def test_without_thinning_every_point_in_staging_is_there():
    history = History(Keep.model_validate({"window": "1 h"}))
    for seq in (1, 5, 9):
        history.mark(seq, float(seq))
    assert [p.seq for p in history.points(4, 10.0)] == [5, 9]
    history.clear()
    assert history.points(0, 10.0) == []
    assert History(None).delay is None


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
    assert [w.batch.seq.tolist() for w in writes] == [[1, 2, 3]]


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
