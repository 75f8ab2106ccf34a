"""Closed forms for one group on one link: the same numbers without the engine, where that is possible.

A write joins the link's queue when the host is told, and leaves it when the link has carried all before it:
``finish = C^-1(S + max(C(arrival) - S_before))`` with C the link's cumulative capacity and S the cumulative
bytes. The backlog is the running excess that peak-usage journal sizing adds up (Veritas Volume Replicator
administrator's guide, "Peak usage constraint"): ``excess_n = max(excess_n-1 - capacity, 0) + written_n``.
Nothing here knows of sessions, acknowledgements, resyncs or frames, which is what makes it a cross-check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Kind
from drsim.randomness import stream
from drsim.scenario import Scenario
from drsim.study.design import Override
from drsim.study.text import StudyError
from drsim.study.world import ScenarioWorld
from drsim.workload.merge import merge

Floats = NDArray[np.float64]

_MOST_KEPT = 8
MOST_LUMPS = 2_000_000
"""Writes held at once; of more, so many consecutive ones are taken as one as are needed to come below."""


class UnsuitedError(StudyError):
    """No closed form holds for this scenario: the message says why."""


class Arrivals(NamedTuple):
    """Writes of a group, or lumps of consecutive ones: first and last time (seconds), bytes as float64."""

    first: Floats
    last: Floats
    nbytes: Floats


@dataclass(frozen=True, slots=True)
class Queue:
    """What became of the arrivals in a FIFO.

    Attributes:
        finish: float64[n], seconds, when the link has carried each.
        backlog: float64[n], bytes just after each arrival, itself included.
    """

    finish: Floats
    backlog: Floats


def serve(arrivals: Arrivals, steps: Sequence[tuple[float, float]]) -> Queue:
    """Serve arrivals in order at the rates of ``steps`` ((instant, bytes/s), the last for ever).

    A write still queued when nothing is carried any more finishes at inf.
    """
    start, rate = (np.array(column, float) for column in zip(*steps, strict=True))
    done = np.concatenate([[0.0], np.cumsum(rate[:-1] * np.diff(start))])

    def work(t: Floats) -> Floats:
        at = np.searchsorted(start, t, side="right") - 1
        reached: Floats = done[at] + (t - start[at]) * rate[at]
        return reached

    total = np.cumsum(arrivals.nbytes)
    offered = work(arrivals.last)
    wanted = total + np.maximum.accumulate(offered - (total - arrivals.nbytes))
    at = np.searchsorted(done, wanted, side="left") - 1  # the segment in which C first gets there
    with np.errstate(divide="ignore"):
        finish = start[at] + (wanted - done[at]) / rate[at]
    return Queue(np.maximum(finish, arrivals.last), wanted - offered)


def lag_numbers(arrivals: Arrivals, recovered: Floats, rpo_s: float | None, end: float) -> dict[str, Any]:
    """Lag over the window [0, ``end``]: the summary's lag and violation keys, from event times alone."""
    recovered = np.minimum(recovered, end)
    begin = np.maximum(arrivals.first, np.concatenate([[0.0], recovered[:-1]]))
    begin = np.minimum(begin, recovered)

    def beyond(x: float) -> float:
        return float(np.maximum(0.0, recovered - np.maximum(begin, arrivals.first + x)).sum())

    worst = float((recovered - arrivals.first).max(initial=0.0))
    ramps = ((recovered - arrivals.first) ** 2 - (begin - arrivals.first) ** 2) / 2
    numbers: dict[str, Any] = {"lag_max_s": worst, "lag_mean_s": float(ramps.sum()) / end}
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)):
        numbers[f"lag_{name}_s"] = _quantile(beyond, (1 - share) * end, worst)
    if rpo_s is not None:
        late = np.maximum(begin, arrivals.first + rpo_s)
        found = np.flatnonzero(late < recovered)
        apart = 1 + int(np.count_nonzero(late[found[1:]] > recovered[found[:-1]])) if len(found) else 0
        seconds = beyond(rpo_s)
        numbers |= {"violations": apart, "violation_s": seconds, "violation_fraction": seconds / end}
    return numbers


def _quantile(beyond: Any, seconds: float, worst: float) -> float:
    """The lag that is exceeded for so many seconds, to a relative 1e-9."""
    if beyond(0.0) <= seconds:
        return 0.0
    low, high = 0.0, worst
    while high - low > 1e-9 * worst:
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle) > seconds else (low, middle)
    return high


def refusal(scenario: Scenario, group: str, target: str) -> str:
    """Why no closed form holds; empty where one does."""
    settings = scenario.groups[group]
    at = settings.targets[target]
    route = scenario.route(group, target)
    routed = [g for g, x in scenario.groups.items() for t in x.targets if scenario.route(g, t) == route]
    mode = settings.mode_at(target)
    writers = [h for h in scenario.hosts.values() if any(w.volume.startswith(f"{group}/") for w in h.writes)]
    sites = [scenario.sites[name] for name in (settings.source, target)]
    reasons = {
        "the run has no duration": scenario.duration is None,
        f"mode {mode.kind} does not send every write in order": mode.kind != "journal" or mode.fold != "none",
        "several groups share the link": len(routed) > 1,
        "the target is fed by another target": at.via is not None,
        "the first copy is part of the run": at.seed != "in-sync",
        "disks may hold writes up": any(site.disk or site.journal_disk for site in sites),
        "a host waits for its writes": any(host.queue_depth is not None for host in writers),
        "the link's own headers depend on how writes are sent": scenario.links[route].efficiency is None,
        "there are disasters or operations": bool(scenario.disasters or scenario.operations),
    }
    return next((reason for reason, true in reasons.items() if true), "")


class ClosedWorld:
    """A scenario's closed form as a world with the summary keys it can know, for one group and target.

    Points that no closed form holds for raise UnsuitedError.
    """

    def __init__(self, world: ScenarioWorld, group: str, target: str) -> None:
        self._world, self._group, self._target = world, group, target
        self.seed = world.seed
        self.name = world.name
        self._kept: dict[str, Arrivals] = {}

    def ingredients(self) -> Mapping[str, str]:
        """The scenario's, and that this is its closed form."""
        return {**self._world.ingredients(), "closed form": "1"}

    def check(self, overrides: tuple[Override, ...]) -> None:
        """As the scenario."""
        self._world.check(overrides)

    def command(self, overrides: tuple[Override, ...], seed: int) -> str:
        """The run it stands for."""
        return self._world.command(overrides, seed)

    def run(self, overrides: tuple[Override, ...], seed: int) -> dict[str, Any]:
        """Lag, violations and backlog, without a simulation."""
        scenario = self._world.scenario(overrides, seed)
        reason = refusal(scenario, self._group, self._target)
        if reason:
            raise UnsuitedError(f"no closed form: {reason}")
        assert scenario.duration is not None
        group = scenario.groups[self._group]
        route = scenario.route(self._group, self._target)
        link, end = scenario.links[route], float(scenario.duration)
        seeds = np.random.SeedSequence(scenario.seed)
        story = link.timeline(route, end, seeds, scenario.week_offset, scenario.folder)
        way = story.direction(forward=link.between[0] == group.source)
        arrivals = self._arrivals(scenario)
        queue = serve(arrivals, way.steps)
        rpo = group.targets[self._target].rpo
        numbers = lag_numbers(arrivals, queue.finish + story.propagation_s, rpo, end)
        peak = float(queue.backlog.max(initial=0.0))
        size = group.journal_at(self._target).size
        overflows = size is not None and peak > size
        if overflows:  # then order may be lost, and the queue is no longer what is there
            numbers = dict.fromkeys(numbers)
        numbers |= {"rpo_s": rpo, "backlog_peak_bytes": peak, "journal_peak_bytes": peak}
        numbers |= {"journal_overflows": int(overflows), "exposure_s": 0.0}
        return {"groups": {self._group: {"targets": {self._target: numbers}}}}

    def _arrivals(self, scenario: Scenario) -> Arrivals:
        """The group's writes, drawn as the simulator draws them; they do not depend on the link."""
        parts = scenario.model_dump_json(include={"seed", "duration", "start", "hosts"})
        if parts not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[parts] = drawn(scenario, self._group)
        return self._kept[parts]


def drawn(scenario: Scenario, group: str) -> Arrivals:
    """All writes of a group within the run, from the streams the simulator uses, lumped if there are many."""
    end = float(scenario.duration or 0.0)
    volumes = scenario.groups[group].volumes
    feeds, count = [], 0
    for name, host in scenario.hosts.items():
        for index, write in enumerate(host.writes):
            owner, _, volume = write.volume.partition("/")
            if owner == group:
                seeds = stream(scenario.seed, "hosts", name, str(index))
                size = volumes[volume].size
                feeds.append(write.blocks(seeds, size, scenario.folder, scenario.week_offset))
    parts: list[Arrivals] = []
    for block in merge(feeds) if feeds else ():
        time, nbytes = block.time, np.where(block.kind == Kind.WRITE, block.length, 0).astype(float)
        within = time <= end
        parts.append(Arrivals(time[within], time[within], nbytes[within]))
        count += len(parts[-1].first)
        if count > MOST_LUMPS:
            parts = [lumped(_joined(parts), 2)]
            count = len(parts[0].first)
        if not within.all():
            break
    return _joined(parts)


def lumped(arrivals: Arrivals, each: int) -> Arrivals:
    """So many consecutive arrivals as one: its first and last time, its bytes together."""
    starts = np.arange(0, len(arrivals.first), each)
    ends = np.minimum(starts + each, len(arrivals.first)) - 1
    return Arrivals(arrivals.first[starts], arrivals.last[ends], np.add.reduceat(arrivals.nbytes, starts))


def _joined(parts: Sequence[Arrivals]) -> Arrivals:
    if not parts:
        return Arrivals(np.empty(0), np.empty(0), np.empty(0))
    return Arrivals(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
