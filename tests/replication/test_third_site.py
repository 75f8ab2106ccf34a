"""A takeover with more than one target: what becomes of the others, and of what an old source knows."""

import pytest

from drsim.replication.generations import Lineage
from drsim.replication.headers import TargetHeader
from drsim.replication.overflow import Block, Track
from drsim.replication.recovery import recover_target
from drsim.replication.settings import Resync, SourceSettings, TargetSettings
from drsim.replication.states import Source, Target
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
