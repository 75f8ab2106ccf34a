"""A journal in files: segments of records, appended durably, trimmed by deleting whole segments.

The source's journal and the target's staging are both this.
"""

from __future__ import annotations

import errno
import os
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate, zip_longest
from pathlib import Path

from drsim.agent import disk, records
from drsim.agent.commits import NBYTES, Job
from drsim.agent.direct import AHEAD, Bounce, Direct
from drsim.agent.records import DamagedError
from drsim.agent.segments import Append, Segment
from drsim.agent.watermark import Watermark
from drsim.blocks.batch import WriteBatch, concat, empty

_BOUNCE = Bounce()  # of all journals
_SMALL = 256 << 10
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WORTH = 1 << 20  # so much is worth being written beside others
_MOST = 8 << 20  # and what is more than that beside itself


class Journal:
    """Writes in order on stable media.

    Appends go past the page cache where that can be (`Direct`). Segments that are no longer needed are kept as
    spares and used again: their blocks are there already, so an append to one changes no metadata and is several
    times as fast. Small appends to a fresh one fill room with zeroes first, a piece at a time, for the same reason.

    Opening reads every record once. What is not whole behind everything known to be durable is an unfinished
    append, never acknowledged, and cut off; any other damage is kept in `damage` for whoever must
    decide what it costs. What a later version has written is no damage: FormatError.

    Args:
        folder: holds the segments and nothing else; made if absent.
        segment_bytes: a segment is closed when it is at least so long.
        spares: segments kept for use again.
        spill: a second folder, on a slower medium perhaps, and the bytes from which on new segments go there.
    """

    def __init__(
        self,
        folder: Path,
        segment_bytes: int = 64 << 20,
        spares: int = 3,
        spill: tuple[Path, int] | None = None,
    ) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.first = self.last = 0  # places held; last < first when there are none
        self.damage: list[DamagedError] = []
        self._most_spares = spares
        self._spares = sorted(folder.glob("*.spare"))
        self._segments: list[Segment] = []
        self._spill = spill
        folders = [folder, *([spill[0]] if spill else [])]
        for each in folders:
            each.mkdir(parents=True, exist_ok=True)
        self.pinned: int | None = None  # nothing after this is forgotten by `trim`
        self._durable = Watermark(folder / "durable")
        paths = sorted((p for each in folders for p in each.glob("*.seg")), key=lambda p: p.name)
        for path, until in zip_longest(paths, [int(path.stem) for path in paths[1:]]):
            self._open(path, until)
        self.first = self._segments[0].first if self._segments else self.last + 1
        self._given = self.last  # the last place that is here or under way

    def _open(self, path: Path, until: int | None) -> None:
        """Read a segment: all of it, or until it leads to the place where the next one begins."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        segment = Segment(path, fd, int(path.stem), Direct(path, fd, _BOUNCE))
        self._segments.append(segment)
        self.last = max(self.last, segment.first - 1)
        for found in records.scan(fd, str(path), seed=segment.first):
            if self.last + 1 == until:
                return  # the rest is of an earlier life
            if isinstance(found, DamagedError):
                if self._is_torn():
                    segment.size = segment.taken = found.at
                    os.ftruncate(fd, found.at)
                    os.fsync(fd)
                    return
                if found.foreign:
                    raise records.FormatError(f"{found}: start the version of drsim that wrote it")
                self.damage.append(found)
                record = found.record
            else:
                record = found[0]
            if record is not None:
                segment.note(record.first, record.at)
                segment.size = segment.taken = record.end
                self.last = record.last

    def _is_torn(self) -> bool:
        """Say whether damage here is only an unfinished append: all known to be durable came before."""
        return self.last >= self._durable.value

    def append(self, batches: list[WriteBatch]) -> None:
        """Append batches, a record each, and return when all of them are on stable media. None may be under way.

        Raises:
            OSError: none of them may be taken as durable.
        """
        segment = self._segments[-1] if self._segments else self._begin(batches[0].first)
        if segment.size >= self.segment_bytes:
            segment = self._next(segment)
        append = segment.take(batches, self._settle, padded=sum(map(NBYTES, batches)) >= _SMALL)
        self._write(append)
        segment.name()
        self._settle(append)
        self._given = self.last
        if segment.size >= self.segment_bytes:
            self._next(segment)

    def beside(self, batches: list[WriteBatch]) -> tuple[Job, int] | None:
        """Give what appends batches beside those under way, to be settled in their order, and how many of them.

        None if they must wait and be appended alone: they are few bytes, begin the order anew, or must begin a
        segment, to which nothing is written before all that is in the one before it is on stable media.
        """
        segment = self._segments[-1] if self._segments else None
        if segment is None or batches[0].first <= self._given or sum(b.nbytes for b in batches) < _WORTH:
            return None
        if segment.taken >= self.segment_bytes and segment.size == segment.taken:
            segment = self._next(segment)
        if segment.taken >= self.segment_bytes or not segment.can_share:
            return None
        sizes = list(accumulate(batch.nbytes for batch in batches))
        count = min(bisect_left(sizes, _MOST) + 1, len(batches))
        self._given = batches[count - 1].last
        return segment.take([concat(batches[:count])], self._settle, padded=True), count

    def _settle(self, append: Append) -> None:
        append.segment.size = append.end
        self.last = append.batches[-1].last
        self._durable.put(self.last)

    def _write(self, append: Append) -> None:
        segment, buffers = append.segment, append.buffers()
        ahead = min(AHEAD, self.segment_bytes - append.end)
        if append.end > segment.room and not append.padded and ahead > 0:
            try:
                segment.end.append(buffers, append.start, ahead)
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
            else:
                segment.room = append.end + ahead
                return
        segment.end.append(buffers, append.start)
        segment.room = max(segment.room, append.end)

    def _next(self, segment: Segment) -> Segment:
        """Begin a segment behind one that is full; what an earlier life left at the end of that is never read."""
        segment.end.close()
        fresh = self._begin(self.last + 1)
        fresh.end.open()
        return fresh

    def _begin(self, first: int) -> Segment:
        spilling = self._spill is not None and self._held() >= self._spill[1]
        folder = self._spill[0] if self._spill is not None and spilling else self.folder
        path = folder / f"{first:020d}.seg"
        if self._spares and not spilling:
            self._spares.pop().rename(path)
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        else:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        segment = Segment(path, fd, first, Direct(path, fd, _BOUNCE), room=os.fstat(fd).st_size)
        if not self._segments:
            self.first = first
        self._segments.append(segment)
        return segment

    def _held(self) -> int:
        """Bytes in the first folder."""
        return sum(segment.size for segment in self._segments if segment.path.parent == self.folder)

    @property
    def spilled(self) -> int:
        """Bytes in the second folder."""
        return self.nbytes - self._held()

    @property
    def nbytes(self) -> int:
        """Bytes the segments take."""
        return sum(segment.size for segment in self._segments)

    def droppable(self, through: int) -> int:
        """Give the number of segments `trim` would forget."""
        through = through if self.pinned is None else min(through, self.pinned)
        return sum(segment.first - 1 <= through for segment in self._segments[1:])

    def trim(self, through: int) -> None:
        """Forget whole segments with nothing beyond ``through``; the newest one stays."""
        for _ in range(self.droppable(through)):
            self._drop(self._segments.pop(0))
        if self._segments:
            self.first = self._segments[0].first

    def cut(self, after: int) -> None:
        """Forget writes after ``after``; durable on return. Nothing may be under way."""
        self.pinned = None
        while self._segments and self._segments[-1].first > after:
            segment = self._segments.pop()
            self._drop(segment)
        disk.sync_directory(self.folder)
        self.last = self._given = min(self.last, after)
        self._durable.put(min(self._durable.value, after))
        if self._segments:
            self._cut_within(self._segments[-1], after)

    def _cut_within(self, segment: Segment, after: int) -> None:
        at = segment.place(after)
        while at < segment.size:
            record, batch = records.read(segment.fd, at, segment.size, str(segment.path), segment.first)
            if record.last > after:
                kept = batch.through(after)
                os.ftruncate(segment.fd, at)
                segment.size = at
                segment.places = [place for place in segment.places if place[1] < at]
                if len(kept):
                    buffers = records.encode(kept, segment.first)
                    segment.note(kept.first, at)
                    segment.size += sum(map(len, buffers))
                    disk.append_durably(segment.fd, buffers, at)
                segment.taken = segment.size
                os.fsync(segment.fd)
                segment.end.forget()
                return
            at = record.end

    def restart(self, first: int) -> None:
        """Forget everything; the next write will be ``first``."""
        self.pinned = None
        for segment in self._segments:
            self._drop(segment)
        self._segments.clear()
        self.damage.clear()
        self.first, self.last = first, first - 1
        self._given = self.last
        self._durable.put(first - 1)
        disk.sync_directory(self.folder)

    def _drop(self, segment: Segment) -> None:
        segment.close()
        home = segment.path.parent == self.folder
        if home and len(self._spares) < self._most_spares and segment.size:
            spare = segment.path.with_suffix(".spare")
            segment.path.rename(spare)
            self._spares.append(spare)
        else:
            segment.path.unlink()

    def walk(self, first: int, *, skip: bool = False) -> Iterator[WriteBatch]:
        """Give the writes from ``first`` on, record by record.

        Args:
            skip: leave damaged records out instead of raising.

        Raises:
            DamagedError: a record is not what was written.
        """
        for number, segment in enumerate(list(self._segments)):
            if number + 1 < len(self._segments) and self._segments[number + 1].first <= first:
                continue
            for found in records.scan(
                segment.fd, str(segment.path), segment.place(first), segment.size, segment.first
            ):
                if isinstance(found, DamagedError):
                    if skip:
                        continue
                    raise found
                record, batch = found
                if record.last >= first:
                    yield batch.after(first - 1) if record.first < first else batch

    def read(self, first: int, last: int) -> WriteBatch:
        """Read writes ``first..last`` back (those of them that are held)."""
        found = []
        for batch in self.walk(first):
            if batch.first > last:
                break
            found.append(batch.through(last))
        return concat(found) if found else empty()

    def close(self) -> None:
        """Close the files."""
        self.pinned = None
        for segment in self._segments:
            segment.close()
        self._segments.clear()
        self._durable.close()
