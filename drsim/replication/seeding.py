"""A seed shipped on media: a checkpoint at the source, a journey, a load at the target, then the tracked rest."""

from __future__ import annotations

import numpy as np

from drsim.replication.actions import CutStaging, MarkDirty, Noted, Recoverable, TrimJournal
from drsim.replication.generations import Lineage
from drsim.replication.intake import whole
from drsim.replication.leg import Leg
from drsim.replication.staging import Staging
from drsim.replication.states import Cause, Source, Target
from drsim.replication.target_leg import TargetLeg


def ship(leg: Leg) -> None:
    """Take the checkpoint: what is on the source's volumes now goes onto the media.

    From here on the source behaves as for an equal target whose link is down: writes are journalled, and when
    the journal is full its policy decides (``track`` marks them, so that only they are copied after the load). The
    note ``shipped GENERATION:SEQ`` is what the media are labelled with.

    The world must have all acknowledged writes on the volumes, copy the image as it is at this instant
    (from a snapshot), and keep the two ends apart until it is loaded: a target without data that is met
    before gets everything over the network after all.
    """
    if leg.state is not Source.TRACKING or leg.link or leg.seeded:
        leg.out.append(Noted("ship refused: only for a target without data, with the link down", 1, leg.now))
        return
    leg.become(Cause.SHIPPED)
    # All bits that may be set, so in whole granules, the last of which may end after its volume.
    leg.dirty.mark(whole(leg.settings))
    all_bits = leg.dirty.extents()
    leg.dirty.reset()
    leg.journal.restart(leg.last)
    leg.durable = leg.confirmed = leg.last
    leg.seeded = True
    leg.save()  # A crash before the next line finds bits set, and copies too much rather than too little.
    leg.out.append(MarkDirty(all_bits, dirty=False))
    leg.out.append(TrimJournal(leg.last))
    leg.out.append(Noted(label(leg.lineage.current, leg.last), leg.last, leg.now))


def label(generation: int, seq: int) -> str:
    """Give what a shipment is labelled with."""
    return f"shipped {generation}:{seq}"


def load(leg: TargetLeg, staging: Staging, argument: str) -> None:
    """The media's image is on the volumes: it is the source's image at the checkpoint they are labelled with.

    Args:
        leg: a target that never had data, with no session.
        staging: its staging.
        argument: ``GENERATION:SEQ`` of the label.
    """
    generation, _, seq = argument.partition(":")
    fresh = leg.state is Target.INCONSISTENT and leg.lineage == Lineage() and not leg.session
    if not fresh or not generation.isdigit() or not seq.isdigit():
        leg.out.append(
            Noted("load refused: only a target without data and session takes a shipment", 1, leg.now)
        )
        return
    if leg.written > int(seq):  # A copy over the network was begun since.
        leg.out.append(CutStaging(int(seq)))
    leg.lineage = Lineage(int(generation))
    leg.base = leg.end = None
    staging.restart(int(seq))
    leg.since = leg.held
    leg.become(Cause.LOADED)
    leg.save()
    leg.out.append(Recoverable(np.array([int(seq)]), np.array([leg.now])))
