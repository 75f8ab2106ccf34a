"""How long a host waits for its writes: mean, percentiles, maximum."""

from __future__ import annotations

import numpy as np

from drsim.blocks.compiled import compiled
from drsim.measure.loops import COARSE, DROP, HALF, INSIDE, SHIFT
from drsim.measure.spread import Spread
from drsim.measure.stream import BLOCK, Blocks, Floats, Ints

_PARTS = 2.0**48
"""Parts of a second in which latencies are added up: whole numbers, so that their order changes nothing."""


@compiled("void(Array(float64, 1, 'C', readonly=True), int64[:, ::1], float64, int64[::1])")
def waits(latency: Floats, cells: Ints, parts: float, sums: Ints) -> None:
    """Count seconds by bin as `count_by_bin`, and add them up.

    The twin of `LatencyMeter._settle`.

    Args:
        latency: float64[n], seconds.
        cells: int64[bins, 2], added to.
        parts: in how many a second is divided.
        sums: int64[2], whole seconds, and parts of seconds, added to.
    """
    seconds, rest = np.int64(0), np.int64(0)
    for i in range(len(latency)):
        bits = np.float64(latency[i] + SHIFT).view(np.int64)
        bin_ = np.uint64((bits >> DROP) - (1010 << 10))
        cells[bin_, 0] += 1
        cells[bin_, 1] += ((bits & INSIDE) + HALF) >> COARSE
        whole = np.int64(latency[i])
        seconds += whole
        rest += np.int64((latency[i] - np.float64(whole)) * parts)
    sums[0] += seconds
    sums[1] += rest


class LatencyMeter:
    """Latency of one host's writes, in any order: groups answer a host's writes as each of them is settled."""

    def __init__(self) -> None:
        self._blocks = Blocks(np.float64, size=BLOCK // 8)
        self._spread = Spread()
        self._seconds = 0
        self._parts = 0
        self._max = 0.0

    def feed(self, latency: Floats) -> None:
        """Take latencies of writes: float64[n], seconds, not negative."""
        if len(latency) < self._blocks.size:
            for (block,) in self._blocks.add(latency):
                self._settle(block)
            return
        for at in range(0, len(latency), BLOCK):  # the parts of more could not be added up in 63 bits
            self._settle(latency[at : at + BLOCK])

    def _settle(self, latency: Floats) -> None:
        top = float(latency.max(initial=0.0))
        twin = waits.worth(len(latency)) if top > 0.0 and self._spread.binned else None
        if twin is not None:
            sums = np.zeros(2, np.int64)
            twin(np.ascontiguousarray(latency), self._spread.room_apart(top), _PARTS, sums)
            self._spread.went(len(latency))
            self._seconds += int(sums[0])
            self._parts += int(sums[1])
            self._max = max(self._max, top)
            return
        none = np.empty(0)
        self._spread.add_apart(latency, none, none)
        if top > 0.0:
            whole = np.floor(latency)
            self._seconds += int(whole.astype(np.int64).sum())
            self._parts += int(((latency - whole) * _PARTS).astype(np.int64).sum())
            self._max = max(self._max, top)

    def finish(self) -> dict[str, float | int | None]:
        """Give ``writes`` and ``write_latency_{mean,p50,p90,p95,p99,p999,max}_s``; None where there were none."""
        self._settle(*self._blocks.rest())
        total = self._seconds + self._parts / _PARTS
        return {"writes": self._spread.n, **self._spread.keys("write_latency", total, self._max)}
