"""From records to writes: what is wrong is counted and located, what is left is in order and fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drsim.blocks import Kind
from drsim.blocks.batch import once, sum_of
from drsim.workload.columns import Writes
from drsim.workload.traces.records import STEP_BACK_NS, Op, Records, TraceFormat
from drsim.workload.traces.report import Report, TraceError

APART = 1 << 48
_KINDS = np.array([Kind.WRITE, Kind.WRITE, Kind.TRIM, Kind.WRITE, Kind.WRITE], np.uint8)


class Cleaner:
    """Turns records into writes; carries the clock and the counts from block to block.

    Args:
        path: for errors.
        report: counts go here.
        device: label of the only device wanted; None where the trace must have just one; ``all`` for all
            on one volume, ``apart`` for all with 2**48 bytes of addresses each.
        volume_size: bytes the writes must fit, or None.
        fit: what to do with a write past the volume's end: ``refuse`` the trace, ``drop`` or ``wrap`` it;
            ``anywhere`` wraps without a word, for traces that do not know where they wrote.
        own_zero: whether time 0 is the trace's start (else its first record is).
    """

    def __init__(
        self,
        path: Path,
        report: Report,
        *,
        device: str | None = None,
        volume_size: int | None = None,
        fit: str = "refuse",
        own_zero: bool = False,
    ) -> None:
        self._path, self._report = path, report
        self._device, self._size, self._fit = device, volume_size, fit
        self._zero: int | None = 0 if own_zero else None
        self._first: int | None = None
        self._latest = 0

    def clean(self, records: Records) -> Writes:
        """Give the writes and trims among ``records`` that are wanted."""
        rows = self.sound(replace(records, length=once(records.length)))
        return self._writes(self._placed(rows.take(self._wanted(rows))))

    @property
    def zero(self) -> int:
        """The trace's start on its own clock, ns."""
        return self._zero or 0

    @property
    def end_s(self) -> float:
        """Seconds from the trace's start to the last record so far."""
        return max(self._latest - self.zero, 0) / 1e9

    def sound(self, records: Records) -> Records:
        """Give the records that can be used, of all devices, reads too; the clock held, all counted."""
        rows = self._sound(records)
        if len(rows):
            rows = self._clock(rows)
            self._count(rows)
        return rows

    def _sound(self, records: Records) -> Records:
        """Leave out what cannot be, counting each kind."""
        if _sane(records):
            return records
        data = records.op <= Op.TRIM
        self._report.other += int((records.op == Op.OTHER).sum())
        wrong = {
            "unknown operation": records.op == Op.UNKNOWN,
            "time out of range": data & (records.time < 0),
            "address out of range": data & ((records.offset < 0) | (records.offset > (1 << 62))),
            "zero length": data & (records.length == 0),
            "length out of range": data & ((records.length < 0) | (records.length > 1 << 32)),
        }
        bad = np.zeros(len(records), np.bool_)
        for kind, rows in wrong.items():
            rows = rows & ~bad
            if rows.any():
                self._report.fault(kind, records.spots(rows), int(rows.sum()))
                bad |= rows
        good = data & ~bad
        return records.take(good)

    def _clock(self, rows: Records) -> Records:
        """Hold a clock that steps back a little; refuse one that steps back far."""
        if self._zero is None:
            self._zero = int(rows.time[0])
        if self._first is None:
            self._first = self._latest = int(rows.time[0])
        if rows.time[0] >= self._latest and bool((rows.time[1:] >= rows.time[:-1]).all()):
            return self._reached(rows)
        steady = np.maximum(np.maximum.accumulate(rows.time), self._latest)
        back = steady - rows.time
        far = back > STEP_BACK_NS
        if far.any():
            problem = f"the clock goes back by {back[far][0] / 1e9:.6g} s"
            raise TraceError(self._path, problem, rows.spots(far)[0], "sort it, or give its parts as a list")
        if back.any():
            self._report.fault("clock steps back", rows.spots(back > 0), int((back > 0).sum()))
        return self._reached(replace(rows, time=steady))

    def _reached(self, rows: Records) -> Records:
        assert self._first is not None, "the first record has been seen"
        self._latest = int(rows.time[-1])
        self._report.span_s = (self._latest - self._first) / 1e9
        return rows

    def _count(self, rows: Records) -> None:
        number, nbytes = [0] * 3, [0] * 3
        for op in range(3):
            mine = rows.op == op
            number[op] = int(np.count_nonzero(mine))
            if number[op]:
                nbytes[op] = sum_of(rows.length) if number[op] == len(rows) else int(rows.length @ mine)
        report = self._report
        report.reads += number[Op.READ]
        report.writes += number[Op.WRITE]
        report.trims += number[Op.TRIM]
        report.bytes_read += nbytes[Op.READ]
        report.bytes_written += nbytes[Op.WRITE]
        report.bytes_trimmed += nbytes[Op.TRIM]

    def _wanted(self, rows: Records) -> NDArray[np.bool_]:
        wanted = rows.op != Op.READ
        if self._device is None:
            self._only_one(rows, wanted)
        elif self._device not in ("all", "apart"):
            code = -1
            if self._device in self._report.devices:
                code = self._report.devices.index(self._device)
            wanted &= rows.device == code
        chosen: NDArray[np.bool_] = wanted
        return chosen

    def _only_one(self, rows: Records, wanted: NDArray[np.bool_]) -> None:
        if len(self._report.devices) == 1:
            if wanted.any():
                self._single = 0
            return
        devices = rows.device[wanted]
        if len(devices):
            self._single = getattr(self, "_single", int(devices[0]))
            other = wanted & (rows.device != self._single)
            if other.any():
                names = [self._report.devices[d] for d in (self._single, int(rows.device[other][0]))]
                problem = f"has writes of several devices ({names[0]}, {names[1]}, ...)"
                hint = (
                    f"choose one with device: '{names[0]}', or device: all where their addresses may collide"
                )
                raise TraceError(self._path, problem, rows.spots(other)[0], hint)

    def _placed(self, rows: Records) -> Records:
        if self._size is None or not len(rows):
            return rows
        if int(rows.offset.max()) + int(rows.length.max()) <= self._size:
            return rows
        past = rows.offset + rows.length > self._size
        if not past.any():
            return rows
        where = rows.spots(past)
        if self._fit == "refuse" or (self._fit != "drop" and int(rows.length.max()) > self._size):
            need = int((rows.offset + rows.length).max())
            problem = f"a write reaches byte {need}, past the volume's end at {self._size}"
            raise TraceError(self._path, problem, where[0], "make the volume larger, or write fit: wrap")
        if self._fit != "anywhere":
            self._report.fault(f"past the volume's end ({self._fit})", where, int(past.sum()))
        if self._fit == "drop":
            return rows.take(~past)
        room = (self._size - rows.length) // 512 * 512 + 512
        offset = np.where(past, rows.offset % room, rows.offset)
        return replace(rows, offset=offset)

    def _writes(self, rows: Records) -> Writes:
        time = (rows.time - self.zero if self.zero else rows.time) / 1e9
        offset = rows.offset
        if self._device == "apart":
            offset = (offset & (APART - 1)) + rows.device * APART
        if len(rows) and bool((rows.op == rows.op[0]).all()):
            return Writes(time, offset, rows.length, np.broadcast_to(_KINDS[rows.op[0]], (len(rows),)))
        return Writes(time, offset, rows.length, _KINDS[rows.op])


def _sane(records: Records) -> bool:
    """Whether there is nothing in any record that cannot be."""
    return (
        len(records) > 0
        and bool(records.op.max() <= Op.TRIM)
        and bool(records.time.min() >= 0 and records.offset.min() >= 0 and records.length.min() > 0)
        and bool(records.offset.max() <= 1 << 62 and records.length.max() <= 1 << 32)
    )


def clean(paths: Sequence[Path], reader: TraceFormat, report: Report, cleaner: Cleaner) -> Iterator[Writes]:
    """Give a trace's writes, block by block (none empty); counts go to ``report``."""
    report.format = reader.NAME
    for records in reader.read(paths, report):
        writes = cleaner.clean(records)
        if len(writes):
            yield writes
