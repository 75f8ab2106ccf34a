"""The agent's own door on its machine: one JSON line asked, one JSON line answered, over a Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LONGEST = 64 << 10
Handler = Callable[[dict[str, Any]], Any]


class StatusServer:
    """Answers questions of this machine's operator; the socket's permissions say who that is (the owner).

    Args:
        handler: gives the answer to what was asked, or an awaitable of it; `ValueError` is a refusal.
    """

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket that a dead process left behind is replaced."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=_LONGEST)
        self._path.chmod(0o600)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(60):
                asked = json.loads(await reader.readline())
                writer.write(json.dumps(await self._answer(asked)).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _answer(self, asked: Any) -> Any:
        if not isinstance(asked, dict):
            return {"error": "ask with a JSON object"}
        try:
            answer = self._handler(asked)
            if asyncio.iscoroutine(answer):
                answer = await answer
        except (ValueError, OSError) as error:
            return {"error": str(error)}
        return answer

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


def ask(path: Path, question: dict[str, Any], timeout_s: float = 60.0) -> Any:
    """Ask a running agent.

    Raises:
        OSError: no agent answers there.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        connection.sendall(json.dumps(question).encode() + b"\n")
        with connection.makefile("rb") as lines:
            answer = lines.readline()
    if not answer:
        raise OSError("the agent hung up")
    return json.loads(answer)
