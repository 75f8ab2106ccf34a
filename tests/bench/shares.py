"""Where a run's time goes, room by room: ``python -m tests.bench.shares [NAME ...]``.

Shares of the profiler, with numba where it is installed; what NumPy does counts for the room that asked for it. The
nanoseconds beside them are of a run without the profiler.
"""

from __future__ import annotations

import cProfile
import pstats
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from drsim.blocks import compiled
from drsim.scenario import Scenario, loads
from drsim.simulation import run
from tests.bench.__main__ import DESTAGE, LOAD, PAIR, RATE
from tests.bench.rows import rows

_ROOM = re.compile(r"drsim/(\w+)")


def _room(function: tuple[str, int, str]) -> str | None:
    found = _ROOM.search(function[0])
    return found.group(1).removesuffix(".py") if found else None


def shares(profile: cProfile.Profile) -> Counter[str]:
    """Seconds of each room of drsim; what it calls elsewhere counts as its own."""
    found: Counter[str] = Counter()
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for function, (_, _, own, _, callers) in stats.items():
        if room := _room(function):
            found[room] += own
            continue
        total = sum(call[2] for call in callers.values()) or 1.0
        for caller, call in callers.items():
            found[_room(caller) or "elsewhere"] += own * call[2] / total
    return found


def tell(name: str, world: Scenario) -> None:
    """Run a world three times: to warm up, against the clock, under the profiler."""
    run(world)
    begin = time.process_time()
    writes = run(world).summary["writes"]
    each = (time.process_time() - begin) / writes * 1e9
    with cProfile.Profile() as profile:
        run(world)
    found = shares(profile)
    whole = sum(found.values())
    parts = ", ".join(f"{room} {seconds / whole:.0%}" for room, seconds in found.most_common(8))
    sys.stdout.write(f"{name:9} {each:6.1f} ns a write: {parts}\n")


def main() -> None:
    """Print the worlds asked for, or all."""
    compiled.use("always")
    with tempfile.TemporaryDirectory() as folder:
        known = {name: (row.world, row.long) for name, row in rows(Path(folder)).items()}
        pair = PAIR.format(duration=3600, destage=DESTAGE, rate=RATE, load=LOAD)
        known = {"pair": (lambda _: loads(pair, "bench"), 3600), **known}
        for name in sys.argv[1:] or known:
            world, seconds = known[name]
            tell(name, world(seconds))


if __name__ == "__main__":
    main()
