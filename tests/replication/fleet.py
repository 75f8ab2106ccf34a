"""One source with several targets, each leg a `Pair` told the same writes; what an operator may do with them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from drsim.blocks.batch import WriteBatch
from drsim.replication import events as ev
from drsim.replication.generations import Outcome, compare
from drsim.replication.handover import step_down
from drsim.replication.settings import SourceSettings, TargetSettings
from drsim.replication.states import Source, Target
from drsim.replication.trains import members
from drsim.replication.wire import wire_size
from tests.replication import oracle
from tests.replication.pair import Pair
from tests.replication.test_prefix import Pen

Rows = list[tuple[int, int, int, int]]


class Fleet:
    """The legs of one group, and the judges of all together."""

    def __init__(
        self,
        legs: list[tuple[SourceSettings, TargetSettings]],
        tell: Sequence[Callable[[str], None] | None] | None = None,
    ) -> None:
        told = tell or [None] * len(legs)
        self.pairs = [Pair(*settings, say) for settings, say in zip(legs, told, strict=True)]
        self.pen = Pen()
        self.check()

    def pair(self, index: int) -> Pair:
        return self.pairs[index % len(self.pairs)]

    # Hosts and the source's site.

    def write(self, rows: Rows) -> None:
        """A host writes when no leg holds it, no more than every leg has headroom for (or one write)."""
        if any(pair.held_hosts for pair in self.pairs):
            return
        batch = self.pen.batch(self.pairs[0], rows)
        rooms = [room for pair in self.pairs if (room := pair.source.headroom()) is not None]
        if rooms and batch.nbytes > min(rooms):
            batch = batch.slice(0, max(1, int(np.searchsorted(batch.spent, min(rooms), "right"))))
        for pair in self.pairs:
            assert pair.write(batch)
        assert len({pair.history.last for pair in self.pairs}) == 1, "the legs know different orders"

    def crash_source(self, torn: int) -> None:
        """The source's site stops. The journal's medium is one for all legs."""
        if len(self.pairs) == 1:
            self.pairs[0].crash_source(torn)
            return
        known = [p.history.last for p in self.pairs]
        ends = [[p.acknowledged, p.journal_trimmed, *(b.last for b in p.journal)] for p in self.pairs]
        noted = [
            p.headers["source"].last for p in self.pairs
        ]  # Places that are taken, whatever became of the writes.
        through = min(max(*noted, *(max(end) for end in ends)) + torn, *known)
        rows = [batch for p in self.pairs for batch in (*p.journal, *p.journal_queue)]
        for pair in self.pairs:
            pair.journal_queue.extend(_missing(pair, rows))
        for pair in self.pairs:
            pair.crash_source(0, through)
        assert len({pair.history.last for pair in self.pairs}) == 1, "the legs know different orders"

    # Roles.

    def promote(self, index: int, back: int | str | None) -> bool:
        """The source's site is cut off and a target takes over, and all others follow it.

        Perhaps at a point ``back`` from its newest, or (``"kept"``) on the oldest image it has kept.
        """
        pair = self.pair(index)
        for each in self.pairs:
            each.fuse.clear()
            each.link_down()
        point = ""
        if back == "kept":
            point = pair.oldest_kept()
        elif isinstance(back, int) and pair.target.state is Target.FOLLOWING:
            seq = max(pair.target.leg.issued, pair.target.leg.held - back)
            staging = pair.target.staging
            point = str(seq) if staging.between and staging.is_point(seq) else ""
        following = pair.target.state is Target.FOLLOWING
        image = following or pair.target.leg.protected is not None or "@" in point
        pair.step_target(ev.Command("promote", point))
        for _ in range(20):
            pair.settle()
        assert (pair.target.state is Target.PROMOTED) == image, (
            "an image that was not taken over, or was made up"
        )
        return image

    def swap(self, index: int) -> None:
        """The promoted site is the source now; the old source and every other target are its targets."""
        old = self.pair(index)
        home = old.swap()
        for (
            each
        ) in self.pairs:  # What any leg's journal or bitmap names is the old source's own, whoever took over.
            if each is not old:
                named = step_down(each.source, each.target_settings).leg.dirt.extents()
                home.target.leg.dirt.mark(named)
                home.kept_dirt.mark(named)
        assert oracle.equal(home.volume, old.image)
        self.pairs = [home, *(each.redirect(old) for each in self.pairs if each is not old)]
        self.check()

    def hand_over(self, index: int) -> bool:
        """Planned: hosts stop, what is on its way arrives; nothing is lost."""
        pair = self.pair(index)
        if any(p.held_hosts for p in self.pairs):
            return False
        self.finish()
        pair.step_source(ev.Command("demote"))
        pair.settle()
        last = pair.history.last
        assert pair.held_hosts
        assert self.promote(index, None)
        assert pair.target.leg.written == last, "a planned failover lost writes"
        return True

    # The judges.

    def check(self) -> None:
        for pair in self.pairs:
            pair.also = bounded
            bounded(pair)

    def finish(self) -> None:
        """With a link and peace every target equals the source in the end."""
        for pair in self.pairs:
            pair.fuse.clear()
            pair.step_source(ev.Command("resume"))
            pair.link_up()
            pair.settle()
            if compare(pair.source.leg.lineage, pair.target.leg.lineage) is Outcome.SPLIT_BRAIN:
                decide(pair)
        for _ in range(20 * len(self.pairs)):
            if all(pair.at_rest for pair in self.pairs):
                break
            for pair in self.pairs:
                pair.settle()
                pair.step_source(ev.Command("resume"))
                pair.tick()
        for pair in self.pairs:
            pair.finish()
            assert not pair.source.leg.suspect, "a difference was found that nobody made"


def _missing(pair: Pair, rows: list[WriteBatch]) -> list[WriteBatch]:
    """Give what the medium holds for other legs and this one never asked for: it had no room, and held the write."""
    own = max([pair.journal_trimmed, *(b.last for b in (*pair.journal, *pair.journal_queue))])
    single = {
        int(b.seq[i]): b.slice(i, i + 1)
        for b in rows
        for i in range(len(b))
        if b.last > own and b.seq[i] > own
    }
    return [single[seq] for seq in sorted(single)]


def decide(pair: Pair) -> None:
    """Both went on alone, so the source is refused, until an operator says whose writes go."""
    undecided = pair.target_settings.split_brain == "refuse"
    assert not undecided or not pair.source.leg.welcomed, "split brain was resolved by nobody"
    pair.target_settings = pair.target.leg.settings = replace(pair.target_settings, split_brain="discard")
    pair.link_down()
    pair.link_up()


def bounded(pair: Pair) -> None:
    """Memory: a journal no larger than told, little of it resident, no more in flight than the window."""
    leg, copy = pair.source.leg, pair.source.copy
    journal, live = leg.journal, leg.journal._segments[leg.journal._head :]
    rows = sum(s.last - max(s.first, journal.trimmed + 1) + 1 for s in live)
    if journal.size is not None and journal.nbytes <= journal.size:
        pair.recovered = 0
    room = None if journal.size is None else max(journal.size, pair.recovered)
    assert room is None or journal.nbytes <= room or rows == 1, "the journal outgrew its size"
    assert journal.nbytes == 0 or live, "bytes that no write has"
    assert len(journal._segments) <= 2 * len(live) + 66, "forgotten segments are still known"
    assert not any(s.batch for s in journal._segments[: journal._head]), (
        "forgotten writes are still in memory"
    )
    if journal.resident is not None:
        durable = [s for s in live if s.batch is not None and s.last <= leg.durable]
        held = sum(s.nbytes for s in durable)
        rest = sum(s.nbytes for s in live if s.last > leg.durable)
        largest = max((s.nbytes for s in live), default=0)
        assert held <= journal.resident + rest + largest, "more is resident than was allowed"
    step = leg.settings.granularity
    assert copy.flying <= max(leg.settings.resync.window, step) + step, "more is in flight than the window"
    assert leg.dirty.nbytes <= sum(-(-size // step) * step for size in leg.settings.volumes)
    for order in (pair.source.order, pair.target.order):
        kept = order._kept
        assert order.frames == sum(members(k.frame) for k in kept) <= order._allowance.frames
        assert order.nbytes == sum(wire_size(k.frame) for k in kept) <= order._allowance.size
        assert all(a.stop <= b.begin for a, b in pairwise(kept)), "a frame is kept twice"
        assert not kept or kept[0].begin > order._next, "a frame whose turn it is waits"
    target = pair.target
    assert all(seq >= target.leg.written for seq, _ in target.leg.marks), "points nobody can reach"
    store = target.staging.store
    live = store._segments[store._head :]
    assert len(store._segments) <= 2 * len(live) + 66, "destaged segments are still known"
    assert not any(s.batch for s in store._segments[: store._head]), "destaged writes are still in memory"
    if leg.state is Source.STREAMING:
        assert not leg.dirty, "order is kept and still bits are set"
