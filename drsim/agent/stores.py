"""A group's files at one site: which folder holds what, and how they are brought in order after a crash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drsim.agent.config import Group
from drsim.agent.journal import Journal
from drsim.agent.marks import Marks
from drsim.agent.snapshots import Snapshots
from drsim.agent.volumes import Volumes


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
    """The files of a source: volumes, the journal of the order, and how far the volumes durably hold it."""

    folder: Path
    volumes: Volumes
    journal: Journal
    marks: Marks

    @classmethod
    def open(cls, folder: Path, group: Group) -> SourceStore:
        """Open, and redo on the volumes what only the journal holds.

        The journal is a redo log: a write reaches its volume only after it is durable there, and is
        flushed there only before the journal forgets it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        store = cls(
            folder,
            open_volumes(folder, group),
            Journal(folder / "journal", group.segment),
            Marks(folder / "marks"),
        )
        store._redo()
        return store

    def _redo(self) -> None:
        done = int(self.marks.get("redo", 0))
        if self.journal.damage or self.journal.last <= done:
            return  # damage is for the engine to judge: what was applied stays, the rest is not guessed
        for batch in self.journal.walk(done + 1):
            self.volumes.apply(batch)
        self.volumes.sync()
        self.marks.put(redo=self.journal.last)

    def close(self) -> None:
        """Close the files."""
        self.journal.close()
        self.volumes.close()


@dataclass
class TargetStore:
    """The files of a target: volumes, snapshots of them, staging, and the engine's header."""

    folder: Path
    volumes: Volumes
    snapshots: Snapshots
    staging: Journal
    marks: Marks

    @classmethod
    def open(cls, folder: Path, group: Group) -> TargetStore:
        """Open; what is staged and not on the volumes yet is for the engine to destage again."""
        folder.mkdir(parents=True, exist_ok=True)
        volumes = open_volumes(folder, group)
        snapshots = Snapshots(folder / "snapshots", volumes, group.snapshot_chunk)
        staging = Journal(folder / "staging", group.segment)
        return cls(folder, volumes, snapshots, staging, Marks(folder / "target"))

    def close(self) -> None:
        """Close the files."""
        self.staging.close()
        self.snapshots.close()
        self.volumes.close()
