"""Snapshots of a group's volumes at one site: what is overwritten is kept once for all of them, while there is room."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.blocks.bitmap import Bitmap
from drsim.blocks.extents import Extents, written
from drsim.columns import Column
from drsim.measure.snapshots import FULL, RETIRED, HistoryMeter, SnapshotLog
from drsim.replication import actions as do
from drsim.replication.shelf import Shelf, Timetable
from drsim.scenario.group import SnapshotStore


@dataclass(slots=True, eq=False)
class Snapshot:
    """One snapshot, and where blocks were saved while it was the newest."""

    name: str
    saved: Bitmap


def _nobody(name: str, at: float) -> None:
    del name, at


@dataclass(slots=True, eq=False)
class Snapshots:
    """The snapshots at one site, oldest first.

    Only the newest one saves what is about to be overwritten; an older one finds what it lacks in those after it, and
    what nobody saved is still on the volumes. Room is taken as a write is given to the volumes. When a snapshot goes,
    the one before it inherits what it lacks.

    Args:
        store: its room, and what happens when that is full.
        log: the recovery points to be told of; None where there is no timetable.
        lost: hears of a snapshot for which room ran out, and when.
        history: hears of writes that leave the history in front of the volumes; None where there is none.
    """

    store: SnapshotStore
    log: SnapshotLog | None = None
    lost: Callable[[str, float], None] = _nobody
    history: HistoryMeter | None = None
    chain: list[Snapshot] = field(default_factory=list)
    _used: int = 0
    _peak: int = 0
    _over: bool = False

    @property
    def used(self) -> int:
        """Bytes they take now."""
        return sum(each.saved.nbytes for each in self.chain) if self._endless else self._used

    @property
    def peak(self) -> int:
        """The most bytes they took at once."""
        return max(self._peak, self.used)

    @property
    def _endless(self) -> bool:
        """Whether neither room nor time is asked about row by row: bytes are counted before any go."""
        return self.store.size is None and self.store.kind == "ideal"

    @property
    def names(self) -> list[str]:
        """The snapshots that are there, in the order taken."""
        return [each.name for each in self.chain]

    def told(self, action: do.Action, now: float) -> None:
        """See one action of the target's engine."""
        match action:
            case do.TakeSnapshot(name=name, seq=seq):
                self.take(name, seq, now)
            case do.DropSnapshot(name=name):
                self.drop(name, now)
            case do.WriteBlocks(batch=batch, ready=ready) if self.history is not None:
                if len(batch) and batch.last and not self._over:
                    self.history.left(batch.time, ready)
            case do.StateChanged(new="PROMOTED"):
                self._over = True  # Hosts write here from now on: another story begins.
            case _:
                pass

    def take(self, name: str, seq: int, now: float) -> None:
        """Keep the image of this instant; one of that name is replaced."""
        self.drop(name, now)
        self.chain.append(Snapshot(name, Bitmap(self.store.grain)))
        if self.log is not None and name.startswith("schedule-"):
            self.log.take(name, seq, now)

    def drop(self, name: str, now: float) -> None:
        """A snapshot goes; what an older one still needs stays."""
        place = next((i for i, each in enumerate(self.chain) if each.name == name), None)
        if place is None:
            return
        self._peak = self.peak
        saved = self.chain.pop(place).saved
        freed = saved.nbytes
        if place:
            older = self.chain[place - 1].saved
            before = older.nbytes
            older.merge(saved)
            freed -= older.nbytes - before
        self._used -= freed
        if self.log is not None:
            self.log.gone(name, now, RETIRED)

    def since(self, name: str) -> Extents:
        """Where anything was given to the volumes since a snapshot that is there was taken, in whole grains."""
        place = self.names.index(name)
        changed = Bitmap(self.store.grain)
        for each in self.chain[place:]:
            changed.merge(each.saved)
        return changed.extents()

    def preserve(self, batch: WriteBatch, at: Floats) -> Ints | None:
        """Rows are given to the volumes at ``at`` (float64[n] seconds): save what they are the first to overwrite.

        Returns:
            int64[n], bytes that are read and written aside for each row; None where that takes no time.
        """
        if self._over or not self.chain or not len(batch):
            return None
        if self._endless:
            self.chain[-1].saved.add(written(batch))
            return None
        grown = self.chain[-1].saved.enter(written(batch)) * self.store.grain
        begin = 0
        while begin < len(grown):
            end = self._fitting(grown, begin)
            self._used += int(grown[begin:end].sum())
            self._peak = max(self._peak, self._used)
            if end < len(grown) and not self._make_room(float(at[end])):
                grown[end:] = 0
                break
            begin = end
        return grown if self.store.kind == "copy-on-write" else None

    def settled(self, written: int) -> None:
        """All facts so far are known; the volumes hold the order through ``written``."""
        if self.log is not None:
            self.log.settled(written)

    def away(self, now: float) -> None:
        """The site is lost."""
        if self.log is not None:
            self.log.away(now)

    def back(self, now: float, *, empty: bool) -> None:
        """The site is there again, with its snapshots or without."""
        if empty:
            self._peak = self.peak
            self.chain.clear()
            self._used = 0
        if self.log is not None:
            self.log.back(now, empty=empty)

    def _fitting(self, grown: Ints, begin: int) -> int:
        """The first row from ``begin`` on for which there is no room, or the end."""
        size = self.store.size
        if size is None:
            return len(grown)
        return begin + int(np.searchsorted(np.cumsum(grown[begin:]), size - self._used, side="right"))

    def _make_room(self, at: float) -> bool:
        """Let the oldest snapshot go, or all; says whether one is left."""
        alone = len(self.chain) == 1 or self.store.on_full == "lose-all"
        gone = list(self.chain) if alone else self.chain[:1]
        if alone:
            self.chain.clear()
            self._used = 0  # What the newest entered beyond its room was never saved.
        else:
            self._used -= self.chain.pop(0).saved.nbytes
        for each in gone:
            if self.log is not None:
                self.log.gone(each.name, at, FULL)
            self.lost(each.name, at)
        return not alone


class AtSource:
    """Snapshots by timetable at the site where a group is at home, where nothing need stand still for one.

    A snapshot holds every write handed over by its time; those after it overwrite what it keeps, and so does what is
    copied back while the group runs elsewhere, when none are taken.

    Args:
        store: its room.
        timetables: when they are due.
        last: gives the last write in a snapshot taken now; None while hosts do not write here.
        call_at: calls back once the world is settled to an instant (seconds).
        at_issue: saving takes time on the disk that hosts write to, so it is done as a write is given to that; a
            snapshot then holds every write issued by its time, and hosts must not be ahead of one (`halt`).
    """

    def __init__(
        self,
        store: SnapshotStore,
        timetables: Sequence[Timetable],
        last: Callable[[], int | None],
        call_at: Callable[[float, Callable[[], None]], None],
        *,
        at_issue: bool,
    ) -> None:
        self.at_issue = at_issue
        self.log = SnapshotLog()
        self._shelf = Shelf(timetables)
        self.kept = Snapshots(store, self.log, lambda name, _: self._shelf.lost(name))
        self._last = last
        self._call_at = call_at
        self._plan()

    def written(self, batch: WriteBatch) -> None:
        """Hosts' writes entered the order."""
        if not self.at_issue and self._last() is not None:
            self.kept.preserve(batch, batch.time)

    def issued(self, rows: Sequence[Column]) -> Ints:
        """Hosts issued writes (time, volume, offset, length, kind): give the bytes saved before each (int64[n])."""
        time, volume, offset, length, kind = rows
        batch = WriteBatch(
            np.arange(len(time)),
            cast("Floats", time),
            cast("NDArray[np.uint16]", volume),
            cast("Ints", offset),
            cast("Ints", length),
            cast("NDArray[np.uint8]", kind),
        )
        saved = self.kept.preserve(batch, batch.time) if self._last() is not None else None
        return np.zeros(len(time), np.int64) if saved is None else saved

    def halt(self) -> float:
        """When the next one is due (inf: none)."""
        due = self._shelf.deadline()
        return math.inf if due is None else due

    def back(self, now: float, *, empty: bool) -> None:
        """The site is there again, with its snapshots or without."""
        for name in self.kept.names if empty else ():
            self._shelf.lost(name)
        self.kept.back(now, empty=empty)

    def _plan(self) -> None:
        due = self._shelf.deadline()
        if due is not None:
            self._call_at(due, lambda: self._take(due))

    def _take(self, now: float) -> None:
        last = self._last()
        for name in self._shelf.due(now):
            if last is None:
                continue
            self.kept.take(name, last, now)
            for old in self._shelf.taken(name):
                self.kept.drop(old, now)
        self._plan()
