"""The NBD server against bytes made by hand from the protocol's document: good, wrong and hostile ones."""

import asyncio
import random
import struct
from pathlib import Path

import pytest

from drsim.agent.disk import FileImage
from drsim.agent.nbd.exports import FileExport
from drsim.agent.nbd.limits import Limits
from drsim.agent.nbd.server import NbdServer

SIZE = 1 << 20
IHAVEOPT = b"IHAVEOPT"


class Peer:
    """A host that can say anything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, count: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(count), 5)

    async def silence(self) -> bytes:
        """Give what still comes until the server hangs up."""
        return await asyncio.wait_for(self.reader.read(), 5)

    async def greet(self, flags: int = 3) -> None:
        assert await self.hear(18) == b"NBDMAGIC" + IHAVEOPT + b"\0\3"
        await self.say(struct.pack(">I", flags))

    async def option(self, code: int, data: bytes = b"") -> list[tuple[int, bytes]]:
        """Ask; give the answers up to the closing one."""
        await self.say(IHAVEOPT + struct.pack(">II", code, len(data)) + data)
        answers = []
        while True:
            magic, option, kind, length = struct.unpack(">QIII", await self.hear(20))
            assert (magic, option) == (0x3E889045565A9, code)
            answers.append((kind, await self.hear(length)))
            if kind == 1 or kind >> 31:
                return answers

    async def go(self, name: bytes = b"disk") -> None:
        answers = await self.option(7, struct.pack(">I", len(name)) + name + b"\0\0")
        assert answers[-1][0] == 1

    async def request(
        self, command: int, offset: int, length: int, data: bytes = b"", flags: int = 0
    ) -> None:
        await self.say(struct.pack(">IHHQQI", 0x25609513, flags, command, 77, offset, length) + data)

    async def simple(self) -> int:
        magic, error, cookie = struct.unpack(">IIQ", await self.hear(16))
        assert (magic, cookie) == (0x67446698, 77)
        return error


def serve(path: Path, story, *, limits: Limits | None = None, read_only: bool = False, most: int = 64):
    """Run ``story(connect, server)`` against a server with one export."""

    async def main() -> None:
        with FileImage(path / "disk.img", SIZE, create=True) as image:
            server = NbdServer(
                {"disk": FileExport("disk", image, read_only=read_only)}, limits=limits, most=most
            )
            await server.listen_unix(path / "s")
            peers = []

            async def connect() -> Peer:
                peers.append(Peer(*await asyncio.open_unix_connection(str(path / "s"))))
                return peers[-1]

            try:
                await asyncio.wait_for(story(connect, server), 20)
            finally:
                for peer in peers:
                    peer.writer.close()
                await server.close(0.5)

    asyncio.run(main())


def test_info_tells_the_size_and_the_block_sizes(tmp_path):
    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        answers = dict.fromkeys([])
        for kind, data in await peer.option(6, struct.pack(">I", 4) + b"disk" + struct.pack(">HH", 1, 3)):
            if kind == 3:
                answers[struct.unpack_from(">H", data)[0]] = data[2:]
        size, flags = struct.unpack(">QH", answers[0])
        assert size == SIZE
        assert flags & 1
        assert not flags & 2
        assert struct.unpack(">III", answers[3]) == (1, 4096, 32 << 20)

    serve(tmp_path, story)


def test_list_names_the_exports(tmp_path):
    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        assert await peer.option(3) == [(2, b"\0\0\0\4disk"), (1, b"")]

    serve(tmp_path, story)


def test_old_export_name_option_works_with_and_without_padding(tmp_path):
    async def story(connect, server):
        for flags, padding in ((1, 124), (3, 0)):
            peer = await connect()
            await peer.greet(flags)
            await peer.say(IHAVEOPT + struct.pack(">II", 1, 4) + b"disk")
            assert struct.unpack(">Q", (await peer.hear(10 + padding))[:8])[0] == SIZE
            await peer.request(0, 0, 8)
            assert await peer.simple() == 0
            assert await peer.hear(8) == bytes(8)

    serve(tmp_path, story)


def test_what_was_written_is_read(tmp_path):
    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        await peer.go()
        await peer.request(1, 4096, 5, b"hello")
        assert await peer.simple() == 0
        await peer.request(0, 4095, 7)
        assert await peer.simple() == 0
        assert await peer.hear(7) == b"\0hello\0"
        await peer.request(6, 4096, 2)  # zeroes over "he"
        assert await peer.simple() == 0
        await peer.request(0, 4096, 5)
        assert await peer.simple() == 0
        assert await peer.hear(5) == b"\0\0llo"
        await peer.request(3, 0, 0)
        assert await peer.simple() == 0

    serve(tmp_path, story)


def test_structured_read_and_block_status(tmp_path):
    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        assert await peer.option(8) == [(1, b"")]
        query = struct.pack(">I", 4) + b"disk" + struct.pack(">II", 1, 15) + b"base:allocation"
        assert await peer.option(10, query) == [(4, b"\0\0\0\1base:allocation"), (1, b"")]
        await peer.go()
        await peer.request(1, 65536, 4096, b"x" * 4096)
        assert await peer.simple() == 0
        await peer.request(0, 65536, 4)
        assert struct.unpack(">IHHQI", await peer.hear(20)) == (0x668E33EF, 1, 1, 77, 12)
        assert await peer.hear(12) == struct.pack(">Q", 65536) + b"xxxx"
        await peer.request(7, 0, SIZE)
        length = struct.unpack(">IHHQI", await peer.hear(20))[4]
        body = await peer.hear(length)
        extents = list(struct.iter_unpack(">II", body[4:]))
        assert sum(n for n, _ in extents) == SIZE
        assert extents[0] == (65536, 3)
        assert extents[1][1] == 0
        await peer.request(0, SIZE, 4)  # an error travels structured too
        assert struct.unpack(">IHHQI", await peer.hear(20)) == (0x668E33EF, 1, 32769, 77, 6)
        assert await peer.hear(6) == struct.pack(">IH", 22, 0)

    serve(tmp_path, story)


@pytest.mark.parametrize(
    ("command", "offset", "length", "error"),
    [
        (0, SIZE - 1, 2, 22),
        (1, SIZE, 1, 28),
        (4, SIZE, 4096, 22),
        (9, 0, 0, 22),
        (7, 0, 10, 22),
        (0, 2**63, 1, 22),
    ],
)
def test_a_wrong_request_is_refused_and_the_next_one_served(tmp_path, command, offset, length, error):
    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        await peer.go()
        await peer.request(command, offset, length, b"x" * length if command == 1 else b"")
        assert await peer.simple() == error
        await peer.request(0, 0, 1)
        assert await peer.simple() == 0

    serve(tmp_path, story)


def test_a_read_only_export_refuses_to_change(tmp_path):
    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        await peer.go()
        for command, data in ((1, b"abcd"), (4, b""), (6, b"")):
            await peer.request(command, 0, 4, data)
            assert await peer.simple() == 1
        await peer.request(3, 0, 0)
        assert await peer.simple() == 0

    serve(tmp_path, story, read_only=True)


def test_an_unknown_export_is_refused_and_another_may_be_asked(tmp_path):
    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        assert (await peer.option(7, b"\0\0\0\4nope\0\0"))[-1][0] == 0x80000006
        assert (await peer.option(5))[-1][0] == 0x80000002  # STARTTLS without a certificate
        assert (await peer.option(99))[-1][0] == 0x80000001
        assert (await peer.option(7, b"\0\0\0\xffno"))[-1][0] == 0x80000003
        await peer.go()

    serve(tmp_path, story)


HOSTILE = {
    "wrong option magic": b"XXXXXXXX" + bytes(8),
    "huge option": IHAVEOPT + struct.pack(">II", 7, 0xFFFFFFFF),
    "unknown name in the old option": IHAVEOPT + struct.pack(">II", 1, 2) + b"no",
    "options without end": (IHAVEOPT + struct.pack(">II", 99, 0)) * 100,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_peer_that_breaks_the_handshake_is_cut_off(tmp_path, name):
    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        await peer.say(HOSTILE[name])
        await peer.silence()
        assert not server.connections

    serve(tmp_path, story)


def test_unknown_handshake_flags_are_refused(tmp_path):
    async def story(connect, server):
        peer = await connect()
        await peer.greet(0x80000003)
        assert await peer.silence() == b""

    serve(tmp_path, story)


def test_a_write_too_long_for_the_protocol_ends_the_connection_before_any_memory_is_taken(tmp_path):
    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        await peer.go()
        await peer.request(1, 0, (32 << 20) + 1)
        assert await peer.silence() == b""

    serve(tmp_path, story)


def test_a_peer_that_never_chooses_is_disconnected(tmp_path):
    async def story(connect, server):
        peer = await connect()
        assert len(await peer.silence()) == 18

    serve(tmp_path, story, limits=Limits(handshake_s=0.05))


def test_one_connection_too_many_is_closed_at_once(tmp_path):
    async def story(connect, server):
        first = await connect()
        await first.greet()
        second = await connect()
        assert await second.silence() == b""
        await first.go()

    serve(tmp_path, story, most=1)


def test_a_host_that_does_not_read_its_replies_is_not_read_either(tmp_path):
    """Reads of 64 KiB without end, none of the replies taken: the server must stop taking requests."""

    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        await peer.go()
        request = struct.pack(">IHHQQI", 0x25609513, 0, 0, 77, 0, 65536)
        peer.writer.write(request * 20_000)
        (connection,) = server.connections
        for _ in range(200):
            await asyncio.sleep(0.005)
        assert connection._stuck
        held = connection._transport.get_write_buffer_size()
        assert held < 80 << 20, "what the server holds is bounded by the limits, not by the peer"
        for _ in range(50):
            assert await peer.simple() == 0
            await peer.hear(65536)

    serve(tmp_path, story)


def test_disconnect_waits_for_replies(tmp_path):
    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        await peer.go()
        request = struct.pack(">IHHQQI", 0x25609513, 0, 0, 77, 0, 3)
        await peer.say(request * 3 + struct.pack(">IHHQQI", 0x25609513, 0, 2, 0, 0, 0))
        assert len(await peer.silence()) == 3 * (16 + 3)

    serve(tmp_path, story)


def test_messages_cut_at_every_byte_are_understood(tmp_path):
    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        await peer.go()
        message = struct.pack(">IHHQQI", 0x25609513, 0, 1, 77, 10, 9) + b"cut short"
        for cut in range(1, len(message)):
            await peer.say(message[:cut])
            await asyncio.sleep(0)
            await peer.say(message[cut:])
            assert await peer.simple() == 0
        await peer.request(0, 10, 9)
        assert await peer.simple() == 0
        assert await peer.hear(9) == b"cut short"

    serve(tmp_path, story)


def test_requests_of_all_kinds_in_one_stream_are_each_answered_for_what_they_are(tmp_path):
    """Writes side by side that are taken together change nothing of what is wrong, or wanted, with one of them."""
    rng = random.Random(4)
    model, stream, wanted = bytearray(SIZE), [], {}

    def ask(command: int, offset: int, length: int, data: bytes, flags: int, error: int) -> None:
        cookie = rng.getrandbits(64)
        wanted[cookie] = error
        stream.append(struct.pack(">IHHQQI", 0x25609513, flags, command, cookie, offset, length) + data)
        if command == 1 and not error:
            model[offset : offset + length] = data

    for number in range(400):
        length = rng.choice([4096] * 12 + [8192, 512, 0])
        data, block = bytes([number % 255 + 1]) * length, rng.randrange(SIZE // 4096 - 1) * 4096
        match rng.randrange(30):
            case 0:
                ask(1, SIZE - length + 4096, length, data, 0, 28)
            case 1:
                ask(1, (1 << 64) - 4096, length, data, 0, 28)
            case 2:
                ask(1, block, length, data, 1, 0)  # FUA
            case 3:
                ask(1, block, length, data, 1 << 9, 22)
            case 4:
                ask(1, block + 100, min(length, 512), data[:512], 0, 0)
            case 5:
                ask(3, 0, 0, b"", 0, 0)
            case _:
                ask(1, block, length, data, 0, 0)

    async def story(connect, server):
        peer = await connect()
        await peer.greet()
        await peer.go()
        whole = b"".join(stream)
        for cut in range(0, len(whole), 50_001):
            await peer.say(whole[cut : cut + 50_001])
        for _ in range(len(wanted)):
            magic, error, cookie = struct.unpack(">IIQ", await peer.hear(16))
            assert (magic, error) == (0x67446698, wanted.pop(cookie))

    serve(tmp_path, story)
    assert not wanted
    assert (tmp_path / "disk.img").read_bytes() == model
