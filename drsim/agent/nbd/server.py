"""The NBD server: listens on a Unix socket or on TCP, and knows its connections."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from pathlib import Path

from drsim.agent.nbd.connection import Connection
from drsim.agent.nbd.courtesy import Courtesy
from drsim.agent.nbd.exports import Export
from drsim.agent.nbd.handshake import Handshake
from drsim.agent.nbd.limits import Limits


class NbdServer:
    """Serves exports by name.

    Attributes:
        exports: may change while the server runs; who is connected keeps the export that was chosen.
        most: connections at once; one more is closed as soon as it comes.
    """

    def __init__(
        self, exports: Mapping[str, Export], *, limits: Limits | None = None, most: int = 64
    ) -> None:
        self.exports = exports
        self.connections: set[Connection] = set()
        self.refused = 0
        self._limits = limits or Limits()
        self._most = most
        self._courtesy = Courtesy()
        self._servers: list[asyncio.Server] = []
        self._paths: list[Path] = []

    async def listen_unix(self, path: Path) -> None:
        """Listen on a Unix socket; one that a dead process left behind is replaced."""
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_unix_server(self._accept, str(path), backlog=64))
        self._paths.append(path)

    async def listen_tcp(self, host: str, port: int, context: ssl.SSLContext | None = None) -> int:
        """Listen on TCP; give the port (the kernel's choice if 0 was asked). With a context TLS is demanded."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: self._accept(context), host, port, backlog=64)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def _accept(self, context: ssl.SSLContext | None = None) -> asyncio.BaseProtocol:
        if len(self.connections) >= self._most:
            self.refused += 1
            return _Refusal()
        connection = Connection(
            Handshake(self.exports, "required" if context else "off"),
            self._limits,
            self.connections.discard,
            self._courtesy,
            context,
        )
        self.connections.add(connection)
        return connection

    async def close(self, grace_s: float = 5.0) -> None:
        """Stop listening, let requests in flight finish for ``grace_s``, then cut what is left."""
        for server in self._servers:
            server.close()
        for connection in list(self.connections):
            connection.drain()
        end = asyncio.get_running_loop().time() + grace_s
        while self.connections and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)
        for path in self._paths:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


class _Refusal(asyncio.Protocol):
    """Says nothing and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
