"""Any scenario with its streams' writes given one by one: the bridge between drsim and naive models of many groups."""

from __future__ import annotations

from typing import Any

import numpy as np

from drsim.scenario import loads
from drsim.simulation.build import build
from drsim.simulation.running import _all_recoverable
from drsim.simulation.summary import summarise
from drsim.workload.columns import Writes


class Fleet:
    """Runs drsim; ``writes[k]`` are (seconds, bytes) of stream k, streams counted in the file's order.

    ``acked`` and ``recovered`` hold, for each (group, target), one instant a write, in order.
    """

    def __init__(
        self,
        text: str,
        writes: list[list[tuple[float, int]]] | None = None,
        *,
        duration: float | None = None,
        writes_per_settle: int = 65_536,
    ) -> None:
        scenario = loads(f"drsim: 1\nduration: {duration or 1e9} s\n{text}", "fleet")
        self.built = build(scenario, duration or 1e6, content=True, writes_per_settle=writes_per_settle)
        feeds = [feed for intake in self.built.world.intakes for feed in intake._feeds]
        for feed, rows in zip(feeds, writes or [], strict=True) if writes else ():
            table = np.array(rows, float).reshape(-1, 2)
            n = len(table)
            length = table[:, 1].astype(np.int64)
            feed._blocks = iter(
                [Writes(table[:, 0].copy(), np.zeros(n, np.int64), length, np.zeros(n, np.uint8))]
            )
        self.prepare()
        self.acked: dict[tuple[str, str], list[float]] = {}
        self.recovered: dict[tuple[str, str], list[float]] = {}
        self.sizes: dict[tuple[str, str], list[int]] = {}
        for key, leg in self.built.legs.items():
            self._spy(key, leg)
        self.built.world.open(self.built.connect)
        self.built.world.run(duration or float("inf"))
        self.end = duration or _all_recoverable(self.built)
        self.summary: dict[str, Any] = summarise(self.built, self.end)

    def prepare(self) -> None:
        """Change the world before it begins."""

    def _spy(self, key: tuple[str, str], leg: Any) -> None:
        acked, recovered, sizes = (
            found.setdefault(key, []) for found in (self.acked, self.recovered, self.sizes)
        )
        real = leg.probe.lag.feed

        def feed(at: Any, nbytes: Any, found: Any) -> None:
            acked.extend(at.tolist())
            recovered.extend(found.tolist())
            sizes.extend(nbytes.tolist())
            real(at, nbytes, found)

        leg.probe.lag.feed = feed
