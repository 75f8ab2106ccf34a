"""Agents meeting over TCP: who is let in, who is not, and what a bad peer can do (nothing)."""

import asyncio
import contextlib
import ssl
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.agent.clock import LoopClock
from drsim.agent.dial import Backoff, Dialler, Listener
from drsim.agent.links import FrontDoor, LinkEnd
from drsim.agent.peer import Beat, PeerConnection
from drsim.agent.tls import Keys, is_loopback
from drsim.blocks.batch import WriteBatch
from drsim.blocks.payload import BytesPayload
from drsim.replication.events import LinkDown, LinkUp, Received
from drsim.replication.frames import Ack, Hello, Resync, Welcome
from drsim.replication.generations import Lineage
from drsim.replication.wire import Encoder
from tests.agent.pair import needs


class Engine:
    """Stands where an engine's driver stands and remembers what it was told."""

    def __init__(self):
        self.events = []

    def deliver(self, event):
        self.events.append(event)

    def count(self, kind):
        return sum(isinstance(e, kind) for e in self.events)


def hello(group="erp"):
    return Hello(1, group, Lineage(), 1, 0, True)


class Scene:
    """A listener for the group ``erp`` and whoever dials it."""

    def __init__(self, beat=None, server=None, partner=None):
        self.clock = LoopClock()
        self.beat = beat or Beat()
        self.target = Engine()
        self.end = LinkEnd("erp/lyon", self.clock, partner and {partner})
        self.end.attach(self.target)
        self.door = FrontDoor(lambda g: self.end if g == "erp" else None)
        self.listener = Listener(self.door, self.beat, server)
        self.tasks, self.ends = [], [self.end]

    async def __aenter__(self):
        self.port = await self.listener.listen("127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for end in self.ends:
            end.attach(None)
        self.door.close()
        await asyncio.sleep(0.02)
        await self.listener.close()
        await asyncio.sleep(0.02)

    def dial(self, context=None, partner=None):
        engine = Engine()
        end = LinkEnd("erp/paris", self.clock, partner and {partner}, lambda: dialler.lost())
        end.attach(engine)
        self.ends.append(end)
        dialler = Dialler(
            ("127.0.0.1", self.port),
            lambda: PeerConnection(end, self.beat),
            context,
            Backoff(0.01, 0.05),
            np.random.default_rng(1),
        )
        self.tasks.append(asyncio.create_task(dialler.run()))
        return engine, end, dialler


async def soon(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def shout(port: int, data: bytes) -> None:
    """Send bytes and hear the other side hang up, having said nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        writer.write(data)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def play(story):
    asyncio.run(asyncio.wait_for(story(), 30))


def test_frames_travel_both_ways_and_a_cut_is_told_to_both():
    async def story():
        async with Scene() as scene:
            source, end, _ = scene.dial()
            await soon(lambda: source.count(LinkUp))
            end.send(hello())
            await soon(lambda: scene.target.count(Received))
            assert isinstance(scene.target.events[0], LinkUp)
            assert scene.target.events[1].frame.group == "erp"
            scene.end.send(Welcome(1, Lineage(), 5, 5, True))
            scene.end.send(Ack(1, np.array([6, 7])))
            await soon(lambda: source.count(Received) == 2)
            assert source.events[2].at.shape == (2,)
            scene.end.drop("a test")
            await soon(lambda: source.count(LinkDown) and scene.target.count(LinkDown))
            await soon(lambda: source.count(LinkUp) == 2)

    play(story)


def test_a_group_that_is_not_awaited_is_refused():
    async def story():
        async with Scene() as scene:
            source, end, _ = scene.dial()
            await soon(lambda: source.count(LinkUp))
            end.send(hello("unknown"))
            await soon(lambda: source.count(LinkDown))
            assert scene.target.events == []

    play(story)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\xff" * 4096])
def test_garbage_ends_the_connection_and_reaches_no_engine(garbage):
    async def story():
        async with Scene() as scene:
            await shout(scene.port, garbage)
            assert scene.target.events == []

    play(story)


@given(st.integers(0, 2**16), st.integers(0, 7))
def test_a_flipped_bit_never_reaches_an_engine(at, bit):
    async def story():
        data = bytearray(Encoder().encode(hello()))
        data[at % len(data)] ^= 1 << bit
        async with Scene() as scene:
            await shout(scene.port, data)
            assert scene.target.count(Received) == 0

    play(story)


def test_a_silent_peer_is_taken_for_dead_and_a_talking_one_is_not():
    async def story():
        async with Scene(Beat(0.05, 0.3)) as scene:
            source, end, _ = scene.dial()
            await soon(lambda: source.count(LinkUp))
            end.send(hello())
            await asyncio.sleep(0.8)
            assert source.count(LinkDown) == 0, "heartbeats keep an idle connection alive"
            assert end.peer.sent_bytes > 0
            end.peer._transport.pause_reading()  # as a network that swallows everything
            end.peer._timer.cancel()
            scene_down = scene.target.count(LinkDown)
            await soon(lambda: scene.target.count(LinkDown) > scene_down)

    play(story)


def test_a_peer_that_does_not_read_fills_no_memory():
    """What is not yet encoded stays a reference; what is encoded is bounded by the socket's high water."""

    async def story():
        async with Scene() as scene:
            source, end, _ = scene.dial()
            await soon(lambda: source.count(LinkUp))
            end.send(hello())
            await soon(lambda: scene.end.peer)
            scene.end.throttle(True)
            one = np.array([1])
            rows = WriteBatch(
                one * 0,
                one * 0.0,
                one.astype("u2"),
                one * 0,
                one << 20,
                one.astype("u1") * 0,
                BytesPayload([bytes(1 << 20)]),
            )
            for _ in range(100):
                end.send(Resync(1, 1, rows))
            await asyncio.sleep(0.2)
            assert end.peer._queue
            assert end.peer._transport.get_write_buffer_size() < 12 << 20
            scene.end.throttle(False)
            await soon(lambda: not end.peer._queue)

    play(story)


def test_pauses_before_dialling_again_grow_with_jitter_and_are_named():
    backoff = Backoff(0.1, 5.0)
    waits = [backoff.wait_s(n, np.random.default_rng(n)) for n in range(12)]
    assert all(0.05 * 2**n <= w <= 0.1 * 2**n for n, w in enumerate(waits[:6]))
    assert all(2.5 <= w <= 5 for w in waits[6:])
    assert backoff.wait_s(3, np.random.default_rng(9)) == backoff.wait_s(3, np.random.default_rng(9))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Certificates of paris, lyon and an impostor, self-signed; paris and lyon believe each other only."""
    needs("openssl")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("paris", "lyon", "eve"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{folder}/{name}.key",
             "-out", f"{folder}/{name}.crt"],
            check=True, capture_output=True,
        )  # fmt: skip
    believed = (folder / "paris.crt").read_text() + (folder / "lyon.crt").read_text()
    (folder / "believed.crt").write_text(believed)
    return {
        n: Keys(folder / f"{n}.crt", folder / f"{n}.key", folder / "believed.crt")
        for n in ("paris", "lyon", "eve")
    }


def test_certificates_on_both_sides_let_sites_in_by_name(keys):
    async def story():
        async with Scene(server=keys["lyon"].context(server=True), partner="paris") as scene:
            source, end, _ = scene.dial(keys["paris"].context(server=False), "lyon")
            await soon(lambda: source.count(LinkUp))
            assert end.peer._transport.get_extra_info("ssl_object").version() == "TLSv1.3"
            end.send(hello())
            await soon(lambda: scene.target.count(Received))
            assert scene.end.peer.name == "paris"

    play(story)


@pytest.mark.parametrize("who", ["eve", "nobody", "plain", "old", "lyon"])
def test_others_are_kept_out(keys, who):
    """A stranger's certificate, none, no TLS, TLS 1.2, and a believed site that is not the source."""

    async def story():
        async with Scene(server=keys["lyon"].context(server=True), partner="paris") as scene:
            context = None
            if who == "nobody":
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            elif who == "old":
                context = keys["paris"].context(server=False)
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                context.maximum_version = ssl.TLSVersion.TLSv1_2
            elif who != "plain":
                context = keys[who].context(server=False)
            _, end, _ = scene.dial(context)
            for _ in range(60):
                await asyncio.sleep(0.005)
                if end.peer:
                    end.send(hello())
            assert scene.target.events == []

    play(story)


def test_only_this_machine_is_loopback():
    assert all(map(is_loopback, ["127.0.0.1", "127.8.0.1", "::1", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "10.0.0.1", "::", "example.org", "127.0.0.1.example.org"]))
