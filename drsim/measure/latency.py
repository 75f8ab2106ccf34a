"""How long a host waits for its writes: mean, percentiles, maximum."""

from __future__ import annotations

import numpy as np

from drsim.measure.spread import SHARES, Spread
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
        n = self._spread.n
        names = [f"write_latency_{name}_s" for name in ("p50", "p90", "p95", "p99", "p999")]
        found = [min(value, self._max) if n else None for value in self._spread.delays(SHARES)]
        return {
            "writes": n,
            "write_latency_mean_s": self._sum / n if n else None,
            **dict(zip(names, found, strict=True)),
            "write_latency_max_s": self._max if n else None,
        }
