"""Snapshots of a group: what a block held is saved beside before it is overwritten, and stays readable.

Only the newest snapshot saves; an older one finds what it lacks in those that came after it, and what no
one saved is still on the volume. Saved blocks are records of a file like the journal's, so a crash in the
middle of saving leaves a torn tail and nothing worse: the volume changes only once the save is durable.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np

from drsim.agent import disk, records
from drsim.agent.disk import Buffer
from drsim.agent.volumes import Volumes
from drsim.agent.watermark import Watermark
from drsim.blocks.batch import Kind, WriteBatch
from drsim.blocks.payload import BytesPayload

Key = tuple[int, int]  # volume, chunk
_PIECE = 8 << 20  # bytes saved by one record at most, so that a huge trim needs little memory


class Snapshot:
    """One snapshot: its name, the seq its image is consistent at, and what was saved for it."""

    def __init__(self, folder: Path, name: str, seq: int, at: float) -> None:
        self.folder = folder
        self.name = name
        self.seq = seq
        self.at = at
        self.saved: dict[Key, tuple[int, int]] = {}  # byte in the file and length; length 0 means zeroes
        self._path = folder / "saved.rec"
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = 0
        self._chunk = 0
        self._durable = Watermark(folder / "durable")

    def load(self, chunk: int) -> None:
        """Index what was saved.

        Raises:
            OSError: a saved block is not what was written; the image would be wrong.
        """
        self._chunk = chunk
        for found in records.scan(self._fd, str(self._path)):
            if isinstance(found, records.DamagedError):
                if found.at < self._durable.value:
                    raise OSError(errno.EIO, str(found)) from found
                os.ftruncate(self._fd, found.at)
                break
            self._index(*found)
            self._size = found[0].end

    def _index(self, record: records.Record, batch: WriteBatch) -> None:
        at = record.payload_at
        columns = (batch.volume.tolist(), batch.offset.tolist(), batch.length.tolist(), batch.kind.tolist())
        for volume, offset, length, kind in zip(*columns, strict=True):
            stored = length if kind == Kind.WRITE else 0
            self.saved[volume, offset // self._chunk] = (at, stored)
            at += stored

    def save(self, batch: WriteBatch) -> None:
        """Save blocks; they are durable on return."""
        buffers: list[Buffer] = records.encode(batch)
        disk.append_durably(self._fd, buffers, self._size)
        payload = sum(map(len, buffers[1:]))
        record = records.Record(self._size, len(batch), batch.first, batch.last, payload, 0)
        self._index(record, batch)
        self._size = record.end
        self._durable.put(record.end)

    def stored(self, key: Key, length: int) -> bytes:
        """Give a saved chunk's content, which is ``length`` long."""
        at, stored = self.saved[key]
        return os.pread(self._fd, stored, at) if stored else bytes(length)

    def discard(self) -> None:
        """Remove the snapshot from the disk."""
        self.close()
        shutil.rmtree(self.folder)
        disk.sync_directory(self.folder.parent)

    def close(self) -> None:
        """Close the files."""
        os.close(self._fd)
        self._durable.close()


class Snapshots:
    """The snapshots of a group's volumes, oldest first.

    Args:
        chunk: bytes saved at a time, a power of two: small ones save less in vain, large ones index faster.
    """

    def __init__(self, folder: Path, volumes: Volumes, chunk: int = 64 << 10) -> None:
        self.volumes = volumes
        self.chunk = chunk
        self._folder = folder
        self.all: list[Snapshot] = []
        folder.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.glob("*.new"):
            shutil.rmtree(unfinished)
        for path in sorted(
            folder.glob("*/snapshot.json"), key=lambda p: int(json.loads(p.read_text())["number"])
        ):
            facts = json.loads(path.read_text())
            if facts["chunk"] != chunk:
                raise OSError(errno.EINVAL, f"was made with chunks of {facts['chunk']} bytes", str(path))
            snapshot = Snapshot(path.parent, unquote(path.parent.name), facts["seq"], facts["at"])
            snapshot.load(chunk)
            self.all.append(snapshot)
            self._number = facts["number"]
        self._number = getattr(self, "_number", 0)
        self._arm()

    def _arm(self) -> None:
        self.volumes.guard = self._preserve if self.all else None

    def get(self, name: str) -> Snapshot | None:
        """Find a snapshot by name."""
        return next((s for s in self.all if s.name == name), None)

    def take(self, name: str, seq: int, at: float) -> None:
        """Keep the volumes' present content; durable on return. A snapshot of that name is replaced."""
        if self.get(name):
            self.drop(name)
        self.volumes.sync()
        self._number += 1
        facts = {"seq": seq, "at": at, "number": self._number, "chunk": self.chunk}
        final = self._folder / quote(name, safe="")
        fresh = final.with_name(final.name + ".new")
        fresh.mkdir()
        disk.replace_file(fresh / "snapshot.json", json.dumps(facts).encode())
        fresh.rename(final)
        disk.sync_directory(self._folder)
        snapshot = Snapshot(final, name, seq, at)
        snapshot.load(self.chunk)
        self.all.append(snapshot)
        self._arm()

    def drop(self, name: str) -> None:
        """Forget a snapshot; what an older one still needs of it moves there."""
        snapshot = self.get(name)
        if snapshot is None:
            return
        index = self.all.index(snapshot)
        if index:
            older = self.all[index - 1]
            for batch in self._batches(snapshot, [k for k in snapshot.saved if k not in older.saved]):
                older.save(batch)
        self.all.remove(snapshot)
        self._arm()
        snapshot.discard()

    def _batches(self, snapshot: Snapshot, keys: list[Key]) -> Iterator[WriteBatch]:
        for begin in range(0, len(keys), max(1, _PIECE // self.chunk)):
            part = keys[begin : begin + max(1, _PIECE // self.chunk)]
            yield self._batch(part, [snapshot.stored(k, 0) for k in part])

    def _batch(self, keys: list[Key], content: list[bytes]) -> WriteBatch:
        """Give saved chunks as a batch; empty content means zeroes."""
        count = len(keys)
        volume, chunk = np.array(keys, np.int64).T
        length = np.array([self._length(*key) for key in keys], np.int64)
        kind = np.array([Kind.WRITE if c else Kind.ZERO for c in content], np.uint8)
        return WriteBatch(
            np.arange(1, count + 1),
            np.zeros(count),
            volume.astype(np.uint16),
            chunk * self.chunk,
            length,
            kind,
            BytesPayload(content),
        )

    def _length(self, volume: int, chunk: int) -> int:
        return min(self.chunk, self.volumes.images[volume].size - chunk * self.chunk)

    def _preserve(self, ranges: list[tuple[int, int, int]]) -> None:
        """Save what the newest snapshot lacks of ranges (volume, offset, length) about to change."""
        saved = self.all[-1].saved
        keys: dict[Key, None] = {}
        for volume, offset, length in ranges:
            first, last = offset // self.chunk, (offset + length - 1) // self.chunk
            for chunk in range(first, last + 1):
                if (volume, chunk) not in saved:
                    keys[volume, chunk] = None
                    if len(keys) * self.chunk >= _PIECE:
                        self._save(list(keys))
                        keys.clear()
        if keys:
            self._save(list(keys))

    def _save(self, keys: list[Key]) -> None:
        self.all[-1].save(self._batch(keys, [self._present(key) for key in keys]))

    def _present(self, key: Key) -> bytes:
        volume, start, length = key[0], key[1] * self.chunk, self._length(*key)
        if self.volumes.is_hole(volume, start, start + length):
            return b""
        return self.volumes.images[volume].read(start, length)

    def content(self, snapshot: Snapshot, key: Key) -> bytes:
        """Give a chunk of a snapshot's image."""
        for later in self.all[self.all.index(snapshot) :]:
            if key in later.saved:
                return later.stored(key, self._length(*key))
        return self.volumes.images[key[0]].read(key[1] * self.chunk, self._length(*key))

    def restore(self, name: str) -> None:
        """Make the volumes equal to a snapshot's image; durable on return. Doing it twice does no harm."""
        snapshot = self.get(name)
        if snapshot is None:
            raise OSError(errno.ENOENT, "no such snapshot", name)
        later = self.all[self.all.index(snapshot) :]
        for key in sorted({key for s in later for key in s.saved}):
            self.volumes.write(key[0], key[1] * self.chunk, self.content(snapshot, key))
        self.volumes.sync()

    def close(self) -> None:
        """Close the files."""
        for snapshot in self.all:
            snapshot.close()


class SnapshotImage:
    """One volume of a snapshot as an image that can be exported; it cannot be changed."""

    def __init__(self, snapshots: Snapshots, snapshot: Snapshot, volume: int) -> None:
        self.size = snapshots.volumes.images[volume].size
        self._snapshots = snapshots
        self._snapshot = snapshot
        self._volume = volume

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly ``length`` bytes.

        Raises:
            OSError: the snapshot was dropped meanwhile.
        """
        if self._snapshot not in self._snapshots.all:
            raise OSError(errno.ESHUTDOWN, "the snapshot is gone", self._snapshot.name)
        chunk = self._snapshots.chunk
        parts = []
        at, end = offset, offset + length
        while at < end:
            skip = at % chunk
            part = self._snapshots.content(self._snapshot, (self._volume, at // chunk))[
                skip : skip + end - at
            ]
            parts.append(part)
            at += len(part)
        return b"".join(parts)

    def write(self, offset: int, data: Buffer) -> None:  # noqa: ARG002
        """Refuse: a snapshot is a fact."""
        raise OSError(errno.EROFS, "a snapshot cannot be written")

    def punch(self, offset: int, length: int) -> None:  # noqa: ARG002
        """Refuse."""
        raise OSError(errno.EROFS, "a snapshot cannot be written")

    zero = punch

    def sync(self) -> None:
        """Nothing is ever under way."""

    def extents(self, offset: int, length: int) -> Iterator[tuple[int, bool]]:  # noqa: ARG002
        """Say that all of it may hold data."""
        yield length, True
