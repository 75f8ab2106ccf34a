"""The oracle for closed loops: a plain SimPy program, one process a write, nothing shared with drsim.

Hosts with places; a site disk (first come, first served, plus a latency that keeps nothing busy); then a group
that acknowledges when the journal has room (asynchronous, blocking when full) or when the target has the write
and the word is back (synchronous).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import simpy


@dataclass
class Person:
    """A host: writes (arrival, bytes) in order; ``depth`` places; think times in order, or None for arrivals."""

    writes: list[tuple[float, int]]
    depth: int
    thoughts: list[float] | None = None
    issued: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)


class NaiveLoops:
    """Hosts at one site, one group, one link without loss, one target."""

    def __init__(
        self,
        people: list[Person],
        *,
        rate: float,
        one_way: float = 0.0,
        disk: float | None = None,
        latency: float = 0.0,
        sync: bool = False,
        journal: int | None = None,
    ) -> None:
        self.env = simpy.Environment()
        self.people = people
        self.rate, self.one_way, self.disk_rate, self.latency = rate, one_way, disk, latency
        self.sync, self.journal = sync, journal
        self.disk = simpy.Store(self.env)
        self.line = simpy.Store(self.env)
        self.door = simpy.Store(self.env)
        self.occupied = 0
        self.room = self.env.event()
        self.acked: list[float] = []
        self.recovered: list[float] = []

    def run(self, until: float | None = None) -> None:
        for process in (self.spin, self.enter, self.send):
            self.env.process(process())
        for person in self.people:
            self.env.process(self.live(person))
        self.env.run(until)

    def live(self, person: Person):
        """Places taken in turn: a heap of free instants would be drsim's way; here, a semaphore and a process each."""
        places = simpy.Resource(self.env, person.depth)
        if person.thoughts is None:
            for at, size in person.writes:
                if at > self.env.now:
                    yield self.env.timeout(at - self.env.now)
                place = places.request()
                yield place
                self.issue(person, size, lambda p=place: places.release(p))
            return
        queue = deque(size for _, size in person.writes)
        thoughts = deque(person.thoughts)
        for _ in range(person.depth):
            self.env.process(self.think(person, queue, thoughts))

    def think(self, person: Person, queue: deque, thoughts: deque):
        while True:
            yield self.env.timeout(thoughts.popleft())
            if not queue:
                return
            done = self.env.event()
            self.issue(person, queue.popleft(), done.succeed)
            yield done

    def issue(self, person: Person, size: int, then) -> None:
        person.issued.append(self.env.now)

        def answer() -> None:
            person.answered.append(self.env.now)
            then()

        (self.disk if self.disk_rate else self.door).put((size, answer))

    def spin(self):
        while True:
            size, answer = yield self.disk.get()
            yield self.env.timeout(size / self.disk_rate)
            self.env.process(self.late(size, answer))

    def late(self, size: int, answer):
        yield self.env.timeout(self.latency)
        self.door.put((size, answer))

    def enter(self):
        """The group's door: writes enter the order one after another."""
        while True:
            size, answer = yield self.door.get()
            while self.journal is not None and self.occupied + size > self.journal:
                self.room = self.env.event()
                yield self.room
            self.occupied += size
            self.line.put((size, answer))
            if not self.sync:
                self.acked.append(self.env.now)
                answer()

    def send(self):
        while True:
            size, answer = yield self.line.get()
            yield self.env.timeout(size / self.rate)
            self.env.process(self.arrive(size, answer))

    def arrive(self, size: int, answer):
        yield self.env.timeout(self.one_way)
        self.recovered.append(self.env.now)
        yield self.env.timeout(self.one_way)
        self.occupied -= size
        if self.sync:
            self.acked.append(self.env.now)
            answer()
        if not self.room.triggered:
            self.room.succeed()
