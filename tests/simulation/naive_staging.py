"""The oracle for staging that fills up: plain SimPy, one process step a write, nothing shared with drsim.

Hosts, groups in classes of a link (strict priority or one queue), throttles and outages of the link, and at
the target for each group a staging of finite size in front of one disk. A write may leave when what was sent
of its group and is not known to be on the volumes leaves room for it; that becomes known one way later.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count


@dataclass
class Flow:
    """One group: its writes (seconds, bytes), its staging, and what became of each write."""

    writes: list[tuple[float, int]]
    size: int | None = None
    came: int = 0
    sent: int = 0
    """Writes given to the link in this session."""
    held: list[int] = field(default_factory=list)
    """Writes the target has, staged or on the volumes."""
    staged: int = 0
    known: int = 0
    """Bytes the source thinks are on their way or staged."""
    peak: int = 0
    open: bool = True
    recovered: list[float] = field(default_factory=list)
    applied: list[float] = field(default_factory=list)


class NaiveStaging:
    """Events by hand: a heap of instants, one transmitter that looks for work whenever something changed."""

    def __init__(
        self,
        flows: list[Flow],
        rates: list[tuple[float, float]],
        outages: list[tuple[float, float]],
        one_way: float,
        disk: float,
        order: list[int],
    ) -> None:
        self.flows, self.one_way, self.disk, self.order = flows, one_way, disk, order
        self.now, self.rate, self.epoch, self.up = 0.0, rates[0][1], 0, True
        self.events: list = []
        self.ticket = count()
        self.queues: list[list] = [[] for _ in flows]
        self.disk_free = 0.0
        for at, rate in rates[1:]:
            self.at(at, lambda rate=rate: setattr(self, "rate", rate))
        for down, up in outages:
            self.at(down, self.cut)
            self.at(up, self.join)
        for flow in flows:
            for at, _ in flow.writes:
                self.at(at, lambda flow=flow: self.arrive_host(flow))

    def at(self, when: float, what) -> None:
        heapq.heappush(self.events, (when, next(self.ticket), what))

    def later(self, what) -> None:
        epoch = self.epoch
        self.at(self.now + self.one_way, lambda: what() if epoch == self.epoch else None)

    def arrive_host(self, flow: Flow) -> None:
        flow.came += 1
        self.offer(flow)

    def offer(self, flow: Flow) -> None:
        """Give the transmitter what there is room for."""
        while flow.open and flow.sent < flow.came:
            size = flow.writes[flow.sent][1]
            if flow.size is not None and flow.known + size > flow.size and flow.known > 0:
                return
            flow.known += size
            flow.sent += 1
            self.queues[self.flows.index(flow)].append([float(size), lambda f=flow, s=size: self.land(f, s)])

    def land(self, flow: Flow, size: int) -> None:
        flow.held.append(size)
        flow.staged += size
        flow.peak = max(flow.peak, flow.staged)
        flow.recovered.append(self.now)
        self.disk_free = max(self.disk_free, self.now) + size / self.disk
        self.at(self.disk_free, lambda: self.destaged(flow, size))

    def destaged(self, flow: Flow, size: int) -> None:
        flow.staged -= size
        flow.applied.append(self.now)
        if flow.size is not None and self.up:
            self.later(lambda: self.freed(flow, size))

    def freed(self, flow: Flow, size: int) -> None:
        flow.known -= size
        self.offer(flow)

    def cut(self) -> None:
        self.epoch += 1
        self.up = False
        for flow, queue in zip(self.flows, self.queues, strict=True):
            flow.open = False
            queue.clear()

    def join(self) -> None:
        self.up = True
        for flow, queue in zip(self.flows, self.queues, strict=True):
            queue.append([0.0, lambda flow=flow: self.welcome(flow)])

    def welcome(self, flow: Flow) -> None:
        """The target says what it has, and how much of it is still staged."""
        has, staged = len(flow.held), flow.staged
        self.later(lambda: self.begin(flow, has, staged))

    def begin(self, flow: Flow, has: int, staged: int) -> None:
        flow.open, flow.sent, flow.known = True, has, staged
        self.offer(flow)

    def run(self) -> None:
        while True:
            busy = [k for k in self.order if self.queues[k]] if self.up else []
            ends = self.now + self.queues[busy[0]][0][0] / self.rate if busy and self.rate else float("inf")
            then = self.events[0][0] if self.events else float("inf")
            until = min(ends, then)
            if until == float("inf"):
                return
            if busy and self.rate:
                left = self.queues[busy[0]][0]
                left[0] = max(left[0] - self.rate * (until - self.now), 0.0)
            self.now = until
            if ends <= then:
                _, done = self.queues[busy[0]].pop(0)
                self.later(done)
            else:
                heapq.heappop(self.events)[2]()
