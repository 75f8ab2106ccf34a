"""One TCP connection between two agents: frames out, frames in, heartbeats, limits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, cast

from drsim.agent.arena import Arena
from drsim.agent.tls import common_name
from drsim.blocks.payload import Chunk
from drsim.replication.decode import Decoder
from drsim.replication.frames import Frame, Ping, Pong
from drsim.replication.wire import Encoder, WireError

_GATHER_S = 0.0005  # frames that follow each other faster than this share a send; the first goes at once
_GATHER_FRAMES = 64
_LARGE = 64 << 10
_OUT_BYTES = 256 << 10  # encoded at once; what waits longer stays a reference to the engine's own batches


@dataclass(frozen=True)
class Beat:
    """When a silent connection is taken for dead.

    Attributes:
        every_s: a `Ping` is sent after so long without sending anything.
        dead_s: the connection is cut when nothing was heard for so long.
    """

    every_s: float = 2.0
    dead_s: float = 10.0


class Owner(Protocol):
    """Whoever a connection belongs to."""

    def connected(self, peer: PeerConnection) -> None:
        """The connection is there."""

    def received(self, peer: PeerConnection, frame: Frame) -> None:
        """A frame arrived whole (never a `Ping` or a `Pong`)."""

    def lost(self, peer: PeerConnection, cause: str) -> None:
        """The connection is gone; said once, and only if `connected` was."""


class PeerConnection(asyncio.BufferedProtocol):
    """A connection's protocol. Frames are decoded where they arrived: what writes carry is not copied.

    Args:
        beat: heartbeat times.
        congestion: TCP's congestion control, where the machine's default is not wanted.
    """

    def __init__(self, owner: Owner, beat: Beat, congestion: str | None = None) -> None:
        self.owner = owner
        self.name: str | None = None  # of the peer's certificate
        self.sent_bytes = self.received_bytes = 0
        self._beat = beat
        self._congestion = congestion
        self._encoder, self._decoder = Encoder(), Decoder()
        self._arena = Arena()
        self._queue: deque[Frame] = deque()
        self._parts: Iterator[Chunk] = iter(())  # what is not encoded yet of the frame before those
        self._ahead: Chunk | None = None  # and what is, and is not sent yet
        self._transport: asyncio.Transport | None = None
        self._writable = True
        self._asked = False
        self._paused = False
        self._heard = self._said = 0.0
        self._cause = "closed by the peer"
        self._timer: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Whether frames can still be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set the socket up and tell the owner."""
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._congestion is not None:
                with contextlib.suppress(OSError):  # a kernel without it: the default serves
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, self._congestion.encode())
        certificate: dict[str, Any] | None = transport.get_extra_info("peercert")
        self.name = common_name(certificate)
        self._transport.set_write_buffer_limits(high=_OUT_BYTES, low=0)
        self._heard = self._said = self._loop.time()
        self._timer = self._loop.call_later(self._beat.every_s / 2, self._watch)
        self.owner.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner; what was queued is gone."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        self._queue.clear()
        self._parts, self._ahead = iter(()), None
        self.owner.lost(self, str(exc) if exc else self._cause)

    def close(self, cause: str) -> None:
        """Cut the connection now; nothing that is queued is sent any more."""
        if self._transport is not None:
            self._cause = cause
            if self._writable:
                self._pump()  # what was said before, as why it is refused, may still arrive
            self._queue.clear()
            self._transport.abort()

    # Out.

    def send(self, frame: Frame) -> None:
        """Send a frame behind all others; it is encoded only when its turn comes."""
        if self._transport is None or self._transport.is_closing():
            return
        self._queue.append(frame)
        if self._writable and not self._asked:
            self._asked = True
            wait = self._said + _GATHER_S - self._loop.time()
            if wait > 0 and len(self._queue) < _GATHER_FRAMES:
                self._loop.call_later(wait, self._pump)
            else:
                self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._asked = False
        while self._writable and self.open and (parts := self._next_parts()):
            assert self._transport is not None
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
            self.sent_bytes += sum(map(len, parts))
            self._said = self._loop.time()

    def _next_parts(self) -> list[Chunk]:
        """Encode what is to be sent at once: small parts together; a large one goes as it is, without another copy."""
        found: list[Chunk] = []
        size = 0
        while size < _OUT_BYTES:
            part = self._ahead or next(self._parts, None)
            self._ahead = None
            if part is None:
                if not self._queue:
                    break
                self._parts = self._encoder.parts(self._queue.popleft())
            elif len(part) >= _LARGE:
                if not found:
                    return [part]
                self._ahead = part
                break
            else:
                found.append(part)
                size += len(part)
        return found

    def pause_writing(self) -> None:
        """The network takes no more for now."""
        self._writable = False

    def resume_writing(self) -> None:
        """The network takes more."""
        self._writable = True
        self._pump()

    # In.

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Give the free end of the arena."""
        return self._arena.free()

    def buffer_updated(self, nbytes: int) -> None:
        """Decode what is whole and hand it over; a peer that sends anything else is cut off."""
        self.received_bytes += nbytes
        self._heard = self._loop.time()
        arena = self._arena
        arena.end += nbytes
        try:
            frames, used = self._decoder.read(arena.view[arena.begin : arena.end])
        except WireError as error:
            self.close(f"the peer broke the protocol: {error}")
            return
        arena.begin += used
        arena.make_room(self._decoder.need)
        for frame in frames:
            if isinstance(frame, Ping):
                self.send(Pong(frame.session))
            elif not isinstance(frame, Pong) and self.open:
                self.owner.received(self, frame)

    def pause(self) -> None:
        """Read no more for now: TCP makes the peer wait."""
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    # The heart.

    def _watch(self) -> None:
        now = self._loop.time()
        if self._paused:
            self._heard = now  # it is we who do not listen
        if now - self._heard > self._beat.dead_s:
            self.close(f"nothing was heard for {self._beat.dead_s:g} s")
            return
        if now - self._said >= self._beat.every_s:
            self.send(Ping(0))
        self._timer = self._loop.call_later(self._beat.every_s / 2, self._watch)
