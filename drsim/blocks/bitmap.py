"""The dirty bitmap: where two copies may differ, one bit a granule, order forgotten."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from drsim.blocks.batch import Ints
from drsim.blocks.extents import Extents, join, none, of

SMALLEST, LARGEST = 4096, 1 << 20
_WIDE = 4096
"""Granules a single extent must cover before it is entered as a range rather than bit by bit."""


class Bitmap:
    """Compressed bits for every volume of a group (roaring: Lemire et al., SPE 48, 2018).

    Args:
        granularity: bytes a bit stands for, a power of two in 4 KiB..1 MiB.

    Raises:
        ValueError: the granularity is outside that range or no power of two.
    """

    def __init__(self, granularity: int = SMALLEST) -> None:
        if not SMALLEST <= granularity <= LARGEST or granularity & (granularity - 1):
            raise ValueError(f"bitmap granularity {granularity} B: give a power of two in 4 KiB..1 MiB")
        self.granularity = granularity
        self._bits: dict[int, BitMap] = {}

    def __bool__(self) -> bool:
        return any(self._bits.values())

    @property
    def nbytes(self) -> int:
        """Bytes under set bits."""
        return sum(map(len, self._bits.values())) * self.granularity

    def copy(self) -> Bitmap:
        """Give an independent equal bitmap."""
        twin = Bitmap(self.granularity)
        twin._bits = {v: bits.copy() for v, bits in self._bits.items()}
        return twin

    def mark(self, extents: Extents) -> bool:
        """Set the bits of every granule that an extent touches; say whether any was new."""
        fresh = False
        for volume in _present(extents.volume):
            chosen = extents.volume == volume
            first = extents.start[chosen] // self.granularity
            last = (extents.stop[chosen] - 1) // self.granularity
            bits = self._bits.setdefault(volume, BitMap())
            before = len(bits)
            _add(bits, first, last)
            fresh |= len(bits) > before
        return fresh

    def enter(self, extents: Extents) -> Ints:
        """Set the bits of every granule that an extent touches; give how many each found clear: int64[n], in order."""
        fresh = np.zeros(len(extents), np.int64)
        for volume in _present(extents.volume):
            rows = np.flatnonzero(extents.volume == volume)
            first = extents.start[rows] // self.granularity
            last = (extents.stop[rows] - 1) // self.granularity
            bits = self._bits.setdefault(volume, BitMap())
            begin = 0
            for end in [*np.flatnonzero(last - first >= _WIDE).tolist(), len(rows)]:
                if end > begin:
                    fresh[rows[begin:end]] = _enter(bits, first[begin:end], last[begin:end])
                if end < len(rows):
                    low, high = int(first[end]), int(last[end]) + 1
                    fresh[rows[end]] = high - low - bits.range_cardinality(low, high)
                    bits.add_range(low, high)
                begin = end + 1
        return fresh

    def clear(self, extents: Extents) -> None:
        """Clear the bits of every granule that lies wholly inside an extent."""
        for volume, start, stop in extents.rows():
            if volume in self._bits:
                low, high = -(-start // self.granularity), stop // self.granularity
                self._bits[volume].remove_range(low, max(low, high))

    def merge(self, other: Bitmap) -> bool:
        """Set every bit that ``other`` has (of one granularity); say whether any was new."""
        assert other.granularity == self.granularity
        before = self.nbytes
        for volume, bits in other._bits.items():
            self._bits.setdefault(volume, BitMap()).update(bits)
        return self.nbytes > before

    def subtract(self, other: Bitmap) -> None:
        """Clear every bit that ``other`` has."""
        for volume, bits in other._bits.items():
            if volume in self._bits:
                self._bits[volume] -= bits

    def reset(self) -> None:
        """Clear all bits."""
        self._bits.clear()

    def extents(self) -> Extents:
        """Give all set bits as sorted runs."""
        return join([self._runs(v, bits) for v, bits in sorted(self._bits.items()) if bits])

    def touches(self, volume: int, start: int, stop: int) -> bool:
        """Say whether any granule of the range is set."""
        low, high = start // self.granularity, -(-stop // self.granularity)
        return volume in self._bits and self._bits[volume].range_cardinality(low, high) > 0

    def pop(self, limit: int, volume: int, start: int) -> Extents:
        """Take out up to ``limit`` bytes (at least one granule) from ``volume`` at or after ``start``.

        Returns:
            Sorted runs within one window of the volume; empty when nothing is set there.
        """
        bits = self._bits.get(volume)
        first = bits.next_set_bit(start // self.granularity) if bits and self._beyond(bits, start) else None
        if bits is None or first is None:
            return none()
        room = max(1, limit // self.granularity)
        # Exactly `room` set bits, however far apart: the rank of the first tells where the last is.
        rank = bits.rank(first) - 1
        final = bits[min(rank + room, len(bits)) - 1]
        window = bits & BitMap(range(first, final + 1))
        bits.remove_range(first, final + 1)
        return self._runs(volume, window)

    def volumes(self) -> list[int]:
        """Give the volumes that have any bit set, in order."""
        return sorted(v for v, bits in self._bits.items() if bits)

    def _beyond(self, bits: BitMap, start: int) -> bool:
        return bits.max() >= start // self.granularity

    def _runs(self, volume: int, bits: BitMap) -> Extents:
        index = np.frombuffer(bits.to_array(), np.uint32).astype(np.int64)
        heads = np.flatnonzero(np.diff(index, prepend=-2) != 1)
        tails = np.append(heads[1:], len(index)) - 1
        run = np.full(len(heads), volume, np.uint16)
        return of(run, index[heads] * self.granularity, (index[tails] + 1) * self.granularity)


def _present(volume: NDArray[np.uint16]) -> list[int]:
    if not len(volume):
        return []
    if (volume == volume[0]).all():
        return [int(volume[0])]
    return [int(v) for v in np.unique(volume)]


def _enter(bits: BitMap, first: Ints, last: Ints) -> Ints:
    """Set granules ``first..last`` of each row; how many each row was the first to set."""
    assert int(last.max()) < 1 << 32, "a volume has more granules than a bitmap can name"
    count = last - first + 1
    row = np.repeat(np.arange(len(first)), count)
    granule = np.arange(len(row)) - np.repeat(np.cumsum(count) - count - first, count)
    names, place = np.unique(granule, return_index=True)
    there = BitMap(names.astype(np.uint32))
    new = np.frombuffer((there - bits).to_array(), np.uint32).astype(np.int64)
    bits.update(there)
    found: Ints = np.bincount(row[place[np.searchsorted(names, new)]], minlength=len(first)).astype(np.int64)
    return found


def _add(bits: BitMap, first: Ints, last: Ints) -> None:
    assert int(last.max()) < 1 << 32, "a volume has more granules than a bitmap can name"
    wide = last - first >= _WIDE
    if wide.any():
        for low, high in zip(first[wide].tolist(), last[wide].tolist(), strict=True):
            bits.add_range(low, high + 1)
        first, last = first[~wide], last[~wide]
    count = last - first + 1
    if len(count) and int(count.max()) > 1:
        begin = np.cumsum(count) - count
        first = np.repeat(first - begin, count) + np.arange(int(count.sum()))
    bits.update(BitMap(first.astype(np.uint32)))
