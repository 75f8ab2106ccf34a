"""Scale: what long runs, wide worlds and long backlogs cost, each in a process of its own: CPU seconds and peak memory.

``python -m tests.bench.scale [NAME ...]``; without names all but those that take minutes (``billion``, ``behind-8``).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from drsim.scenario import load, loads
from drsim.scenario.models import Scenario
from drsim.simulation import run

TB = 10**12
BEHIND = """
drsim: 1
seed: 1
duration: {until} s
sites: {{a: {{}}, b: {{disk: {{write: 400 MB/s}}}}}}
links: {{ab: {{between: [a, b], rate: 300 MB/s, efficiency: 100 %, rtt: 10 ms, outages: [{{at: 0 s, for: {down} s}}]}}}}
groups: {{g: {{source: a, volumes: {{v: 10 TB}}, targets: {{b: {{rpo: 1 s}}}}}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: 100 MB/s, size: {size} KiB, arrivals: poisson}}]}}}}
"""
SHARED = """
drsim: 1
seed: 1
duration: {until} s
sites: {{a: {{}}, b: {{disk: {{write: 400 MB/s}}}}}}
links:
  ab: {{between: [a, b], rate: 300 MB/s, efficiency: 100 %, rtt: 10 ms, outages: [{{at: 0 s, for: {down} s}}],
       sharing: {sharing}}}
groups:
  g: {{source: a, volumes: {{v: 10 TB}}, targets: {{b: {{rpo: 1 s}}}}}}
  h: {{source: a, volumes: {{v: 10 TB}}, targets: {{b: {{rpo: 1 s}}}}}}
hosts:
  h: {{site: a, writes: [{{volume: g/v, rate: 50 MB/s, size: 8 KiB, arrivals: poisson}},
                       {{volume: h/v, rate: 50 MB/s, size: 8 KiB, arrivals: poisson}}]}}
"""
LONG = """
drsim: 1
seed: 1
duration: {seconds} s
start: 2026-01-01 00:00
sites: {{a: {{}}, b: {{disk: {{write: 30 MB/s}}}}}}
links:
  ab:
    between: [a, b]
    rate: 20 MB/s
    efficiency: 100 %
    rtt: 10 ms
    outages: [{{between_failures: exponential(1 d), repair: exponential(5 min)}}]
    throttle: [{{days: Mon-Fri, from: 08:00, to: 18:00, to_rate: 18 MB/s}}]
groups: {{g: {{source: a, volumes: {{v: 1 TB}}, targets: {{b: {{rpo: 1 min}}}}}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: 2000 /s, size: 8 KiB, arrivals: poisson}}]}}}}
"""


def behind(tb: float, size: int) -> Scenario:
    """A pair that is so many terabytes behind when its link comes back, in writes of ``size`` KiB."""
    down = tb * TB / 100e6
    return loads(BEHIND.format(down=down, until=1.6 * down, size=size), "behind")


def shared(tb: float, sharing: str) -> Scenario:
    """Two groups that are so many terabytes behind together, in writes of 8 KiB, when their link comes back."""
    down = tb * TB / 100e6
    return loads(SHARED.format(down=down, until=1.6 * down, sharing=sharing), "shared")


def long(writes: float) -> Scenario:
    """A pair at 2,000 writes/s, with outages by chance and a throttle."""
    return loads(LONG.format(seconds=writes / 2000), "long")


def ring(sites: int, hours: float = 2.0) -> Scenario:
    """Sites in a ring, three groups at each, to the next one and the one after it, by turns."""
    names = [f"s{i}" for i in range(sites)]
    following = [(i, (i + 1) % sites) for i in range(sites)]
    lines = ["drsim: 1", "seed: 1", f"duration: {hours * 3600} s", "sites:"]
    lines += [f"  {name}: {{disk: {{write: 60 MB/s, iops: 4000}}}}" for name in names]
    lines += ["links:"]
    lines += [
        f"  l{i}: {{between: [s{i}, s{j}], rate: 20 Mb/s, efficiency: 90 %, rtt: 12 ms}}"
        for i, j in following
    ]
    lines += ["groups:"]
    lines += [
        f"  g{i}x{k}: {{source: s{i}, volumes: {{v: 100 GB}}, targets: {{s{j}: {{rpo: 1 min}}}}}}"
        for i, j in following
        for k in range(3)
    ]
    lines += ["hosts:"]
    lines += [
        f"  h{i}x{k}: {{site: s{i}, writes: [{{volume: g{i}x{k}/v, rate: 2.8 /s, size: 8 KiB, "
        "arrivals: poisson, access: zipf(0.9)}]}"
        for i in range(sites)
        for k in range(3)
    ]
    return loads("\n".join(lines) + "\n", "ring")


YEAR = Path(__file__).parents[2] / "scenarios" / "branch_year.yaml"
WORLDS: dict[str, Callable[[], Scenario]] = {
    "writes-1x": lambda: long(10e6),
    "writes-2x": lambda: long(20e6),
    "writes-4x": lambda: long(40e6),
    "behind-0.01": lambda: behind(0.01, 64),
    "behind-0.1": lambda: behind(0.1, 64),
    "behind-0.5": lambda: behind(0.5, 64),
    "behind-1": lambda: behind(1, 64),
    "behind-weighted": lambda: shared(0.2, "{kind: weighted, classes: {g: {weight: 2}, h: {weight: 1}}}"),
    "behind-earliest": lambda: shared(0.2, "{kind: earliest, classes: {g: {within: 1 s}, h: {within: 2 s}}}"),
    "tenth": lambda: long(1e8),
    "hundred": lambda: ring(100),
    "year": lambda: load(YEAR),
    "behind-8": lambda: behind(1, 8),
    "billion": lambda: long(1e9),
}
MINUTES = ("behind-8", "billion")


def measure(name: str) -> dict[str, float]:
    """Load, build and run one world in this process."""
    begin = time.process_time()
    scenario = WORLDS[name]()
    loaded = time.process_time()
    writes = run(scenario).summary["writes"]
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "writes": writes,
        "load_s": loaded - begin,
        "run_s": time.process_time() - loaded,
        "peak_MB": used.ru_maxrss / 1024,
    }


def main() -> None:
    """Print a row for each world asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *WORLDS], metavar="NAME", help=", ".join(WORLDS))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        print(json.dumps(measure(given.names[0])))
        return
    for name in given.names or [each for each in WORLDS if each not in MINUTES]:
        told = subprocess.run(
            [sys.executable, "-m", "tests.bench.scale", "--here", name],
            capture_output=True,
            text=True,
            check=True,
        )
        row = json.loads(told.stdout)
        print(
            f"{name:12} {row['writes'] / 1e6:8.1f} M writes, load {row['load_s']:5.2f} s, "
            f"run {row['run_s']:7.2f} s CPU, {row['writes'] / row['run_s'] / 1e6:5.2f} M/s, "
            f"peak {row['peak_MB']:6.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
