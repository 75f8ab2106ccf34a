"""A medium's latency passes for the journal and the staging too, not only for what hosts write to a disk."""

import numpy as np
import pytest

from drsim.scenario.loading import loads
from drsim.simulation.running import run

WORLD = """
drsim: 1
title: latency
duration: 30 s
sites: {{a: {{{a}}}, b: {{{b}}}}}
links: {{ab: {{between: [a, b], rate: 8 Mb/s, efficiency: 100 %, rtt: 20 ms}}}}
groups: {{g: {{source: a, volumes: {{v: 1 GB}}, targets: {{b: {{rpo: 1 s{staging}}}}}, mode: journal{journal}}}}}
hosts:
  h: {{site: a, writes: [{{volume: g/v, rate: {rate} /s, size: 4 KiB, arrivals: constant, access: sequential}}]}}
"""


def delays(rate: int, a: str = "", b: str = "") -> list[float]:
    """Mean and largest delay of writes, and mean and largest wait of the host."""
    own = {"journal": ", journal: {medium: journal_disk}", "staging": ", staging: {medium: journal_disk}"}
    own = own if a else {"journal": "", "staging": ""}
    found = run(loads(WORLD.format(a=a, b=b, rate=rate, **own), "latency.yaml")).summary
    target, host = found["groups"]["g"]["targets"]["b"], found["hosts"]["h"]
    return [
        target["delay_mean_s"],
        target["delay_max_s"],
        host["write_latency_mean_s"],
        host["write_latency_max_s"],
    ]


@pytest.mark.parametrize("rate", [5, 200])
def test_hosts_wait_for_the_journal_and_writes_for_the_staging_by_exactly_their_latencies(rate):
    """A constant stream below every capacity; a write's delay counts from its acknowledgement."""
    plain = delays(rate)
    slow = delays(
        rate,
        "journal_disk: {write: 100 TB/s, latency: 3 ms}",
        "journal_disk: {write: 100 TB/s, latency: 7 ms}",
    )
    assert np.array(slow) - plain == pytest.approx([0.007, 0.007, 0.003, 0.003], abs=1e-7)
