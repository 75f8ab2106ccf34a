"""What a stream gives: writes to one volume as parallel columns, addresses drawn only when asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Kinds = NDArray[np.uint8]


class Writes:
    """Consecutive writes to one volume, ``n`` of them.

    Attributes:
        time: float64[n], seconds since the run's start, non-decreasing.
        offset: int64[n], bytes from the volume's start. Computed at first use: a stream hands over a
            callable with a random stream of its own, so looking or not looking changes no number.
        length: int64[n], bytes, positive. May be shared and read-only.
        kind: uint8[n], a `drsim.blocks.Kind`. May be shared and read-only.
    """

    __slots__ = ("_offset", "kind", "length", "time")

    def __init__(self, time: Floats, offset: Ints | Callable[[], Ints], length: Ints, kind: Kinds) -> None:
        self.time = time
        self.length = length
        self.kind = kind
        self._offset: Ints | Callable[[], Ints] = offset

    def __len__(self) -> int:
        return len(self.time)

    @property
    def offset(self) -> Ints:
        """The addresses, int64[n], bytes; drawn now if nobody asked before."""
        if callable(self._offset):
            self._offset = self._offset()
        return self._offset

    @property
    def nbytes(self) -> int:
        """Bytes written, all writes together."""
        return int(self.length.sum())

    def slice(self, start: int, stop: int) -> Writes:
        """Give writes ``start..stop`` as views; the addresses stay undrawn if they were."""
        begin, end, _ = slice(start, stop).indices(len(self))
        offset: Ints | Callable[[], Ints]
        if callable(self._offset):
            offset = lambda: self.offset[begin:end]  # noqa: E731
        else:
            offset = self._offset[begin:end]
        return Writes(self.time[begin:end], offset, self.length[begin:end], self.kind[begin:end])

    def take(self, rows: Ints) -> Writes:
        """Give the chosen rows (int64[m]) in their order; the addresses stay undrawn if they were."""
        offset: Ints | Callable[[], Ints]
        if callable(self._offset):
            offset = lambda: self.offset[rows]  # noqa: E731
        else:
            offset = self._offset[rows]
        return Writes(self.time[rows], offset, self.length[rows], self.kind[rows])


def no_writes() -> Writes:
    """Give columns of no writes."""
    none = np.empty(0, np.int64)
    return Writes(np.empty(0), none, none, np.empty(0, np.uint8))


def join(parts: list[Writes]) -> Writes:
    """Put parts one after another; the addresses are drawn only when the whole is asked for them."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return no_writes()
    kept = list(parts)
    return Writes(
        np.concatenate([p.time for p in kept]),
        lambda: np.concatenate([p.offset for p in kept]),
        np.concatenate([p.length for p in kept]),
        np.concatenate([p.kind for p in kept]),
    )
