"""Batches of an order, remembered until they are trimmed or taken: what a simulated medium holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from drsim.blocks.batch import WriteBatch, concat


class Spill:
    """Batches of the order, from the oldest that was not trimmed. Columns are shared, not copied."""

    def __init__(self) -> None:
        self._batches: deque[WriteBatch] = deque()

    def append(self, batch: WriteBatch) -> None:
        """Remember a batch that continues the order."""
        if len(batch):
            self._batches.append(batch)

    def trim(self, through: int) -> None:
        """Forget writes through ``through``."""
        while self._batches and self._batches[0].last <= through:
            self._batches.popleft()

    def cut(self, after: int) -> None:
        """Forget writes after ``after``."""
        while self._batches and self._batches[-1].last > after:
            rest = self._batches.pop().through(after)
            if len(rest):
                self._batches.append(rest)

    def take(self, through: int) -> Iterator[WriteBatch]:
        """Writes through ``through``, which are forgotten as they are taken."""
        while self._batches and self._batches[0].first <= through:
            batch = self._batches.popleft()
            if batch.last > through:
                self._batches.appendleft(batch.after(through))
            yield batch.through(through)

    def rest(self, after: int) -> list[WriteBatch]:
        """All that is remembered after ``after``, in order."""
        return [rest for batch in self._batches if len(rest := batch.after(after))]

    def read(self, first: int, last: int) -> WriteBatch:
        """Writes ``first..last``; they must not have been trimmed."""
        parts = [
            batch.after(first - 1).through(last)
            for batch in self._batches
            if batch.last >= first and batch.first <= last
        ]
        return concat(parts)
