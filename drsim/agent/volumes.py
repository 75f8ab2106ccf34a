"""The volumes of a group at one site, as files; whoever must see a block before it changes is asked first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from drsim.agent.disk import FileImage
from drsim.agent.scatter import Plan, Scatter
from drsim.blocks.batch import Ints, Kind, WriteBatch
from drsim.blocks.extents import Extents
from drsim.blocks.payload import BytesPayload, Strip

_WRITE, _TRIM = int(Kind.WRITE), int(Kind.TRIM)  # plain numbers: these are asked of every write
_MANY = 64  # so many writes are worth being carried out together
_SMALL = 32 << 10  # bytes of a write, above which writing it takes so long that nothing else matters
_ROWS_A_STRIP = 4  # fewer, and looking for each takes longer than writing it
_PLACE_BITS = 47  # of offsets, above which a place has its volume

Guard = Callable[[list[tuple[int, int, int]]], None]


class Volumes:
    """A group's volumes in the order of their indices.

    Args:
        paths: file and size in bytes of each volume, by name.
        create: make files that are absent (sparse, all zeroes).
    """

    def __init__(self, paths: Mapping[str, tuple[Path, int]], *, create: bool = True) -> None:
        self.names = list(paths)
        self.fresh = [name for name, (path, _) in paths.items() if not path.exists()]
        for path, _ in paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        self.images = [FileImage(path, size, create=create) for path, size in paths.values()]
        self.guard: Guard | None = None
        self._fds = np.array([image.fd for image in self.images])

    @cached_property
    def scatter(self) -> Scatter:
        """The kernel's way to take many writes at once, for which it keeps something: asked for when there are many."""
        return Scatter()

    @cached_property
    def _able(self) -> bool:
        return self.scatter.able and max(image.size for image in self.images) <= 1 << _PLACE_BITS

    def apply(self, batch: WriteBatch) -> None:
        """Carry out writes in order. They are on stable media only after `sync`.

        Raises:
            OSError: the disk refused; what was carried out and what not is unknown.
        """
        assert isinstance(batch.payload, BytesPayload)
        if self.guard is not None:
            columns = batch.volume.tolist(), batch.offset.tolist(), batch.length.tolist()
            self.guard(list(zip(*columns, strict=True)))
        writes = [image.write for image in self.images]
        rows = zip(
            batch.volume.tolist(),
            batch.offset.tolist(),
            batch.length.tolist(),
            batch.kind.tolist(),
            batch.payload.chunks,
            strict=True,
        )
        for volume, offset, length, kind, content in rows:
            if kind == _WRITE:
                writes[volume](offset, content)
            elif kind == _TRIM:
                self.images[volume].punch(offset, length)
            else:
                self.images[volume].zero(offset, length)

    def together(self, batch: WriteBatch) -> Together | None:
        """Give what carries out many small writes without the interpreter's lock, of several to one place the last.

        None if they are few, large, no plain writes, overlap otherwise, or are asked about before they change a block.
        """
        payload, n = batch.payload, len(batch)
        assert isinstance(payload, BytesPayload)
        strips = payload.strips
        if n < _MANY or strips is None or self.guard is not None or batch.kind.any():
            return None
        if len(strips) * _ROWS_A_STRIP > n or payload.nbytes > n * _SMALL or not self._able:
            return None
        address, length = _lying(strips)
        place = (batch.volume.astype(np.int64) << _PLACE_BITS) + batch.offset
        rows = np.argsort(place, kind="stable")
        place, length = place[rows], length[rows]
        if (again := (place[1:] == place[:-1]) & (length[1:] == length[:-1])).any():
            kept = np.append(~again, True)
            rows, place, length = rows[kept], place[kept], length[kept]
        if (place[1:] < place[:-1] + length[:-1]).any():
            return None
        plan = Plan(self._fds[batch.volume[rows]], address[rows], length, batch.offset[rows])
        return Together(self, batch, rows, plan)

    def write(self, volume: int, offset: int, content: bytes | memoryview) -> None:
        """Write bytes that have no place in an order: a snapshot being restored."""
        if self.guard is not None:
            self.guard([(volume, offset, len(content))])
        self.images[volume].write(offset, content)

    def read(self, volume: int, start: int, stop: int) -> bytes:
        """Read a range."""
        return self.images[volume].read(start, stop - start)

    def copied(self, extents: Extents, now: float) -> WriteBatch:
        """Read extents for a copy: rows without a place; holes travel as trims, zeroes as zeroes."""
        content, kind = [], []
        for volume, start, stop in extents.rows():
            found = b"" if self.is_hole(volume, start, stop) else self.read(volume, start, stop)
            if not found:
                kind.append(Kind.TRIM)
            elif not np.frombuffer(found, np.uint64).any():
                kind.append(Kind.ZERO)
                found = b""
            else:
                kind.append(Kind.WRITE)
            content.append(found)
        count = len(extents)
        return WriteBatch(
            np.zeros(count, np.int64),
            np.full(count, now),
            extents.volume,
            extents.start,
            extents.stop - extents.start,
            np.array(kind, np.uint8),
            BytesPayload(content),
        )

    def is_hole(self, volume: int, start: int, stop: int) -> bool:
        """Say whether a range is known to be zeroes without reading it."""
        return not any(allocated for _, allocated in self.images[volume].extents(start, stop - start))

    def sync(self) -> None:
        """Return when everything written to the volumes is on stable media (any thread may ask)."""
        for image in self.images:
            image.sync()

    def close(self) -> None:
        """Close the files."""
        if "scatter" in vars(self):
            self.scatter.close()
        for image in self.images:
            image.close()


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """Many writes of a batch that are carried out at once."""

    volumes: Volumes
    batch: WriteBatch
    rows: Ints
    plan: Plan

    def carry_out(self) -> None:
        """Write (any thread may ask, one at a time).

        Raises:
            OSError: the kernel refused.
        """
        self.volumes.scatter.carry_out(self.plan)

    def settle(self) -> None:
        """See to it that all was written.

        Raises:
            OSError: the disk refused; what was carried out and what not is unknown.
        """
        for row in self.rows[self.plan.short()].tolist():
            batch = self.batch
            self.volumes.images[batch.volume[row]].write(int(batch.offset[row]), batch.payload.of(row))


def _lying(strips: Sequence[Strip]) -> tuple[Ints, Ints]:
    """Give where in memory each content lies, and its bytes: int64[n] each."""
    first = np.array([strip.rows().__array_interface__["data"][0] for strip in strips])
    step, length, count = np.array([(strip.step, strip.length, strip.count) for strip in strips]).T
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(first, count) + within * np.repeat(step, count), np.repeat(length, count)
