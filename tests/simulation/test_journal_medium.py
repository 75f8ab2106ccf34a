"""A slow journal medium: each host is told when its own record is durable, however the settles cut a batch."""

from __future__ import annotations

import pytest
from drsim.simulation.run import run

from drsim.scenario import loads

SLOW = """
drsim: 1
duration: 30 s
sites: {a: {journal_disk: {write: 50 kB/s}}, b: {}}
links:
  ab: {between: [a, b], rate: 8 Mb/s, efficiency: 100 %, outages: [{at: 7.3 s, for: 0.4 s}, {at: 20.1 s, for: 2 s}]}
groups:
  g: {source: a, volumes: {v: 1 GB}, targets: {b: {}}, journal: {medium: journal_disk}}
hosts:
  h: {site: a, writes: [{volume: g/v, rate: 60 /s, size: 1 kB, arrivals: constant}]}
"""


def test_a_journal_that_falls_behind_makes_every_write_wait_for_its_own_record() -> None:
    """Write i comes at i/60 s and is durable at 1/60 + i/50 s: by 30 s there are 1499, the last waits 5.01 s."""
    host = run(loads(SLOW, "slow")).summary["hosts"]["h"]
    assert host["writes"] == 1499
    assert host["write_latency_mean_s"] == pytest.approx(1 / 60 + 750 * (1 / 50 - 1 / 60), rel=1e-9)
    assert host["write_latency_max_s"] == pytest.approx(1 / 60 + 1499 * (1 / 50 - 1 / 60), rel=1e-9)
