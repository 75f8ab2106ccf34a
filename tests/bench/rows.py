"""Rows of the benchmark: a world each, a naive program for a piece of it, and that both gave the same lags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from drsim.randomness import stream
from drsim.scenario import loads
from drsim.scenario.models import Scenario
from drsim.workload.columns import Writes
from tests.bench import peers, texts
from tests.bench.peer import per_write

Found = dict[tuple[str, str], tuple[list[float], list[float]]]
"""By group and target: when each write was acknowledged, when it was recoverable."""


@dataclass(frozen=True)
class Row:
    """One kind of work.

    Attributes:
        world: a scenario of so many seconds.
        peer: the naive program on the writes of every stream; None: drsim itself, settled write by write.
        short, long: seconds of the piece the peer does, and of the whole.
        targets: deliveries of each write.
        floor: what it should reach, million writes (or deliveries) a second.
    """

    world: Callable[[float], Scenario]
    peer: Callable[[dict[str, Writes]], Found] | None
    short: float
    long: float
    floor: float
    targets: int = 1


def drawn(scenario: Scenario, until: float) -> dict[str, Writes]:
    """What each stream writes by ``until``, by host and number."""
    found = {}
    for name, host in scenario.hosts.items():
        for index, write in enumerate(host.writes):
            group, _, volume = write.volume.partition("/")
            size = scenario.groups[group].volumes[volume].size
            seeds = stream(scenario.seed, "hosts", name, str(index))
            parts: list[Writes] = []
            for block in write.blocks(seeds, size, scenario.folder, scenario.week_offset):
                parts.append(block)
                if block.time[-1] > until:
                    break
            columns = (
                np.concatenate([getattr(p, column) for p in parts])
                for column in ("time", "offset", "length", "kind")
            )
            time, *rest = columns
            count = int(np.searchsorted(time, until, side="right"))
            found[f"{name}.{index}"] = Writes(time[:count], *(column[:count] for column in rest))
    return found


def agree(summary: dict[str, Any], found: Found, end: float, name: str) -> None:
    """The mean and the largest delay of what was recoverable by ``end`` are the same in both, to 1e-9."""
    for (group, target), (acked, there) in found.items():
        got = summary["groups"][group]["targets"][target]
        a, r = np.array(acked[: len(there)]), np.array(there)
        delay = (r - a)[r <= end]
        assert len(delay), f"{name}: the peer recovered nothing"
        for key, value in (("delay_mean_s", delay.mean()), ("delay_max_s", delay.max())):
            same = np.isclose(got[key], value, rtol=1e-9, atol=1e-9)
            assert same, f"{name}: {group}/{target} {key} is {got[key]}, the naive program says {value}"


def rows_of(writes: Writes) -> peers.Arrivals:
    """A stream as (seconds, bytes)."""
    return list(zip(writes.time.tolist(), writes.length.tolist(), strict=True))


def _fan_out(drawn_: dict[str, Writes]) -> Found:
    times = drawn_["h.0"].time.tolist()
    found = {}
    for target, rate in texts.FAN_RATES.items():
        lags = per_write(times, texts.SIZE, rate, texts.ONE_WAY, texts.DESTAGE)
        found["g", target] = (times, [at + lag for at, lag in zip(times, lags, strict=True)])
    return found


def _cascade(drawn_: dict[str, Writes]) -> Found:
    writes = rows_of(drawn_["h.0"])
    rates = list(texts.CASCADE_RATES.values())
    there, _ = peers.cascade(writes, rates, texts.ONE_WAY, texts.DESTAGE)
    acked = [at for at, _ in writes]
    return {("g", t): (acked, there[hop]) for hop, t in enumerate(texts.CASCADE_RATES)}


def _cycles(drawn_: dict[str, Writes]) -> Found:
    w = drawn_["h.0"]
    writes = list(zip(w.time.tolist(), w.length.tolist(), w.offset.tolist(), strict=True))
    found = peers.cycles(writes, texts.CYCLE_RATE, texts.ONE_WAY, texts.CYCLE_DISK, texts.EVERY)
    return {("g", "b"): (w.time.tolist(), found)}


def _sharing(order: str, drawn_: dict[str, Writes]) -> Found:
    writes = [rows_of(drawn_[f"h{k}.0"]) for k in range(4)]
    there = peers.shared(writes, texts.SHARED_RATE, texts.SHARED_OUTAGES, texts.ONE_WAY, order)
    return {(f"g{k}", "b"): ([at for at, _ in writes[k]], there[k]) for k in range(4)}


def _ring(drawn_: dict[str, Writes]) -> Found:
    found = {}
    for group, target, site, streams, steps, one_way in texts.RING_PARTS:
        writes = sorted(row for name in streams for row in rows_of(drawn_[name]))
        written = peers.through_disk(writes, *texts.RING_DISKS[site])
        model = peers.NaiveShared([written], list(steps), [], one_way, lambda busy: {busy[0]: 1.0})
        found[group, target] = ([at for at, _ in written], model.run()[0])
    return found


def _pair(drawn_: dict[str, Writes]) -> Found:
    times = drawn_["h.0"].time.tolist()
    lags = per_write(times, texts.SIZE, texts.RATE, texts.ONE_WAY, texts.DESTAGE)
    return {("g", "b"): (times, [at + lag for at, lag in zip(times, lags, strict=True)])}


def _trace(folder: Path, seconds: float) -> Scenario:
    return loads(texts.TRACE.format(d=seconds, path=texts.trace(folder)), "trace")


def rows(folder: Path) -> dict[str, Row]:
    """Every row; ``folder`` is for the trace."""
    world = lambda text, **more: lambda d: loads(text.format(d=d, **more), "bench")  # noqa: E731
    return {
        "ring": Row(world(texts.RING), _ring, 3, 150, 6),
        "cycle": Row(world(texts.CYCLE, mode="cycle"), _cycles, 50, 250, 8),
        "snapshot": Row(world(texts.CYCLE, mode="snapshot"), _cycles, 50, 250, 8),
        "overflow": Row(world(texts.OVERFLOW), None, 12, 600, 4),
        "priority": Row(
            world(texts.SHARED, sharing=texts.BY_PRIORITY), partial(_sharing, "priority"), 3, 150, 5
        ),
        "weight": Row(world(texts.SHARED, sharing=texts.BY_WEIGHT), partial(_sharing, "weight"), 3, 150, 5),
        "fan-out": Row(world(texts.FAN_OUT), _fan_out, 3, 150, 4, 3),
        "cascade": Row(world(texts.CASCADE), _cascade, 3, 150, 4, 3),
        "trace": Row(partial(_trace, folder), _pair, 20, 4000, 10),
    }
