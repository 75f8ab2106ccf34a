"""The oracle for whole cycles behind staging that fills up: cycles by hand on the events of `NaiveStaging`.

A cycle closes when its time has come and the one before is on the volumes, as far as the source has heard. It covers
every write so far, and goes in parts of at most what the staging holds, each with a checkpoint behind it; it is
recoverable when that arrives, and only then goes to the disk. Nothing is folded.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.naive_staging import Flow, NaiveStaging


@dataclass
class Cycling(Flow):
    """A group in cycles of ``every`` seconds."""

    every: float = 1.0
    opened: float = 0.0
    closed: int = 0
    goal: int = 0
    travelling: bool = False
    whole: int = 0
    """Writes the target has an image of."""
    marked: bool = False


class NaiveCycles(NaiveStaging):
    """Flows of either kind on one link and one disk."""

    def run(self) -> None:
        for flow in self.flows:
            if isinstance(flow, Cycling):
                self.plan(flow)
        super().run()

    def plan(self, flow: Cycling) -> None:
        self.at(max(flow.opened + flow.every, self.now), lambda: self.tick(flow))

    def tick(self, flow: Cycling) -> None:
        if flow.travelling or not flow.open or self.now < flow.opened + flow.every:
            return
        if flow.came == flow.closed:
            flow.opened = self.now
            if len(flow.writes) > flow.came:
                self.plan(flow)
        else:
            self.close(flow)

    def close(self, flow: Cycling) -> None:
        if flow.closed >= flow.goal:
            flow.opened, flow.goal = self.now, flow.came
            self.plan(flow)
        begin, room = flow.closed, flow.size or 10**18
        end, total = begin, 0
        while end < flow.goal and (end == begin or total + flow.writes[end][1] <= room):
            total += flow.writes[end][1]
            end += 1
        flow.closed, flow.travelling, flow.marked = max(end, flow.sent), True, False
        self.offer(flow)

    def offer(self, flow: Flow) -> None:
        if not isinstance(flow, Cycling):
            super().offer(flow)
            return
        if not flow.travelling or not flow.open:
            return
        came, flow.came = flow.came, flow.closed
        super().offer(flow)
        flow.came = came
        if flow.sent == flow.closed and not flow.marked:
            flow.marked = True
            end = flow.closed
            self.queues[self.flows.index(flow)].append([0.0, lambda: self.checkpoint(flow, end)])

    def checkpoint(self, flow: Cycling, end: int) -> None:
        flow.recovered += [self.now] * (end - flow.whole)
        rows = flow.held[flow.whole : end]
        flow.whole = end
        for size in rows:
            self.disk_free = max(self.disk_free, self.now) + size / self.disk
            self.at(self.disk_free, lambda size=size: self.destaged(flow, size))
        self.at(self.disk_free, lambda: self.applied(flow))

    def applied(self, flow: Cycling) -> None:
        if self.up:
            self.later(lambda: self.next(flow))

    def next(self, flow: Cycling) -> None:
        flow.travelling = False
        if flow.closed < flow.goal:
            self.close(flow)
        else:
            self.tick(flow)

    def land(self, flow: Flow, size: int) -> None:
        if not isinstance(flow, Cycling):
            super().land(flow, size)
            return
        flow.held.append(size)
        flow.staged += size
        flow.peak = max(flow.peak, flow.staged)

    def welcome(self, flow: Flow) -> None:
        if not isinstance(flow, Cycling):
            super().welcome(flow)
            return
        has, whole, staged = len(flow.held), flow.whole, flow.staged
        self.later(lambda: self.again(flow, has, whole, staged))

    def again(self, flow: Cycling, has: int, whole: int, staged: int) -> None:
        """What the target has in part is made whole at once; else a cycle waits for its time."""
        flow.open, flow.sent, flow.known = True, has, staged
        flow.closed = flow.goal = whole
        flow.travelling = False
        if has > whole:
            self.close(flow)
        else:
            self.plan(flow)
