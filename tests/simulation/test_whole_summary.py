"""Whole summaries against plain loops: outages, brown-outs, throttles and propagation, every figure of a target.

Nothing here is drsim's but the run itself: the oracle serves write after write along the list of rates, and reads
lag, violations and losses off the instants by their definitions. A link that comes back costs a round trip
(the sessions greet each other), and what was under way when it went is sent again.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from drsim.scenario import loads
from drsim.simulation import run

SCENARIO = """
drsim: 1
duration: {end} s
sites: {{a: {{}}, b: {{}}}}
links:
  ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, rtt: {rtt} s, outages: [{faults}], throttle: [{limits}]}}
groups: {{g: {{source: a, volumes: {{v: 100 TB}}, targets: {{b: {{rpo: {rpo} s}}}}}}}}
hosts: {{h: {{site: a, writes: [{{trace: {trace}, volume: g/v}}]}}}}
"""
Floats = NDArray[np.float64]


@dataclass
class World:
    """Writes, and windows of (begin, end, share kept) and (begin, end, bytes/s)."""

    end: float
    rate: float
    one_way: float
    rpo: float
    acked: list[float]
    size: list[int]
    faults: list[tuple[float, float, float]]
    limits: list[tuple[float, float, float]]

    @staticmethod
    def draw(seed: int) -> World:
        """A world of its own for each seed."""
        rng = np.random.default_rng(seed)
        count, end = int(rng.choice([1, 5, 40, 120])), float(rng.choice([100, 333.5, 1000]))
        rate, load = float(rng.choice([1000, 125_000, 3e6])), float(rng.choice([0.2, 0.7, 1.1, 1.8]))
        acked = np.sort(rng.uniform(0, 0.95 * end, count).round(6))
        acked[rng.random(count) < 0.3] //= 10  # some at the same instants
        mean = min(rate * end * load / count, 3e7)
        size = np.maximum((mean * rng.choice([0.1, 0.5, 1.0, 2.0], count)).astype(int), 1)
        faults, at = [], 0.0
        for _ in range(int(rng.integers(0, 4))):
            begin = round(at + float(rng.uniform(8, end / 3)), 3)
            at = round(begin + float(rng.uniform(0.5, end / 6)), 3)
            faults.append((begin, at, float(rng.choice([0.0, 0.0, 0.3]))))
        limits = []
        for _ in range(int(rng.integers(0, 3))):
            begin = round(float(rng.uniform(0, end)), 3)
            limits.append((begin, begin + 0.25 * end, rate * float(rng.choice([0.2, 0.6]))))
        one_way, rpo = float(rng.choice([0.0, 0.004, 0.25, 3.0])), float(rng.choice([1, 10, 60]))
        return World(end, rate, one_way, rpo, np.sort(acked).tolist(), size.tolist(), faults, limits)

    def text(self, folder: Path) -> str:
        rows = zip(self.acked, self.size, strict=True)
        lines = [f"{round(t * 1e6)},d,W,{i * 70_000_000},{n}" for i, (t, n) in enumerate(rows)]
        file = folder / "trace.csv"
        file.write_text("\n".join(["t_us,dev,op,offset_bytes,length_bytes", *lines]) + "\n")
        span = "{{at: {} s, for: {:.9f} s{}}}"
        faults = [span.format(a, b - a, f", keeps: {k:.0%}" if k else "") for a, b, k in self.faults]
        limits = [span.format(a, b - a, f", to_rate: {r} B/s") for a, b, r in self.limits]
        return SCENARIO.format(
            end=self.end,
            rate=self.rate,
            rtt=2 * self.one_way,
            rpo=self.rpo,
            trace=file,
            faults=", ".join(faults),
            limits=", ".join(limits),
        )


class Link:
    """Serves one write after the other."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ups = {begin: end + 2 * world.one_way for begin, end, keeps in world.faults if not keeps}
        edges = {0.0, *(x for window in (*world.faults, *world.limits) for x in window[:2])}
        self.edges = sorted(edges)
        self.rates = [self._rate(t) for t in self.edges]

    def _rate(self, t: float) -> float:
        share = math.prod(keeps for begin, end, keeps in self.world.faults if begin <= t < end)
        limit = min((to for begin, end, to in self.world.limits if begin <= t < end), default=math.inf)
        return min(self.world.rate * share, limit)

    def sent(self, start: float, nbytes: float) -> float:
        """When so many bytes are sent of which the first leaves at ``start``, were no write cut off."""
        t, i = start, bisect.bisect_right(self.edges, start) - 1
        while True:
            stop = self.edges[i + 1] if i + 1 < len(self.edges) else math.inf
            if self.rates[i] > 0 and t + nbytes / self.rates[i] <= stop:
                return t + nbytes / self.rates[i]
            nbytes -= self.rates[i] * (stop - t) if self.rates[i] else 0.0
            t, i = stop, i + 1

    def recovered(self) -> Floats:
        """When each write is at the other side."""
        world, found, free, i = self.world, [], 0.0, 0
        while i < len(world.acked):
            start = max(world.acked[i], free)
            for cut, up in self.ups.items():
                start = up if cut <= start < up else start
            there = self.sent(start, world.size[i]) + world.one_way
            cut = next((c for c in self.ups if start < c < there or start < c <= there - world.one_way), None)
            if cut is None:
                found.append(there)
                free, i = there - world.one_way, i + 1
                continue
            # Gone: this one and all before it that had left and not arrived.
            found = [t for t in found if t <= cut]
            free, i = self.ups[cut], len(found)
        return np.array(found)


def _above(low: Floats, high: Floats, level: float) -> float:
    return float(np.maximum(high - np.maximum(low, level), 0).sum())


def _percentile(low: Floats, high: Floats, end: float, share: float) -> float:
    """The least lag that is not exceeded for this share of [0, end]."""
    left, right = 0.0, float(high.max(initial=0.0))
    if _above(low, high, 0.0) <= (1 - share) * end:
        return 0.0
    for _ in range(80):
        middle = (left + right) / 2
        left, right = (left, middle) if _above(low, high, middle) <= (1 - share) * end else (middle, right)
    return right


def expected(world: World, recovered: Floats) -> dict[str, float]:
    """The summary's figures, by their definitions."""
    acked, size, end, rpo = np.array(world.acked), np.array(world.size, float), world.end, world.rpo
    begin = np.minimum(np.maximum(acked, np.append(-1.0, recovered[:-1])), end)
    until = np.minimum(recovered, end)
    rows = until > begin
    begin, until, since = begin[rows], until[rows], acked[rows]
    low, high = begin - since, until - since
    late = np.maximum(begin, since + rpo)
    pieces = [(a, b) for a, b in zip(late.tolist(), until.tolist(), strict=True) if a < b]
    missing = np.minimum(recovered, end) - acked
    steps = sorted(
        [(t, 1, n) for t, n in zip(acked, size, strict=True)]
        + [(t, 0, -n) for t, n in zip(recovered, size, strict=True) if t <= end]
    )
    level = np.cumsum([n for _, _, n in steps])
    return {
        "lag_max_s": float(high.max(initial=0.0)),
        "lag_mean_s": float(((high**2 - low**2) / 2).sum()) / end,
        **{
            f"lag_{name}_s": _percentile(low, high, end, q)
            for name, q in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999))
        },
        "violation_s": sum(b - a for a, b in pieces),
        "violations": sum(a != b for (_, b), (a, _) in pairwise([(-1.0, -1.0), *pieces])),
        "violation_integral_s2": float(((high - rpo).clip(0) ** 2 - (low - rpo).clip(0) ** 2).sum()) / 2,
        "loss_mean_bytes": float((size * missing).sum()) / end,
        "loss_mean_writes": float(missing.sum()) / end,
        "loss_max_bytes": float(level.max()),
    }


@pytest.mark.parametrize("seed", range(20))
def test_every_figure_is_what_its_definition_says(seed: int, tmp_path: Path) -> None:
    world = World.draw(seed)
    got = run(loads(world.text(tmp_path), "whole")).summary["groups"]["g"]["targets"]["b"]
    for key, value in expected(world, Link(world).recovered()).items():
        # Percentiles are told within 0.1 %.
        assert got[key] == pytest.approx(value, rel=1.1e-3 if "_p" in key else 1e-7, abs=2e-6), key
