"""One agent: its groups, the hosts' door, the peers' door."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import numpy as np

from drsim.agent import handover
from drsim.agent.at_source import AtSource
from drsim.agent.at_target import AtTarget
from drsim.agent.clock import LoopClock
from drsim.agent.config import Config
from drsim.agent.dial import Backoff, Dialler, Listener
from drsim.agent.links import FrontDoor, LinkEnd
from drsim.agent.logs import log
from drsim.agent.nbd.exports import Export
from drsim.agent.nbd.limits import Limits
from drsim.agent.nbd.server import NbdServer
from drsim.agent.peer import Beat, PeerConnection


class Node:
    """Everything one ``drsim serve`` does.

    Attributes:
        groups: this site's groups by name, each in its present role.
        exports: what hosts can see now.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = LoopClock()
        self.exports: dict[str, Export] = {}
        self.groups: dict[str, AtSource | AtTarget] = {}
        self.port = self.nbd_port = 0
        limits = Limits(config.nbd.requests, config.nbd.memory)
        self.nbd = NbdServer(self.exports, limits=limits, most=config.nbd.connections)
        self._beat = Beat(config.link.heartbeat, config.link.dead)
        keys = config.keys
        self._door = FrontDoor(self._end)
        self._listener = Listener(
            self._door,
            self._beat,
            keys.context(server=True) if keys else None,
            congestion=config.link.congestion,
        )
        self._context = keys.context(server=False) if keys else None
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}
        self._changing = asyncio.Lock()

    def _end(self, group: str) -> LinkEnd | None:
        """Give the end that awaits a source's connection for a group."""
        found = self.groups.get(group)
        return found.end if isinstance(found, AtTarget) and found.running else None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve for as long as the context lasts; shut down in order at its end."""
        try:
            await self._start()
            yield
        finally:
            await self._stop()

    async def _start(self) -> None:
        self.config.state.mkdir(parents=True, exist_ok=True)
        for name in self.config.groups:
            await self._open(name)
        here = self.config.sites[self.config.site].bind
        self.port = await self._listener.listen(here.host, here.port)
        await self._open_nbd()
        log.info("ready", extra={"site": self.config.site, "groups": sorted(self.groups)})

    async def _open_nbd(self) -> None:
        nbd = self.config.nbd
        if nbd.socket is not None:
            await self.nbd.listen_unix(nbd.socket)
        if nbd.listen is not None:
            self.nbd_port = await self.nbd.listen_tcp(*nbd.listen.pair, self.config.host_context)

    async def _open(self, name: str) -> None:
        """Open a group in the role its marks say; a takeover that a crash interrupted is completed."""
        role = handover.role(self.config, name)
        if role is None:
            return
        kind = AtSource if role == handover.SOURCE else AtTarget
        group = self.groups[name] = kind(self.config, name, self.clock)
        ready = asyncio.Event()
        self._spawn(name, group.run(ready.set))
        await ready.wait()
        if isinstance(group, AtSource):
            self.exports |= group.exports
            for target in group.targets:
                self._dial(group, target)
        elif group.promoted:
            await self._change(name)

    def _dial(self, group: AtSource, target: str) -> None:
        # The stream of this leg's jitter is named by its sites, so that legs never share one.
        key = zlib.crc32(f"{self.config.site}>{group.name}/{target}".encode())
        stream = np.random.SeedSequence([key, int(self.clock.now())])
        dialler = Dialler(
            self.config.sites[target].address.pair,
            lambda: PeerConnection(group.ends[target], self._beat, self.config.link.congestion),
            self._context,
            Backoff(most_s=self.config.link.retry),
            np.random.default_rng(stream),
            self.config.link.dead,
        )
        group.redial[target] = dialler.lost
        self._spawn(group.name, dialler.run())

    def _spawn(self, group: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=group)
        task.add_done_callback(_complain)
        self._tasks.setdefault(group, []).append(task)

    async def _shut(self, name: str) -> None:
        """Close a group and end all that was done for it."""
        tasks = self._tasks.pop(name, [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for export in [e for e in self.exports if e.startswith(f"{name}/")]:
            del self.exports[export]

    async def promote(self, name: str, point: str = "") -> int:
        """Fail a group over to this site; give the seq after which its order goes on here.

        Raises:
            ValueError: this site has no image it could take over.
        """
        async with self._changing:
            group = self.groups.get(name)
            if not isinstance(group, AtTarget) or group.running is None:
                raise ValueError(f"there is no copy of '{name}' at this site")
            await group.running.promote(point)
            return await self._change(name)

    async def demote(self, name: str) -> int:
        """Make this site a target of a group it was source of; give the bytes in which it may differ.

        Raises:
            ValueError: this site is not the group's source.
        """
        async with self._changing:
            if not isinstance(self.groups.get(name), AtSource):
                raise ValueError(f"this site is not the source of '{name}'")
            return await self._change(name)

    async def _change(self, name: str) -> int:
        """Turn a group's files to its other role and open it so."""
        change = handover.to_target if isinstance(self.groups[name], AtSource) else handover.to_source
        await self._shut(name)
        try:
            told = await asyncio.to_thread(change, self.config, name)
        finally:
            await self._open(name)
        log.warning("role changed", extra={"group": name, "role": self.groups[name].role, "told": told})
        return told

    async def _stop(self) -> None:
        """Hosts first, so that what they were promised is done; then the links, then the files."""
        log.info("stopping", extra={"site": self.config.site})
        await self.nbd.close()
        self._door.close()
        await self._listener.close()
        for name in list(self._tasks):
            await self._shut(name)
        log.info("stopped", extra={"site": self.config.site})

    def status(self) -> dict[str, Any]:
        """Give the state of everything."""
        return {
            "site": self.config.site,
            "hosts": len(self.nbd.connections),
            "groups": {name: group.status() for name, group in self.groups.items()},
        }


def _complain(task: asyncio.Task[None]) -> None:
    """A task that ends by itself has found a bug: say so at once."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("task failed", exc_info=error, extra={"task": task.get_name()})
