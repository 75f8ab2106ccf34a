"""One agent: its groups, the hosts' door, the peers' door, and what it says about itself."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from drsim.agent.clock import LoopClock
from drsim.agent.config import Config
from drsim.agent.dial import Backoff, Dialler, Listener
from drsim.agent.links import FrontDoor, LinkEnd
from drsim.agent.logs import log
from drsim.agent.nbd.connection import Limits
from drsim.agent.nbd.exports import Export, FileExport
from drsim.agent.nbd.server import NbdServer
from drsim.agent.peer import Beat, PeerConnection
from drsim.agent.roles import AtSource, AtTarget
from drsim.agent.snapshots import SnapshotImage


class Node:
    """Everything one ``drsim serve`` does.

    Attributes:
        groups: this site's groups by name, each in its role.
        exports: what hosts can see now.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = LoopClock()
        self.exports: dict[str, Export] = {}
        self.groups: dict[str, AtSource | AtTarget] = {}
        self.diallers: dict[str, Dialler] = {}
        self.port = self.nbd_port = 0
        for name, group in config.groups.items():
            if group.source == config.site:
                self.groups[name] = AtSource(config, name, self.clock)
            elif config.site in group.targets:
                self.groups[name] = AtTarget(config, name, self.clock)
        limits = Limits(config.nbd.requests, config.nbd.memory)
        self.nbd = NbdServer(self.exports, limits=limits, most=config.nbd.connections)
        self._beat = Beat(config.link.heartbeat, config.link.dead)
        keys = config.keys
        self._door = FrontDoor(self._end)
        self._listener = Listener(self._door, self._beat, keys.context(server=True) if keys else None)
        self._context = keys.context(server=False) if keys else None
        self._tasks: list[asyncio.Task[None]] = []

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
        opened = [asyncio.Event() for _ in self.groups]
        for group, ready in zip(self.groups.values(), opened, strict=True):
            self._spawn(group.run(ready.set), group.name)
        for ready in opened:
            await ready.wait()
        if any(isinstance(group, AtTarget) for group in self.groups.values()):
            here = self.config.sites[self.config.site].bind
            self.port = await self._listener.listen(here.host, here.port)
        for group in self.groups.values():
            if isinstance(group, AtSource):
                self.exports |= group.exports
                for target in group.group.targets:
                    self._dial(group, target)
        await self._open_nbd()
        log.info("ready", extra={"site": self.config.site, "groups": sorted(self.groups)})

    async def _open_nbd(self) -> None:
        nbd = self.config.nbd
        if nbd.socket is not None:
            await self.nbd.listen_unix(nbd.socket)
        if nbd.listen is not None:
            self.nbd_port = await self.nbd.listen_tcp(*nbd.listen.pair)

    def _dial(self, group: AtSource, target: str) -> None:
        name = f"{group.name}/{target}"
        # The stream of this leg's jitter is named by its sites, so that legs never share one.
        stream = np.random.SeedSequence(
            [zlib.crc32(f"{self.config.site}>{name}".encode()), int(self.clock.now())]
        )
        dialler = Dialler(
            self.config.sites[target].address.pair,
            lambda: PeerConnection(group.ends[target], self._beat),
            self._context,
            Backoff(most_s=self.config.link.retry),
            np.random.default_rng(stream),
        )
        self.diallers[name] = dialler
        group.redial[target] = dialler.lost
        self._spawn(dialler.run(), name)

    def _spawn(self, work: Any, name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(_complain)
        self._tasks.append(task)

    async def _stop(self) -> None:
        """Hosts first, so that what they were promised is done; then the links, then the files."""
        log.info("stopping", extra={"site": self.config.site})
        await self.nbd.close()
        self._door.close()
        await self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        log.info("stopped", extra={"site": self.config.site})

    def expose(self, group: AtTarget, name: str) -> list[str]:
        """Export a snapshot of a group's copy, read-only, a volume each; give the exports' names."""
        running = group.running
        snapshot = running.snapshots.get(name) if running else None
        if running is None or snapshot is None:
            raise ValueError(f"there is no snapshot '{name}'")
        made = []
        for number, volume in enumerate(group.group.volumes):
            export = f"{group.name}/{volume}@{name}"
            image = SnapshotImage(running.snapshots, snapshot, number)
            self.exports[export] = FileExport(
                export, image, description=f"{volume} as of write {snapshot.seq}"
            )
            made.append(export)
        return made

    def withdraw(self, group: AtTarget, name: str) -> None:
        """Drop a snapshot and its exports; who reads them gets errors from now on."""
        for volume in group.group.volumes:
            self.exports.pop(f"{group.name}/{volume}@{name}", None)
        if group.running is not None:
            group.running.snapshots.drop(name)

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
