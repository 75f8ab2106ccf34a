"""A simulated world that carries bytes: every host write gets content of its own, every site keeps its volumes.

The simulator's own arithmetic is untouched: writes and copies only get a payload as they are made, and what the target
port is told to write is written here as well, when it is done. Judged from outside: the images of all sites.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from drsim.blocks.batch import Kind, WriteBatch
from drsim.blocks.extents import Extents
from drsim.blocks.payload import BytesPayload
from drsim.replication import actions as do
from drsim.replication import events as on
from drsim.scenario.models import Scenario
from drsim.simulation import group as group_module
from drsim.simulation import ports
from drsim.simulation.built import Built
from drsim.simulation.leg import Leg
from drsim.simulation.running import Run, run


class Bytes:
    """Images of one group (one volume) at every site, and the writes of each of its tenures in order."""

    def __init__(self, patch: pytest.MonkeyPatch, size: int) -> None:
        self.size = size
        self.images: dict[str, np.ndarray] = {}
        self.order: list[list[WriteBatch]] = []
        self.made = 0
        self.built: Built | None = None
        self._kept: dict[tuple[str, str], np.ndarray] = {}
        self._site: dict[int, str] = {}
        self._tickets: dict[tuple[str, int], tuple[WriteBatch, int]] = {}
        patch.setattr(group_module, "WriteBatch", self._write)
        self._watch_ports(patch)
        run_module = import_module("drsim.simulation.running")
        build = run_module.build

        def built(*args: Any, **options: Any) -> Built:
            self.built = build(*args, **options)
            return self.built

        patch.setattr(run_module, "build", built)

    def run(self, scenario: Scenario, **options: Any) -> Run:
        return run(scenario, **options)

    def image(self, site: str) -> np.ndarray:
        return self.images.setdefault(site, np.zeros(self.size, np.uint8))

    def after(self, kept: list[int | None]) -> np.ndarray:
        """The content after the first ``kept[n]`` writes (None: all) of each tenure."""
        image = np.zeros(self.size, np.uint8)
        for batches, count in zip(self.order, kept, strict=True):
            rows = [batch.slice(i, i + 1) for batch in batches for i in range(len(batch))]
            for row in rows[:count]:
                apply(image, row)
        return image

    @property
    def source(self) -> str:
        assert self.built is not None
        return self.built.tenures["g"][-1].source

    def _write(self, seq: Any, time: Any, volume: Any, offset: Any, length: Any, kind: Any) -> WriteBatch:
        """Hosts write: content that tells every write from every other."""
        assert self.built is not None
        chunks = []
        for each in length.tolist():
            self.made += 1
            chunks.append((self.made.to_bytes(4, "little") * (each // 4 + 1))[:each])
        batch = WriteBatch(seq, time, volume, offset, length, kind, BytesPayload(chunks))
        while len(self.order) < len(self.built.tenures["g"]):
            self.order.append([])
        self.order[-1].append(batch)
        apply(self.image(self.source), batch)
        return batch

    def _read(self, leg: Leg, extents: Extents) -> BytesPayload:
        """A copy reads what the volumes it is made from hold now."""
        assert self.built is not None
        site = next(key[1] for key, path in self.built.paths.items() if path is leg.ground.path)
        spans = zip(extents.start.tolist(), extents.stop.tolist(), strict=True)
        return BytesPayload([self.image(site)[start:stop].tobytes() for start, stop in spans])

    def _watch_ports(self, patch: pytest.MonkeyPatch) -> None:
        begin, perform = Leg.__init__, ports.TargetPort.perform

        def born(leg: Leg, *args: Any) -> None:
            begin(leg, *args)
            site, deliver = leg.name.rpartition("/")[2], leg.there.deliver
            self._site[id(leg.there)] = site

            def heard(event: on.Event) -> None:
                if isinstance(event, on.BlocksWritten):
                    self._written(site, event)
                deliver(event)

            leg.there.deliver = heard
            leg.here.content = lambda extents: self._read(leg, extents)

        def asked(port: ports.TargetPort, action: do.Action) -> None:
            site = self._site[id(port)]
            match action:
                case do.WriteBlocks(ticket, batch, _):
                    self._tickets[site, ticket] = (batch, 0)
                case do.TakeSnapshot(name, _):
                    self._kept[site, name] = self.image(site).copy()
                case do.RestoreSnapshot(name):
                    self.images[site] = self._kept[site, name].copy()
                case _:
                    pass
            perform(port, action)

        patch.setattr(Leg, "__init__", born)
        patch.setattr(ports.TargetPort, "perform", asked)

    def _written(self, site: str, event: on.BlocksWritten) -> None:
        batch, done = self._tickets[site, event.ticket]
        part = batch.slice(done, done + len(event.seq))
        self._tickets[site, event.ticket] = (batch, done + len(event.seq))
        apply(self.image(site), part)


def apply(image: np.ndarray, batch: WriteBatch) -> None:
    """Carry out a batch on an image, row by row."""
    for i in range(len(batch)):
        start = int(batch.offset[i])
        stop = start + int(batch.length[i])
        if batch.kind[i] == Kind.WRITE:
            image[start:stop] = np.frombuffer(batch.payload.of(i), np.uint8)
        else:
            image[start:stop] = 0
