"""Getting connected: the source dials and dials again, the target listens and asks who is there."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from drsim.agent.peer import Beat, Owner, PeerConnection


@dataclass(frozen=True)
class Backoff:
    """How long to wait before dialling again: doubling from ``first_s`` to ``most_s``, each with jitter.

    The jitter takes away up to half, so that the agents of a site do not all knock at once after an outage.
    """

    first_s: float = 0.2
    most_s: float = 15.0

    def wait_s(self, attempt: int, rng: np.random.Generator) -> float:
        """Give the pause after failed attempt number ``attempt`` (from 0)."""
        longest = min(self.most_s, self.first_s * 2.0 ** min(attempt, 32))
        return float(longest * rng.uniform(0.5, 1.0))


class Dialler:
    """Keeps one connection to an address, for as long as it runs.

    Args:
        make: makes the protocol of a new connection.
        rng: draws the jitter, from a stream named after the leg.
        patience_s: an attempt is given up after so long.
    """

    def __init__(
        self,
        address: tuple[str, int],
        make: Callable[[], PeerConnection],
        context: ssl.SSLContext | None,
        backoff: Backoff,
        rng: np.random.Generator,
        patience_s: float = 10.0,
    ) -> None:
        self._patience_s = patience_s
        self.address = address
        self.attempts = 0  # failed, since the last connection
        self.problem = ""
        self._make = make
        self._context = context
        self._backoff = backoff
        self._rng = rng
        self._down = asyncio.Event()

    def lost(self) -> None:
        """The connection is gone: dial again."""
        self._down.set()

    async def run(self) -> None:
        """Dial until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._down.clear()
            began = loop.time()
            try:
                async with asyncio.timeout(self._patience_s):  # lost SYNs wait longer each
                    await loop.create_connection(
                        self._make,
                        *self.address,
                        ssl=self._context,
                        server_hostname="" if self._context else None,
                    )
            except (OSError, TimeoutError, ssl.SSLError) as error:
                self.problem = str(error) or type(error).__name__
            else:
                self.problem = ""
                await self._down.wait()
            # A connection that did not last is as bad as none.
            self.attempts = 0 if loop.time() - began > self._backoff.most_s else self.attempts + 1
            await asyncio.sleep(self._backoff.wait_s(max(0, self.attempts - 1), self._rng))


class Listener:
    """Accepts the connections of sources.

    Args:
        owner: of connections until they have said for which group they come.
        most: connections at once.
    """

    def __init__(
        self,
        owner: Owner,
        beat: Beat,
        context: ssl.SSLContext | None,
        most: int = 256,
        congestion: str | None = None,
    ) -> None:
        self.connections: set[PeerConnection] = set()
        self._owner = owner
        self._beat = beat
        self._context = context
        self._most = most
        self._congestion = congestion
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Listen; give the port (the kernel's choice if 0 was asked)."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: PeerConnection(self._owner, self._beat, self._congestion),
            host,
            port,
            ssl=self._context,
            backlog=64,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._server.wait_closed()
