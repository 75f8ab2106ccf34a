"""Host requests become rows of the order: aligned, numbered, remembered until they are answered."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Sequence
from itertools import repeat

import numpy as np

from drsim.agent.cache import Row, WriteCache
from drsim.agent.disk import Buffer
from drsim.agent.nbd.exports import Asked, Request, Writes, limited
from drsim.agent.nbd.exports import Extents as Runs
from drsim.agent.nbd.protocol import Command, CommandFlag
from drsim.agent.volumes import Volumes
from drsim.agent.waiting import Waiting
from drsim.blocks.batch import RECORD, Kind, WriteBatch, alone
from drsim.blocks.payload import BytesPayload

BLOCK = 4096
_ZEROES = memoryview(bytes(32 << 20))
_WRITE = int(Kind.WRITE)
_WRITES, _FUA = int(Command.WRITE), int(CommandFlag.FUA)  # plain numbers: these are asked of every write


class Intake:
    """Rows that hosts wrote and that are not on the volumes yet, in order.

    First gathered (no place yet), then told to the engines as batches, then applied. An unaligned write
    becomes whole blocks: the rest of a block is what the volume and every earlier row say.

    Args:
        last: the last place given.
        cache: keeps rows whose request is answered as soon as they are gathered.
    """

    def __init__(self, volumes: Volumes, last: int, cache: WriteCache | None = None) -> None:
        self.last = last  # the last place given
        self.nbytes = 0  # gathered and not told
        self.told_writes = self.told_bytes = 0
        self._volumes = volumes
        self._cache = cache
        self._gathered: list[Row] = []
        self._ends: list[Waiting] = []  # places as rows gathered
        self._told: deque[WriteBatch] = deque()
        self._waiting: deque[Waiting] = deque()

    def __len__(self) -> int:
        """Rows gathered."""
        return len(self._gathered)

    @property
    def unanswered(self) -> int:
        """Requests that wait for their answer."""
        return len(self._ends) + len(self._waiting)

    def gather(self, volume: int, requests: Sequence[Asked]) -> None:
        """Take requests that change a volume; those that change nothing are answered at once."""
        rows = self._gathered
        for request in requests:
            before = len(rows)
            if isinstance(request, Writes):
                self._gather_together(volume, request)
                continue
            offset, length = request.offset, request.length
            if not length:
                request.reply(request)
                continue
            if request.command == _WRITES and not (offset | length) & (BLOCK - 1):
                rows.append((volume, offset, length, _WRITE, request.data))
                self.nbytes += length
            else:
                try:
                    wanted = self._gather_odd(volume, request)
                except OSError as error:  # the rest of a block could not be read
                    request.reply(request, error.errno or errno.EIO)
                    continue
                if not wanted:
                    request.reply(request)
                    continue
            self._taken(request, before)

    def keep(self, volume: int, offset: int, content: memoryview) -> bool:
        """Gather a write of whole blocks if the cache keeps it; say whether."""
        row = (volume, offset, len(content), _WRITE, content)
        if self._cache is None or not self._cache.put(self.last + len(self._gathered) + 1, [row]):
            return False
        self._gathered.append(row)
        self.nbytes += len(content)
        return True

    def _gather_together(self, volume: int, writes: Writes) -> None:
        length, contents, rows = writes.length, writes.contents, self._gathered
        rows.extend(
            zip(repeat(volume), writes.offsets, repeat(length), repeat(_WRITE), contents, strict=False)
        )
        self.nbytes += length * len(contents)
        cache, last = self._cache, self.last + len(rows)
        if cache is not None and cache.put_alike(last, volume, writes.offsets, length, contents):
            writes.reply(writes)
        else:
            self._ends.append(Waiting(len(rows), writes))

    def _taken(self, request: Request, before: int) -> None:
        """Answer a request whose rows are those gathered since, if the cache has them; else later."""
        rows, cache = self._gathered, self._cache
        if cache is not None and cache.put(self.last + len(rows), rows[before:]) and not request.flags & _FUA:
            request.reply(request)
        else:
            self._ends.append(Waiting(len(rows), request))

    def gather_again(self, kept: Sequence[tuple[int, Row]]) -> None:
        """Take rows that an earlier life answered for; they are in the cache already."""
        for _, row in kept:
            self._gathered.append(row)
            self.nbytes += len(row[4])

    def flush(self, request: Asked) -> None:
        """Have a request answered once all rows so far are acknowledged."""
        if self._gathered:
            self._ends.append(Waiting(len(self._gathered), request))
        else:
            self._waiting.append(Waiting(self.last, request))

    @property
    def patient(self) -> bool:
        """Whether everyone was answered for what is gathered."""
        return self._cache is not None and not self._ends

    @property
    def _pending(self) -> bool:
        """Whether hosts were told of rows that are not on the volumes."""
        return self._cache is not None and bool(self._told or self._gathered)

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

    def _gather_odd(self, volume: int, request: Request) -> bool:
        """Take a trim, a zero, or an unaligned write; say whether anything is to be done."""
        offset, end = request.offset, request.offset + request.length
        inner, stop = -(-offset // BLOCK) * BLOCK, end // BLOCK * BLOCK
        rows = self._gathered
        if request.command == Command.TRIM:
            if inner < stop:
                rows.append((volume, inner, stop - inner, Kind.TRIM, b""))
            return inner < stop  # a trim is a wish: part of a block cannot be forgotten
        if request.command == Command.WRITE:
            self._gather_whole(volume, offset, request.data)
        elif inner >= stop:
            self._gather_whole(volume, offset, _ZEROES[: end - offset])
        else:
            if offset < inner:
                self._gather_whole(volume, offset, _ZEROES[: inner - offset])
            rows.append((volume, inner, stop - inner, Kind.ZERO, b""))
            if stop < end:
                self._gather_whole(volume, stop, _ZEROES[: end - stop])
        return True

    def _gather_whole(self, volume: int, offset: int, data: memoryview) -> None:
        """Widen a write to whole blocks."""
        start = offset // BLOCK * BLOCK
        stop = -(-(offset + len(data)) // BLOCK) * BLOCK
        content = self._present(volume, start, stop)
        content[offset - start : offset - start + len(data)] = data
        self._gathered.append((volume, start, stop - start, Kind.WRITE, memoryview(content)))
        self.nbytes += stop - start

    def _present(self, volume: int, start: int, stop: int) -> bytearray:
        """Give a range as it will be once everything so far is applied."""
        found = bytearray(self._volumes.images[volume].read(start, stop - start))
        for batch in self._told:
            hit = (batch.volume == volume) & (batch.offset < stop) & (batch.offset + batch.length > start)
            for row in np.flatnonzero(hit).tolist():
                assert isinstance(batch.payload, BytesPayload)
                content = batch.payload.chunks[row]
                _lay(found, start, int(batch.offset[row]), int(batch.length[row]), content)
        for v, offset, length, _, content in self._gathered:
            if v == volume and offset < stop and offset + length > start:
                _lay(found, start, offset, length, content)
        return found

    def tell(self, now: float, limit: int, headroom: int) -> WriteBatch:
        """Give places in the order to what was gathered: at most ``limit`` rows that cost ``headroom``.

        At least one row, whatever it costs.
        """
        count = self._affordable(min(limit, len(self._gathered)), headroom)
        rows, self._gathered = self._gathered[:count], self._gathered[count:]
        first, self.last = self.last + 1, self.last + count
        batch = _numbered(first, now, rows)
        for _, _, length, _, content in rows:
            self.told_bytes += length
            self.nbytes -= len(content)
        self.told_writes += count
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

    def _affordable(self, count: int, headroom: int) -> int:
        if self.nbytes + RECORD * count <= headroom:
            return count
        cost = 0
        for index, row in enumerate(self._gathered[:count]):
            cost += row[2] if row[3] == _WRITE else RECORD
            if cost > headroom:
                return max(1, index)
        return count

    def take_through(self, seq: int) -> list[WriteBatch]:
        """Give the told rows with places up to ``seq``, to be applied now."""
        found = []
        while self._told and self._told[0].first <= seq:
            batch = self._told.popleft()
            if batch.last > seq:
                self._told.appendleft(batch.after(seq))
                batch = batch.through(seq)
            found.append(batch)
        return found

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
        found = [w.request for w in (*self._waiting, *self._ends)]
        self._waiting.clear()
        self._ends.clear()
        self._gathered.clear()
        self._told.clear()
        return found


def _numbered(first: int, now: float, rows: Sequence[Row]) -> WriteBatch:
    """Give rows their places in the order, from ``first`` on."""
    if len(rows) == 1:
        ((volume, offset, length, kind, content),) = rows
        return alone(first, now, volume, offset, length, kind, BytesPayload((content,)))
    volumes, offsets, lengths, kinds, contents = zip(*rows, strict=True)
    return WriteBatch(
        np.arange(first, first + len(rows), dtype=np.int64),
        np.array([now] * len(rows)),
        np.array(volumes, np.uint16),
        np.array(offsets, np.int64),
        np.array(lengths, np.int64),
        np.array(kinds, np.uint8),
        BytesPayload(contents),
    )


def _lay(found: bytearray, start: int, offset: int, length: int, content: Buffer) -> None:
    """Lay one row over a range that begins at ``start``."""
    low, high = max(offset, start), min(offset + length, start + len(found))
    found[low - start : high - start] = (
        content[low - offset : high - offset] if content else bytes(high - low)
    )
