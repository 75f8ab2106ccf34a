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


REGAIN = """
drsim: 1
title: a resync whose journal takes time
duration: 60 s
sites: {{a: {{{a}}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: 10 Mb/s, efficiency: 100 %, rtt: 40 ms, outages: [{{at: 10 s, for: 12 s}}]}}}}
groups:
  g:
    source: a
    volumes: {{v: 16 MiB}}
    targets: {{b: {{rpo: 1 s}}}}
    mode: journal
    journal: {{size: 4 MB, on_full: track{journal}}}
hosts:
  h: {{site: a, writes: [{{volume: g/v, rate: 70 /s, size: 8 KiB, arrivals: poisson, access: uniform}}]}}
"""


def test_a_resync_ends_when_its_last_write_is_durable_and_no_later():
    """A medium that takes 10 ms may make the order regained 10 ms later, not at whatever happens next."""

    def regained(a: str = "", journal: str = "") -> float:
        events = run(loads(REGAIN.format(a=a, journal=journal), "regain.yaml")).tables["events"]
        (found,) = [
            t
            for t, what in zip(events["t"], events["what"], strict=True)
            if what.endswith("-> STREAMING") and t > 20
        ]
        return float(found)

    slow = regained("journal_disk: {write: 100 TB/s, latency: 10 ms}", ", medium: journal_disk")
    assert 0 <= slow - regained() < 0.1
