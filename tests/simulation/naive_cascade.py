"""The oracle for cascades that lose a site: a plain SimPy program, one step a write, nothing shared with drsim.

Hosts at a, one link to b, b's disk, one link to c. The middle may be away for a while with its data kept; the first may
be lost, and then hosts write on at b from a given instant. All media but b's disk take no time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import simpy


class Line:
    """A link in one direction: sends item after item; what is under way when it is cut is sent again."""

    def __init__(self, env: simpy.Environment, size: int, rate: float, one_way: float, arrived) -> None:
        self.env, self.service, self.one_way, self.arrived = env, size / rate, one_way, arrived
        self.offered = self.next = self.held = self.epoch = 0
        self.up = True
        self.kick, self.broken = env.event(), env.event()
        env.process(self.run())

    def offer(self) -> None:
        self.offered += 1
        self.wake()

    def wake(self) -> None:
        if not self.kick.triggered:
            self.kick.succeed()

    def cut(self) -> None:
        self.up = False
        self.epoch += 1
        self.broken.succeed()
        self.broken = self.env.event()

    def heal(self) -> None:
        self.env.process(self.handshake(self.epoch))

    def handshake(self, epoch: int):
        yield self.env.timeout(2 * self.one_way)
        if epoch == self.epoch:
            self.next, self.up = self.held, True
            self.wake()

    def run(self):
        while True:
            if not self.up or self.next >= self.offered:
                self.kick = self.env.event()
                yield self.kick
                continue
            epoch = self.epoch
            self.next += 1
            sent = self.env.timeout(self.service)
            yield sent | self.broken
            if epoch == self.epoch:
                self.env.process(self.fly(epoch))

    def fly(self, epoch: int):
        yield self.env.timeout(self.one_way)
        if epoch == self.epoch:
            self.held += 1
            self.arrived()


@dataclass
class Seen:
    """Instants of each write, in order, while hosts were at one site."""

    acked: list[float] = field(default_factory=list)
    at_b: list[float] = field(default_factory=list)
    at_c: list[float] = field(default_factory=list)


class NaiveCascade:
    """Writes of one size at ``times``."""

    def __init__(
        self,
        times: list[float],
        size: int,
        *,
        rates: tuple[float, float],
        one_way: tuple[float, float],
        disk: float,
    ) -> None:
        self.env = simpy.Environment()
        self.times, self.spin = times, size / disk
        self.here, self.there = Seen(), Seen()
        self.ab = Line(self.env, size, rates[0], one_way[0], self.reach_b)
        self.bc = Line(self.env, size, rates[1], one_way[1], self.reach_c)
        self.destaged = 0
        self.alive, self.drained_at, self.moved = True, 0.0, False
        self.work = self.env.event()
        self.down = self.env.event()
        self.env.process(self.hosts())
        self.env.process(self.destage())

    def hosts(self):
        for at in self.times:
            yield self.env.timeout(max(at - self.env.now, 0))
            if not self.alive:
                return
            self.here.acked.append(self.env.now)
            self.ab.offer()

    def reach_b(self) -> None:
        self.here.at_b.append(self.env.now)
        if not self.work.triggered:
            self.work.succeed()

    def reach_c(self) -> None:
        (self.there if self.moved and self.bc.held > self.ab.held else self.here).at_c.append(self.env.now)

    def destage(self):
        while True:
            if self.down is None or self.destaged >= self.ab.held:
                self.work = self.env.event()
                yield self.work
                continue
            done = self.env.timeout(self.spin)
            yield done | self.down
            if self.down is not None and not self.down.triggered:
                self.destaged += 1
                self.drained_at = self.env.now
                self.bc.offer()

    def lose_middle(self, at: float, back: float):
        yield self.env.timeout(at)
        for line in (self.ab, self.bc):
            line.cut()
        down, self.down = self.down, None
        down.succeed()
        yield self.env.timeout(back - at)
        self.down = self.env.event()
        for line in (self.ab, self.bc):
            line.heal()
        if not self.work.triggered:
            self.work.succeed()

    def lose_first(self, at: float, resumed: float):
        """From ``resumed`` on hosts write at b, through its disk; the session with c begins anew then."""
        yield self.env.timeout(at)
        self.alive = False
        self.ab.cut()
        yield self.env.timeout(resumed - at)
        self.moved = True
        self.bc.cut()
        self.bc.heal()
        free = 0.0
        for when in self.times:
            if when > resumed:
                free = max(free, when) + self.spin
                yield self.env.timeout(free - self.env.now)
                self.there.acked.append(self.env.now)
                self.bc.offer()
