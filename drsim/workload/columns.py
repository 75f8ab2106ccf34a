"""What a stream gives: writes to one volume as parallel columns, addresses drawn only when asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import chosen
from drsim.blocks.undrawn import concatenated

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Kinds = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Writes:
    """Consecutive writes to one volume, ``n`` of them.

    Attributes:
        time: float64[n], seconds since the run's start, non-decreasing.
        offset: int64[n], bytes from the volume's start. A stream gives an `Undrawn` with a random stream of its own,
            so looking or not looking changes no number.
        length: int64[n], bytes, positive. May be shared and read-only.
        kind: uint8[n], a `drsim.blocks.Kind`. May be shared and read-only.
    """

    time: Floats
    offset: Ints
    length: Ints
    kind: Kinds

    def __len__(self) -> int:
        return len(self.time)

    @property
    def nbytes(self) -> int:
        """Bytes written, all writes together."""
        return int(self.length.sum())

    def slice(self, start: int, stop: int) -> Writes:
        """Give writes ``start..stop`` as views; the addresses stay undrawn if they were."""
        part = slice(start, stop)
        return Writes(self.time[part], self.offset[part], self.length[part], self.kind[part])

    def take(self, rows: Ints) -> Writes:
        """Give the chosen rows (int64[m]) in their order; the addresses stay undrawn if they were."""
        return Writes(
            self.time[rows], chosen(self.offset, rows), chosen(self.length, rows), chosen(self.kind, rows)
        )


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
    return Writes(
        np.concatenate([p.time for p in parts]),
        concatenated([p.offset for p in parts]),
        np.concatenate([p.length for p in parts]),
        np.concatenate([p.kind for p in parts]),
    )
