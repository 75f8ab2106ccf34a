"""An ordered journal: writes kept until someone confirms them, bounded in bytes, old ones out of memory."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from drsim.blocks.batch import Floats, Ints, WriteBatch
from drsim.blocks.bitmap import Bitmap
from drsim.blocks.extents import of, written

_FEW = 16  # writes whose places take less room as they are than as a bitmap


@dataclass(slots=True)
class Segment:
    """One appended batch: ``begin`` is where it starts in the bytes ever appended.

    Once out of memory (``batch`` is None) only the blocks it touched are kept, for the day order is lost.
    """

    first: int
    last: int
    begin: int
    nbytes: int
    batch: WriteBatch | None
    touched: Bitmap | list[tuple[int, int, int]] | None = None
    until: float = 0.0
    """Time of its last write, once out of memory."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Writes ``first..last`` are on the medium only and must be read back."""

    first: int
    last: int


class Journal:
    """Batches in order, from the first write the target has not confirmed.

    Args:
        size: bytes it may hold, None for no limit. An empty journal takes one write of any size.
        resident: bytes it may keep in memory; None keeps all (a world without a journal medium must).
        granularity: of the bitmap kept for what left memory.
    """

    def __init__(self, size: int | None, resident: int | None, granularity: int) -> None:
        self.size = size
        self.resident = resident
        self.granularity = granularity
        self._segments: list[Segment] = []
        self._head = 0
        self._evicted = 0
        self._begin = 0
        self._end = 0
        self.trimmed = 0
        """Seq through which writes were forgotten: the journal holds those after it."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._end - self._begin

    @property
    def last(self) -> int:
        """Highest seq held, or the last one forgotten."""
        return self._segments[-1].last if self._head < len(self._segments) else self.trimmed

    @property
    def room(self) -> int | None:
        """Bytes that still fit; None for no limit."""
        return None if self.size is None else self.size - self.nbytes

    def fits(self, batch: WriteBatch) -> int:
        """Say how many leading writes of the batch fit."""
        if self.size is None:
            return len(batch)
        room = self.size - self._end + self._begin
        if batch.nbytes <= room:
            return len(batch)
        count = int(np.searchsorted(batch.spent, room, side="right"))
        return max(count, 1) if self._end == self._begin else count

    def append(self, batch: WriteBatch) -> None:
        """Take the next writes."""
        first, last, nbytes = batch.first, batch.last, batch.nbytes
        assert first > self.last, "a journal keeps one order"
        self._segments.append(Segment(first, last, self._end, nbytes, batch))
        self._end += nbytes

    def trim(self, through: int) -> bool:
        """Forget writes through ``through``; say whether anything was forgotten."""
        if through <= self.trimmed:
            return False
        segments, head = self._segments, self._head
        while head < len(segments) and segments[head].last <= through:
            segments[head].batch = segments[head].touched = None
            head += 1
        self.trimmed = through
        begin = self._end if head == len(segments) else self._position(segments[head], through)
        # What has left memory counts as a whole until its end, though some of it may have gone before.
        self._begin = max(self._begin, begin)
        self._head = head
        if head > 64 and head * 2 > len(segments):
            del segments[:head]
            self._evicted, self._head = max(0, self._evicted - head), 0
        return True

    def restart(self, base: int) -> None:
        """Forget everything; the order goes on at ``base + 1``."""
        self._segments.clear()
        self._head = self._evicted = 0
        self._begin = self._end
        self.trimmed = base

    def piece(self, after: int, through: int) -> WriteBatch | Absent | None:
        """Give writes after ``after``, up to ``through`` at most, as far as one segment reaches.

        Returns:
            None when there are none, `Absent` when they must be read from the medium.
        """
        if after >= through or self._head == len(self._segments):
            return None
        segment = self._segments[-1]
        if after + 1 < segment.first:
            at = bisect_left(self._segments, after + 1, lo=self._head, key=lambda s: s.last)
            segment = self._segments[at]
        if segment.batch is None:
            return Absent(after + 1, min(segment.last, through))
        batch = segment.batch
        if after >= segment.first:
            batch = batch.after(after)
        if segment.last > through:
            batch = batch.through(through)
        return batch if len(batch) else None

    def span(self, after: int, through: int) -> int:
        """Give the bytes of writes ``after+1..through`` (both within the journal)."""
        return self._offset(through) - self._offset(after)

    def reach(self, after: int, nbytes: int) -> int:
        """Give the last seq such that writes ``after+1..seq`` take at most ``nbytes``.

        A segment that is out of memory counts as one: it may carry the answer beyond ``nbytes``.
        """
        limit = self._offset(after) + nbytes
        if limit >= self._end:
            return self.last
        at = bisect_left(self._segments, limit + 1, lo=self._head, key=lambda s: s.begin + s.nbytes)
        segment = self._segments[at]
        if segment.batch is None:
            return segment.last
        rows = int(np.searchsorted(segment.batch.spent, limit - segment.begin, "right"))
        return max(after, int(segment.batch.seq[rows - 1]) if rows else segment.first - 1)

    def cut(self, after: int) -> None:
        """Forget writes beyond ``after``; of a segment out of memory, not the room they took."""
        segments = self._segments
        while self._head < len(segments) and segments[-1].last > after:
            segment = segments.pop()
            self._end = segment.begin
            if segment.first > after or after <= self.trimmed:
                continue
            if segment.batch is not None:
                segment.batch = segment.batch.through(after)
                segment.nbytes = segment.batch.nbytes
            segment.last = after
            segments.append(segment)
            self._end += segment.nbytes
        self._evicted = min(self._evicted, len(segments))
        self._end = max(self._end, self._begin)

    def time_after(self, seq: int) -> float | None:
        """Give the time of the first write after ``seq``; of a segment out of memory, its last write's."""
        at = bisect_left(self._segments, seq + 1, lo=self._head, key=lambda s: s.last)
        if at == len(self._segments):
            return None
        segment = self._segments[at]
        return segment.until if segment.batch is None else float(segment.batch.after(seq).time[0])

    def reach_time(self, after: int, now: float, age: float) -> int:
        """Give the last seq, at least ``after``, of writes for which ``time + age <= now``, as floats say it."""
        reach = after
        at = bisect_left(self._segments, after + 1, lo=self._head, key=lambda s: s.last)
        for segment in self._segments[at:]:
            if segment.batch is None:
                if segment.until + age > now:
                    return reach
                reach = segment.last
                continue
            rows = _aged(segment.batch.time, now, age)
            reach = max(reach, int(segment.batch.seq[rows - 1])) if rows else reach
            if rows < len(segment.batch):
                return reach
        return reach

    def places(self, seq: Ints) -> Ints:
        """Give where the byte after each of these writes (int64[n], increasing, held) lies: int64[n].

        Places count the bytes ever appended. A segment that is out of memory counts as one, at its end.
        """
        found = np.empty(len(seq), np.int64)
        done = 0
        at = bisect_left(self._segments, int(seq[0]), lo=self._head, key=lambda s: s.last)
        for segment in self._segments[at:]:
            if done == len(seq):
                break
            stop = int(np.searchsorted(seq, segment.last, side="right"))
            found[done:stop] = segment.begin + segment.nbytes
            if segment.batch is not None:
                rows = np.searchsorted(segment.batch.seq, seq[done:stop], side="left")
                found[done:stop] = segment.begin + segment.batch.spent[rows]
            done = stop
        assert done == len(seq), "places are asked for writes that are held"
        return found

    def mark_into(self, bitmap: Bitmap) -> bool:
        """Set the bits of everything held (and of nothing less); say whether any was new."""
        fresh = False
        for segment in self._segments[self._head :]:
            if segment.batch is not None:
                fresh |= bitmap.mark(written(segment.batch.after(self.trimmed)))
            elif segment.touched is not None:
                fresh |= _put(segment.touched, bitmap)
        return fresh

    def mark_beyond(self, after: int, bitmap: Bitmap) -> None:
        """Set the bits of what is held beyond ``after``."""
        for segment in self._segments[self._head :]:
            if segment.last <= after:
                continue
            if segment.batch is not None:
                bitmap.mark(written(segment.batch.after(after)))
            elif segment.touched is not None:
                _put(segment.touched, bitmap)

    def evict(self, durable: int) -> None:
        """Let go of the oldest durable segments until at most ``resident`` bytes are in memory."""
        if self.resident is None or self.nbytes <= self.resident:
            return
        index, kept = max(self._evicted, self._head), self._end - self.resident
        while index < len(self._segments):
            segment = self._segments[index]
            if segment.begin >= kept or segment.last > durable:
                break
            if segment.batch is not None:
                segment.touched = self._footprint(segment.batch)
                segment.until = segment.batch.time.item(-1)
                segment.batch = None
            index += 1
        self._evicted = index

    def _footprint(self, batch: WriteBatch) -> Bitmap | list[tuple[int, int, int]]:
        """Give the blocks a batch touched in little room: of a few writes as (volume, start, length)."""
        if len(batch) <= _FEW:
            columns = batch.volume.tolist(), batch.offset.tolist(), batch.length.tolist()
            return list(zip(*columns, strict=True))
        bits = Bitmap(self.granularity)
        bits.mark(written(batch))
        return bits

    def _offset(self, seq: int) -> int:
        if seq >= self.last:
            return self._end
        if seq <= self.trimmed:
            return self._begin
        at = bisect_left(self._segments, seq, lo=self._head, key=lambda s: s.last)
        return self._position(self._segments[at], seq)

    @staticmethod
    def _position(segment: Segment, seq: int) -> int:
        """Give where the byte after write ``seq`` lies; an evicted segment is whole until its end."""
        if seq < segment.first:
            return segment.begin
        if segment.batch is None:
            return segment.begin if seq < segment.last else segment.begin + segment.nbytes
        return segment.begin + segment.batch.spent_by(int(segment.batch.seq.searchsorted(seq, "right")))


def _put(touched: Bitmap | list[tuple[int, int, int]], bitmap: Bitmap) -> bool:
    """Set the bits of what a segment touched; say whether any was new."""
    if isinstance(touched, Bitmap):
        return bitmap.merge(touched)
    volume, start, length = map(list, zip(*touched, strict=True))
    return bitmap.mark(of(volume, start, np.add(start, length)))


def _aged(time: Floats, now: float, age: float) -> int:
    """Say how many leading times are at least ``age`` old by the very sum that a deadline is.

    ``now - age`` may round to the other side: the sum decides, for the few rows where it can matter.
    """
    edge = now - age
    hair = 4 * float(np.spacing(max(abs(now), abs(age)))) if np.isfinite(age) else 0.0
    low, high = np.searchsorted(time, edge - hair), np.searchsorted(time, edge + hair, side="right")
    return int(low + np.searchsorted(time[low:high] + age, now, side="right"))
