"""Roles: whatever happened before, a promoted site has an image, its loss is known, and the way back is complete."""

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication.settings import Resync, SourceSettings, TargetSettings
from drsim.replication.shelf import Schedule
from drsim.replication.states import Source, Target
from drsim.replication.target import TargetEngine
from tests.replication import oracle
from tests.replication.pair import Pair
from tests.replication.stories import Tale
from tests.replication.test_overflow import fill
from tests.replication.test_prefix import SIZES, Pen, play, settings_of_a_leg, stories, writes


def promote(pair: Pair, point: str = "") -> bool:
    """Take over; the disaster cut the link for good."""
    pair.link_down()
    pair.step_target(ev.Command("promote", point))
    for _ in range(20):
        pair.settle()
    return pair.target.state is Target.PROMOTED


@given(settings_of_a_leg(), stories, st.lists(writes, max_size=4), st.integers(0, 3), st.booleans())
def test_failover_and_failback(settings, story, after, back, crash):
    pair = Pair(*settings)
    play(pair, story)
    pair.fuse.clear()
    point = max(pair.target.leg.issued, pair.target.leg.held - back) if back else None
    staging = pair.target.staging
    there = point is not None and staging.between and staging.is_point(point)
    wish = str(point) if there and pair.target.state is Target.FOLLOWING else ""
    had_image = pair.target.state is Target.FOLLOWING or pair.target.leg.protected is not None
    if not promote(pair, wish):
        assert not had_image, "there was an image, yet it was not taken over"
        return
    if crash:
        pair.crash_source(1)  # The disaster: the old source comes back with what its media hold.
    other = pair.swap()
    pen = Pen()
    pen.count = 100
    for rows in after:
        other.write(pen.batch(other, rows))
    other.finish()
    assert oracle.equal(other.volume, other.failover_image())


@given(settings_of_a_leg(), stories)
def test_a_planned_failover_loses_nothing(settings, story):
    pair = Pair(*settings)
    play(pair, [m for m in story if m[0] not in ("crash", "haunt")])
    pair.finish()
    pair.step_source(ev.Command("demote"))
    pair.settle()
    assert pair.held_hosts
    last = pair.history.last
    assert promote(pair)
    assert pair.target.leg.written == last
    assert oracle.equal(pair.image, pair.history.after(last))


@given(settings_of_a_leg(), stories, stories, st.booleans(), st.lists(writes, max_size=4))
@settings(max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_a_site_takes_over_on_a_snapshot_it_has_kept(leg, before, since, crash, more):
    """Whatever came since, and if the site fails while it is put back; everything else is copied from there."""
    pair = Pair(*leg)
    play(pair, before)
    pair.fuse.clear()
    pair.step_target(ev.Command("rehearse", "drill"))
    pair.finish()
    if "drill" not in pair.snapshots:
        return
    seq, image = pair.snapshots["drill"]
    kept = oracle.copy(image)
    play(pair, since)
    pair.fuse.clear()
    pair.link_down()
    pair.step_target(ev.Command("promote", f"drill@{seq}"))
    if crash:
        pair.staging_done(9)
        pair.destage(9)
        pair.crash_target(0)
        again = "" if pair.target.state is Target.INCONSISTENT else f"drill@{seq}"
        pair.step_target(ev.Command("promote", again))
    for _ in range(20):
        pair.settle()
    if crash and pair.target.leg.written != seq:
        return  # It went down in mid-copy, before anything was put back: its protective snapshot was newer.
    assert pair.target.state is Target.PROMOTED
    assert oracle.equal(pair.image, kept)
    other = pair.swap()
    pen = Pen()
    pen.count = 100
    for rows in more:
        other.write(pen.batch(other, rows))
    other.finish()
    assert oracle.equal(other.volume, other.failover_image())


def asked(target: TargetEngine, verb: str, argument: str) -> list[object]:
    return target.step(ev.Command(verb, argument), 200.0)


def test_a_snapshot_on_which_the_site_takes_over_is_not_made_to_go_by_one_that_is_being_taken():
    target = TargetEngine(TargetSettings(snapshots=(Schedule(every="40 s", keep=1),)))
    target.step(ev.Due(), 45.0)
    target.step(ev.SnapshotTaken("schedule-0-1"), 45.0)
    (taken,) = (a for a in target.step(ev.Due(), 85.0) if isinstance(a, do.TakeSnapshot))
    told = asked(target, "promote", "schedule-0-1@0")
    told += target.step(ev.SnapshotTaken(taken.name), 200.0)
    assert not any(isinstance(a, do.DropSnapshot) for a in told)
    assert [a.name for a in told if isinstance(a, do.RestoreSnapshot)] == ["schedule-0-1"]


def test_a_rehearsal_that_is_being_replaced_is_no_image_to_take_over_on():
    target = TargetEngine(TargetSettings())
    asked(target, "rehearse", "drill")
    target.step(ev.SnapshotTaken("drill"), 200.0)
    asked(target, "rehearse", "drill")
    told = asked(target, "promote", "drill@0")
    assert [a.what for a in told if isinstance(a, do.Noted)] == ["promotion refused: no point drill@0"]
    target.step(ev.SnapshotTaken("drill"), 200.0)
    assert any(isinstance(a, do.RestoreSnapshot) for a in asked(target, "promote", "drill@0"))


def test_promotion_without_an_image_is_refused():
    engine = TargetEngine(TargetSettings(in_sync=False))
    actions = engine.step(ev.Command("promote"), 1.0)
    assert any(isinstance(a, do.Noted) and "refused" in a.what for a in actions)
    assert engine.state is Target.INCONSISTENT


def test_a_snapshot_stays_readable_while_destaging_goes_on():
    tale = Tale([])
    for line in ("link up", "settle", "write 0:0 0:1", "settle", "target rehearse drill"):
        tale.do(line)
    tale.pair.snap()
    kept, image = tale.pair.snapshots["drill"]
    for line in ("write 0:0 0:2", "settle"):
        tale.do(line)
    assert kept == 2
    assert oracle.equal(image, tale.pair.history.after(2))
    assert tale.pair.target.leg.written == 4
    assert tale.pair.source.state is Source.STREAMING


def test_a_copy_waits_for_a_snapshot_that_is_being_taken():
    """Nobody protects the image, a rehearsal is under way, order is lost: no copied block may land in the rehearsal."""
    resync = Resync.model_validate({"window": "8 KiB", "slice": "4 KiB"})
    pair = Pair(SourceSettings(volumes=SIZES, size=4096, resync=resync), TargetSettings(protect=False))
    pair.link_up()
    fill(pair, 3)
    pair.settle()
    pair.step_target(ev.Command("rehearse", "drill"))
    fill(pair, 12)
    assert pair.source.state is Source.RESYNCING
    for _ in range(9):
        for move in (pair.read_blocks, pair.answer_read):
            move()
        for carry in (pair.to_target, pair.destage, pair.to_source):
            carry(9)
    assert pair.target.state is Target.FOLLOWING
    assert pair.snap()  # Judges its bytes.
    pair.finish()
    assert oracle.equal(pair.snapshots["drill"][1], pair.history.after(3))
