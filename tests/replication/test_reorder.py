"""Frames of one link that overtake one another or come twice: acted on in the order in which they were sent."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks.batch import WriteBatch
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.codec import WireError
from drsim.replication.decode import Decoder
from drsim.replication.generations import FIRST, Lineage
from drsim.replication.reorder import Reorder
from drsim.replication.settings import Early, TargetSettings
from drsim.replication.target import TargetEngine
from drsim.replication.trains import members, part
from drsim.replication.wire import Encoder, wire_size, wire_sizes
from tests.replication.test_target_guards import batch, sent
from tests.replication.test_wire import FRAMES, any_frame, rows_of

NUMBERS = 1 << 32
trains = st.lists(
    st.one_of(FRAMES[fr.Data], FRAMES[fr.Resync], FRAMES[fr.Ack], any_frame), min_size=1, max_size=6
)


def chain(lengths: list[int], folded: bool = False) -> list[fr.Frame]:
    """Trains of writes of which each goes on where the one before ends."""
    made, first = [], 1
    for length in lengths:
        made.append(fr.Data(1, batch(first, length), first - 1, folded))
        first += length
    return made


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[fr.Frame], list[tuple[int, fr.Frame]]]:
    """What was sent, and pieces of it in any order: every member at least once, some twice and cut otherwise."""
    frames = draw(st.one_of(trains, st.lists(st.integers(1, 5), min_size=1, max_size=6).map(chain)))
    pieces, first = [], 0
    for frame in frames:
        count = members(frame)
        cuts = sorted({0, count, *draw(st.lists(st.integers(0, count), max_size=3))})
        spans = list(pairwise(cuts))
        again = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(1, count)), max_size=2))
        spans += [(a, min(count, a + n)) for a, n in again]
        pieces += [(first + a, part(frame, a, b)) for a, b in spans]
        first += count
    return frames, draw(st.permutations(pieces))


@given(deliveries(), st.sampled_from([0, 7, NUMBERS - 3, 5 * NUMBERS - 1]), st.data())
def test_what_arrives_in_any_order_is_given_in_the_order_it_was_sent(delivery, base, data):
    """And at the instant the last of all that came before it was there: the oracle looks at one member at a time."""
    frames, pieces = delivery
    order = Reorder(Early())
    order._next = base
    given: list[fr.Frame] = []
    when: list[float] = []
    came: dict[int, float] = {}
    for step, (number, frame) in enumerate(pieces):
        at = step + np.sort(
            data.draw(st.lists(st.floats(-3, 0), min_size=members(frame), max_size=members(frame)))
        )
        for i, instant in enumerate(at):
            came.setdefault(number + i, float(instant))
        due = list(order.take(ev.Received(frame, at, (base + number) % NUMBERS), []))
        given += [f for f, _ in due]
        when += [float(t) for _, times in due for t in times]
        assert all(members(f) == len(times) for f, times in due)
        prefix = next(n for n in range(len(came) + 1) if n not in came)
        assert len(when) == prefix, "not all that has no gap before it was given, or more"
        assert when == [max(came[m] for m in range(n + 1)) for n in range(prefix)]
    assert rows_of(given) == rows_of(frames)
    assert (order.frames, order.nbytes) == (0, 0)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=6), st.data())
def test_writes_that_waited_for_one_gap_go_on_as_one_train(lengths, data):
    frames = chain(lengths)
    firsts = np.cumsum([0, *lengths]).tolist()
    order = Reorder(Early())
    for i in data.draw(st.permutations(range(1, len(frames)))):
        at = np.zeros(lengths[i])
        assert not list(order.take(ev.Received(frames[i], at, firsts[i]), []))
    assert order.nbytes == sum(wire_size(frame) for frame in frames[1:])
    ((whole, at),) = order.take(ev.Received(frames[0], np.zeros(lengths[0]), 0), [])
    assert isinstance(whole, fr.Data)
    assert whole.batch.seq.tolist() == list(range(1, firsts[-1] + 1))
    assert len(at) == firsts[-1]


@given(
    st.lists(st.tuples(any_frame, st.integers(0, NUMBERS - 1) | st.integers(0, 40)), max_size=20),
    st.integers(0, 8),
    st.integers(0, 4096),
)
def test_no_peer_makes_an_engine_keep_more_than_it_was_allowed_to(arrivals, frames, size):
    order = Reorder(Early.model_validate({"frames": frames, "size": f"{size} B"}))
    for frame, number in arrivals:
        before, held, said = order.frames, order.nbytes, []
        order.take(ev.Received(frame, np.zeros(members(frame)), number), said)
        assert order.frames <= frames
        assert order.nbytes <= size
        assert not said or not order._kept
        fits = before + members(frame) <= frames and held + wire_size(frame) <= size
        assert not said or not fits, "dropped for nothing"


def follower(early: Early | None = None) -> TargetEngine:
    target = TargetEngine(TargetSettings(early=early or Early()))
    target.step(ev.LinkUp(), 1.0)
    hello = fr.Hello(1, "group", Lineage(FIRST), 1, 9, True)
    target.step(ev.Received(hello, np.zeros(1), 0), 1.0)
    return target


def arrives(target: TargetEngine, number: int, frame: fr.Frame) -> list[do.Action]:
    return target.step(ev.Received(frame, np.full(members(frame), 2.0), number), 2.0)


def staged(actions: list[do.Action]) -> list[int]:
    return [seq for a in actions if isinstance(a, do.AppendStaging) for seq in a.batch.seq.tolist()]


def durable(target: TargetEngine, through: int) -> list[do.Action]:
    return target.step(ev.StagingDurable(np.array([through]), np.array([2.0])), 2.0)


def test_a_target_stages_no_write_before_those_it_follows():
    target = follower()
    first, second, third = chain([2, 2, 2])
    assert staged(arrives(target, 5, third)) == []
    assert target.leg.received == 0
    assert staged(arrives(target, 1, first)) == [1, 2]
    assert staged(arrives(target, 1, first)) == [], "a write was staged twice"
    assert staged(arrives(target, 3, second)) == [3, 4, 5, 6]


def test_nothing_behind_a_marker_is_confirmed_before_the_marker_is_known():
    """A source forgets a marker once a write behind it is confirmed."""
    target = follower()
    first, second = chain([1, 1])
    arrives(target, 1, first)
    assert staged(arrives(target, 3, second)) == []
    actions = arrives(target, 2, fr.Checkpoint(1, 1, "noon"))
    headers = [a.header.marks for a in actions if isinstance(a, do.SaveHeader)]
    assert headers == [((1, "noon"),)]
    assert staged(actions) == [2]


@pytest.mark.parametrize("early", [True, False])
def test_a_cycle_is_whole_when_all_of_it_is_there_wherever_its_end_arrives(early):
    target = follower()
    (rows,) = chain([2], folded=True)
    end = fr.Checkpoint(1, 2)
    for number, frame in ((3, end), (1, rows)) if early else ((1, rows), (3, end)):
        arrives(target, number, frame)
    confirmed = [f.seq.tolist() for f in sent(durable(target, 2)) if isinstance(f, fr.Ack)]
    assert confirmed == [[2]]


def test_a_block_of_a_pass_that_was_given_up_never_lands_behind_a_newer_one():
    target = TargetEngine(TargetSettings(in_sync=False))
    target.step(ev.LinkUp(), 1.0)
    arrives(target, 0, fr.Hello(1, "group", Lineage(5), 1, 0, False))
    assert sent(arrives(target, 1, fr.ResyncBegin(1, 0)))
    copied = batch(1, 1)
    copied = WriteBatch(
        np.zeros(1, np.int64), copied.time, copied.volume, copied.offset, copied.length, copied.kind
    )
    assert not sent(arrives(target, 3, fr.ResyncBegin(1, 4))), "ready for new blocks, and old ones may land"
    write, *rest = arrives(target, 2, fr.Resync(1, 1, copied))
    assert isinstance(write, do.WriteBlocks)
    assert not sent(rest)
    answers = sent(target.step(ev.BlocksWritten(write.ticket, copied.seq, np.array([2.0])), 3.0))
    assert [type(f) for f in answers] == [fr.ResyncAck, fr.Ready]


@pytest.mark.parametrize("limit", [{"frames": 3}, {"size": "13 KB"}])
def test_a_gap_that_is_not_filled_in_time_ends_the_connection(limit):
    target = follower(Early.model_validate(limit))
    for number, frame in enumerate(chain([1] * 4), start=1):
        if number == 1:
            continue
        assert arrives(target, number, frame) == []
    (drop,) = arrives(target, 5, fr.Checkpoint(1, 4) if "frames" in limit else chain([5])[0])
    assert isinstance(drop, do.Disconnect)
    assert target.order.nbytes == 0
    target.step(ev.LinkDown(), 3.0)
    target.step(ev.LinkUp(), 3.0)
    arrives(target, 0, fr.Hello(2, "group", Lineage(FIRST), 1, 9, True))
    (again,) = chain([2])
    assert staged(arrives(target, 1, fr.Data(2, again.batch, 0))) == [1, 2], "numbers begin anew"


def test_what_came_early_by_one_connection_fills_no_gap_in_the_next():
    target = follower()
    first, second, third = chain([1] * 3)
    assert staged(arrives(target, 3, third)) == []
    target.step(ev.LinkUp(), 3.0)
    assert target.order.nbytes == 0
    arrives(target, 0, fr.Hello(2, "group", Lineage(FIRST), 1, 9, True))
    seen = [
        staged(arrives(target, n, fr.Data(2, frame.batch, frame.previous)))
        for n, frame in enumerate((first, second, third), start=1)
    ]
    assert seen == [[1], [2], [3]]


def test_a_hole_in_the_order_itself_is_refused_although_no_frame_is_missing():
    target = follower()
    (drop,) = arrives(target, 1, fr.Data(1, batch(4, 2), 3))
    assert isinstance(drop, do.Disconnect)


@given(st.lists(any_frame, min_size=1, max_size=6), st.integers(1, 4), st.data())
def test_several_connections_carry_one_link(frames, count, data):
    """To bytes, over ``count`` connections in any pieces, and back."""
    encoder = Encoder()
    wires = [bytearray() for _ in range(count)]
    for frame in frames:
        raw = encoder.encode(frame)
        for begin, end in pairwise([0, *np.cumsum(wire_sizes(frame)).tolist()]):
            wires[data.draw(st.integers(0, count - 1))] += raw[begin:end]
    decoders = [Decoder(side_by_side=True) for _ in wires]
    order, given = Reorder(Early()), []
    while any(wires):
        at = data.draw(st.sampled_from([i for i, wire in enumerate(wires) if wire]))
        some = data.draw(st.sampled_from([23, 90, 1000, 1 << 20]))
        for number, frame in decoders[at].numbered(bytes(wires[at][:some])):
            now = np.zeros(members(frame))
            given += [f for f, _ in order.take(ev.Received(frame, now, number), [])]
        del wires[at][:some]
    assert rows_of(given) == rows_of(frames)


@given(any_frame, any_frame)
def test_on_each_of_several_connections_numbers_only_grow(a, b):
    encoder = Encoder()
    first, second = encoder.encode(a), encoder.encode(b)
    assert rows_of([f for _, f in Decoder(side_by_side=True).numbered(second)]) == rows_of([b])
    for wrong in (first + first, second + first):
        with pytest.raises(WireError):
            Decoder(side_by_side=True).numbered(wrong)
