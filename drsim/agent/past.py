"""Images of a point after the volumes: a snapshot, and over it the staged writes up to there.

With ``history`` the volumes of a target stay behind and staging holds every write since, so that any of them is a
point that can be looked at. What was staged up to it is laid into a sparse file beside the snapshot.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np

from drsim.agent.disk import FileImage
from drsim.agent.journal import Journal
from drsim.agent.snapshots import Snapshot, SnapshotImage
from drsim.agent.target import TargetGroup
from drsim.agent.volumes import Volumes
from drsim.blocks.bitmap import Bitmap
from drsim.blocks.extents import Extents, written

_PIECE = 8 << 20  # bytes laid at once


def point(group: TargetGroup, at: str, ago_s: float | None) -> int | None:
    """Give the seq of a point: a number, a marker's name, or so many seconds ago; None for the volumes' own.

    Raises:
        ValueError: there is no such point, or it is older than the volumes.
    """
    leg, staging = group.engine.leg, group.engine.staging
    if ago_s is not None:
        return staging.point_before(min(leg.held, staging.store.reach_time(leg.issued, leg.now, ago_s)))
    if not at:
        return None
    seq = int(at) if at.isdecimal() else leg.marked(at)
    if seq is None:
        raise ValueError(f"there is no point '{at}'")
    if not leg.issued <= seq <= leg.held:
        raise ValueError(f"write {seq} is not between {leg.issued} and {leg.held}, which can be returned to")
    if not staging.is_point(seq):
        raise ValueError(
            f"write {seq} came in the midst of a cycle: {staging.point_before(seq)} is a point before it"
        )
    return seq


class Overlay:
    """Staged writes, to be laid over a snapshot.

    Args:
        folder: holds a sparse file a volume; made anew, and removed by `discard`.
    """

    def __init__(self, folder: Path, volumes: Volumes) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        sizes = {name: image.size for name, image in zip(volumes.names, volumes.images, strict=True)}
        self._folder = folder
        self.files = Volumes({name: (folder / f"{name}.img", size) for name, size in sizes.items()})
        self._covered = Bitmap(4096)

    @property
    def covered(self) -> Extents:
        """Where writes were laid."""
        return self._covered.extents()

    async def lay(self, staging: Journal, after: int, through: int) -> None:
        """Lay writes ``after+1..through``, a piece at a time: replication goes on between them.

        Raises:
            ValueError: staging was closed or began another order meanwhile.
            DamagedError: staging is not what was written.
        """
        staging.pinned = after
        try:
            while after < through:
                if staging.pinned is None:
                    raise ValueError("the copy has changed its order or its role meanwhile")
                after = self._piece(staging, after, through)
                await asyncio.sleep(0)
        finally:
            staging.pinned = None

    def _piece(self, staging: Journal, after: int, through: int) -> int:
        """Lay some of the writes; give the seq through which they are laid."""
        laid = 0
        for batch in staging.walk(after + 1):
            if batch.first > through:
                break
            batch = batch.through(through)
            self.files.apply(batch)
            self._covered.mark(written(batch))
            laid += batch.nbytes
            if laid >= _PIECE:
                return batch.last
        return through

    def discard(self) -> None:
        """Forget it."""
        self.files.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class PastImage:
    """One volume of a snapshot with an overlay; it cannot be changed."""

    def __init__(self, base: SnapshotImage, overlay: Overlay, volume: int) -> None:
        self.size = base.size
        self._base = base
        self._file: FileImage = overlay.files.images[volume]
        covered = overlay.covered
        mine = covered.volume == volume
        self._runs = Extents(covered.volume[mine], covered.start[mine], covered.stop[mine])
        self.write, self.punch, self.zero = base.write, base.punch, base.zero

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly ``length`` bytes.

        Raises:
            OSError: the snapshot was dropped meanwhile.
        """
        found = bytearray(self._base.read(offset, length))
        first = int(np.searchsorted(self._runs.stop, offset, side="right"))
        last = int(np.searchsorted(self._runs.start, offset + length, side="left"))
        for row in range(first, last):
            low = max(offset, int(self._runs.start[row]))
            high = min(offset + length, int(self._runs.stop[row]))
            found[low - offset : high - offset] = self._file.read(low, high - low)
        return bytes(found)

    def sync(self) -> None:
        """Nothing is ever under way."""

    def extents(self, offset: int, length: int) -> Iterator[tuple[int, bool]]:  # noqa: ARG002
        """Say that all of it may hold data."""
        yield length, True


class Past:
    """The overlays of one group's rehearsals, by name; none outlives the agent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, Overlay] = {}
        self._one_at_a_time = asyncio.Lock()
        shutil.rmtree(folder, ignore_errors=True)

    async def images(
        self, group: TargetGroup, taken: Snapshot, through: int
    ) -> list[SnapshotImage | PastImage]:
        """Give an image of each volume as of ``through``, which staging reaches from the snapshot on.

        Raises:
            ValueError, DamagedError: as `Overlay.lay` says.
        """
        self.drop(taken.name)
        numbers = range(len(group.volumes.images))
        bases = [SnapshotImage(group.snapshots, taken, number) for number in numbers]
        if through <= taken.seq:
            return list(bases)
        async with self._one_at_a_time:
            overlay = Overlay(self._folder / quote(taken.name, safe=""), group.volumes)
            self._kept[taken.name] = overlay
            await overlay.lay(group.staging, taken.seq, through)
        return [PastImage(base, overlay, number) for number, base in zip(numbers, bases, strict=True)]

    def drop(self, name: str) -> None:
        """Forget an overlay."""
        overlay = self._kept.pop(name, None)
        if overlay is not None:
            overlay.discard()
