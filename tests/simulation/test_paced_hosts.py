"""Hosts that a full journal holds or paces, against a program that takes one event after the other."""

from __future__ import annotations

import heapq
import math
from typing import Any

import pytest

from drsim.scenario import loads
from drsim.simulation import run

SIZE, LINK, WAY, GAP, END = 10_000, 397_000.0, 0.01, 0.1, 75.0
CUT, BACK = 10.0, 50.0
ROOM = 203_000

WORLD = f"""
drsim: 1
duration: {END} s
sites: {{a: {{}}, b: {{}}}}
links:
  ab: {{between: [a, b], rate: {LINK:.0f} B/s, efficiency: 100 %%, rtt: {2 * WAY} s,
        outages: [{{at: {CUT} s, for: {BACK - CUT} s}}]}}
groups:
  g: {{source: a, volumes: {{v: 1 GB}}, targets: {{b: {{}}}}, journal: {{size: {ROOM} B, on_full: %s}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: {SIZE / GAP:.0f} B/s, size: {SIZE} B}}]}}}}
"""


class Naive:
    """One host, one journal, one link. A write cut short, and all behind it, leave when the session is there again."""

    def __init__(self, low: float, high: float, delay: float, steps: int, resume: float) -> None:
        self.low, self.high, self.delay, self.steps, self.resume = low, high, delay, steps, resume
        self.held = self.free = 0.0
        self.handed = self.floor = -math.inf
        self.occupied = self.peak = self.level = self.full = 0
        self.waits, self.acks, self.latencies = [i * GAP for i in range(round(END / GAP))], [], []

    def follow(self) -> None:
        """To the end, in the order of time; what comes back comes first."""
        stuck: list[float] = []
        while True:
            back = self.acks[0] if self.acks else math.inf
            turn = max(self.handed + self.delay * self.level / self.steps, self.floor)
            due = max(self.waits[0], turn) if self.waits and not self.full else math.inf
            if min(back, due) > END:
                return
            if due < back:
                self.handed = due
                self.full = int(self.occupied + SIZE > ROOM)
                if self.full:
                    self.held += 1
                    stuck.append(self.waits.pop(0))
                else:
                    self._enter(due, self.waits.pop(0))
                continue
            heapq.heappop(self.acks)
            self.occupied -= SIZE
            if stuck and self.occupied + SIZE <= ROOM:
                self._enter(back, stuck.pop())
            if self.full and not stuck and self.occupied <= self.resume * ROOM:
                self.full, self.floor = 0, back
            if (level := self._mark()) + 1 < self.level or (level == 0 and self.level):
                self.level, self.floor = level, back  # never handed over before it was slowed less

    def _mark(self) -> int:
        share = (self.occupied / ROOM - self.low) / (self.high - self.low)
        return min(self.steps, max(0, math.ceil(share * self.steps)))

    def _enter(self, now: float, issued: float) -> None:
        self.occupied += SIZE
        self.peak = max(self.peak, self.occupied)
        self.level = max(self.level, self._mark())
        self.latencies.append(now - issued)
        begin = max(now, self.free)
        if begin + SIZE / LINK > CUT and begin < BACK + 2 * WAY:
            begin = BACK + 2 * WAY
        self.free = begin + SIZE / LINK
        heapq.heappush(self.acks, self.free + 2 * WAY)


@pytest.mark.parametrize("resume", [1.0, 0.6])
@pytest.mark.parametrize(
    ("low", "high", "delay", "steps"),
    [
        (0.5, 0.9, 0.0, 1),
        (0.31, 0.63, 0.05, 3),
        (0.31, 0.63, 0.15, 8),
        (0.5, 0.9, 0.2, 4),
        (0.3, 0.6, 1.0, 8),
    ],
)
def test_hosts_wait_as_long_as_they_should(
    low: float, high: float, delay: float, steps: int, resume: float
) -> None:
    """Paces beyond the hosts' own make a queue; it is handed over when the pace ends, not when that was issued."""
    policy = f"{{kind: pace, low: {low:.0%}, high: {high:.0%}, delay: {delay} s, steps: {steps}, resume: {resume:.0%}}}"
    summary: dict[str, Any] = run(loads(WORLD % policy, "paced")).summary
    target, host = summary["groups"]["g"]["targets"]["b"], summary["hosts"]["h"]
    naive = Naive(low, high, delay, steps, resume)
    naive.follow()
    assert host["writes"] == len(naive.latencies)
    assert target["journal_peak_bytes"] == naive.peak <= ROOM
    assert target["journal_overflows"] == naive.held
    assert host["write_latency_max_s"] == pytest.approx(max(naive.latencies), abs=1e-6)
    mean = sum(naive.latencies) / len(naive.latencies)
    assert host["write_latency_mean_s"] == pytest.approx(mean, abs=1e-6)
