"""One host's connection: requests in, replies out, many in flight, everything it holds limited."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from drsim.agent.arena import Arena
from drsim.agent.nbd.courtesy import Courtesy
from drsim.agent.nbd.exports import Asked, Extents, Request, Writes
from drsim.agent.nbd.handshake import Handshake, Phase, RefusedError
from drsim.agent.nbd.limits import Limits
from drsim.agent.nbd.linger import Linger
from drsim.agent.nbd.parsing import alone, plain, requests
from drsim.agent.nbd.protocol import REQUEST, Command
from drsim.agent.nbd.refusal import refusal
from drsim.agent.nbd.replies import DONE, single, together
from drsim.blocks.payload import Strip

if TYPE_CHECKING:
    from drsim.agent.nbd.exports import Export

_DISCONNECT = int(Command.DISCONNECT)


class Connection(asyncio.BufferedProtocol):
    """The protocol of one connection.

    Requests are parsed where they arrived, in an `Arena`: written bytes are not copied on their way in.
    """

    def __init__(
        self,
        handshake: Handshake,
        limits: Limits,
        closed: Callable[[Connection], None],
        courtesy: Courtesy,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._context = context
        self._handshake = handshake
        self._limits = limits
        self._closed, self._courtesy = closed, courtesy
        self._transport: asyncio.Transport | None = None
        self._arena = Arena(min(limits.nbytes, 2 << 20))
        self._out: list[bytes] = []
        self._parsing = self._flush_asked = self._paused = self._stuck = self._draining = False
        self.requests = self.nbytes = 0
        self._export: Export | None = None
        self._structured = False
        self._writable = 0  # bytes that may be written to
        self._timer: asyncio.TimerHandle | None = None
        self._linger: Linger | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, and give the peer its time for the handshake."""
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._linger = Linger(transport.get_extra_info("socket").fileno())
        self._timer = self._loop.call_later(self._limits.handshake_s, self.abort)
        self._transport.write(self._handshake.greeting())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the peer; requests in flight finish without being answered."""
        if self._timer:
            self._timer.cancel()
        self._transport = None
        self._closed(self)

    def abort(self) -> None:
        """Cut the connection now."""
        if self._transport is not None:
            self._transport.abort()

    def drain(self) -> None:
        """Take no more requests; close once those in flight are answered."""
        self._draining = True
        self._pause_if_full()
        self._close_if_drained()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Give the free end of the arena."""
        return self._arena.free()

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what is whole and hand it over."""
        self._arena.end += nbytes
        if self._handshake.phase is Phase.SECURING:  # deciphered already, but not ours to answer yet
            self._arena.make_room(1)
        elif self._take() and self._linger is not None:
            self._linger.serve(self._arena, self._take)

    def _take(self) -> bool:
        """Take what is there; say whether it was one plain write that is answered: another may follow soon."""
        arena, export, count = self._arena, self._export, 0
        if self._paused or export is None or self._transport is None:
            self._work()
            return False
        if found := alone(arena.view, arena.begin, arena.end, self._writable):
            return self._take_alone(export, *found)
        while not self._paused:
            writes = plain(arena.view, arena.begin, arena.end, self._writable, self._reply_together)
            if writes is None or not export.write(writes):
                break
            self._transport.write(together(writes))
            arena.begin += len(writes) * (REQUEST.size + writes.length)
            count += len(writes)
        self._courtesy.answered(count)
        if count and arena.begin == arena.end:
            arena.make_room(1)
        else:
            self._work()
        return False

    def _take_alone(self, export: Export, offset: int, content: memoryview, cookie: bytes) -> bool:
        arena = self._arena
        arena.begin = arena.end
        kept = export.write_one(offset, content)
        self._courtesy.answered(kept)
        if kept:
            assert self._transport is not None
            self._transport.write(DONE + cookie)
        else:
            self.requests += 1
            self.nbytes += len(content)
            one = Writes((offset,), len(content), Strip.of(content), (cookie,), self._reply_together)
            export.alone(one)
            self._pause_if_full()
        arena.make_room(1)
        return not self.requests

    def _work(self) -> None:
        """Take requests as far as the limits allow; what is left waits in the arena and the socket."""
        need = 1
        while not self._full():
            before = self._arena.begin
            self._parsing = True
            try:
                need = self._parse()
            except RefusedError:
                self.abort()
                return
            finally:
                self._parsing = False
            self._flush()
            if self._arena.begin == before or not len(self._arena):
                break
        self._arena.make_room(need)
        self._pause_if_full()

    def _parse(self) -> int:
        """Consume whole messages; give the size of the message that is still incomplete."""
        arena = self._arena
        while self._export is None:
            need = self._handshake.needed(arena.view[arena.begin : arena.end])
            if self._handshake.phase is Phase.CLOSED or len(arena) < need:
                return need
            message = bytes(arena.view[arena.begin : arena.begin + need])
            arena.begin += need
            self._out.append(self._handshake.receive(message))
            self._advance()
            if self._handshake.phase is Phase.SECURING:
                return 1
        return self._parse_requests()

    def _advance(self) -> None:
        if self._handshake.phase is Phase.CLOSED and self._transport:
            self._flush()
            self._transport.close()
        elif self._handshake.phase is Phase.SECURING:
            if len(self._arena):
                raise RefusedError("something in clear behind STARTTLS")
            assert self._transport is not None
            self._flush()
            self._transport.pause_reading()
            self._securing = self._loop.create_task(self._secure())
        elif self._handshake.phase is Phase.DONE:
            self._export = self._handshake.export
            self._structured = self._handshake.structured
            self._writable = 0 if self._export is None or self._export.read_only else self._export.size
            if self._timer:
                self._timer.cancel()

    async def _secure(self) -> None:
        """Go on inside TLS; a peer that cannot is cut off (so it is after `Limits.handshake_s` in any case)."""
        assert self._transport is not None
        assert self._context is not None
        try:
            secured = await self._loop.start_tls(self._transport, self, self._context, server_side=True)
        except (OSError, ssl.SSLError):
            self.abort()
            return
        if secured is not None and self._transport is not None:
            self._transport, self._linger = secured, None
            self._handshake.secured()
            self._work()

    def _parse_requests(self) -> int:
        arena = self._arena
        room = self._limits.requests - self.requests, self._limits.nbytes - self.nbytes
        answers = self._reply, self._reply_together
        found, arena.begin, need = requests(arena.view, arena.begin, arena.end, self._writable, room, answers)
        self._submit(found)
        return need

    def _submit(self, found: list[Asked]) -> None:
        """Answer what cannot be, and give the export the rest."""
        good: list[Asked] = []
        export = self._export
        assert export is not None
        for request in found:
            if isinstance(request, Writes):
                self.requests += len(request)
                self.nbytes += len(request) * request.length
                good.append(request)
                continue
            self.requests += 1
            self.nbytes += len(request.data) or request.length
            if request.command == _DISCONNECT:
                self.requests -= 1
                self.nbytes -= request.length
                self._draining = True
                break
            error = refusal(request, export, allocation=self._handshake.allocation)
            if error:
                self._reply(request, error)
            else:
                good.append(request)
        if good:
            export.handle(good)
        if self._draining:
            self._loop.call_soon(self._close_if_drained)

    def _reply(self, request: Request, error: int = 0, data: bytes | Extents = b"") -> None:
        self.requests -= 1
        self.nbytes -= len(request.data) or request.length
        if self._transport is None:
            return
        single(self._out, request, error, data, structured=self._structured)
        self._ask_to_flush()

    def _reply_together(self, request: Writes, error: int = 0, data: bytes | Extents = b"") -> None:  # noqa: ARG002
        self.requests -= len(request)
        self.nbytes -= len(request) * request.length
        if self._transport is not None:
            self._out.append(together(request, error))
            self._ask_to_flush()

    def _ask_to_flush(self) -> None:
        if not (self._parsing or self.requests):  # nothing will join it
            self._flush()
        elif not (self._parsing or self._flush_asked):
            self._flush_asked = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_asked = False
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
        self._out.clear()
        if self._paused and not self._parsing:
            self._resume_if_free()
        if self._draining:
            self._close_if_drained()

    def _full(self) -> bool:
        return (
            self._draining
            or self._stuck
            or self.requests >= self._limits.requests
            or self.nbytes >= self._limits.nbytes
        )

    def _pause_if_full(self) -> None:
        if not self._paused and self._transport is not None and self._full():
            self._paused = True
            self._transport.pause_reading()

    def _resume_if_free(self) -> None:
        if not self._full() and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()
            self._loop.call_soon(self._work)

    def _close_if_drained(self) -> None:
        if self._transport is not None and not self.requests and not self._out:
            self._transport.close()

    def pause_writing(self) -> None:
        """The peer reads its replies too slowly: read no more requests from it."""
        self._stuck = True
        self._pause_if_full()

    def resume_writing(self) -> None:
        """The peer has caught up with its replies."""
        self._stuck = False
        if self._paused:
            self._resume_if_free()
