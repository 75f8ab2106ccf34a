"""The cache of hosts' writes: what it holds after any history, a kill, a restart of the machine; what a flush means."""

import mmap
import shutil
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.agent import cache
from drsim.agent.cache import WriteCache, kept_rows
from drsim.blocks.batch import Kind
from tests.agent.host import Host
from tests.agent.pair import BLOCK, copied, libnbd, needs, pair, until

BLOCKS = 64
puts = st.tuples(st.just("put"), st.lists(st.integers(0, 300), min_size=1, max_size=3))
drops = st.tuples(st.just("drop"), st.integers(0, 4))
kills = st.tuples(st.just("kill"), st.just(0))


def row(number: int, size: int) -> cache.Row:
    content = np.random.Generator(np.random.PCG64(number)).bytes(size)
    return (number % 3, 4096 * number, size or 4096, Kind.WRITE if size else Kind.TRIM, content)


@given(st.lists(puts | drops | kills, max_size=40), st.integers(400, 3000))
def test_it_holds_what_was_put_and_not_dropped_whatever_happens_to_the_process(tmp_path_factory, steps, room):
    path = tmp_path_factory.mktemp("cache") / "cache"
    ring, held, last = WriteCache(path, room), [], 0  # held: what was put together is dropped together
    for verb, what in steps:
        if verb == "put":
            rows = [row(last + n + 1, size) for n, size in enumerate(what)]
            need = cache._RECORD.size + sum(len(r[4]) + cache._ROW for r in rows)
            fits = ring.held + need <= ring.nbytes
            last += len(rows)
            assert ring.put(last, rows) is fits
            if fits:
                held.append(list(enumerate(rows, last - len(rows) + 1)))
        elif verb == "drop":
            through = held[min(what, len(held)) - 1][-1][0] if held and what else 0
            through = last if what == 4 else through
            ring.drop(through)
            held = [together for together in held if together[-1][0] > through]
        found = [(place, (*r[:4], bytes(r[4]))) for place, r in kept_rows(path)]
        assert found == [pair for together in held for pair in together]
        if verb == "kill":  # the old mapping stays, unused, as a killed process leaves it
            held = [[pair] for pair in found]
            ring = WriteCache(path, room, found)
    ring.close()
    assert path.exists() is bool(held)


def test_after_a_restart_of_the_machine_it_is_void_unless_it_was_closed_in_order(tmp_path, monkeypatch):
    path = tmp_path / "cache"
    ring = WriteCache(path, 1 << 16)
    ring.put(1, [row(1, 100)])
    shutil.copy(path, tmp_path / "copy")
    monkeypatch.setattr(cache, "this_boot", lambda: b"another life of the machine")
    assert kept_rows(tmp_path / "copy") == []
    ring.close()
    assert [place for place, _ in kept_rows(path)] == [1]


def test_a_ring_that_is_wanted_no_more_keeps_what_it_has_and_takes_nothing(tmp_path):
    ring = WriteCache(tmp_path / "cache", 0, [(5, row(5, 100)), (6, row(6, 100))])
    ring.drop(5)
    assert not ring.put(7, [row(7, 1)])
    assert not ring.fits(1, 0)
    assert [place for place, _ in kept_rows(tmp_path / "cache")] == [6]


def test_a_damaged_record_ends_what_is_kept(tmp_path):
    path = tmp_path / "cache"
    ring = WriteCache(path, 1 << 16)
    for number in (1, 2, 3):
        ring.put(number, [row(number, 100)])
    raw = bytearray(path.read_bytes())
    raw[24 + 2 * (cache._RECORD.size + cache._ROW + 100) - 50] ^= 4
    path.write_bytes(raw)
    assert [place for place, _ in kept_rows(path)] == [1]


def test_a_ring_in_a_file_is_seen_by_another_process_as_it_was_stored(tmp_path):
    path = tmp_path / "cache"
    ring = WriteCache(path, 1 << 16)
    assert ring.put(7, [row(7, 0)])
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as seen:
        assert struct.unpack_from("<QQ", seen, 8) == (0, ring.held)


@pytest.fixture
def cached(tmp_path):
    needs("nbdcopy")
    libnbd()
    with pair(tmp_path, "cache: 1 MiB", size=BLOCKS * BLOCK) as made:
        made.start()
        until(lambda: made.leg()["state"] == "STREAMING", what="seeded")
        yield made


def power_cut(two) -> None:
    """Kill the source, and take what a restart of its machine would take: the cache."""
    two.kill("paris")
    (two.states["paris"] / "erp/cache").unlink()
    two.start("paris")


def test_a_flush_makes_what_was_answered_survive_a_power_cut(cached):
    nbd = libnbd()
    handle = nbd.NBD()
    handle.connect_uri(cached.uri())
    for number in range(1, 40):
        handle.pwrite(struct.pack("<Q", number) * (BLOCK // 8), number % BLOCKS * BLOCK)
    handle.flush()
    handle.pwrite(struct.pack("<Q", 40) * (BLOCK // 8), 40 * BLOCK, nbd.CMD_FLAG_FUA)
    power_cut(cached)
    copied(cached.uri(), cached.folder / "image")
    image = (cached.folder / "image").read_bytes()
    assert [int.from_bytes(image[n * BLOCK : n * BLOCK + 8], "little") for n in range(1, 41)] == [
        *range(1, 41)
    ]


def test_without_a_flush_a_power_cut_leaves_the_result_of_the_first_writes(cached):
    host = Host(BLOCKS, 5)
    for _ in range(3):
        host.start(cached.uri())
        until(lambda: host.acknowledged > len(host.history) - 30 > 100, what="load")
        cached.kill("paris")
        host.stop()
        (cached.states["paris"] / "erp/cache").unlink(missing_ok=True)
        cached.start("paris")
        copied(cached.uri(), cached.folder / "image")
        host.acknowledged = min(host.acknowledged, host.reach((cached.folder / "image").read_bytes()))
        host.survived(host.acknowledged)
    cached.settle()
    cached.stop()
    assert cached.image("paris") == cached.image("lyon") == (cached.folder / "image").read_bytes()


def test_held_hosts_are_answered_as_long_as_there_is_room_and_a_clean_stop_keeps_it(tmp_path):
    needs("nbdcopy")
    nbd = libnbd()
    group = "cache: 1 MiB\n    journal: {size: 64 KB, on_full: block}"
    with pair(tmp_path, group, size=BLOCKS * BLOCK) as two:
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        two.stop("lyon")
        until(lambda: two.leg()["state"] == "BUFFERING", what="alone")
        handle = nbd.NBD()
        handle.connect_uri(two.uri())
        for number in range(1, 61):  # 240 KiB, of which the journal takes 64 kB
            handle.pwrite(struct.pack("<Q", number) * (BLOCK // 8), number * BLOCK)
        until(lambda: two.status("paris")["cached_bytes"] > 150_000, what="held")
        assert handle.pread(8, 60 * BLOCK) == struct.pack("<Q", 60)
        two.stop("paris")
        two.start()
        two.settle()
        assert two.status("paris")["cached_bytes"] == 0
        two.stop()
        image = two.image("lyon")
        assert image == two.image("paris")
        assert [int.from_bytes(image[n * BLOCK :][:8], "little") for n in range(1, 61)] == [*range(1, 61)]
