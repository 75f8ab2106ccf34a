"""After a crash: what each medium says, and what must follow from it."""

import numpy as np

from drsim.blocks.extents import none, of
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication.activity import EXTENT
from drsim.replication.generations import FIRST, Lineage
from drsim.replication.headers import SourceHeader, TargetHeader
from drsim.replication.recovery import SavedSource, recover_source, recover_target
from drsim.replication.settings import SourceSettings, TargetSettings
from drsim.replication.states import Source, Target
from tests.replication.test_target_guards import SIZES, batch

SETTINGS = SourceSettings(volumes=SIZES)
ORDERED = SourceHeader(Lineage(FIRST), boot=3, ordered=True, confirmed=2, seeded=True)
LOST = SourceHeader(Lineage(FIRST), boot=3, ordered=False, last=9, confirmed=2, seeded=True)


def dirty(engine) -> list[tuple[int, int, int]]:
    return list(engine.leg.dirty.extents().rows())


def test_with_order_kept_the_journal_is_all_that_is_needed():
    engine = recover_source(SETTINGS, SavedSource(ORDERED, [batch(2, 3), batch(5, 1)], last=5))
    assert engine.state is Source.BUFFERING
    assert (engine.leg.last, engine.leg.confirmed, engine.leg.journal.trimmed) == (5, 2, 2)
    assert engine.leg.journal.nbytes == 3 * 4096
    assert dirty(engine) == []
    engine.step(ev.Due(), 0.0)
    assert engine.leg.session == 4 << 32, "sessions of another life have other numbers"


def test_a_set_bit_means_that_order_was_being_lost():
    saved = SavedSource(ORDERED, [batch(3, 2)], last=4, dirty=of([1], [0], [4096]))
    engine = recover_source(SETTINGS, saved)
    assert engine.state is Source.TRACKING
    assert dirty(engine) == [(0, 3 * 4096, 5 * 4096), (1, 0, 4096)]


def test_with_order_lost_what_the_journal_holds_is_dirty_too():
    engine = recover_source(SETTINGS, SavedSource(LOST, [batch(10, 2)], last=11, dirty=of([1], [0], [4096])))
    assert engine.state is Source.TRACKING
    assert dirty(engine) == [(0, 10 * 4096, 12 * 4096), (1, 0, 4096)]
    actions = engine.step(ev.Due(), 0.0)
    kinds = [type(a) for a in actions]
    assert kinds.index(do.MarkDirty) < kinds.index(do.SaveHeader) < kinds.index(do.TrimJournal)


def test_a_journal_with_a_hole_or_that_ends_too_early_is_not_trusted():
    for journal in ([batch(3, 2), batch(7, 2)], [batch(3, 2)]):
        engine = recover_source(SETTINGS, SavedSource(ORDERED, journal, last=8))
        assert engine.leg.dirty.nbytes == sum(SIZES)
    engine = recover_source(SETTINGS, SavedSource(ORDERED, [batch(3, 2)], last=4, whole=False))
    assert engine.leg.dirty.nbytes == sum(SIZES)


def test_without_a_journal_medium_the_hot_extents_are_dirty_and_no_others():
    settings = SourceSettings(volumes=(3 * EXTENT,), activity=4)
    engine = recover_source(settings, SavedSource(ORDERED, last=7, hot=[(0, 1)]))
    assert engine.state is Source.TRACKING
    assert dirty(engine) == [(0, EXTENT, 2 * EXTENT)]


def test_a_target_destages_again_what_staging_holds():
    header = TargetHeader(Lineage(FIRST), applied=0)
    engine = recover_target(TargetSettings(), header, [batch(3, 2), batch(5, 2)], applied=3)
    actions = engine.step(ev.Due(), 0.0)
    writes = [a.batch.seq.tolist() for a in actions if isinstance(a, do.WriteBlocks)]
    assert writes == [[4], [5, 6]]
    (said,) = [a for a in actions if isinstance(a, do.Recoverable)]
    assert said.seq.tolist() == [6]


def test_rows_of_an_open_cycle_are_cut_and_are_no_image():
    header = TargetHeader(Lineage(FIRST), applied=2, open=4)
    engine = recover_target(TargetSettings(), header, [batch(3, 2), batch(5, 2)], applied=2)
    actions = engine.step(ev.Due(), 0.0)
    assert [a.after for a in actions if isinstance(a, do.CutStaging)] == [4]
    assert [a.batch.seq.tolist() for a in actions if isinstance(a, do.WriteBlocks)] == [[3, 4]]
    assert engine.leg.held == 4


def test_a_target_in_mid_copy_stays_inconsistent_and_keeps_its_snapshot():
    header = TargetHeader(Lineage(FIRST), applied=9, base=9, protected=("protect-4", 4))
    engine = recover_target(TargetSettings(), header, [], applied=4)
    actions = engine.step(ev.Due(), 0.0)
    assert engine.state is Target.INCONSISTENT
    assert [a.seq.tolist() for a in actions if isinstance(a, do.Recoverable)] == [[4]]
    assert not engine.leg.dirt_known
    bare = recover_target(TargetSettings(), TargetHeader(base=9), [], applied=9)
    assert any(isinstance(a, do.Exposed) for a in bare.step(ev.Due(), 0.0))


def test_a_promoted_site_stays_promoted():
    header = TargetHeader(Lineage(7, FIRST), applied=5, promoted=True)
    engine = recover_target(TargetSettings(), header, [], applied=5)
    assert engine.state is Target.PROMOTED
    assert np.array_equal(list(none().rows()), [])
