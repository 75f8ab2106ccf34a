"""The oracle of snapshots: one write at a time, sets of blocks and whole copied images, nothing shared with drsim."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Point:
    """One snapshot as it was: a full copy of the image, and beside it what copy-on-write saved."""

    name: str
    at: float
    seq: int
    image: dict[int, int]
    saved: dict[int, int] = field(default_factory=dict)
    gone_at: float = math.inf
    end: str = "kept"


@dataclass
class NaiveShelf:
    """Snapshots of one volume. ``size``: bytes of room; ``every``: timetables as (interval, keep, age)."""

    every: list[tuple[float, int | None, float | None]]
    grain: int
    size: int | None = None
    lose_all: bool = False
    volume: dict[int, int] = field(default_factory=dict)
    chain: list[Point] = field(default_factory=list)
    taken: list[Point] = field(default_factory=list)
    peak: int = 0

    def dues(self, until: float) -> list[tuple[float, str]]:
        """All that is due by ``until``, in order."""
        found = []
        for table, (every, _, _) in enumerate(self.every):
            number = 1
            while number * every <= until:
                found.append((number * every, table, f"schedule-{table}-{number}"))
                number += 1
        return [(at, name) for at, _, name in sorted(found)]

    def used(self) -> int:
        return sum(len(point.saved) for point in self.chain) * self.grain

    def take(self, name: str, due: float, at: float, seq: int) -> None:
        point = Point(name, at, seq, dict(self.volume))
        self.chain.append(point)
        self.taken.append(point)
        table = name.split("-")[1]
        every, keep, age = self.every[int(table)]
        mine = [p for p in self.chain if p.name.split("-")[1] == table]
        for place, each in enumerate(mine):
            was_due = int(each.name.split("-")[2]) * every
            too_many = keep is not None and place < len(mine) - keep
            if too_many or (age is not None and was_due <= due - age):
                self.drop(each, at, "retired")

    def drop(self, point: Point, at: float, end: str) -> None:
        place = self.chain.index(point)
        if place:
            for block, content in point.saved.items():
                self.chain[place - 1].saved.setdefault(block, content)
        self.chain.remove(point)
        point.gone_at, point.end = at, end

    def write(self, seq: int, offset: int, length: int, at: float) -> int:
        """A write is given to the volume; says how many blocks were saved for it."""
        blocks = range(offset // self.grain, (offset + length - 1) // self.grain + 1)
        fresh: list[int] = []
        while self.chain:
            newest = self.chain[-1].saved
            fresh = [block for block in blocks if block not in newest]
            if self.size is None or self.used() + len(fresh) * self.grain <= self.size:
                newest.update((block, self.volume.get(block, 0)) for block in fresh)
                break
            fresh = []
            for point in list(self.chain) if self.lose_all else self.chain[:1]:
                self.chain.remove(point)
                point.gone_at, point.end = at, "full"
        for block in blocks:
            self.volume[block] = seq
        self.peak = max(self.peak, self.used())
        return len(fresh)

    def seen(self, point: Point) -> dict[int, int]:
        """What a reader of a snapshot finds: saved by it, else by a later one, else on the volume."""
        found = dict(self.volume)
        for later in reversed(self.chain[self.chain.index(point) :]):
            found.update(later.saved)
        return {block: content for block, content in found.items() if content}


def destaged(
    shelf: NaiveShelf,
    writes: list[tuple[float, int, int]],
    until: float,
    seconds: Callable[[int, int], float],
) -> list[float]:
    """Pass writes through a target: (arrived, bytes, offset) each; gives when each is on the volume.

    A snapshot that is due waits for what was given to the volume, and what comes meanwhile waits for it.
    ``seconds``: how long the disk is busy with so many bytes, and blocks to be saved first.
    """
    coming = [(at, 0, "", seq) for seq, (at, _, _) in enumerate(writes, 1)]
    coming += [(at, 1, name, 0) for at, name in shelf.dues(until)]
    free = frozen = 0.0
    done: list[float] = []
    held: list[int] = []

    def issue(seq: int, ready: float) -> None:
        nonlocal free
        _, nbytes, offset = writes[seq - 1]
        free = max(free, ready) + seconds(nbytes, shelf.write(seq, offset, nbytes, ready))
        done.append(free)

    for at, kind, name, seq in sorted(coming):
        if at > frozen:
            while held:
                issue(held.pop(0), frozen)
        if kind and at > frozen:
            frozen = max(at, free)
        if kind and frozen <= until:
            shelf.take(name, at, frozen, len(done))
        elif not kind and at > frozen:
            issue(seq, at)
        elif not kind:
            held.append(seq)
    if frozen <= until:
        while held:
            issue(held.pop(0), frozen)
    return done
