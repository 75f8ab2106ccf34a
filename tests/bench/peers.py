"""Naive per-write programs of the benchmark's other rows: nothing shared with drsim, one event a write and station."""

from __future__ import annotations

import simpy

from tests.simulation.fluid_link import NaiveShared

Arrivals = list[tuple[float, int]]
"""(seconds, bytes) of each write, in order."""


def cascade(
    writes: Arrivals, rates: list[float], one_way: float, destage_rate: float
) -> tuple[list[list[float]], list[list[float]]]:
    """Processes and Stores, hop behind hop: give when each write is at each site, and on its volumes.

    A hop sends on what it has destaged.
    """
    env = simpy.Environment()
    queues = [simpy.Store(env) for _ in rates]
    there: list[list[float]] = [[] for _ in rates]
    landed: list[list[float]] = [[] for _ in rates]

    def host():
        for at, size in writes:
            yield env.timeout(at - env.now)
            yield queues[0].put(size)

    def link(hop: int):
        while True:
            size = yield queues[hop].get()
            yield env.timeout(size / rates[hop])
            env.process(fly(hop, size))

    def fly(hop: int, size: int):
        yield env.timeout(one_way)
        there[hop].append(env.now)
        yield staging[hop].put(size)

    def destage(hop: int):
        while True:
            size = yield staging[hop].get()
            yield env.timeout(size / destage_rate)
            landed[hop].append(env.now)
            if hop + 1 < len(rates):
                yield queues[hop + 1].put(size)

    staging = [simpy.Store(env) for _ in rates]
    env.process(host())
    for hop in range(len(rates)):
        env.process(link(hop))
        env.process(destage(hop))
    env.run()
    return there, landed


def cycles(
    writes: list[tuple[float, int, int]], rate: float, one_way: float, destage_rate: float, every: float
) -> list[float]:
    """Cycles folded in a dictionary: give when each write ((seconds, bytes, offset)) is recoverable.

    A cycle closes ``every`` after the last one did, and when that one is on the target's volumes and the source
    knows it; it travels write by write and is recoverable when its last write has arrived.
    """
    env = simpy.Environment()
    captured: list[tuple[int, int, int]] = []
    found = [float("inf")] * len(writes)

    def host():
        for index, (at, size, offset) in enumerate(writes):
            yield env.timeout(at - env.now)
            captured.append((index, size, offset))

    def replicate():
        due = every
        while True:
            yield env.timeout(max(due - env.now, 0.0))
            while not captured:  # The first write to come makes the cycle.
                yield env.timeout(writes[-1][0])
            due = env.now + every
            yield env.process(travel(list(captured)))

    def travel(cycle: list[tuple[int, int, int]]):
        captured.clear()
        last: dict[int, int] = {offset: index for index, _, offset in cycle}
        landed = 0.0
        for index, size, offset in cycle:
            if last[offset] == index:
                yield env.timeout(size / rate)
        whole = env.now + one_way
        for index, size, offset in cycle:
            found[index] = whole
            landed += size / destage_rate if last[offset] == index else 0.0
        yield env.timeout(one_way + landed + one_way)

    env.process(host())
    env.process(replicate())
    env.run(until=writes[-1][0])
    return found


def shared(
    writes: list[Arrivals], rate: float, outages: list[tuple[float, float]], one_way: float, order: str
) -> list[list[float]]:
    """Four groups and one link, each finish an event: give when each group's writes have arrived."""

    def first(busy: list[int]) -> dict[int, float]:
        return {busy[0]: 1.0}

    def by_weight(busy: list[int]) -> dict[int, float]:
        total = sum(k + 1 for k in busy)
        return {k: (k + 1) / total for k in busy}

    share = first if order == "priority" else by_weight
    return NaiveShared(writes, [(0.0, rate)], outages, one_way, share).run()


def through_disk(writes: Arrivals, rate: float, iops: float) -> Arrivals:
    """A disk write by write: (when it is done, bytes)."""
    done, out = 0.0, []
    for at, size in writes:
        done = max(done, at) + max(size / rate, 1 / iops)
        out.append((done, size))
    return out
