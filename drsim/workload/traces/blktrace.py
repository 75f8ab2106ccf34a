"""blktrace's binary files (version 7), one a CPU, merged by time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsim.workload.columns import Ints
from drsim.workload.traces.files import head, pieces
from drsim.workload.traces.records import FILE_SHIFT, Op, Records, TraceFormat, in_order, scaled
from drsim.workload.traces.report import Report, TraceError

_MAGIC = 0x65617407
_SIZE = 48
_SECTOR = 512
_QUEUE, _ISSUE = 1, 7
_READ, _WRITE, _NOTIFY, _DISCARD = 1, 2, 1 << 10, 1 << 13
_FIELDS = [
    ("magic", "u4"),
    ("sequence", "u4"),
    ("time", "u8"),
    ("sector", "u8"),
    ("length", "u4"),
    ("action", "u4"),
    ("pid", "u4"),
    ("device", "u4"),
    ("cpu", "u4"),
    ("error", "u2"),
    ("more", "u2"),
]


class Blktrace(TraceFormat):
    """Q events (what the host asked for, before merging); D events where the files begin without any Q.

    One byte order per file; a record's extra data is skipped. The files of one trace are merged by time.
    """

    NAME = "blktrace"

    def sniff(self, head: bytes) -> bool:
        return _order(head) is not None

    def read(self, paths: Sequence[Path], report: Report) -> Iterator[Records]:
        wanted = _QUEUE if any(_has_queue(path) for path in paths) else _ISSUE
        names = tuple(path.name for path in paths)
        yield from _merged([_File(path, i, names, wanted, report) for i, path in enumerate(paths)])


def _order(start: bytes) -> str | None:
    for order in "<>":
        if start[:4] == np.array(_MAGIC, f"{order}u4").tobytes():
            return order
    return None


def _dtype(order: str) -> np.dtype[Any]:
    return np.dtype([(name, order + kind) for name, kind in _FIELDS])


def _has_queue(path: Path) -> bool:
    start = head(path)
    order = _order(start)
    if order is None:
        return False
    places, _ = _chain(start, order, path, 0)
    rows = _rows(start, places, order)
    return bool((_of(rows["action"], _QUEUE)).any())


def _of(action: NDArray[np.uint32], wanted: int) -> NDArray[np.bool_]:
    """Tell which records are of that event; notes (a process's name, a message) reuse its numbers."""
    chosen: NDArray[np.bool_] = (action & 0xFFFF == wanted) & (action >> 16 & _NOTIFY == 0)
    return chosen


class _File:
    """One CPU's file."""

    def __init__(self, path: Path, number: int, names: tuple[str, ...], wanted: int, report: Report) -> None:
        self._path, self._number, self._names = path, number, names
        self._wanted, self._report = wanted, report

    def blocks(self) -> Iterator[Records]:
        order, rest, done = "", b"", 0
        for piece in pieces(self._path):
            data = rest + piece
            if not order:
                found = _order(data)
                if found is None:
                    raise TraceError(self._path, "is not a blktrace file of version 7", "byte 0")
                order = found
            places, end = _chain(data, order, self._path, done)
            yield self._records(data, places, order, done)
            rest, done = data[end:], done + end
        if rest:
            self._report.fault("cut off record", [f"byte {done} of {self._path.name}"])

    def _records(self, data: bytes, places: Ints, order: str, done: int) -> Records:
        rows = _rows(data, places, order)
        mine = _of(rows["action"], self._wanted)
        self._report.lines += len(rows)
        self._report.other += int(len(rows) - mine.sum())
        rows = rows[mine]
        category = rows["action"] >> 16
        op = np.where(category & _WRITE, Op.WRITE, np.where(category & _READ, Op.READ, Op.OTHER))
        op = np.where(category & _DISCARD, Op.TRIM, op)
        op = np.where(rows["length"] == 0, Op.OTHER, op)  # a flush
        return Records(
            scaled(rows["time"].astype(np.int64), 1),
            self._devices(rows["device"]),
            op.astype(np.uint8),
            scaled(rows["sector"].astype(np.int64), _SECTOR),
            rows["length"].astype(np.int64),
            places[mine] + (done + (self._number << FILE_SHIFT)),
            "byte",
            self._names,
        )

    def _devices(self, numbers: NDArray[np.uint32]) -> Ints:
        distinct, which = np.unique(numbers, return_inverse=True)
        # The kernel's dev_t: 12 bits of major above 20 bits of minor.
        codes = self._report.codes([f"{int(d) >> 20},{int(d) & 0xFFFFF}" for d in distinct])
        return codes[which] if len(codes) else np.empty(0, np.int64)


def _rows(data: bytes, places: Ints, order: str) -> NDArray[Any]:
    """Give the records at ``places``; a view where they follow one another without extra data."""
    dtype = _dtype(order)
    if not len(places):
        return np.empty(0, dtype)
    first = int(places[0])
    if int(places[-1]) - first == (len(places) - 1) * _SIZE:
        return np.frombuffer(data, dtype, len(places), first)
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data, np.uint8), _SIZE)
    return np.ascontiguousarray(windows[places]).view(dtype)[:, 0]


def _chain(data: bytes, order: str, path: Path, done: int) -> tuple[Ints, int]:
    """Give where each whole record begins, and where the first one not whole does."""
    rows = np.frombuffer(data, _dtype(order), len(data) // _SIZE)
    odd = np.flatnonzero((rows["more"] != 0) | (rows["magic"] != _MAGIC))
    plain = int(odd[0]) if len(odd) else len(rows)
    # Most records have no extra data, and most pieces none that has: those need no search.
    places = np.arange(plain, dtype=np.int64) * _SIZE
    start = plain * _SIZE
    if plain == len(rows):
        return places, start
    further, end = _search(data[start:], order, path, done + start)
    return np.concatenate([places, further + start]), end + start


def _search(data: bytes, order: str, path: Path, done: int) -> tuple[Ints, int]:
    """Find records by their magic number, and check that each begins where the one before it ends."""
    raw = np.frombuffer(data, np.uint8)
    magic = np.array([_MAGIC], f"{order}u4").view(np.uint8)
    limit = len(raw) - _SIZE + 1
    if limit <= 0:
        return np.empty(0, np.int64), 0
    like = raw[:limit] == magic[0]
    for i in (1, 2, 3):
        like &= raw[i : limit + i] == magic[i]
    found = np.flatnonzero(like)
    more = raw[found[:, None] + np.array([46, 47])].copy().view(f"{order}u2")[:, 0].astype(np.int64)
    follow = found + _SIZE + more
    if len(found) and found[0] == 0 and follow[-1] >= limit and np.array_equal(follow[:-1], found[1:]):
        ends = follow
        places = found
    else:
        places, ends = _walk(found, follow, limit, path, done, data, order)
    if len(ends) and ends[-1] > len(raw):
        return places[:-1], int(places[-1])
    return places, int(ends[-1]) if len(ends) else 0


def _walk(
    found: Ints, follow: Ints, limit: int, path: Path, done: int, data: bytes, order: str
) -> tuple[Ints, Ints]:
    """Follow the records one by one, past magic numbers inside their extra data; errors where it breaks."""
    step = dict(zip(found.tolist(), follow.tolist(), strict=True))
    places, ends, at = [], [], 0
    while at < limit:
        if at not in step:
            other = _order(data[at : at + 4])
            problem = "byte order changes" if other not in (None, order) else "is not a blktrace record"
            raise TraceError(path, problem, f"byte {done + at}")
        places.append(at)
        at = step[at]
        ends.append(at)
    return np.array(places, np.int64), np.array(ends, np.int64)


def _merged(files: list[_File]) -> Iterator[Records]:
    """Merge by time, in memory bounded by a piece of each file."""
    heads = [head for head in (_Head(file.blocks()) for file in files) if head.refill()]
    while heads:
        limit = min(head.last for head in heads)
        yield in_order([head.until(limit) for head in heads])
        heads = [head for head in heads if head.last > limit or head.refill()]


class _Head:
    """The records a file has given and not yet passed on, in order of time."""

    def __init__(self, blocks: Iterator[Records]) -> None:
        self._blocks = blocks
        self.last = -1

    def refill(self) -> bool:
        for block in self._blocks:
            if len(block):
                self._rest = in_order([block])
                self.last = int(self._rest.time[-1])
                return True
        return False

    def until(self, limit: int) -> Records:
        cut = int(np.searchsorted(self._rest.time, limit, side="right"))
        given = self._rest.take(slice(0, cut))
        self._rest = self._rest.take(slice(cut, None))
        return given
