"""A site's media as stations: hosts first, then journals, staging, and last copying and destaging.

Each level is a station of its own whose server also sees the work of the levels above it, so a level can be
settled before anything below it is known.
"""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import Floats, Ints
from drsim.scenario.site import Disk
from drsim.simulation.media import Medium
from drsim.simulation.rounds import DiskPace
from drsim.simulation.station import Station
from drsim.wan.capacity import Capacity, capacity
from drsim.wan.fifo import FifoServer
from drsim.wan.priority import PriorityServer
from drsim.wan.server import Server

LEVELS = ("journal", "staging", "volumes")
"""Below the hosts, in order of priority."""


class SiteDisk:
    """One disk of one site: a server for its hosts, and a station for each level below them.

    Args:
        model: the scenario's disk. A missing one takes no time: then no media come from here.
        legs: how many legs use each level, by level name.
        steps: (instant, bytes/s): the disk's write rate in time.
        horizon: seconds, see `capacity`.
        hosts: whether hosts write to it.
    """

    def __init__(
        self,
        model: Disk,
        legs: dict[str, int],
        steps: list[tuple[float, float]],
        horizon: float,
        *,
        hosts: bool = True,
    ) -> None:
        self.model = model
        self._capacity: Capacity = capacity(steps, horizon)
        self._used: dict[str, int] = {}
        self.levels: dict[str, Station] = {}
        alone = not hosts
        for level in LEVELS:
            count = legs.get(level, 0)
            if count:
                shadows = 0 if alone else len(LEVELS)
                server: Server = (
                    FifoServer(self._capacity, count)
                    if alone
                    else PriorityServer(self._capacity, [0] * shadows + [1] * count, unseen=[0])
                )
                self.levels[level] = Station(server, shadows + count)
                self._used[level] = shadows
                alone = False

    def hosts(self) -> DiskPace:
        """The hosts' own server."""
        server, seeks = FifoServer(self._capacity, 1), self.model.seeks
        return DiskPace(server, self.model.charge, self.model.latency, self._shadow_hosts, self._save, seeks)

    def medium(self, level: str, amplification: float = 1.0) -> Medium:
        """A class for one leg's writes at a level."""
        klass = self._used[level]
        self._used[level] += 1
        return Medium(
            self.levels[level],
            klass,
            self.model.charge,
            amplification,
            lambda ready, cost: self._shadow(level, ready, cost),
            self.model.latency,
            self._capacity,
            self._save,
            self.model.seeks,
        )

    def _save(self, nbytes: Ints) -> Ints:
        """Work of reading blocks and writing them aside: two requests, where there is anything to save."""
        jump = np.ones(len(nbytes), np.bool_)
        work = self.model.charge_reads(nbytes, jump) + self.model.charge(nbytes, jump)
        return np.where(nbytes > 0, work, 0)

    def reads(self, of: Medium) -> Medium:
        """Reads for a copy, in the class of the leg's destage."""
        charge, seeks = self.model.charge_reads, self.model.seeks
        return Medium(of.station, of.klass, charge, 1.0, of.shadow, of.latency_s, of.capacity, seeks=seeks)

    def _shadow_hosts(self, ready: Floats, cost: Ints) -> None:
        for station in self.levels.values():
            station.shadow(0, ready, cost)

    def _shadow(self, level: str, ready: Floats, cost: Ints) -> None:
        depth = LEVELS.index(level) + 1
        for below in LEVELS[depth:]:
            if below in self.levels:
                self.levels[below].shadow(depth, ready, cost)
