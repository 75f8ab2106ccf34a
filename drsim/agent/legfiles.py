"""What one leg must find again after a crash beside the journal: header, dirty bitmap, hot extents."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from drsim.agent.bitmap_file import BitmapFile
from drsim.agent.marks import Marks
from drsim.agent.watermark import Watermark
from drsim.blocks.batch import Ints
from drsim.blocks.extents import Extents, join, none
from drsim.replication.generations import Lineage
from drsim.replication.headers import SourceHeader, TargetHeader

Header = TypeVar("Header", SourceHeader, TargetHeader)


def load_header(kind: type[Header], marks: Marks) -> Header | None:
    """Give the header that was saved, None for a leg that never saved one."""
    saved: dict[str, Any] | None = marks.get("header")
    if saved is None:
        return None
    lineage = saved["lineage"]
    facts = dict(saved, lineage=Lineage(lineage["current"], lineage["base"], tuple(lineage["history"])))
    if facts.get("protected") is not None:
        name, seq = facts["protected"]
        facts["protected"] = (name, seq)
    facts["marks"] = tuple((seq, name) for seq, name in facts.get("marks", ()))
    if kind is TargetHeader:
        facts["cycles"] = tuple(facts.get("cycles", ()))
    elif facts.get("named") is not None:
        facts["named"] = tuple(facts["named"])
    return kind(**facts)


def save_header(marks: Marks, header: SourceHeader | TargetHeader) -> None:
    """Make a header durable."""
    marks.put(header=asdict(header))


class LegFiles:
    """The files of one leg.

    Args:
        folder: theirs alone; made if absent.
        sizes: bytes of each volume, by index.
        granularity: bytes a dirty bit stands for.
        dirty: what the bits of a new leg are.
    """

    def __init__(self, folder: Path, sizes: list[int], granularity: int, *, dirty: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.marks = Marks(folder / "header")
        self.bitmaps = [
            BitmapFile(folder / f"dirty-{number}.bits", size, granularity, dirty=dirty)
            for number, size in enumerate(sizes)
        ]
        self._activity = Marks(folder / "activity")
        self._confirmed = Watermark(folder / "confirmed")

    def header(self) -> SourceHeader | None:
        """Give the saved header, with what the target is known to have confirmed since."""
        header = load_header(SourceHeader, self.marks)
        if header is not None and self._confirmed.value > header.confirmed:
            return replace(header, confirmed=self._confirmed.value)
        return header

    def confirm(self, seq: int) -> None:
        """Note that the target durably holds the order through ``seq``; not waited for."""
        if seq > self._confirmed.value:
            self._confirmed.put(seq)

    def save_header(self, header: SourceHeader | TargetHeader) -> None:
        """Make a header durable, after the bits it relies on."""
        for bitmap in self.bitmaps:
            bitmap.sync()
        save_header(self.marks, header)

    def mark(self, extents: Extents, dirty: bool) -> None:
        """Set or clear bits, as `BitmapFile.mark` does."""
        for volume in np.unique(extents.volume).tolist():
            chosen = extents.volume == volume
            self.bitmaps[volume].mark(extents.start[chosen], extents.stop[chosen], dirty)

    def dirty(self) -> Extents:
        """Give what is dirty, all volumes."""
        found = []
        for number, bitmap in enumerate(self.bitmaps):
            runs = bitmap.extents()
            found.append(Extents(np.full(len(runs), number, np.uint16), runs.start, runs.stop))
        return join(found) if found else none()

    def save_activity(self, volume: NDArray[np.uint16], extent: Ints, hot: bool) -> None:
        """Remember which extents are hot; durable on return."""
        known = {tuple(pair) for pair in self._activity.get("hot", [])}
        named = set(zip(volume.tolist(), extent.tolist(), strict=True))
        self._activity.put(hot=sorted(known | named if hot else known - named))

    def activity(self) -> list[tuple[int, int]]:
        """Give the hot extents as (volume, extent)."""
        return [(volume, extent) for volume, extent in self._activity.get("hot", [])]

    def close(self) -> None:
        """Close the files."""
        for bitmap in self.bitmaps:
            bitmap.close()
        self._confirmed.close()
