"""A source's sessions: who meets whom, what the target holds, what that makes of order kept or lost."""

from __future__ import annotations

import numpy as np

from drsim.blocks.extents import Extents
from drsim.replication.acks import Acks
from drsim.replication.actions import TrimJournal
from drsim.replication.frames import Hello, Welcome
from drsim.replication.generations import Outcome, compare
from drsim.replication.intake import Intake, whole
from drsim.replication.leg import Leg
from drsim.replication.resync import Copy
from drsim.replication.shipping import Shipper
from drsim.replication.states import Cause, Source


class Sessions:
    """From `LinkUp` to `LinkDown`: handshake, resync's begin and end."""

    def __init__(self, leg: Leg, shipper: Shipper, copy: Copy, acks: Acks, intake: Intake) -> None:
        self.leg = leg
        self.shipper = shipper
        self.copy = copy
        self.acks = acks
        self.intake = intake

    def link_up(self) -> None:
        """A connection exists: open a session, unless the operator said stop."""
        leg = self.leg
        if leg.link:
            self.link_down()
        leg.link = True
        if not leg.suspended:
            self.hello()

    def hello(self) -> None:
        """Say who we are and where we stand."""
        leg = self.leg
        leg.session += 1
        ordered = leg.state is Source.BUFFERING
        first = leg.journal.trimmed + 1
        leg.send(Hello(leg.session, leg.settings.group, leg.lineage, first, leg.last, ordered))

    def welcome(self, frame: Welcome) -> None:
        """The target said where it stands: stream on from there, or copy."""
        leg = self.leg
        if leg.welcomed:
            return
        leg.welcomed = True
        outcome = compare(leg.lineage, frame.lineage)
        self._judge(outcome)
        known = max(leg.confirmed, leg.journal.trimmed) <= frame.held <= frame.partial <= leg.last
        if outcome is Outcome.DIFFERENCE and frame.consistent and not self._named(frame.held):
            self._elsewhere()
        elif leg.state is Source.BUFFERING and not (known and frame.consistent):
            self.intake.give_up_order(Cause.TARGET_LACKS, whole(leg.settings))
        elif leg.state is Source.TRACKING and frame.held < leg.confirmed:
            self.intake.all_dirty()
        leg.become(Cause.WELCOMED)
        if leg.state is Source.STREAMING:
            leg.confirmed = frame.held
            if leg.journal.trim(frame.held):
                leg.out.append(TrimJournal(leg.journal.trimmed))
                self.acks.confirmed(np.array([frame.held]), np.array([leg.now]))
                leg.settings.on_full.eased(self.intake)
            if leg.lineage.base:
                leg.lineage, leg.named = leg.lineage.joined(), None
                leg.save()
            self.shipper.start(frame.partial)
        else:
            self.copy.begin()
        self.acks.welcomed()

    def _judge(self, outcome: Outcome) -> None:
        """A target that went another way, or lost the thread, has nothing we can count on."""
        leg = self.leg
        wiped = outcome is Outcome.TARGET_NEW and leg.seeded
        if not wiped and outcome not in (Outcome.ANCESTOR, Outcome.SPLIT_BRAIN):
            return
        leg.confirmed, leg.seeded = 0, False
        self._elsewhere()

    def _named(self, held: int) -> bool:
        """Whether an image of the order before differs from where this site took over in what is marked at most."""
        leg = self.leg
        there = leg.named is None or leg.named[0] <= held <= leg.named[1]
        known = leg.named is not None and leg.state is Source.TRACKING
        return there and (known or held == leg.confirmed)

    def _elsewhere(self) -> None:
        """The target's image is no earlier point of this order: a place number of its own means nothing here.

        So it is with a third site after a takeover, when it holds more of the old order than the site that took
        over, or less.
        """
        if self.leg.state is Source.BUFFERING:
            self.intake.give_up_order(Cause.TARGET_LACKS, whole(self.leg.settings))
        else:
            self.intake.all_dirty()

    def dirt(self, extents: Extents) -> None:
        """The target wrote on its own since we took over: those places differ too."""
        leg = self.leg
        if leg.welcomed or not len(extents):
            return
        if leg.state is Source.BUFFERING:
            self.intake.give_up_order(Cause.TARGET_LACKS, extents)
        else:
            self.intake.also_dirty(extents)

    def link_down(self) -> None:
        """The connection is gone: order in the journal stays, a copy is given up."""
        leg = self.leg
        leg.link = leg.welcomed = False
        self.acks.lost()
        self.shipper.stop()
        if leg.state is Source.STREAMING:
            leg.become(Cause.LINK_DOWN)
        elif leg.state is Source.RESYNCING:
            self.copy.abort()
            self.intake.give_up_order(Cause.LINK_DOWN)

    def copied(self) -> None:
        """When the copy is complete, redo what was journalled; past the copy's last read order is whole."""
        leg = self.leg
        if leg.state is Source.RESYNCING and self.copy.active and self.copy.done:
            self.copy.active = False
            leg.end = leg.last
            self.shipper.start(leg.journal.trimmed)

    def regained(self, seq: int) -> None:
        """The target is consistent again, durably: the bitmap has done its work."""
        leg = self.leg
        if leg.state is not Source.RESYNCING or leg.end is None or seq < leg.end:
            return  # A pass that was given up meanwhile.
        leg.end = None
        leg.seeded = True
        leg.lineage, leg.named = leg.lineage.joined(), None
        leg.confirmed = max(leg.confirmed, seq)
        leg.become(Cause.REGAINED)
        leg.save()
        self.acks.welcomed()

    def repair(self) -> None:
        """Copy what a verify found to differ."""
        leg = self.leg
        found = leg.suspect.extents()
        leg.suspect.reset()
        self.intake.give_up_order(Cause.REPAIR, found)
        self.copy.begin()

    def halt(self) -> None:
        """Stop replicating the group as a whole, at one point; what follows waits in the journal."""
        leg = self.leg
        leg.suspended, up = True, leg.link
        self.link_down()
        leg.link = up
