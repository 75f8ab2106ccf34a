"""A pair of sites whose writes are given one by one: the bridge between drsim and the naive oracle."""

from __future__ import annotations

from typing import Any

import numpy as np

from drsim.scenario import loads
from drsim.simulation.build import build
from drsim.simulation.built import Built
from drsim.simulation.running import _all_recoverable
from drsim.simulation.summary import summarise
from drsim.workload.columns import Writes

TEMPLATE = """
drsim: 1
{duration}
sites: {{a: {{{own}}}, b: {{{disk}}}}}
links:
  ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, rtt: {rtt} s, outages: [{outages}]}}
groups:
  g:
    source: a
    volumes: {{v: 100 MB}}
    targets: {{b: {{rpo: {rpo} s{target}}}}}
    mode: {mode}
    journal: {{{journal}}}
    {group}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: 1 /s}}]}}}}
"""


class Pair:
    """Runs drsim on a list of writes: (seconds, bytes) or (seconds, bytes, offset)."""

    def __init__(
        self,
        writes: list[tuple[float, ...]],
        rate: float,
        one_way: float = 0.0,
        outages: list[tuple[float, float]] | None = None,
        destage_rate: float | None = None,
        journal: str = "",
        mode: str = "journal",
        rpo: float = 1.0,
        writes_per_settle: int = 65_536,
        duration: float | None = None,
        target: str = "",
        group: str = "",
        own_rate: float | None = None,
    ) -> None:
        text = TEMPLATE.format(
            # Without a duration a regular host never ends; the real writes replace its stream below.
            duration=f"duration: {duration or 1e9} s",
            disk=f"disk: {{write: {destage_rate} B/s}}" if destage_rate else "",
            own=f"disk: {{write: {own_rate} B/s}}" if own_rate else "",
            rate=rate,
            rtt=2 * one_way,
            outages=", ".join(f"{{at: {a} s, for: {b - a} s}}" for a, b in outages or []),
            rpo=rpo,
            mode=mode,
            journal=journal,
            target=f", {target}" if target else "",
            group=group,
        )
        scenario = loads(text, "pair")
        self.built: Built = build(scenario, 1e6, content=True, writes_per_settle=writes_per_settle)
        rows = np.array([(*w, 0.0)[:3] if len(w) < 3 else w for w in writes], float).reshape(-1, 3)
        block = Writes(
            rows[:, 0].copy(),
            rows[:, 2].astype(np.int64),
            rows[:, 1].astype(np.int64),
            np.zeros(len(rows), np.uint8),
        )
        self.built.world.intakes[0]._feeds[0]._blocks = iter([block])
        self.acked: list[float] = []
        self.recovered: list[float] = []
        leg = self.built.legs["g", "b"]
        self._spy(leg)
        self.built.world.open(self.built.connect)
        self.built.world.run(duration or float("inf"))
        end = duration or _all_recoverable(self.built)
        self.summary: dict[str, Any] = summarise(self.built, end)
        self.target: dict[str, Any] = self.summary["groups"]["g"]["targets"]["b"]

    def _spy(self, leg: Any) -> None:
        pair = leg.probe.lag.feed

        def feed(acked: Any, nbytes: Any, recovered: Any) -> None:
            self.acked += acked.tolist()
            self.recovered += np.maximum(recovered, acked).tolist()
            pair(acked, nbytes, recovered)

        leg.probe.lag.feed = feed
