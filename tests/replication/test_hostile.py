"""A peer that is allowed to speak and says anything: frames of good form and the right session, with any content."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.settings import Resync, SourceSettings, TargetSettings
from tests.replication.pair import Pair, members
from tests.replication.test_overflow import fill
from tests.replication.test_prefix import SIZES
from tests.replication.test_wire import FRAMES

close = st.one_of(st.integers(0, 12), st.integers(0, 2**63 - 1))
SAYS = st.one_of([kind for name, kind in FRAMES.items() if name is not fr.Hello])


@st.composite
def said(draw: st.DrawFn) -> fr.Frame:
    """A frame whose numbers are often near to what the engine expects."""
    frame = draw(SAYS)
    near = {
        name: draw(close) for name in ("seq", "base", "ticket", "held", "partial") if hasattr(frame, name)
    }
    return frame if isinstance(frame, fr.Ack) else replace(frame, **near)


def begun(*, copying: bool) -> Pair:
    resync = Resync.model_validate({"window": "8 KiB", "slice": "4 KiB"})
    pair = Pair(SourceSettings(volumes=SIZES, size=4096, resync=resync), TargetSettings(volumes=SIZES))
    pair.link_up()
    fill(pair, 3)
    pair.settle()
    if copying:
        fill(pair, 12)
        for _ in range(4):
            pair.to_target(9), pair.snap(), pair.to_source(9), pair.read_blocks(), pair.answer_read()
    return pair


@given(st.booleans(), st.booleans(), st.lists(said(), min_size=1, max_size=6))
def test_nothing_a_peer_says_stops_an_engine_or_leads_it_outside_its_volumes(to_source, copying, frames):
    pair = begun(copying=copying)
    engine = pair.source if to_source else pair.target
    for frame in frames:
        frame = replace(frame, session=engine.leg.session)
        for action in engine.step(ev.Received(frame, np.full(members(frame), pair.now)), pair.now):
            match action:
                case do.ReadBlocks(_, named) | do.MarkDirty(named):
                    assert all(v < len(SIZES) and b <= SIZES[v] for v, _, b in named.rows())
                case do.WriteBlocks(_, batch) | do.AppendStaging(batch):
                    assert all(b <= SIZES[v] for v, b in zip(batch.volume, batch.stop, strict=True))
                case do.Disconnect():
                    return  # The connection is dropped; nothing more comes by it.


def test_what_no_volume_has_is_refused_by_name():
    pair = begun(copying=False)
    batch = pair.history.writes[0]
    for wrong in (
        replace(batch, volume=np.array([7], np.uint16)),
        replace(batch, offset=np.array([1 << 40])),
    ):
        frame = fr.Data(pair.target.leg.session, replace(wrong, seq=np.array([4])), 3)
        actions = pair.target.step(ev.Received(frame, np.zeros(1)), pair.now)
        assert [type(a) for a in actions] == [do.Disconnect]
