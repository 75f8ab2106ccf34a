"""The dirty bitmap: where two copies may differ, one bit a granule, order forgotten."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from drsim.blocks.batch import Ints, repeated
from drsim.blocks.extents import Extents, join

SMALLEST, LARGEST = 4096, 1 << 20
_PUT_OFF = 1 << 19
"""Extents that are put off together."""
_MANY = 1 << 15
"""Granules that go in faster as a set of their own."""
_WIDE = 4096
"""Granules a single extent must cover before it is entered as a range rather than bit by bit."""


def fits(granularity: int) -> bool:
    """Say whether a bit may stand for so many bytes: a power of two in 4 KiB..1 MiB."""
    return SMALLEST <= granularity <= LARGEST and not granularity & (granularity - 1)


class Bitmap:
    """Compressed bits for every volume of a group (roaring: Lemire et al., SPE 48, 2018).

    Args:
        granularity: bytes a bit stands for, a power of two in 4 KiB..1 MiB.

    Raises:
        ValueError: the granularity is outside that range or no power of two.
    """

    def __init__(self, granularity: int = SMALLEST) -> None:
        if not fits(granularity):
            raise ValueError(f"bitmap granularity {granularity} B: give a power of two in 4 KiB..1 MiB")
        self.granularity = granularity
        self._shift = granularity.bit_length() - 1
        self._sets: dict[int, BitMap] = {}
        self._late: list[Extents] = []
        self._put_off = 0
        self._counted: int | None = 0
        """Bits set, where that is known."""

    @property
    def _bits(self) -> dict[int, BitMap]:
        """The set of each volume, with what was put off."""
        self._catch_up()
        return self._sets

    @property
    def _changing(self) -> dict[int, BitMap]:
        """`_bits` to be changed: they must be counted again."""
        self._catch_up()
        self._counted = None
        return self._sets

    def __bool__(self) -> bool:
        return any(self._bits.values())

    @property
    def nbytes(self) -> int:
        """Bytes under set bits."""
        self._catch_up()
        if self._counted is None:
            self._counted = sum(map(len, self._sets.values()))
        return self._counted * self.granularity

    def copy(self) -> Bitmap:
        """Give an independent equal bitmap."""
        twin = Bitmap(self.granularity)
        twin._sets = {v: bits.copy() for v, bits in self._bits.items()}
        twin._counted = self._counted
        return twin

    def mark(self, extents: Extents) -> bool:
        """Set the bits of every granule that an extent touches; say whether any was new."""
        before = self.nbytes
        self._mark(extents)
        return self.nbytes > before

    def add(self, extents: Extents) -> None:
        """`mark` when somebody asks: many small ones at once cost a fraction."""
        self._late.append(extents)
        self._put_off += len(extents)
        if self._put_off >= _PUT_OFF:
            self._catch_up()

    def enter(self, extents: Extents) -> Ints:
        """Set the bits of every granule that an extent touches; give how many each found clear: int64[n], in order."""
        fresh = np.zeros(len(extents), np.int64)
        for volume in _present(extents.volume):
            rows = np.flatnonzero(extents.volume == volume)
            first = extents.start[rows] >> self._shift
            last = (extents.stop[rows] - 1) >> self._shift
            bits = self._changing.setdefault(volume, BitMap())
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
            if volume in self._changing:
                low, high = -(-start // self.granularity), stop // self.granularity
                self._sets[volume].remove_range(low, max(low, high))

    def merge(self, other: Bitmap) -> bool:
        """Set every bit that ``other`` has (of one granularity); say whether any was new."""
        assert other.granularity == self.granularity
        before = self.nbytes
        for volume, bits in other._bits.items():
            self._changing.setdefault(volume, BitMap()).update(bits)
        return self.nbytes > before

    def subtract(self, other: Bitmap) -> None:
        """Clear every bit that ``other`` has."""
        for volume, bits in other._bits.items():
            if volume in self._changing:
                self._sets[volume] -= bits

    def meets(self, other: Bitmap) -> bool:
        """Say whether any bit is set in both."""
        theirs = other._bits
        return any(bits.intersect(theirs[v]) for v, bits in self._bits.items() if v in theirs)

    def reset(self) -> None:
        """Clear all bits."""
        self._late.clear()
        self._sets.clear()
        self._put_off = self._counted = 0

    def extents(self) -> Extents:
        """Give all set bits as sorted runs."""
        return join([self._runs(v, bits) for v, bits in sorted(self._bits.items()) if bits])

    def touches(self, volume: int, start: int, stop: int) -> bool:
        """Say whether any granule of the range is set."""
        low, high = start // self.granularity, -(-stop // self.granularity)
        return volume in self._bits and self._bits[volume].range_cardinality(low, high) > 0

    def pop(self, limit: int, volume: int, start: int) -> Bitmap:
        """Take out up to ``limit`` bytes (at least one granule) from ``volume`` at or after ``start``.

        Returns:
            The bits taken, those next to ``start``; none when nothing is set there.
        """
        taken = Bitmap(self.granularity)
        bits = self._bits.get(volume)
        if bits is None:
            return taken
        try:
            first = bits.next_set_bit(start >> self._shift)
        except ValueError:
            return taken
        # Exactly so many set bits, however far apart: the rank of the first tells where the last is.
        place = bits.rank(first) - 2 + max(1, limit >> self._shift)
        try:
            final = bits[place]
        except IndexError:
            final = bits.max()
        found = bits & BitMap(range(first, final + 1))
        taken._sets[volume], taken._counted = found, len(found)
        if self._counted is not None:
            self._counted -= taken._counted
        bits.remove_range(first, final + 1)
        return taken

    def end(self, volume: int) -> int:
        """Give the byte after the last bit of a volume, which must have one."""
        return (int(self._bits[volume].max()) + 1) << self._shift

    def volumes(self) -> list[int]:
        """Give the volumes that have any bit set, in order."""
        return sorted(v for v, bits in self._bits.items() if bits)

    def _catch_up(self) -> None:
        if self._late:
            late, self._late, self._put_off = self._late, [], 0
            self._mark(join(late))

    def _mark(self, extents: Extents) -> None:
        first = extents.start >> self._shift
        last = (extents.stop - 1) >> self._shift
        volumes, sets = _present(extents.volume), self._changing
        for volume in volumes:
            chosen = slice(None) if len(volumes) == 1 else extents.volume == volume
            _add(sets.setdefault(volume, BitMap()), first[chosen], last[chosen])

    def _runs(self, volume: int, bits: BitMap) -> Extents:
        index = np.frombuffer(bits.to_array(), np.uint32)
        gap = np.flatnonzero(index[1:] - index[:-1] != 1)
        start, stop = np.empty((2, len(gap) + 1), np.int64)
        start[0], stop[-1] = index[0], index[-1]
        start[1:], stop[:-1] = index[1:].take(gap), index.take(gap)
        start <<= self._shift
        stop += 1
        stop <<= self._shift
        return Extents(repeated(np.uint16(volume), len(start)), start, stop)


def _present(volume: NDArray[np.uint16]) -> list[int]:
    if not len(volume):
        return []
    if volume.strides == (0,) or (volume == volume[0]).all():
        return [int(volume[0])]
    return [int(v) for v in np.unique(volume)]


def _enter(bits: BitMap, first: Ints, last: Ints) -> Ints:
    """Set granules ``first..last`` of each row; how many each row was the first to set."""
    assert int(last.max()) < 1 << 32, "a volume has more granules than a bitmap can name"
    granule = _each(first, last - first)
    row = np.repeat(np.arange(len(first)), last - first + 1)
    if bool((first[1:] > last[:-1]).all()):  # in order and apart, as a copy's rows are
        names = granule
    else:
        names, place = np.unique(granule, return_index=True)
        row = row[place]
    there = BitMap(_words(names))
    new = there - bits
    bits.update(there)
    if len(new) < len(names):
        row = row[np.searchsorted(names, np.frombuffer(new.to_array(), np.uint32))]
    return np.bincount(row, minlength=len(first)).astype(np.int64, copy=False)


def _each(first: Ints, span: Ints) -> Ints:
    """Give the granules ``first..first + span`` of each row, row after row."""
    most = int(span.max())
    if not most:
        return first
    if int(span.min()) == most:
        return (first[:, None] + np.arange(most + 1)).ravel()
    begin = np.cumsum(span + 1) - span - 1
    return np.repeat(first - begin, span + 1) + np.arange(int(span.sum()) + len(span))


def _words(granules: Ints) -> array[int]:
    """Granules in order: as plain machine words they go into a set ten times as fast."""
    found = granules.astype(np.uint32)
    found.sort()
    return array("I", found.tobytes())


def _add(bits: BitMap, first: Ints, last: Ints) -> None:
    assert int(last.max()) < 1 << 32, "a volume has more granules than a bitmap can name"
    span = last - first
    if int(span.max()) >= _WIDE:
        wide = span >= _WIDE
        for low, high in zip(first[wide].tolist(), last[wide].tolist(), strict=True):
            bits.add_range(low, high + 1)
        first, span = first[~wide], span[~wide]
    if len(first):
        words = _words(_each(first, span))
        bits.update(words if len(words) < _MANY else BitMap(words))
