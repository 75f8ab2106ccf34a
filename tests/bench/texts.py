"""The benchmark's worlds as scenario files; ``d`` is their length in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from drsim.workload.traces.parquet import _HOW, _NOTE, _SCHEMA

SIZE, ONE_WAY = 8192, 0.005
RATE, DESTAGE = 18.72e6, 120e6
RING = """
drsim: 1
seed: 7
duration: {d} s
start: 2026-03-02 07:59
sites:
  paris: {{disk: {{write: 26 GB/s, iops: 1300000}}}}
  lyon: {{disk: {{write: 26 GB/s, iops: 1300000}}}}
  nice: {{disk: {{write: 13 GB/s, iops: 400000}}}}
links:
  paris-lyon:
    between: [paris, lyon]
    rate: 6 Gb/s
    efficiency: 70 %
    rtt: 9 ms
    outages: [{{at: 40 s, for: 10 s}}]
    throttle: [{{days: Mon-Fri, from: 08:00, to: 18:00, to_rate: 2400 Mb/s}}]
    background: [{{name: voip, rate: 160 Mb/s, priority: 0}}]
  lyon-nice: {{between: [lyon, nice], rate: 4 Gb/s, efficiency: 70 %, rtt: 7 ms}}
  nice-paris: {{between: [nice, paris], rate: 6 Gb/s, efficiency: 70 %, rtt: 14 ms}}
groups:
  erp:
    source: paris
    volumes: {{log: 200 GB, tables: 2 TB}}
    targets: {{lyon: {{rpo: 15 min}}}}
    journal: {{size: 100 GB, on_full: track}}
  mail:
    source: lyon
    volumes: {{store: 1 TB}}
    targets: {{nice: {{rpo: 30 min}}}}
    journal: {{size: 40 GB, on_full: track}}
  files:
    source: nice
    volumes: {{share: 4 TB}}
    targets: {{paris: {{rpo: 1 h}}}}
    journal: {{size: 20 GB, on_full: track}}
hosts:
  erp-db:
    site: paris
    writes:
      - {{volume: erp/log, rate: 2500 /s, size: 16 KiB, arrivals: poisson, access: sequential, calendar: office}}
      - {{volume: erp/tables, rate: 2500 /s, size: 32 KiB, arrivals: poisson, access: zipf(0.9)}}
  exchange:
    site: lyon
    writes:
      - {{volume: mail/store, rate: 5000 /s, size: 32 KiB, arrivals: poisson, access: zipf(0.8), calendar: office}}
  filer:
    site: nice
    writes:
      - volume: files/share
        rate: 5000 /s
        size: 64 KiB
        arrivals: poisson
        access: hot(10 %, 80 %)
        calendar: diurnal(6, 14)
"""
"""`scenarios/three_site.yaml` with 5,000 writes/s at each site, and links and disks in proportion."""
RING_DISKS = {"paris": (26e9, 1.3e6), "lyon": (26e9, 1.3e6), "nice": (13e9, 4e5)}
RING_PARTS = [
    ("erp", "lyon", "paris", ["erp-db.0", "erp-db.1"], ((0.0, 0.7 * (6e9 - 160e6) / 8),), 0.0045),
    ("mail", "nice", "lyon", ["exchange.0"], ((0.0, 0.7 * 4e9 / 8),), 0.0035),
    ("files", "paris", "nice", ["filer.0"], ((0.0, 0.7 * 6e9 / 8),), 0.007),
]
"""Group, target, source, streams, (seconds, bytes/s) of its link, one way: until the first outage."""

CYCLE = """
drsim: 1
seed: 1
duration: {d} s
sites: {{a: {{}}, b: {{disk: {{write: 400 MB/s}}}}}}
links: {{ab: {{between: [a, b], rate: 200 MB/s, efficiency: 100 %, rtt: 10 ms}}}}
groups:
  g:
    source: a
    volumes: {{v: 1 TB}}
    mode: {{kind: {mode}, every: 15 s}}
    targets: {{b: {{rpo: 2 min}}}}
hosts:
  h:
    site: a
    writes: [{{volume: g/v, rate: 16000 /s, size: 8 KiB, arrivals: poisson, access: 'hot(1 %, 50 %)'}}]
"""
CYCLE_RATE, CYCLE_DISK, EVERY = 200e6, 400e6, 15.0

OVERFLOW = """
drsim: 1
seed: 1
duration: {d} s
sites: {{a: {{}}, b: {{disk: {{write: 800 MB/s}}}}}}
links:
  ab:
    between: [a, b]
    rate: 250 MB/s
    efficiency: 100 %
    rtt: 10 ms
    outages: [{{at: 1 s, for: 8 s}}, {{between_failures: exponential(60 s), repair: exponential(6 s)}}]
groups:
  g:
    source: a
    volumes: {{v: 1 TB}}
    targets: {{b: {{rpo: 1 min}}}}
    journal: {{size: 400 MB, on_full: track}}
hosts:
  h: {{site: a, writes: [{{volume: g/v, rate: 12000 /s, size: 8 KiB, arrivals: poisson, access: uniform}}]}}
"""

SHARED = """
drsim: 1
seed: 1
duration: {d} s
sites: {{a: {{}}, b: {{}}}}
links:
  ab:
    between: [a, b]
    rate: 170 MB/s
    efficiency: 100 %
    rtt: 10 ms
    outages: [{{at: 1 s, for: 500 ms}}]
    sharing: {sharing}
groups:
  g0: {{source: a, volumes: {{v: 1 TB}}, targets: {{b: {{rpo: 1 s}}}}}}
  g1: {{source: a, volumes: {{v: 1 TB}}, targets: {{b: {{rpo: 1 s}}}}}}
  g2: {{source: a, volumes: {{v: 1 TB}}, targets: {{b: {{rpo: 1 s}}}}}}
  g3: {{source: a, volumes: {{v: 1 TB}}, targets: {{b: {{rpo: 1 s}}}}}}
hosts:
  h0: {{site: a, writes: [{{volume: g0/v, rate: 5000 /s, size: 8 KiB, arrivals: poisson}}]}}
  h1: {{site: a, writes: [{{volume: g1/v, rate: 5000 /s, size: 8 KiB, arrivals: poisson}}]}}
  h2: {{site: a, writes: [{{volume: g2/v, rate: 5000 /s, size: 8 KiB, arrivals: poisson}}]}}
  h3: {{site: a, writes: [{{volume: g3/v, rate: 5000 /s, size: 8 KiB, arrivals: poisson}}]}}
"""
SHARED_RATE, SHARED_OUTAGES = 170e6, [(1.0, 1.5)]
BY_PRIORITY = (
    "{kind: priority, classes: {g0: {priority: 0}, g1: {priority: 1}, g2: {priority: 2}, g3: {priority: 3}}}"
)
BY_WEIGHT = "{kind: weighted, classes: {g0: {weight: 1}, g1: {weight: 2}, g2: {weight: 3}, g3: {weight: 4}}}"

_SITES = ", ".join(f"{name}: {{{{disk: {{{{write: 120 MB/s}}}}}}}}" for name in "bce")
FAN_RATES = {"b": 90e6, "c": 91e6, "e": 92e6}
FAN_OUT = (
    "drsim: 1\nseed: 1\nduration: {d} s\nsites: {{a: {{}}, " + _SITES + "}}\n"
    """links:
  ab: {{between: [a, b], rate: 90 MB/s, efficiency: 100 %, rtt: 10 ms}}
  ac: {{between: [a, c], rate: 91 MB/s, efficiency: 100 %, rtt: 10 ms}}
  ae: {{between: [a, e], rate: 92 MB/s, efficiency: 100 %, rtt: 10 ms}}
groups:
  g: {{source: a, volumes: {{v: 1 TB}}, targets: {{b: {{rpo: 1 s}}, c: {{rpo: 1 s}}, e: {{rpo: 1 s}}}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: 10000 /s, size: 8 KiB, arrivals: poisson}}]}}}}
"""
)
CASCADE_RATES = FAN_RATES
CASCADE = (
    FAN_OUT.replace("ac: {{between: [a, c]", "bc: {{between: [b, c]")
    .replace("ae: {{between: [a, e]", "ce: {{between: [c, e]")
    .replace("c: {{rpo: 1 s}}", "c: {{rpo: 1 s, via: b}}")
    .replace("e: {{rpo: 1 s}}", "e: {{rpo: 1 s, via: c}}")
)

TRACE = """
drsim: 1
duration: {d} s
sites: {{a: {{}}, b: {{disk: {{write: 120 MB/s}}}}}}
links: {{ab: {{between: [a, b], rate: 18.72 MB/s, efficiency: 100 %, rtt: 10 ms}}}}
groups: {{g: {{source: a, volumes: {{v: 1 TB}}, targets: {{b: {{rpo: 1 s}}}}}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, trace: {path}}}]}}}}
"""


def trace(folder: Path, writes: int = 8_200_000) -> Path:
    """Write a Parquet trace of 2,000 writes/s as the importer would, once."""
    path = folder / "bench.parquet"
    if path.exists():
        return path
    rng = np.random.default_rng(1)
    time = (np.cumsum(rng.exponential(1 / 2000, writes)) * 1e9).astype(np.int64)
    offset = rng.integers(0, 10**12 // SIZE, writes) * SIZE
    zeros, ones = np.zeros(writes, np.int32), np.ones(writes, np.uint8)
    table = pa.table([time, zeros, ones, offset, np.full(writes, SIZE)], schema=_SCHEMA)
    with parquet.ParquetWriter(path, _SCHEMA, **_HOW) as file:
        file.write_table(table, 1 << 18)
        file.add_key_value_metadata({_NOTE.decode(): json.dumps({"format": "bench", "devices": ["0"]})})
    return path
