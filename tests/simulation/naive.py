"""The oracle: the same path as one plain SimPy program, one process step per write, nothing shared with drsim."""

from __future__ import annotations

from dataclasses import dataclass, field

import simpy


@dataclass
class Outcome:
    """What happened to each write, in order."""

    acked: list[float] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)
    destaged: list[float] = field(default_factory=list)
    journal_peak: int = 0

    def lags(self) -> list[float]:
        return [max(r - a, 0.0) for a, r in zip(self.acked, self.recovered, strict=True)]

    def lag_max(self) -> float:
        """Largest lag: just before each recovery, the age of the oldest write not yet recovered."""
        return max(self.lags(), default=0.0)


class NaivePair:
    """A source with hosts, one link with outages, a target with a disk; journal mode, optional blocking.

    ``writes``: (issue time, bytes) in order. The journal frees a write when its acknowledgement is back.
    """

    def __init__(
        self,
        writes: list[tuple[float, int]],
        rate: float,
        one_way: float = 0.0,
        outages: list[tuple[float, float]] | None = None,
        destage_rate: float | None = None,
        journal: int | None = None,
    ) -> None:
        self.env = simpy.Environment()
        self.writes = writes
        self.rate = rate
        self.one_way = one_way
        self.outages = outages or []
        self.destage_rate = destage_rate
        self.journal = journal
        self.out = Outcome()
        self.occupied = 0
        self.pending: list[
            tuple[int, int]
        ] = []  # (index, bytes), accepted, not known to be held by the target
        self.next_send = 0
        self.held = 0  # writes the target holds
        self.freed = 0  # writes the source knows the target holds
        self.up = True
        self.epoch = 0
        self.kick = self.env.event()
        self.room = self.env.event()
        self.cut = self.env.event()
        self.disk_free = 0.0

    def run(self) -> Outcome:
        self.env.process(self.hosts())
        self.env.process(self.link())
        self.env.process(self.weather())
        self.env.run()
        return self.out

    def hosts(self):
        for at, size in self.writes:
            if at > self.env.now:
                yield self.env.timeout(at - self.env.now)
            if self.journal is not None:
                # Acknowledgements that arrive at this very instant count first.
                yield self.env.timeout(0)
                while self.occupied + size > self.journal:
                    self.room = self.env.event()
                    yield self.room
            self.occupied += size
            self.out.journal_peak = max(self.out.journal_peak, self.occupied)
            self.out.acked.append(self.env.now)
            self.pending.append((len(self.out.acked) - 1, size))
            self.wake()

    def wake(self) -> None:
        if not self.kick.triggered:
            self.kick.succeed()

    def weather(self):
        for down, up in self.outages:
            yield self.env.timeout(down - self.env.now)
            self.up = False
            self.epoch += 1
            self.cut.succeed()
            self.cut = self.env.event()
            yield self.env.timeout(up - self.env.now)
            self.env.process(self.handshake(self.epoch))

    def handshake(self, epoch: int):
        """Hello and Welcome: the source learns what the target holds, then sends from there."""
        yield self.env.timeout(2 * self.one_way)
        if epoch == self.epoch:
            self.free_through(self.held)
            self.next_send = self.held
            self.up = True
            self.wake()

    def link(self):
        while True:
            if not self.up or self.next_send >= len(self.out.acked):
                self.kick = self.env.event()
                yield self.kick
                continue
            index, size = self.next_send, self.writes[self.next_send][1]
            epoch = self.epoch
            self.next_send += 1
            sent = self.env.timeout(size / self.rate)
            yield sent | self.cut
            if epoch == self.epoch or sent.processed:
                self.env.process(self.arrive(index, size, epoch))
            # Else cut in the middle: this transmission never happened, and the weather rewinds next_send.

    def arrive(self, index: int, size: int, epoch: int):
        if self.one_way:
            yield self.env.timeout(self.one_way)
        if epoch != self.epoch:
            return
        assert index == self.held
        self.held += 1
        self.out.recovered.append(self.env.now)
        if self.destage_rate is not None:
            self.disk_free = max(self.disk_free, self.env.now) + size / self.destage_rate
            self.out.destaged.append(self.disk_free)
        if self.one_way:
            yield self.env.timeout(self.one_way)
        if epoch == self.epoch:
            self.free_through(index + 1)

    def free_through(self, count: int) -> None:
        while self.freed < count:
            _, size = self.pending[self.freed]
            self.occupied -= size
            self.freed += 1
        if not self.room.triggered:
            self.room.succeed()
