"""The oracle of sharing: one link, several groups, every event on its own, nothing shared with drsim."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count


class NaiveShared:
    """Groups' writes over one link whose rate changes, that goes down and up; journal mode, room without limit.

    ``share(busy)`` gives the share of the rate of each busy group. ``writes[k]``: (seconds, bytes) in order.
    ``rates``: (seconds, bytes/s) steps. A reconnect is one item of no bytes in the group's own queue, an
    answer, and then everything the target lacks.
    """

    def __init__(
        self,
        writes: list[list[tuple[float, int]]],
        rates: list[tuple[float, float]],
        outages: list[tuple[float, float]],
        one_way: float,
        share: Callable[[list[int]], dict[int, float]],
    ) -> None:
        self.writes, self.share, self.one_way = writes, share, one_way
        self.queues: list[deque[list]] = [deque() for _ in writes]
        self.recovered: list[list[float]] = [[] for _ in writes]
        self.came = [0] * len(writes)
        self.open = [True] * len(writes)
        self.epoch, self.up, self.rate, self.now = 0, True, rates[0][1], 0.0
        self.events: list = []
        self.ticket = count()
        for at, rate in rates[1:]:
            self.at(at, lambda rate=rate: setattr(self, "rate", rate))
        for down, up in outages:
            self.at(down, self.cut)
            self.at(up, self.join)
        for k, rows in enumerate(writes):
            for at, _ in rows:
                self.at(at, lambda k=k: self.write(k))

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.events, (when, next(self.ticket), what))

    def write(self, k: int) -> None:
        self.came[k] += 1
        if self.open[k]:
            self.send(k, self.came[k] - 1)

    def send(self, k: int, index: int) -> None:
        self.queues[k].append([float(self.writes[k][index][1]), lambda: self.arrive(k)])

    def arrive(self, k: int) -> None:
        self.recovered[k].append(self.now)

    def cut(self) -> None:
        self.epoch += 1
        self.up = False
        self.open = [False] * len(self.writes)
        for queue in self.queues:
            queue.clear()

    def join(self) -> None:
        self.up = True
        for k, queue in enumerate(self.queues):
            queue.append([0.0, lambda k=k: self.later(lambda: self.begin(k))])

    def later(self, what: Callable[[], None]) -> None:
        """After the way back, if the connection lasts."""
        epoch = self.epoch
        self.at(self.now + self.one_way, lambda: what() if epoch == self.epoch else None)

    def begin(self, k: int) -> None:
        self.open[k] = True
        for index in range(len(self.recovered[k]), self.came[k]):
            self.send(k, index)

    def run(self) -> list[list[float]]:
        while True:
            busy = [k for k, queue in enumerate(self.queues) if queue]
            pace = {k: s * self.rate for k, s in self.share(busy).items()} if busy and self.up else {}
            ends = [(self.now + self.queues[k][0][0] / pace[k], k) for k in busy if pace.get(k)]
            ends.sort()
            then = self.events[0][0] if self.events else float("inf")
            finishing = bool(ends) and ends[0][0] <= then
            until = ends[0][0] if finishing else then
            if until == float("inf"):
                return self.recovered
            for k, speed in pace.items():
                self.queues[k][0][0] = max(self.queues[k][0][0] - speed * (until - self.now), 0.0)
            self.now = until
            if finishing:
                _, done = self.queues[ends[0][1]].popleft()
                self.later(done)
            else:
                heapq.heappop(self.events)[2]()
