"""The twin: what happened to real engines over TCP is told to fresh ones; they must ask for the same."""

import time

import numpy as np
import pytest

from drsim.agent import revive
from drsim.agent.load import load
from drsim.agent.recorder import digest, pack, steps, unpack
from drsim.agent.stores import SourceStore, TargetStore
from drsim.blocks.batch import WriteBatch
from drsim.blocks.payload import BytesPayload
from drsim.replication.events import HostWrites, Received
from drsim.replication.frames import Data
from tests.agent.host import Host
from tests.agent.pair import BLOCK, Pair, libnbd, pair, until
from tests.agent.proxy import Proxy

BLOCKS = 256


def test_packing_gives_back_equal_values():
    batch = WriteBatch(
        np.array([3, 4]),
        np.array([0.25, 0.5]),
        np.array([0, 1], np.uint16),
        np.array([0, 4096]),
        np.array([4096, 8192]),
        np.array([0, 1], np.uint8),
        BytesPayload([b"x" * 4096, b""]),
    )
    event = Received(Data(9, batch, 2), np.array([1.5, 1.5]))
    again = unpack(pack(event))
    assert pack(again) == pack(event)
    assert again.frame.batch.payload.of(0) == b"x" * 4096
    assert pack(Received(Data(9, batch, 1), event.at)) != pack(event)


@pytest.fixture
def flight(tmp_path):
    """Fly: load, two cuts, an overflow of the journal; give the pair, stopped, with its recordings."""
    libnbd()
    (tmp_path / "real").mkdir()
    probe = Pair(tmp_path / "real", size=BLOCKS * BLOCK)
    proxy = Proxy(probe.ports["lyon"])
    group, top = "journal: {size: 256 KB, on_full: track}", f"record: {tmp_path}/flights"
    with pair(tmp_path / "real", group, between=proxy.port, top=top, size=BLOCKS * BLOCK) as two:
        proxy.to = two.ports["lyon"]
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        host = Host(BLOCKS, 3)
        host.start(two.uri())
        for _ in range(2):
            time.sleep(0.2)
            proxy.cut_after = 5000
            until(lambda: proxy.cut_after is None, what="a cut")
        proxy.refuse, proxy.cut_after = True, 1
        until(lambda: two.leg()["journal_overflows"] > 0, what="an overflow")
        proxy.refuse = False
        time.sleep(0.2)
        host.stop()
        two.settle()
        two.stop()
        proxy.close()
        assert two.image("paris") == two.image("lyon")
        yield two


def replay(path, engine) -> tuple[int, list[type]]:
    """Tell a fresh engine what the recorded one was told; it must ask for the same, byte for byte."""
    count, kinds = 0, []
    for now, event, asked in steps(path):
        assert digest(engine.step(event, now)) == asked, f"step {count}: {event}"
        count += 1
        kinds.append(type(event))
    return count, kinds


def test_a_fresh_engine_does_what_the_real_one_did(flight, tmp_path):
    config = load(flight.folder / "paris.yaml")
    (tmp_path / "fresh").mkdir()
    store = SourceStore.open(tmp_path / "fresh/paris", config.groups["erp"])
    settings = revive.source_settings(config, "erp", "lyon")
    files = revive.open_leg(store, settings, "lyon")
    (path,) = (tmp_path / "flights").glob("source-*.flight")
    count, kinds = replay(path, revive.source_engine(settings, store, files, 0))
    assert count > 100
    assert kinds.count(HostWrites) > 30


def test_the_target_too(flight, tmp_path):
    config = load(flight.folder / "lyon.yaml")
    store = TargetStore.open(tmp_path / "fresh/lyon", config.groups["erp"])
    engine = revive.target_engine(revive.target_settings(config, "erp"), store)
    (path,) = (tmp_path / "flights").glob("target-*.flight")
    count, kinds = replay(path, engine)
    assert count > 30
    assert kinds.count(Received) > 10
