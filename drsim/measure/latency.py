"""How long a host waits for its writes: mean, percentiles, maximum."""

from __future__ import annotations

import numpy as np

from drsim.measure.spread import Spread
from drsim.measure.stream import Blocks, Floats


class LatencyMeter:
    """Latency of one host's writes; sums in fixed blocks, so any partition gives the same bits."""

    def __init__(self) -> None:
        self._blocks = Blocks(np.float64)
        self._spread = Spread()
        self._sum = 0.0
        self._max = 0.0

    def feed(self, latency: Floats) -> None:
        """Take latencies of consecutive writes: float64[n], seconds, not negative."""
        for (block,) in self._blocks.add(latency):
            self._settle(block)

    def _settle(self, latency: Floats) -> None:
        if len(latency):
            none = np.empty(0)
            self._spread.add_apart(latency, none, none)
            self._sum += float(latency.sum())
            self._max = max(self._max, float(latency.max()))

    def finish(self) -> dict[str, float | int | None]:
        """Give ``writes`` and ``write_latency_{mean,p50,p90,p95,p99,p999,max}_s``; None where there were none."""
        self._settle(*self._blocks.rest())
        return {"writes": self._spread.n, **self._spread.keys("write_latency", self._sum, self._max)}
