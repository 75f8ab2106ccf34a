"""What folding saves and what it costs: bytes, and points to recover to."""

from __future__ import annotations

import pytest
from drsim.simulation.run import run

from drsim.scenario import loads

HOT = """
drsim: 1
duration: 100 s
sites: {a: {}, b: {}}
links: {ab: {between: [a, b], rate: 8 Mb/s, efficiency: 100 %}}
groups: {g: {source: a, volumes: {v: 4 KiB}, targets: {b: {}}, mode: MODE}}
hosts:
  h: {site: a, writes: [{volume: g/v, rate: 2 /s, size: 4 KiB, arrivals: constant}]}
"""


@pytest.mark.parametrize(
    ("mode", "folded", "lost"),
    [
        ("journal", 0, 0),
        ("{kind: cycle, every: 10 s}", 190 * 4096, 190),
        ("{kind: cycle, every: 10 s, fold: none}", 0, 190),
    ],
)
def test_of_twenty_writes_to_one_block_one_travels_and_one_is_a_point(mode, folded, lost) -> None:
    """Two writes a second into cycles of ten seconds: 200 writes, ten points."""
    target = run(loads(HOT.replace("MODE", mode), "hot")).summary["groups"]["g"]["targets"]["b"]
    assert target["folded_bytes"] == folded
    assert target["recovery_points_lost"] == lost
