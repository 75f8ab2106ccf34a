"""Writes as a load on a link: when they come and how long they are, and how a first-in first-out link copes.

With x(t) the time the link has been up by t, C its rate and S the cumulative bytes, write i leaves at work
``W_i = S_i + max over j <= i of (C x(a_j) - S_{j-1})`` (Lindley 1952 after a change of time), at the instant
at which C x reaches W_i. Work is counted in whole units of 2**-k bytes: sums are exact.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsim.workload.columns import Floats, Ints, Writes

_SLICE = 1 << 18
_IN_MEMORY = 1 << 24
_BITS = 61


@dataclass(frozen=True, eq=False)
class Load:
    """A finite stream of writes without its addresses.

    Attributes:
        time: float64[n], seconds, non-decreasing.
        length: int64[n], bytes. Both lie in a temporary file where there are more than 16 million writes.
    """

    time: Floats
    length: Ints

    def __len__(self) -> int:
        return len(self.time)

    @property
    def nbytes(self) -> int:
        """All bytes."""
        return sum(int(self.length[i : i + _SLICE].sum()) for i in range(0, len(self), _SLICE))

    @property
    def end_s(self) -> float:
        """When the last write comes."""
        return float(self.time[-1]) if len(self) else 0.0

    def slices(self) -> Iterator[tuple[Floats, Ints]]:
        """Give (time, length) piece by piece."""
        for i in range(0, len(self), _SLICE):
            yield np.asarray(self.time[i : i + _SLICE]), np.asarray(self.length[i : i + _SLICE])


class Gather:
    """Collects a `Load` from blocks of writes."""

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._limit = in_memory
        self._kept: list[tuple[Floats, Ints]] = []
        self._number = 0
        self._files: tuple[Any, Any] | None = None

    def feed(self, writes: Writes) -> None:
        """Take the next writes."""
        if not len(writes):
            return
        self._kept.append((writes.time.copy(), writes.length.copy()))
        self._number += len(writes)
        if self._number > self._limit:
            self._spill()

    def _spill(self) -> None:
        if self._files is None:
            self._files = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        for columns in self._kept:
            for file, column in zip(self._files, columns, strict=True):
                file.write(column.tobytes())
                file.flush()
        self._kept = []

    def load(self) -> Load:
        """Give all that was fed."""
        if self._files is not None:
            self._spill()
            time, length = self._files
            columns_on_disk = np.memmap(time, np.float64, "r"), np.memmap(length, np.int64, "r")
            # The maps stay; the files have no name and go with them.
            time.close()
            length.close()
            return Load(*columns_on_disk)
        none: tuple[Floats, Ints] = np.empty(0), np.empty(0, np.int64)
        columns = list(zip(*self._kept, strict=True)) or [(none[0],), (none[1],)]
        return Load(np.concatenate(columns[0]), np.concatenate(columns[1]))


def gather(blocks: Iterable[Writes]) -> Load:
    """Collect a finite stream of writes."""
    all_of_it = Gather()
    for block in blocks:
        all_of_it.feed(block)
    return all_of_it.load()


class Pipe:
    """A link of a fixed rate with outages, in units of work.

    Args:
        rate: payload bytes/s.
        outages: (begin, end) seconds, in order, apart.
        horizon: seconds to which times and sums must fit.
    """

    def __init__(
        self, rate: float, outages: Sequence[tuple[float, float]] = (), horizon: float = 1e6
    ) -> None:
        self.shift = max(0, min(30, _BITS - math.ceil(math.log2(max(rate * horizon * 2, 2.0)))))
        self._unit_rate = rate * 2.0**self.shift
        self._begin = np.array([begin for begin, _ in outages])
        self._end = np.array([end for _, end in outages])
        # Time down before each outage, and the link's own time at its beginning.
        self._down = np.concatenate([[0.0], np.cumsum(self._end - self._begin)])
        self._up_at = self._begin - self._down[:-1]

    def work(self, t: Floats) -> Ints:
        """Units the link could have carried by each instant, rounded down."""
        if not len(self._begin):
            return (t * self._unit_rate).astype(np.int64)
        index = np.searchsorted(self._begin, t, side="right")
        inside = np.minimum(t, np.concatenate([[np.inf], self._end])[index])
        missed = inside - np.concatenate([[0.0], self._begin])[index] if len(index) else inside
        down = np.where(index > 0, self._down[np.maximum(index - 1, 0)] + missed, 0.0)
        return ((t - down) * self._unit_rate).astype(np.int64)

    def when(self, work: Ints) -> Floats:
        """Earliest instants at which each work is done, seconds."""
        up: Floats = work / self._unit_rate
        if len(self._begin):
            up += self._down[np.searchsorted(self._up_at, up, side="left")]
        return up


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A piece of a load and what the link made of it.

    Attributes:
        arrive, begin, finish: float64[n], seconds: when each write comes, starts to move, is there.
        length: int64[n], bytes.
        backlog: float64[n], bytes waiting just after each arrival, itself included.
    """

    arrive: Floats
    begin: Floats
    finish: Floats
    length: Ints
    backlog: Floats


def serve(load: Load, rate: float, outages: Sequence[tuple[float, float]] = ()) -> Iterator[Served]:
    """Pass a load through a link, first in first out, piece by piece."""
    if not rate > 0:
        raise ValueError(f"a link's rate must be above zero, not {rate}")
    down = sum(end - begin for begin, end in outages)
    pipe = Pipe(rate, outages, load.end_s + down + load.nbytes / rate + 1.0)
    free, finished = 0, 0.0
    for time, length in load.slices():
        arrived = pipe.work(time)
        total = np.cumsum(length << pipe.shift)
        lead = arrived - (total - (length << pipe.shift))
        lead[0] = max(int(lead[0]), free)
        done: Ints = np.maximum.accumulate(lead) + total
        finish = pipe.when(done)
        begin = np.maximum(time, np.append(finished, finish[:-1]))
        yield Served(time, begin, finish, length, (done - arrived) / 2.0**pipe.shift)
        free, finished = int(done[-1]), float(finish[-1])


def violation_s(piece: Served, rpo_s: float) -> float:
    """Seconds of a piece with a lag above ``rpo_s``: the sum of max(0, f - max(s, a + rpo))."""
    late: NDArray[np.float64] = piece.finish - np.maximum(piece.begin, piece.arrive + rpo_s)
    return float(late[late > 0].sum())
