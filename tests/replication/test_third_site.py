"""A takeover with more than one target: what becomes of the others, and of what an old source knows."""

import numpy as np
import pytest

from drsim.blocks.batch import Kind
from drsim.blocks.extents import of
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.generations import Lineage
from drsim.replication.handover import take_over
from drsim.replication.headers import TargetHeader
from drsim.replication.history import Keep
from drsim.replication.overflow import Block, Track
from drsim.replication.policy import Cycle
from drsim.replication.recovery import recover_target
from drsim.replication.settings import Resync, SourceSettings, TargetSettings
from drsim.replication.source import SourceEngine
from drsim.replication.states import Source, Target
from drsim.replication.target import TargetEngine
from tests.replication import oracle
from tests.replication.fleet import Fleet
from tests.replication.pair import Pair
from tests.replication.test_prefix import SIZES


def three_sites(
    size: int | None = None, in_sync: tuple[bool, bool] = (True, True), **target: object
) -> Fleet:
    resync = Resync.model_validate({"window": "8 KiB", "slice": "8 KiB"})
    policy = Track(at_once=True)
    legs = [
        (
            SourceSettings(
                volumes=SIZES, size=size, on_full=policy, resync=resync, in_sync=equal, akin=any(in_sync)
            ),
            TargetSettings(origin=2 + i, in_sync=equal, **target),
        )
        for i, equal in enumerate(in_sync)
    ]
    return Fleet(legs)


def write(fleet: Fleet, *places: int) -> None:
    for place in places:
        fleet.write([(0, place, 1, 0)])
        for pair in fleet.pairs:
            pair.journal_done(9)


def connected(size: int | None = None, **more: object) -> Fleet:
    fleet = three_sites(size, **more)
    for pair in fleet.pairs:
        pair.link_up()
        pair.settle()
    write(fleet, 1, 2)
    for pair in fleet.pairs:
        pair.settle()
    return fleet


def copied(pair: Pair) -> bool:
    return ("BUFFERING", "TRACKING") in pair.states or ("TRACKING", "RESYNCING") in pair.states


def test_a_third_site_exactly_as_far_goes_on_without_a_copy():
    fleet = connected()
    assert fleet.promote(0, None)
    fleet.swap(0)
    write(fleet, 9)
    fleet.finish()
    assert not copied(fleet.pairs[1])


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("fold", ["none", "cycle"])
def test_part_of_a_cycle_of_the_old_order_is_no_part_of_the_new_one(fold, rows):
    """Its rows have the numbers that the new source gives to other writes; both images end where the cycle began."""
    resync = Resync.model_validate({"window": "8 KiB", "slice": "8 KiB"})
    mode = Cycle.model_validate({"every": "20 s", "fold": fold})
    source = SourceSettings(volumes=SIZES, mode=mode, resync=resync)
    fleet = Fleet([(source, TargetSettings(origin=2 + i)) for i in range(2)])
    third = fleet.pairs[1]
    third.link_up()
    third.settle()
    write(fleet, 1, 2, 3)
    third.tick()
    for _ in range(2 + rows):
        third.to_target(1)
    third.staging_done(9)
    assert third.target.leg.staged > third.target.leg.held == 0
    assert fleet.promote(0, None)
    fleet.swap(0)
    write(fleet, 4, 5, 6)
    fleet.finish()
    assert not copied(fleet.pairs[1])


@pytest.mark.parametrize("ahead", [True, False])
def test_a_third_site_further_on_or_behind_is_copied_to(ahead):
    """Its place numbers name other writes: from the takeover on they are used again."""
    fleet = connected()
    fleet.pairs[0 if ahead else 1].link_down()
    write(fleet, 3, 4)
    fleet.pairs[1 if ahead else 0].settle()
    assert fleet.promote(0, None)
    fleet.swap(0)
    write(fleet, 20, 21, 22, 23)
    third = fleet.pairs[1]
    third.link_up()
    third.to_target(1)
    third.link_down()  # Before the answer is there: the next session must find the same.
    fleet.finish()
    assert copied(third)


def test_a_third_site_in_mid_copy_is_as_good_as_new():
    """What its lost source had not copied yet nobody can name; the site that took over knows only its own."""
    fleet = connected(size=2048)
    third = fleet.pairs[1]
    third.link_down()
    write(fleet, 0, 8, 16, 24, 32, 40, 1, 9, 17, 25)
    fleet.pairs[0].settle()
    assert third.source.state is Source.TRACKING
    third.link_up()
    for _ in range(3):
        third.to_target(1), third.snap(), third.to_source(1)
    third.read_blocks(), third.answer_read(), third.to_target(1), third.destage(1)
    assert third.target.state is Target.INCONSISTENT
    assert fleet.promote(0, None)
    fleet.swap(0)
    write(
        fleet, *range(30, 36)
    )  # Its own journal overflows: the new source marks, and marks no more than that.
    assert fleet.pairs[1].source.state is Source.TRACKING
    fleet.finish()


def test_a_third_site_whose_copy_has_only_begun_is_no_image_wherever_it_stands():
    """Nothing was copied yet, and the successor took over at the very place where the order was to go on."""
    fleet = connected(size=1024, protect=False)
    third = fleet.pairs[1]
    third.link_down()
    write(fleet, 3, 4, 5)
    assert third.source.state is Source.TRACKING
    fleet.pairs[0].settle()
    third.link_up()
    for _ in range(3):
        third.to_target(1), third.to_source(1)
    assert third.target.state is Target.INCONSISTENT
    assert third.target.leg.held == fleet.pairs[0].target.leg.held
    assert fleet.promote(0, None)
    fleet.swap(0)
    fleet.finish()
    assert copied(fleet.pairs[1])


@pytest.mark.parametrize("rows", [1, 2])
def test_what_is_still_being_staged_of_the_old_order_lands_before_a_new_source_is_answered(rows):
    """It stands exactly where the successor took over, but for writes that are on their way to its medium."""
    fleet = connected()
    fleet.pairs[0].link_down()
    write(fleet, *range(3, 3 + rows))
    third = fleet.pairs[1]
    for _ in range(rows):
        third.to_target(9)
    assert third.target.leg.held == fleet.pairs[0].target.leg.held == 2
    assert fleet.promote(0, None)
    fleet.swap(0)
    fleet.pairs[1].link_up()
    fleet.pairs[1].to_target(9)
    write(fleet, 20, 21, 22)
    fleet.finish()
    assert copied(fleet.pairs[1])


@pytest.mark.parametrize("crash", [True, False])
@pytest.mark.parametrize("rounds", [2, 6])
def test_an_old_source_that_one_successor_copied_to_and_another_finds(crash, rounds):
    """What the first copied is no part of what the second knows; after a crash nobody can name it."""
    fleet = connected(size=2048, protect=False)
    assert fleet.hand_over(1)
    fleet.swap(1)
    write(fleet, 0, 8, 16, 24, 32, 40, 1, 9, 17)
    old = fleet.pairs[0]
    old.link_up()
    for _ in range(rounds):
        old.to_target(1), old.to_source(1), old.read_blocks(), old.answer_read(), old.destage(9)
    assert old.target.state is Target.INCONSISTENT
    assert fleet.promote(1, None)
    fleet.swap(1)
    if crash:
        fleet.pairs[1].crash_target(0)
    fleet.finish()


def test_places_in_the_order_that_are_used_again_are_forgotten_by_staging():
    fleet = connected()
    fleet.pairs[0].link_down()
    write(fleet, 3, 4)
    fleet.pairs[1].settle()
    assert fleet.promote(0, None)
    fleet.swap(0)
    third = fleet.pairs[1]
    third.link_up()
    third.settle()
    assert third.target.leg.held == 2
    third.crash_target(0)
    assert third.target.leg.held == 2
    fleet.finish()


def test_an_old_source_names_its_writes_in_blocks_of_any_size():
    resync = Resync.model_validate({"granularity": "8 KiB", "window": "8 KiB", "slice": "8 KiB"})
    settings = SourceSettings(volumes=SIZES, resync=resync)
    fleet = Fleet([(settings, TargetSettings(resident=0))])
    fleet.pairs[0].link_up()
    fleet.pairs[0].settle()
    write(fleet, 3)
    assert fleet.promote(0, None)
    fleet.swap(0)
    pair = fleet.pairs[0]
    pair.link_up()
    pair.settle()
    write(fleet, 4, 5)
    pair.to_target(2), pair.staging_done(2)
    assert fleet.promote(0, 1)


@pytest.mark.parametrize(("complete", "known"), [(True, True), (False, False)])
def test_a_promoted_site_remembers_whether_its_image_leaves_anything_out(complete, known):
    header = TargetHeader(Lineage(7, 1), applied=5, promoted=True, complete=complete)
    engine = recover_target(TargetSettings(), header, applied=9)
    assert engine.leg.dirt_known is known
    assert engine.leg.written == 5, "what was trimmed before does not count"


@pytest.mark.parametrize("seeded_takes_over", [True, False])
def test_a_seeded_target_and_one_that_was_equal_at_birth_are_relatives(seeded_takes_over):
    """Whoever takes over: the other is told apart by its place in the order, not taken for a stranger."""
    fleet = connected(in_sync=(True, False))
    for pair in fleet.pairs:
        assert pair.target.state is Target.FOLLOWING
    assert fleet.promote(int(seeded_takes_over), None)
    fleet.swap(int(seeded_takes_over))
    write(fleet, 9)
    fleet.finish()
    assert not copied(fleet.pairs[1])


def test_an_old_source_names_a_write_that_waited_for_room_in_the_journal_of_one_leg():
    """It is on the volumes, for another leg had room; the full leg's target never heard of it."""
    full = SourceSettings(volumes=SIZES, size=512, on_full=Block())
    fleet = Fleet([(SourceSettings(volumes=SIZES), TargetSettings()), (full, TargetSettings(origin=3))])
    fleet.pairs[0].link_up()
    write(fleet, 0, 11)
    fleet.pairs[0].settle()
    for leg in (0, 1):
        assert fleet.promote(leg, None)
        fleet.swap(leg)
    fleet.finish()


def kept(fleet: Fleet) -> None:
    """The first target keeps its image, for good."""
    fleet.pairs[0].step_target(ev.Command("rehearse", "drill"))
    fleet.pairs[0].settle()


def granules(pair: Pair) -> set[tuple[int, int]]:
    """What a source copies to its target once they have met, as (volume, granule)."""
    found: set[tuple[int, int]] = set()
    real = pair._perform_source

    def perform(action: do.Action) -> ev.Event | None:
        if isinstance(action, do.ReadBlocks):
            for volume, start, stop in action.extents.rows():
                found.update((volume, g) for g in range(start // 4096, -(-stop // 4096)))
        return real(action)

    pair._perform_source = perform
    pair.finish()
    return found


EVERYTHING = {(0, g) for g in range(6)} | {(1, g) for g in range(4)}


def write_up_to(fleet: Fleet, has: tuple[int, int], first: int, places: tuple[int, ...]) -> None:
    """Writes from ``first`` on; each target gets those through the one it ``has``, then its link is cut."""
    for number, place in enumerate(places, first):
        for pair, last in zip(fleet.pairs, has, strict=True):
            if number == last + 1:
                pair.link_down()
        write(fleet, place)
        for pair in fleet.pairs:
            pair.settle()


def touched(fleet: Fleet, first: int, last: int) -> set[tuple[int, int]]:
    """The granules of the order's writes from ``first`` to ``last``."""
    rows = fleet.pairs[0].history.writes[first - 1 : last]
    return {(int(w.volume[0]), int(w.offset[0]) // 4096) for w in rows}


@pytest.mark.parametrize("crash", [True, False])
@pytest.mark.parametrize("history", [None, Keep.model_validate({"window": "30 min"})])
@pytest.mark.parametrize("third_has", [3, 5, 6, 7])
def test_an_older_image_is_taken_over_and_others_get_what_was_written_since(history, third_has, crash):
    """The third has some of the writes of since, up to all that the one that takes over had, or one more.

    With a history the image is that of the beginning, and all since then is only staged.
    """
    fleet = connected(history=history)
    write(fleet, 9)
    for pair in fleet.pairs:
        pair.settle()
    kept(fleet)
    write_up_to(fleet, (6, third_has), 4, (16, 24, 17, 32))
    image = 0 if history else 3
    since, beyond = touched(fleet, image + 1, 6), touched(fleet, 7, 7)
    assert fleet.promote(0, "kept")
    fleet.swap(0)
    assert fleet.pairs[0].source.leg.last == image
    write(fleet, 40)
    since |= touched(fleet, image + 1, image + 1)
    if crash:
        fleet.crash_source(0)
    assert granules(fleet.pairs[1]) == (since if third_has <= 6 else EVERYTHING)
    assert granules(fleet.pairs[0]) == since | beyond, "the old source names what the other never had"
    fleet.finish()


@pytest.mark.parametrize("third_has", [3, 4, 5, 6])
def test_a_third_site_between_a_point_and_what_was_beyond_it_gets_the_difference(third_has):
    """The point is that of the fourth write; the site had the fifth, too."""
    fleet = connected(history=Keep.model_validate({"window": "30 min"}))
    write_up_to(fleet, (5, third_has), 3, (9, 16, 24, 32))
    beyond = touched(fleet, 5, 5)
    assert fleet.promote(0, 1)
    fleet.swap(0)
    assert granules(fleet.pairs[1]) == (beyond if third_has in (4, 5) else EVERYTHING)
    fleet.finish()


def test_after_a_crash_a_site_knows_no_longer_how_its_image_came():
    """Perhaps by a copy, that is: so a third site that is not as far as it was at least gets everything."""
    fleet = connected()
    kept(fleet)
    write(fleet, 16)
    fleet.pairs[0].settle()
    fleet.pairs[0].crash_target(0)
    assert fleet.promote(0, "kept")
    fleet.swap(0)
    assert granules(fleet.pairs[1]) == EVERYTHING
    fleet.finish()


def test_a_crash_in_mid_copy_does_not_forget_what_was_copied_since_the_protective_snapshot():
    """The keeper of the snapshot can tell; the old source need not copy all again."""
    fleet = connected(size=2048)
    first = fleet.pairs[0]
    first.link_down()
    write(fleet, 0, 8, 16, 24, 32)
    first.link_up()
    while not first.target.leg.dirt:
        first.to_target(1), first.snap(), first.to_source(1), first.read_blocks(), first.answer_read()
    first.destage(9)
    assert first.target.leg.protected is not None
    first.crash_target(0)
    assert fleet.promote(0, None)
    fleet.swap(0)
    assert granules(fleet.pairs[0]) == {(0, g) for g in range(5)}
    fleet.finish()


@pytest.mark.parametrize(
    ("named", "held", "all_of_it"), [((5, 9), 3, True), ((3, 9), 3, False), (None, 3, False)]
)
@pytest.mark.parametrize("tracking", [True, False])
def test_an_image_at_the_same_place_of_the_order_is_the_same_only_where_that_is_known(
    named, held, all_of_it, tracking
):
    """The site may have gone back to an image of before a copy: that place was of another order, then."""
    assert met(named, held, tracking=tracking) == all_of_it


@pytest.mark.parametrize("tracking", [True, False])
def test_an_image_within_what_is_known_differs_in_what_is_marked_and_only_bits_tell(tracking):
    assert met((3, 9), 6, tracking=tracking) != tracking
    assert met((3, 9), 10, tracking=tracking)


def met(named: tuple[int, int] | None, held: int, *, tracking: bool) -> bool:
    """Whether a site that took over at write 3, and wrote seven more, copies all to a third it meets."""
    source = SourceEngine(SourceSettings(volumes=SIZES))
    leg = source.leg
    leg.lineage, leg.named, leg.seeded = Lineage(7, 1), named, True
    leg.last = leg.durable = leg.acknowledged = leg.confirmed = 3
    leg.journal.restart(3)
    if tracking:
        leg.state = Source.TRACKING
        leg.dirty.mark(of([0], [0], [1]))
    for seq in range(4, 11):
        source.step(ev.HostWrites(oracle.row(seq, 1.0, 0, 0, 512, 0, bytes(512))), 1.0)
    source.step(ev.LinkUp(), 2.0)
    welcome = fr.Welcome(leg.session, Lineage(1), held, held, True)
    source.step(ev.Received(welcome, np.array([3.0])), 3.0)
    return leg.dirty.nbytes == 10 * 4096


@pytest.mark.parametrize(("first", "complete"), [(0, True), (1, False)])
def test_an_image_of_another_order_is_not_complete_though_nothing_was_given_to_the_volumes_since(
    first, complete
):
    """What counts for a crash: then nobody remembers from which place on the order was one."""
    target = TargetEngine(TargetSettings())
    target.leg.since = first
    target.roles.restore(["drill"])
    target.step(ev.Command("promote", "drill@0"), 1.0)
    told = target.step(ev.SnapshotTaken("drill", of([], [], [])), 2.0)
    header = [a.header for a in told if isinstance(a, do.SaveHeader)][-1]
    assert (header.promoted, header.complete) == (True, complete)


def test_an_older_image_taken_over_in_mid_copy_is_like_nobody_elses():
    """The order that the copy belongs to is not followed yet, so places in it tell nothing."""
    target = TargetEngine(TargetSettings(in_sync=False))
    target.roles.restore(["drill"])
    target.step(ev.Command("promote", "drill@4"), 1.0)
    target.step(ev.SnapshotTaken("drill", of([0], [0], [512])), 2.0)
    source = take_over(target, SourceSettings(volumes=SIZES))
    first, last = source.leg.named
    assert first > last
    assert list(source.leg.dirty.extents().rows()) == [(0, 0, 4096)]


@pytest.mark.parametrize("within", [True, False])
def test_what_a_copy_found_equal_is_no_delta_for_a_third_that_followed_the_order_meanwhile(within):
    """Written and written back while the first was cut off, so its copy by checksums passes over the place."""
    resync = Resync.model_validate({"checksum": True})
    legs = [
        (
            SourceSettings(volumes=SIZES, size=1024, on_full=Track(at_once=True), resync=resync),
            TargetSettings(),
        ),
        (SourceSettings(volumes=SIZES), TargetSettings(origin=3)),
    ]
    fleet = Fleet(legs)
    for pair in fleet.pairs:
        pair.link_up()
        pair.settle()
    first, third = fleet.pairs
    trim = [(0, 8, 1, int(Kind.TRIM))]
    fleet.write(trim)
    for pair in fleet.pairs:
        pair.settle()
    kept(fleet)
    first.link_down()
    write(fleet, 8)
    if not within:
        third.settle()
        third.link_down()
    fleet.write(trim)
    write(fleet, 24, 32)
    first.link_up()
    for pair in fleet.pairs:
        pair.settle()
    assert copied(first)
    assert first.target.state is Target.FOLLOWING
    assert fleet.promote(0, "kept")
    fleet.swap(0)
    found = granules(fleet.pairs[1])
    assert found == ({(0, 3), (0, 4)} if within else EVERYTHING)
    fleet.finish()


def test_a_site_that_forgot_what_it_wrote_as_a_source_copies_everything():
    """Its snapshots tell what was overwritten since, not what its partner never had."""
    target = TargetEngine(TargetSettings(in_sync=False))
    target.leg.retired, target.leg.dirt_known = True, False
    target.roles.restore(["drill"])
    target.step(ev.Command("promote", "drill@0"), 1.0)
    target.step(ev.SnapshotTaken("drill", of([0], [0], [512])), 2.0)
    assert target.state is Target.PROMOTED
    assert take_over(target, SourceSettings(volumes=SIZES)).leg.dirty.nbytes == 10 * 4096


def test_an_older_image_goes_back_in_granules_that_are_on_the_volumes():
    """A store keeps more at a time than a volume's last granule holds."""
    target = TargetEngine(TargetSettings())
    target.roles.restore(["drill"])
    target.step(ev.Command("promote", "drill@0"), 1.0)
    target.step(ev.SnapshotTaken("drill", of([1], [0], [65_536])), 2.0)
    dirty = take_over(target, SourceSettings(volumes=SIZES)).leg.dirty.extents()
    assert list(dirty.rows()) == [(1, 0, 4 * 4096)]


def test_an_older_image_waits_for_the_protective_snapshot_that_is_being_taken():
    """That one's answer came between, and the older image was taken for what it kept."""
    resync = Resync.model_validate({"window": "4 KiB", "slice": "4 KiB"})
    source = SourceSettings(volumes=SIZES, size=1024, on_full=Track(), resync=resync)
    fleet = Fleet([(source, TargetSettings(origin=2))])
    pair = fleet.pairs[0]
    pair.link_up()
    pair.settle()
    pair.step_target(ev.Command("rehearse"))
    pair.settle()
    write(fleet, 1, 2, 3)
    for _ in range(20):
        if pair.snapshot_queue:
            break
        for move in (pair.to_target, pair.staging_done, pair.destage, pair.to_source):
            move(1)
    assert [each.name for each in pair.snapshot_queue] == ["protect-2"]
    assert fleet.promote(0, "kept")
    assert pair.target.leg.written == 0
    assert "protect-2" not in pair.snapshots
