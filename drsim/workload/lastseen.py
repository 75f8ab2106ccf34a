"""When each block was last written, and how often: exact, in memory that grows with the blocks touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from drsim.workload.columns import Ints, Writes

T = TypeVar("T", np.int64, np.int32)
_PAGE = 4
_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True, eq=False)
class Touches:
    """Block writes in order of time.

    Attributes:
        block: int64[n], index of the block.
        now: int64[n], ns, when it is written.
        before: int64[n], ns, when it was last written; the smallest int64 if never.
    """

    block: Ints
    now: Ints
    before: Ints


class LastSeen:
    """The last write of each block of ``grain`` bytes; 12 bytes of memory for each of the 4 around it."""

    def __init__(self, grain: int) -> None:
        self.grain = grain
        self._pages = np.empty(0, np.int64)
        self._slots = np.empty(0, np.int64)
        self._seen = np.empty(0, np.int64)
        self._count: NDArray[np.int32] = np.empty(0, np.int32)

    def touch(self, writes: Writes) -> Touches:
        """Note the writes; gives one row for each block each of them touches."""
        first = writes.offset // self.grain
        last = (writes.offset + writes.length - 1) // self.grain
        number = last - first + 1
        now = np.repeat(np.rint(writes.time * 1e9).astype(np.int64), number)
        if len(now) == len(first):
            block = first
        else:
            begin = np.cumsum(number) - number
            block = np.arange(len(now)) - np.repeat(begin - first, number)
        return Touches(block, now, self._note(block, now))

    def _note(self, block: Ints, now: Ints) -> Ints:
        order = np.argsort(block, kind="stable")
        sorted_block, sorted_now = block[order], now[order]
        fresh = np.append(True, sorted_block[1:] != sorted_block[:-1])[: len(block)]
        before = np.empty(len(block), np.int64)
        before[order[1:]] = sorted_now[:-1]
        heads = np.flatnonzero(fresh)
        place = self._place(sorted_block[heads])
        before[order[heads]] = self._seen[place]
        tails = np.append(heads[1:], len(block)) - 1
        self._seen[place] = sorted_now[tails[: len(heads)]]
        self._count[place] += (tails[: len(heads)] - heads + 1).astype(np.int32)
        return before

    def _place(self, block: Ints) -> Ints:
        """Give where each block (increasing, distinct) stands in the columns, making room for new ones."""
        page = block // _PAGE
        distinct = page[np.append(True, page[1:] != page[:-1])[: len(page)]]
        at = np.searchsorted(self._pages, distinct)
        known = np.zeros(len(distinct), np.bool_)
        inside = at < len(self._pages)
        known[inside] = self._pages[at[inside]] == distinct[inside]
        if not known.all():
            self._grow(distinct[~known], at[~known])
        slot = self._slots[np.searchsorted(self._pages, page)]
        return slot * _PAGE + block % _PAGE

    def _grow(self, pages: Ints, at: Ints) -> None:
        used = len(self._pages)
        slots = np.arange(used, used + len(pages))
        self._pages = np.insert(self._pages, at, pages)
        self._slots = np.insert(self._slots, at, slots)
        needed = (used + len(pages)) * _PAGE
        if needed > len(self._seen):
            room = max(needed, len(self._seen) * 2)
            self._seen = _extended(self._seen, room, _NEVER)
            self._count = _extended(self._count, room, 0)

    @property
    def counts(self) -> Ints:
        """How often each block touched was written, int64[n], in no order."""
        return self._count[self._count > 0].astype(np.int64)


def _extended(column: NDArray[T], room: int, fill: int) -> NDArray[T]:
    out = np.full(room, fill, column.dtype)
    out[: len(column)] = column
    return out


class Uniques:
    """Distinct blocks in each of the windows of one width, aligned to the first instant, 0."""

    def __init__(self, window_s: float) -> None:
        self._window = round(window_s * 1e9)
        self._counts = np.zeros(16, np.int64)
        self._windows = 0

    def feed(self, touches: Touches) -> None:
        """Take the next block writes."""
        if not len(touches.now):
            return
        window = touches.now // self._window
        # A block is new to its window where its last write lies in an earlier one.
        earlier = np.maximum(touches.before, -1) // self._window
        found = np.bincount(window[earlier < window])
        self._windows = int(window[-1]) + 1
        if self._windows > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros(self._windows, np.int64)])
        self._counts[: len(found)] += found

    @property
    def by_window(self) -> Ints:
        """Distinct blocks of each window up to the last write's, int64[k]."""
        return self._counts[: self._windows]
