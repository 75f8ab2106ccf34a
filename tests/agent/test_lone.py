"""One write at a time: it is journalled, answered and applied, in this order, and what is made of it is as of many."""

import asyncio
import os
import struct
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drsim.agent import records
from drsim.agent.at_source import AtSource
from drsim.agent.clock import LoopClock
from drsim.agent.landed import landed
from drsim.agent.load import load
from drsim.agent.nbd.connection import Connection, Limits
from drsim.agent.nbd.courtesy import Courtesy
from drsim.agent.nbd.handshake import Handshake, Phase
from drsim.blocks.batch import RECORD, Kind, WriteBatch, alone
from drsim.blocks.payload import BytesPayload

BLOCK = 4096
whole = st.integers(0, 1 << 62)


class Wire:
    """A transport that notes when an answer leaves."""

    def __init__(self, seen: list[str]) -> None:
        self.seen, self.answers = seen, 0
        self.peer, self.ours = os.pipe()  # nobody ever writes to it
        os.set_blocking(self.peer, False)

    def get_extra_info(self, _: str) -> "Wire":
        return self

    def fileno(self) -> int:
        return self.peer

    def write(self, data: bytes) -> None:
        if data[:8] != b"NBDMAGIC":
            assert data[:8] == struct.pack(">II", 0x67446698, 0)
            self.answers += 1
            self.seen.append("answered")

    def close(self) -> None:
        os.close(self.peer)
        os.close(self.ours)


def said(number: int, block: int) -> bytes:
    content = bytes([number]) * BLOCK
    return struct.pack(">IHHQQI", 0x25609513, 0, 1, number, block * BLOCK, BLOCK) + content


async def lone_writes(folder, numbers: range, monkeypatch) -> tuple[list[str], bytes]:
    """Let a host write one at a time; give what was done in which order, and the volume."""
    seen: list[str] = []
    (folder / "agent.yaml").write_text(f"""
drsim_agent: 1
site: paris
state: {folder}
sites: {{paris: {{address: 127.0.0.1:7010}}, lyon: {{address: 127.0.0.1:7011}}}}
nbd: {{socket: {folder}/nbd.sock}}
groups:
  erp: {{source: paris, volumes: {{v: 1 MiB}}, targets: {{lyon: {{seed: in-sync}}}}}}
""")
    role = AtSource(load(folder / "agent.yaml", None), "erp", LoopClock())
    with role._opened():
        group = role.running
        assert group is not None

        def noted(owner: object, name: str, what: str) -> None:
            method = getattr(owner, name)
            monkeypatch.setattr(owner, name, lambda *given: (method(*given), seen.append(what))[0])

        noted(group._committer, "_commit", "journalled")
        noted(group.volumes, "apply", "applied")
        monkeypatch.setattr("drsim.agent.commits._THREAD_S", 60.0)
        host = Connection(Handshake(role.exports, "off"), Limits(), lambda _: None, Courtesy())
        wire = Wire(seen)
        host.connection_made(wire)
        host._handshake.phase, host._handshake.export = Phase.DONE, role.exports["erp/v"]
        host._advance()
        for number in numbers:
            message = said(number, number % 7)
            room = host.get_buffer(len(message))
            room[: len(message)] = message
            host.buffer_updated(len(message))
            while wire.answers <= number or seen[-1] != "applied":
                await asyncio.sleep(0)
        wire.close()
        await role.close()
    return seen, (folder / "erp/volumes/v.img").read_bytes()


def test_a_lone_write_is_answered_once_it_is_journalled_and_applied_behind_its_answer(tmp_path, monkeypatch):
    seen, image = asyncio.run(lone_writes(tmp_path, range(12), monkeypatch))
    assert seen == ["journalled", "answered", "applied"] * 12
    newest = {number % 7: number for number in range(12)}
    for block in range(256):
        assert image[block * BLOCK : (block + 1) * BLOCK] == bytes([newest.get(block, 0)]) * BLOCK


@given(whole, st.floats(0, 1e9), st.integers(0, 9), whole, st.integers(1, 99), st.sampled_from(Kind), whole)
def test_a_record_of_one_write_has_the_bytes_that_columns_have(seq, time, volume, offset, length, kind, seed):
    content = os.urandom(length) if kind == Kind.WRITE else b""
    one = alone(seq, time, volume, offset, length, int(kind), BytesPayload([content]))
    columns = (
        np.array([seq], "<i8"), np.array([time], "<f8"), np.array([volume], "<u2"),
        np.array([offset], "<i8"), np.array([length], "<i8"), np.array([kind], "u1"),
    )  # fmt: skip
    raw = b"".join(column.tobytes() for column in columns)
    found = b"".join(records.encode(one, seed))
    assert found[records.HEAD_BYTES :] == raw + content
    twin = WriteBatch(*columns, BytesPayload([content]))
    assert (one.first, one.last, len(one)) == (twin.first, twin.last, 1)
    assert one.nbytes == twin.nbytes == (length if kind == Kind.WRITE else RECORD)
    for mine, theirs in zip(records._of(one), records._of(twin), strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.tolist() == theirs.tolist()


# Batches as (is a copy, rows, places left out before it).
batches = st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.integers(0, 2)), max_size=12)


@given(batches, st.booleans(), st.integers(0, 11))
def test_what_landed_together_is_told_together_unless_order_or_the_engine_is_against_it(asked, apart, anew):
    done, last = [], 0
    for ticket, (copied, rows, gap) in enumerate(asked):
        last = 0 if ticket == anew else last  # the order began anew
        first = last + 1 + gap
        last = last if copied else first + rows - 1
        done.append((ticket, np.zeros(rows, np.int64) if copied else np.arange(first, first + rows)))
    told = landed(done, 3.5, apart=apart)
    assert [s for event in told for s in event.seq.tolist()] == [s for _, seq in done for s in seq.tolist()]
    assert all(event.at.tolist() == [3.5] * len(event.seq) for event in told)
    lasts = {ticket: seq[-1] for ticket, seq in done}
    assert all(event.seq[-1] == lasts[event.ticket] for event in told), "a ticket that is not the last one's"
    if apart:
        assert [event.ticket for event in told] == [ticket for ticket, _ in done]
    for event in told:
        copy = not event.seq.any()
        assert (np.diff(event.seq) > 0).all() or (
            copy and event.seq.tolist() == done[event.ticket][1].tolist()
        )
    if not apart:
        for before, after in pairwise(told):
            assert not 0 < before.seq[-1] < after.seq[0], "two that go on in the order"
