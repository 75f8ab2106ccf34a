"""A group's files at one site: which folder holds what, and how they are brought in order after a crash."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from drsim.agent.cache import Row, WriteCache, kept_rows
from drsim.agent.config import Group
from drsim.agent.journal import Journal
from drsim.agent.logs import log
from drsim.agent.marks import Marks
from drsim.agent.snapshots import Snapshots
from drsim.agent.volumes import Volumes
from drsim.agent.watermark import Watermark, this_boot

_PATIENCE = 16  # segments, and a quarter of the journal at most


def open_volumes(folder: Path, group: Group) -> Volumes:
    """Open a group's volumes, making those that are absent."""
    return Volumes(
        {
            name: (volume.file or folder / "volumes" / f"{name}.img", volume.size)
            for name, volume in group.volumes.items()
        }
    )


@dataclass
class SourceStore:
    """The files of a source: volumes, snapshots from its time as a target, the journal, and marks.

    The mark ``redo`` says through where the volumes hold the order durably; ``applied`` through where
    they hold it at all, as long as the machine keeps running. The volumes are flushed, and the journal forgets,
    only when ``patience`` segments of it could go: blocks that are written again and again reach the disk once.
    """

    folder: Path
    volumes: Volumes
    snapshots: Snapshots
    journal: Journal
    marks: Marks
    applied: Watermark
    patience: int = 1
    cache_bytes: int = 0
    kept: list[tuple[int, Row]] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path, group: Group) -> SourceStore:
        """Open, and redo on the volumes what only the journal holds.

        The journal is a redo log: a write reaches its volume only after it is durable there, and is
        flushed there only before the journal forgets it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        size = group.journal.size or _PATIENCE * 4 * group.segment
        patience = max(1, min(_PATIENCE, size // 4 // group.segment))
        spill = None
        if group.journal.on_full.kind == "spill" and group.journal.size is not None:
            spill = (group.spill or folder / "spill", group.journal.size)
        journal = Journal(folder / "journal", group.segment, spares=patience + 2, spill=spill)
        applied = Watermark(folder / "applied-source", this_boot())
        volumes = open_volumes(folder, group)
        snapshots = Snapshots(folder / "snapshots", volumes, group.snapshot_chunk)
        marks = Marks(folder / "marks")
        store = cls(folder, volumes, snapshots, journal, marks, applied, patience, group.cache)
        store._redo()
        return store

    def open_cache(self, last: int) -> WriteCache | None:
        """Open the cache of hosts' writes: what is ``kept`` of an earlier life comes after place ``last``."""
        path = self.folder / "cache"
        done = max(last, self.applied.value)
        left = [row for place, row in kept_rows(path) if place > done]
        self.kept = list(enumerate(left, last + 1))
        self.applied.put(min(self.applied.value, last))  # places after it are given anew
        if self.cache_bytes or left:
            return WriteCache(path, self.cache_bytes, self.kept)
        path.unlink(missing_ok=True)
        return None

    def _redo(self) -> None:
        """Redo what is whole and not on the volumes; what is there already is not touched.

        A damaged record's blocks stay as the volume has them, which the log says.
        """
        for damage in self.journal.damage:
            log.error("journal damaged", extra={"where": str(damage)})
        done = max(int(self.marks.get("redo", 0)), self.applied.value)
        for batch in self.journal.walk(done + 1, skip=True):
            self.volumes.apply(batch)
        self.volumes.sync()
        self.marks.put(redo=max(done, self.journal.last))

    def close(self) -> None:
        """Close the files."""
        self.journal.close()
        self.snapshots.close()
        self.volumes.close()
        self.applied.close()


@dataclass
class TargetStore:
    """The files of a target: volumes, snapshots of them, staging, the engine's header.

    ``applied`` is a bound: the volumes durably hold the order through there.
    """

    folder: Path
    volumes: Volumes
    snapshots: Snapshots
    staging: Journal
    marks: Marks
    applied: Watermark

    @classmethod
    def open(cls, folder: Path, group: Group) -> TargetStore:
        """Open; what is staged and not on the volumes yet is for the engine to destage again."""
        folder.mkdir(parents=True, exist_ok=True)
        volumes = open_volumes(folder, group)
        snapshots = Snapshots(folder / "snapshots", volumes, group.snapshot_chunk)
        staging = Journal(folder / "staging", group.segment, spares=_PATIENCE + 2)
        marks, applied = Marks(folder / "target"), Watermark(folder / "applied")
        return cls(folder, volumes, snapshots, staging, marks, applied)

    def close(self) -> None:
        """Close the files."""
        self.staging.close()
        self.applied.close()
        self.snapshots.close()
        self.volumes.close()
