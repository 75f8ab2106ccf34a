"""The peer of the benchmarks: the same pair as an idiomatic SimPy program, one process step and event per write."""

from __future__ import annotations

import simpy


def per_write(
    arrivals: list[float], nbytes: int, rate: float, one_way: float, destage_rate: float
) -> list[float]:
    """Give the lag (acknowledged to recoverable) of each write.

    Processes and Stores as the SimPy documentation teaches: a host that puts, a link that gets, takes its
    time and hands on after the propagation delay, a target that destages.
    """
    env = simpy.Environment()
    journal: simpy.Store = simpy.Store(env)
    staging: simpy.Store = simpy.Store(env)
    lags: list[float] = []

    def host():
        for at in arrivals:
            yield env.timeout(at - env.now)
            yield journal.put(at)

    def link():
        service = nbytes / rate
        while True:
            at = yield journal.get()
            yield env.timeout(service)
            env.process(fly(at))

    def fly(at: float):
        yield env.timeout(one_way)
        lags.append(env.now - at)
        yield staging.put(at)

    def destage():
        service = nbytes / destage_rate
        while True:
            yield staging.get()
            yield env.timeout(service)

    env.process(host())
    env.process(link())
    env.process(destage())
    env.run()
    return lags
