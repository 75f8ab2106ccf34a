"""The volumes of a group at one site, as files; whoever must see a block before it changes is asked first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from drsim.agent.disk import FileImage
from drsim.blocks.batch import Kind, WriteBatch
from drsim.blocks.extents import Extents
from drsim.blocks.payload import BytesPayload

_WRITE, _TRIM = int(Kind.WRITE), int(Kind.TRIM)  # plain numbers: these are asked of every write

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
        for image in self.images:
            image.close()
