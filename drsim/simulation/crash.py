"""What a lost site finds on its media when it is back: engines as they go on from there, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from drsim.blocks.bitmap import Bitmap
from drsim.replication.recovery import SavedSource, recover_source, recover_target
from drsim.replication.source import SourceEngine
from drsim.replication.target import TargetEngine
from drsim.simulation.leg import Leg


def last_write(legs: Iterable[Leg]) -> int:
    """The newest write of the order that a source's media know of, over all its legs.

    What one leg's journal holds the others are given when the site is back, so they all go on alike.
    """
    return max(max(leg.engine.leg.durable, leg.here.header.last) for leg in legs)


def recovered_source(leg: Leg, last: int) -> SourceEngine:
    """A leg's source engine as it was at the loss: journal, bitmap and generations from their media.

    Args:
        leg: its engine was stopped by the loss.
        last: the newest write that survived (`last_write`).
    """
    old, spill = leg.engine, leg.here.spill
    spill.cut(last)
    kept = spill.rest(old.leg.journal.trimmed)
    dirty = Bitmap(old.leg.settings.granularity)
    dirty.merge(old.leg.dirty)
    dirty.merge(old.copy.under_way())
    saved = SavedSource(leg.here.header, kept, last, dirty.extents())
    return recover_source(old.leg.settings, saved)


def recovered_target(leg: Leg) -> TargetEngine:
    """A leg's target engine as it was at the loss: staging, volumes and generations from their media."""
    old, staged = leg.sink.leg, leg.there.staged
    staged.cut(old.staged)
    kept = leg.there.snapshots.names
    return recover_target(old.settings, leg.there.header, staged.rest(old.written), old.written, kept)
