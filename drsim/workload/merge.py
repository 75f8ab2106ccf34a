"""Several streams as one, in time order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from drsim.workload.columns import Writes, join


def merge(streams: Sequence[Iterator[Writes]]) -> Iterator[Writes]:
    """Merge by time; at equal times each stream keeps its own order.

    A block holds what is surely known: all writes up to the earliest of the streams' last known times.
    Memory is bounded by a block of each stream. Addresses stay undrawn.
    """
    if len(streams) == 1:
        yield from streams[0]
        return
    heads = [head for head in map(_Head, streams) if head.refill()]
    while heads:
        limit = min(head.last for head in heads)
        parts = [head.until(limit) for head in heads]
        whole = join([part for part in parts if len(part)])
        yield whole.take(np.argsort(whole.time, kind="stable"))
        heads = [head for head in heads if head.last > limit or head.refill()]


class _Head:
    """The block a stream has given, and how much of it is gone."""

    def __init__(self, stream: Iterator[Writes]) -> None:
        self._stream = stream
        self.last = -np.inf

    def refill(self) -> bool:
        """Take the next block that is not empty; False at the end."""
        for block in self._stream:
            if len(block):
                self._block, self._gone, self.last = block, 0, float(block.time[-1])
                return True
        return False

    def until(self, limit: float) -> Writes:
        """Give what has come by ``limit``."""
        stop = len(self._block)
        if self.last > limit:
            # Strictly before: the stream whose block ends at that very instant may go on with it.
            stop = max(int(np.searchsorted(self._block.time, limit, side="left")), self._gone)
        begin, self._gone = self._gone, stop
        return self._block.slice(begin, stop)
