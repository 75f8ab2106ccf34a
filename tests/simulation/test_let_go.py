"""A finished run leaves nothing behind: no world, no meter, no column, though the collector of circles is off."""

from __future__ import annotations

import gc
from collections import Counter

import pytest

from drsim.columns import ColumnQueue, _attic
from drsim.measure.lag import LagMeter
from drsim.replication.journal import Journal
from drsim.scenario import loads
from drsim.simulation import run
from drsim.simulation.world import World
from drsim.wan.server import Server

TEXT = """
drsim: 1
seed: 1
duration: 60 s
sites: {{a: {{disk: {{write: 9 MB/s}}}}, b: {{disk: {{write: 8 MB/s}}}}, c: {{}}}}
links:
  ab:
    between: [a, b]
    rate: 6 MB/s
    efficiency: 100 %
    rtt: 10 ms
    sharing: {sharing}
    outages: [{{at: 20 s, for: 9 s}}]
  bc: {{between: [b, c], rate: 2 MB/s, efficiency: 100 %, rtt: 4 ms}}
  ac: {{between: [a, c], rate: 2 MB/s, efficiency: 100 %, rtt: 4 ms}}
groups:
  g: {{source: a, volumes: {{v: 60 MB}}, targets: {{b: {{rpo: 2 s}}, {second}}}, mode: {mode}}}
hosts: {{h: {{site: a{host}, writes: [{{volume: g/v, rate: 90 /s, size: 8 KiB, arrivals: poisson}}]}}}}
{more}
"""
WORLDS = {
    "fan-out": {},
    "cascade": {"second": "c: {via: b}"},
    "cycle": {"mode": "{kind: cycle, every: 5 s}", "sharing": "weighted"},
    "sync, a closed loop": {
        "mode": "sync",
        "host": ", queue_depth: 4",
        "sharing": "{kind: priority, classes: {g: {priority: 1}}}",
    },
    "staging of a size": {"second": "c: {staging: {size: 1 MB}}"},
    "a site is lost": {
        "more": "disasters: [{site: a, at: 40 s}]",
    },
}
KINDS = (World, LagMeter, Journal, Server, ColumnQueue)


def alive() -> Counter[str]:
    return Counter(
        kind.__name__ for each in gc.get_objects() for kind in KINDS if issubclass(type(each), kind)
    )


@pytest.mark.parametrize("name", WORLDS)
def test_a_finished_world_is_gone(name):
    settings = {"sharing": "fifo", "second": "c: {rpo: 2 s}", "mode": "journal", "host": "", "more": ""}
    scenario = loads(TEXT.format(**settings | WORLDS[name]), "gone")
    first = run(scenario).summary
    gc.collect()
    before, waiting = alive(), _attic.waiting
    gc.disable()
    try:
        again = run(scenario).summary
        assert alive() == before
        assert _attic.waiting == waiting
    finally:
        gc.enable()
    assert again == first
