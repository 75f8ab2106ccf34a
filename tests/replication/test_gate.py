"""A target's gate: writes already received are dropped, a gap in the order drops the connection."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks.batch import Kind, WriteBatch, concat
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.generations import FIRST, Lineage
from drsim.replication.settings import TargetSettings
from drsim.replication.target import TargetEngine
from tests.replication.oracle import row

SESSION = 1 << 32


def writes(first: int, last: int) -> WriteBatch:
    return concat([row(s, 0.0, 0, 4096 * s, 4096, Kind.WRITE, bytes(4096)) for s in range(first, last + 1)])


def welcomed() -> TargetEngine:
    engine = TargetEngine(TargetSettings())
    engine.step(ev.Due(), 0.0)
    hello = fr.Hello(SESSION, "group", Lineage(FIRST), 1, 0, True)
    engine.step(ev.Received(hello, np.array([0.0])), 0.0)
    return engine


def offer(engine: TargetEngine, first: int, last: int, session: int = SESSION) -> list[do.Action]:
    batch = writes(first, last)
    return engine.step(ev.Received(fr.Data(session, batch, first - 1), np.zeros(len(batch))), 1.0)


def staged(actions: list[do.Action]) -> list[int]:
    return [s for a in actions if isinstance(a, do.AppendStaging) for s in a.batch.seq.tolist()]


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 9)), max_size=20))
def test_the_order_is_staged_once_and_without_a_gap(offers):
    engine, received = welcomed(), 0
    for first, more in offers:
        last = first + more
        out = offer(engine, first, last)
        dropped = [a.cause for a in out if isinstance(a, do.Disconnect)]
        if first > received + 1:
            assert dropped == ["gap in the order"]
            assert not staged(out)
        else:
            assert not dropped
            assert staged(out) == list(range(received + 1, last + 1))
            received = max(received, last)
    assert engine.leg.received == received


def test_nothing_of_another_session_is_staged():
    engine = welcomed()
    assert not offer(engine, 1, 3, SESSION - 1)
    assert engine.leg.received == 0
