"""The dirty bitmap in a file: pages of bits under digests; a damaged page counts as all dirty."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_digest

from drsim.agent.disk import sync_directory, write_all
from drsim.blocks.extents import Extents, join, none, of

_PAGE = 4096
_BYTES = _PAGE - 8  # of bits in a page; its digest takes the rest


class BitmapFile:
    """One volume's bits, one a granule of ``granularity`` bytes.

    Memory and file take one bit a granule: 32 MiB for 1 TiB at 4 KiB.
    A new file starts with every bit as ``dirty`` says.
    """

    def __init__(self, path: Path, size: int, granularity: int, *, dirty: bool = False) -> None:
        self.granularity = granularity
        self.size = size
        self._granules = -(-size // granularity)
        self._pages = -(-self._granules // (_BYTES * 8))
        fresh = not path.exists()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._bits = np.zeros(self._pages * _BYTES, np.uint8)
        self._loose = False  # something was written and not waited for
        self.damaged_pages = 0
        if fresh:
            self._start(dirty)
            sync_directory(path.parent)
        else:
            self._load()

    def _start(self, dirty: bool) -> None:
        if dirty:
            self._set(0, self._granules, True)
        self._write(set(range(self._pages)))

    def _load(self) -> None:
        for page in range(self._pages):
            raw = os.pread(self._fd, _PAGE, page * _PAGE)
            bits = self._bits[page * _BYTES : (page + 1) * _BYTES]
            if len(raw) == _PAGE and xxh3_64_digest(raw[:_BYTES]) == raw[_BYTES:]:
                bits[:] = np.frombuffer(raw, np.uint8, _BYTES)
            else:
                self.damaged_pages += 1
                bits[:] = 0xFF
        spare = np.unpackbits(self._bits, bitorder="little")
        spare[self._granules :] = 0
        self._bits = np.packbits(spare, bitorder="little")

    def mark(self, start: NDArray[np.int64], stop: NDArray[np.int64], dirty: bool) -> None:
        """Set the bits of every granule touched, or clear those of every granule wholly inside.

        Bits that are set are durable on return; that others fell is after `sync`, or after the next that are set:
        until then a crash of the machine may find them set, and more is copied than need be.
        """
        pages: set[int] = set()
        for begin, end in zip(start.tolist(), stop.tolist(), strict=True):
            if dirty:
                low, high = begin // self.granularity, -(-end // self.granularity)
            else:
                low, high = -(-begin // self.granularity), self._inner(end)
            if low < high and self._set(low, high, dirty):
                pages.update(range(low // 8 // _BYTES, (high - 1) // 8 // _BYTES + 1))
        if pages:
            self._write(pages, wait=dirty)

    def sync(self) -> None:
        """Return when all bits are on stable media as they are."""
        if self._loose:
            os.fdatasync(self._fd)
            self._loose = False

    def _inner(self, end: int) -> int:
        """Give the granule after the last that ends by ``end``; a short last one counts as whole."""
        return self._granules if end >= self.size else end // self.granularity

    def _set(self, low: int, high: int, dirty: bool) -> bool:
        """Change granules ``low..high``; say whether any bit was not as wanted."""
        first, last = low // 8, (high + 7) // 8
        mask = np.full(last - first, 0xFF, np.uint8)
        mask[0] &= (0xFF << low % 8) & 0xFF
        if high % 8:
            mask[-1] &= 0xFF >> (8 - high % 8)
        now = self._bits[first:last]
        wanted = now | mask if dirty else now & ~mask
        if np.array_equal(now, wanted):
            return False
        self._bits[first:last] = wanted
        return True

    def _write(self, pages: set[int], *, wait: bool = True) -> None:
        for page in sorted(pages):
            bits = self._bits[page * _BYTES : (page + 1) * _BYTES].tobytes()
            write_all(self._fd, bits + xxh3_64_digest(bits), page * _PAGE)
        self._loose = True
        if wait:
            self.sync()

    def extents(self) -> Extents:
        """Give what is dirty as sorted runs (volume 0)."""
        found: list[Extents] = []
        step = 1 << 20  # bytes of bits at a time, so that a full bitmap needs no eightfold memory
        for begin in range(0, len(self._bits), step):
            part = self._bits[begin : begin + step]
            if part.any():
                found.append(self._runs(np.unpackbits(part, bitorder="little"), begin * 8))
        return join(found).merged() if found else none()

    def _runs(self, bits: NDArray[np.uint8], base: int) -> Extents:
        edges = np.diff(bits.astype(np.int8), prepend=0, append=0)
        low, high = np.flatnonzero(edges == 1) + base, np.flatnonzero(edges == -1) + base
        stop = np.minimum(high * self.granularity, self.size)
        return of(np.zeros(len(low), np.uint16), low * self.granularity, stop)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
