"""A write that is there by itself: the straight way takes what the parser would find, and its host has its turn."""

import contextlib
import socket
import struct
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from drsim.agent.arena import Arena
from drsim.agent.nbd import linger
from drsim.agent.nbd.exports import Writes
from drsim.agent.nbd.linger import Linger
from drsim.agent.nbd.parsing import alone, plain, requests
from drsim.agent.nbd.protocol import Command

BLOCK, SIZE = 4096, 16 * 4096
places = st.integers(0, 17 * BLOCK) | st.integers(0, 17).map(lambda n: n * BLOCK)
lengths = st.sampled_from([0, 1, 512, BLOCK, 2 * BLOCK, BLOCK + 512])
heads = st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1, 2, 3, 4]), places, lengths)


def said(flags: int, command: int, offset: int, length: int) -> bytes:
    content = bytes(length) if command == Command.WRITE else b""
    return struct.pack(">IHHQQI", 0x25609513, flags, command, 77, offset, length) + content


@given(st.lists(heads, min_size=1, max_size=4), st.integers(0, 40), st.integers(0, 3))
def test_the_straight_way_takes_the_plain_writes_in_front_and_nothing_else(asked, cut, before):
    wire = b"".join(said(*head) for head in asked)
    wire = wire[: len(wire) - cut]
    view = memoryview(b"x" * before + wire)
    found = plain(view, before, len(view), SIZE, lambda *_: None)
    whole, _, _ = requests(view, before, len(view), SIZE, (9, 1 << 30), (lambda *_: None, lambda *_: None))
    first = whole[0] if whole else None
    assert (found is not None) is isinstance(first, Writes)
    if found is not None and isinstance(first, Writes):
        shown = [(w.offsets, w.length, w.cookies, w.contents.chunks()) for w in (found, first)]
        assert shown[0] == shown[1]
    alike: list[tuple[int, int]] = []
    ends = accumulate(len(said(*head)) for head in asked)
    for (flags, command, offset, length), end in zip(asked, ends, strict=True):
        fits = length > 0 and offset + length <= SIZE and offset % BLOCK == length % BLOCK == 0
        plainly = (flags, command) == (0, Command.WRITE) and fits and end <= len(wire)
        if not plainly or (alike and alike[0][1] != length):
            break
        alike.append((offset, length))
    only = alone(view, before, len(view), SIZE)
    assert (only is not None) is (len(alike) == 1 and len(wire) == 28 + alike[0][1])
    if only is not None:
        assert only == (alike[0][0], found.contents.chunks()[0], (77).to_bytes(8, "big"))
    got = [] if found is None else [(offset, found.length) for offset in found.offsets]
    assert got == alike


def lingering(comes: bytes, take, turns: int = 1) -> list[bytes]:
    """Give what ``take`` was given when a host said ``comes`` before each of so many turns."""
    ours, hosts = socket.socketpair()
    with contextlib.closing(ours), contextlib.closing(hosts):
        ours.setblocking(False)
        arena, waits, seen = Arena(), Linger(ours.fileno()), []

        def taken() -> bool:
            seen.append(bytes(arena.view[arena.begin : arena.end]))
            arena.begin = arena.end
            return take(hosts)

        for _ in range(turns):
            hosts.sendall(comes)
            waits.serve(arena, taken)
        return seen


def test_what_a_host_says_next_is_taken_until_something_else_is_there():
    said_on = iter([b"two", b"three"])

    def answered(host: socket.socket) -> bool:
        host.sendall(next(said_on))
        return True

    assert lingering(b"one", lambda host: False) == [b"one"]
    with contextlib.suppress(StopIteration):
        lingering(b"one", answered)
    assert next(said_on, None) is None


def test_a_turn_ends_however_fast_the_host_is(monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(linger, "perf_counter", lambda: next(now) * linger._TURN_S / 8)
    seen = lingering(b"x", lambda host: not host.sendall(b"x"))
    assert 4 < len(seen) < 12


def test_a_host_that_thinks_long_is_soon_left_to_the_loop(monkeypatch):
    now = iter(range(100_000))
    monkeypatch.setattr(linger, "perf_counter", lambda: next(now) * linger._PAUSE_S)
    assert lingering(b"", lambda host: True, turns=200) == []
    assert next(now) < 60  # of the 200 turns a few were tried, a few looks each
