"""The activity log: which extents are hot, so that a source whose journal died with it resyncs only those."""

from __future__ import annotations

import numpy as np

from drsim.blocks.batch import WriteBatch
from drsim.blocks.extents import Extents, of
from drsim.replication.actions import Action, SaveActivity

EXTENT = 4 << 20
"""Bytes of one hot extent (DRBD: 4 MiB)."""


class ActivityLog:
    """Hot extents, most recently used last.

    Invariant: every write not yet confirmed by the target lies in a hot extent, durably, before it is
    acknowledged. An extent cools when more than ``size`` are hot and all its writes are confirmed; until
    they are, the log grows beyond its size rather than forget.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._hot: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self._hot)

    def touch(self, batch: WriteBatch) -> list[Action]:
        """Heat the extents of a batch; give what must be durable before it is acknowledged."""
        first, last = batch.offset // EXTENT, (batch.stop - 1) // EXTENT
        fresh: list[tuple[int, int]] = []
        for volume in np.unique(batch.volume).tolist():
            rows = batch.volume == volume
            wide = int((last[rows] - first[rows]).max())
            for step in range(wide + 1):
                reach = np.minimum(first[rows] + step, last[rows])
                for extent in np.unique(reach).tolist():
                    if self._hot.pop((volume, extent), None) is None:
                        fresh.append((volume, extent))
                    self._hot[volume, extent] = batch.last
        return [_save(fresh, hot=True)] if fresh else []

    def cool(self, confirmed: int) -> list[Action]:
        """Forget the coldest extents beyond the log's size, if all their writes are confirmed."""
        cold: list[tuple[int, int]] = []
        for key, last in self._hot.items():
            if len(self._hot) - len(cold) <= self.size or last > confirmed:
                break
            cold.append(key)
        for key in cold:
            del self._hot[key]
        return [_save(cold, hot=False)] if cold else []


def hot_extents(named: list[tuple[int, int]], volumes: tuple[int, ...]) -> Extents:
    """Give the bytes of hot extents (volume, index), cut to the volumes' sizes."""
    rows = [(v, e * EXTENT, min((e + 1) * EXTENT, volumes[v])) for v, e in named if e * EXTENT < volumes[v]]
    return of([v for v, _, _ in rows], [a for _, a, _ in rows], [b for _, _, b in rows])


def _save(extents: list[tuple[int, int]], *, hot: bool) -> SaveActivity:
    return SaveActivity(np.array([v for v, _ in extents], np.uint16), np.array([e for _, e in extents]), hot)
