"""Host requests become rows of the order: aligned, numbered, remembered until they are answered."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from drsim.agent.cache import Row, WriteCache
from drsim.agent.gathered import Gathered, lay
from drsim.agent.nbd.exports import Asked, Request, Writes, limited
from drsim.agent.nbd.exports import Extents as Runs
from drsim.agent.nbd.protocol import Command, CommandFlag
from drsim.agent.volumes import Volumes
from drsim.agent.waiting import Waiting
from drsim.blocks.batch import Kind, WriteBatch, sum_of
from drsim.blocks.payload import BytesPayload

BLOCK = 4096
_ZEROES = memoryview(bytes(32 << 20))
_WRITE = int(Kind.WRITE)
_WRITES, _FUA = int(Command.WRITE), int(CommandFlag.FUA)  # plain numbers: these are asked of every write


class Intake:
    """Rows that hosts wrote and that are not on the volumes yet, in order.

    First gathered (no place yet), then told to the engines as batches, then taken to the volumes, then landed
    there. An unaligned write becomes whole blocks: the rest of a block is what the volume and every earlier row say.

    Args:
        last: the last place given.
        cache: keeps rows whose request is answered as soon as they are gathered. Behind one that finds no room
            requests are held back until it has landed, so that what the cache keeps has no gap.
    """

    def __init__(self, volumes: Volumes, last: int, cache: WriteCache | None = None) -> None:
        self.last = last  # the last place given
        self.told_writes = self.told_bytes = 0
        self._volumes = volumes
        self._cache = cache
        self._gathered = Gathered()
        self._ends: list[Waiting] = []  # places as rows gathered
        self._told: deque[WriteBatch] = deque()
        self._taken: list[WriteBatch] = []
        self._waiting: deque[Waiting] = deque()
        self._gap = 0  # the row that found no room in the cache, until it has landed; 0 for none
        self._behind: deque[tuple[int, Asked]] = deque()  # held back, and their volumes

    def __len__(self) -> int:
        """Rows gathered."""
        return self._gathered.rows

    @property
    def nbytes(self) -> int:
        """Bytes gathered and not told."""
        return self._gathered.nbytes

    @property
    def unanswered(self) -> int:
        """Requests that wait for their answer."""
        return len(self._ends) + len(self._waiting) + len(self._behind)

    def gather(self, volume: int, requests: Sequence[Asked]) -> None:
        """Take requests that change a volume; those that change nothing are answered at once."""
        for request in requests:
            if self._gap and self._fits(request):
                self._behind.append((volume, request))
                continue
            if isinstance(request, Writes):
                self._gather_together(volume, request)
                continue
            offset, length = request.offset, request.length
            if not length:
                request.reply(request)
                continue
            if request.command == _WRITES and not (offset | length) & (BLOCK - 1):
                rows: list[Row] = [(volume, offset, length, _WRITE, request.data)]
            else:
                try:
                    rows = list(self._odd(volume, request))
                except OSError as error:  # the rest of a block could not be read
                    request.reply(request, error.errno or errno.EIO)
                    continue
                if not rows:
                    request.reply(request)
                    continue
            self._append(rows)
            kept = self._cache is not None and self._cache.put(self.last + self._gathered.rows, rows)
            if kept and not request.flags & _FUA:
                request.reply(request)
            else:
                self._wait(request, kept=kept)

    def keep(self, volume: int, writes: Writes) -> bool:
        """Gather writes if the cache keeps them; say whether."""
        cache = self._cache
        if cache is None or self._gap:
            return False
        if not cache.put_alike(self.last + self._gathered.rows + len(writes.offsets), volume, writes):
            return False
        self._gathered.append(volume, writes.offsets, writes.contents)
        return True

    def keep_one(self, volume: int, offset: int, content: memoryview) -> bool:
        """Do as `keep` does for one write."""
        cache, row = self._cache, (volume, offset, len(content), _WRITE, content)
        if cache is None or self._gap or not cache.put(self.last + self._gathered.rows + 1, (row,)):
            return False
        self._gathered.append_one(*row)
        return True

    def _gather_together(self, volume: int, writes: Writes) -> None:
        if self.keep(volume, writes):
            writes.reply(writes)
        else:
            self._gathered.append(volume, writes.offsets, writes.contents)
            self._wait(writes, kept=False)

    def _wait(self, request: Asked, *, kept: bool) -> None:
        """Have a request answered once its rows, the last ones gathered, are acknowledged."""
        self._ends.append(Waiting(self._gathered.rows, request))
        if self._cache is not None and self._cache.open and not kept:
            self._gap = self.last + self._gathered.rows

    def _append(self, rows: Sequence[Row]) -> None:
        for volume, offset, length, kind, content in rows:
            self._gathered.append_one(volume, offset, length, kind, content)

    def gather_again(self, kept: Sequence[tuple[int, Row]]) -> None:
        """Take rows that an earlier life answered for; they are in the cache already."""
        self._append([row for _, row in kept])

    def flush(self, request: Asked) -> None:
        """Have a request answered once all rows so far are acknowledged."""
        if self._gathered.rows:
            self._ends.append(Waiting(self._gathered.rows, request))
        else:
            self._waiting.append(Waiting(self.last, request))

    @property
    def patient(self) -> bool:
        """Whether everyone was answered for what is gathered."""
        return self._cache is not None and not self._ends

    @property
    def _pending(self) -> bool:
        """Whether hosts were told of rows that are not on the volumes."""
        return self._cache is not None and bool(self._taken or self._told or self._gathered.rows)

    def read(self, volume: int, offset: int, length: int) -> bytes:
        """Read what hosts were told is written."""
        if self._pending:
            return bytes(self._present(volume, offset, offset + length))
        return self._volumes.images[volume].read(offset, length)

    def extents(self, volume: int, request: Request) -> Runs:
        """Give what a block status asks: nothing is called a hole where something may be about to land."""
        if self._pending:
            return [(request.length, True)]
        return limited(self._volumes.images[volume].extents(request.offset, request.length), request)

    def _odd(self, volume: int, request: Request) -> Iterator[Row]:
        """Give the rows of a trim, a zero, or an unaligned write."""
        offset, end = request.offset, request.offset + request.length
        inner, stop = -(-offset // BLOCK) * BLOCK, end // BLOCK * BLOCK
        if request.command == Command.TRIM:
            if inner < stop:  # a trim is a wish: part of a block cannot be forgotten
                yield volume, inner, stop - inner, int(Kind.TRIM), b""
        elif request.command == Command.WRITE:
            yield self._whole(volume, offset, request.data)
        elif inner >= stop:
            yield self._whole(volume, offset, _ZEROES[: end - offset])
        else:
            if offset < inner:
                yield self._whole(volume, offset, _ZEROES[: inner - offset])
            yield volume, inner, stop - inner, int(Kind.ZERO), b""
            if stop < end:
                yield self._whole(volume, stop, _ZEROES[: end - stop])

    def _whole(self, volume: int, offset: int, data: memoryview) -> Row:
        """Widen a write to whole blocks."""
        start = offset // BLOCK * BLOCK
        stop = -(-(offset + len(data)) // BLOCK) * BLOCK
        content = self._present(volume, start, stop)
        content[offset - start : offset - start + len(data)] = data
        return volume, start, stop - start, _WRITE, memoryview(content)

    def _present(self, volume: int, start: int, stop: int) -> bytearray:
        """Give a range as it will be once everything so far is applied."""
        found = bytearray(self._volumes.images[volume].read(start, stop - start))
        for batch in (*self._taken, *self._told):
            hit = (batch.volume == volume) & (batch.offset < stop) & (batch.offset + batch.length > start)
            for row in np.flatnonzero(hit).tolist():
                assert isinstance(batch.payload, BytesPayload)
                content = batch.payload.chunks[row]
                lay(found, start, int(batch.offset[row]), int(batch.length[row]), content)
        for at, length, content in self._gathered.over(volume, start, stop):
            lay(found, start, at, length, content)
        return found

    def tell(self, now: float, limit: int, headroom: int) -> WriteBatch:
        """Give places in the order to what was gathered: at most ``limit`` rows that cost ``headroom``.

        At least one row, whatever it costs.
        """
        count = self._gathered.affordable(limit, headroom)
        first, self.last = self.last + 1, self.last + count
        batch = self._gathered.take(count, first, now)
        self.told_writes += count
        self.told_bytes += sum_of(batch.length)
        self._told.append(batch)
        ends, self._ends = self._ends, []
        for end in ends:
            if end.seq > count and (parts := end.parted(count)):
                done, end = parts
                self._waiting.append(Waiting(self.last, done.request))
            if end.seq <= count:
                end.seq += first - 1
                self._waiting.append(end)
            else:
                end.seq -= count
                self._ends.append(end)
        return batch

    def take_through(self, seq: int) -> list[WriteBatch]:
        """Give the told rows with places up to ``seq``, to be applied now; `landed` says when they are."""
        found: list[WriteBatch] = []
        while self._told and self._told[0].first <= seq:
            batch = self._told.popleft()
            if batch.last > seq:
                self._told.appendleft(batch.after(seq))
                batch = batch.through(seq)
            found.append(batch)
        self._taken += found
        return found

    def landed(self, through: int) -> None:
        """What was taken is on the volumes, which hold the order through a place now."""
        self._taken.clear()
        if self._cache is not None:
            self._cache.drop(through)
            self._close_gap(through)

    def _fits(self, request: Asked) -> bool:
        """Whether the cache, once it is empty, has room for a request: waiting for that makes sense."""
        rows, nbytes = 3, request.length + 2 * BLOCK  # at most: the blocks at both ends, and what is between
        if isinstance(request, Writes):
            rows, nbytes = len(request), len(request) * request.length
        return self._cache is not None and self._cache.fits(rows, nbytes)

    def _close_gap(self, through: int) -> None:
        """Take what was held back, once rows through a place have landed."""
        if through >= self._gap:
            self._gap = 0
        while self._behind and not self._gap:
            volume, request = self._behind.popleft()
            self.gather(volume, [request])

    def answered_through(self, seq: int) -> list[Asked]:
        """Give the requests that are complete when the order is acknowledged through ``seq``."""
        found = []
        waiting = self._waiting
        while waiting and waiting[0].seq <= seq:
            found.append(waiting.popleft().request)
        if waiting and (parts := waiting[0].parted(seq)):
            found.append(parts[0].request)
            waiting[0] = parts[1]
        return found

    def fail_from(self, seq: int) -> list[Asked]:
        """Take rows from ``seq`` on out of the order again; give the requests that lost a row."""
        failed = []
        waiting = self._waiting
        while waiting and waiting[-1].seq >= seq:
            last = waiting.pop()
            if parts := last.parted(seq - 1):
                waiting.append(parts[0])
                last = parts[1]
            failed.append(last.request)
        while self._told and self._told[-1].last >= seq:
            kept = self._told.pop().through(seq - 1)
            if len(kept):
                self._told.append(kept)
        self.last = seq - 1
        return failed[::-1]

    def abandon(self) -> list[Asked]:
        """Forget everything; give every request that was not answered."""
        found = [w.request for w in (*self._waiting, *self._ends)] + [request for _, request in self._behind]
        self._behind.clear()
        self._waiting.clear()
        self._ends.clear()
        self._gathered.clear()
        self._told.clear()
        self._taken.clear()
        return found
