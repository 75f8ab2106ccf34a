"""Small scenarios that the study's tests write to disk and run for real."""

from pathlib import Path

FLUID = """
drsim: 1
title: One outage that can be worked out on paper
seed: 3
duration: 6 h
sites: {a: {}, b: {}}
links:
  ab:
    between: [a, b]
    rate: 192 kB/s
    efficiency: 100 %
    outages: [{at: 1 h, for: 1 h}]
groups:
  g:
    source: a
    volumes: {v: 10 GB}
    targets: {b: {rpo: 15 min}}
    mode: journal
hosts:
  h: {site: a, writes: [{volume: g/v, rate: 100 kB/s, size: 20000 B, arrivals: constant}]}
expect:
  - g.b.violation <= 2 h
"""

CHANCE = FLUID.replace(
    "at: 1 h, for: 1 h", "between_failures: exponential(2 h), repair: lognormal(20 min, 0.5)"
).replace("constant", "poisson")


def written(folder: Path, text: str = FLUID, name: str = "fluid.yaml") -> Path:
    file = folder / name
    file.write_text(text)
    return file
