"""Traces of one record a line, values between delimiters: read in bulk, and line by line where bulk fails."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from drsim.workload.columns import Ints
from drsim.workload.traces.bulk import Bulk, Devices, label
from drsim.workload.traces.files import texts
from drsim.workload.traces.records import LIMIT, STEP_BACK_NS, Op, Records, TraceFormat, scaled
from drsim.workload.traces.report import Report

LETTERS = {
    **dict.fromkeys(("r", "read", "rs", "readsync"), Op.READ),
    **dict.fromkeys(("w", "write", "ws", "writesync"), Op.WRITE),
    **dict.fromkeys(("d", "t", "trim", "discard", "unmap"), Op.TRIM),
}
_FEW = 8192
_PIECE = 4 << 20


@dataclass(frozen=True)
class Layout:
    """Where the columns of a format are, and their units.

    Attributes:
        columns: the names of all columns in order; only the ones named below are read.
        delimiter: one character.
        header: the header's text, if files may have one.
        epoch: what to take off a whole ``time`` from then on, in its own unit; earlier ones are relative.
        tick_ns: nanoseconds of one unit of ``time`` (a time with decimals is read as it is).
        offset_unit, length_unit: bytes.
        device: the columns that name the device, joined by a dot; none means one device, ``0``.
        ops: what the ``op`` column may say, in lower case.
    """

    columns: tuple[str, ...]
    delimiter: str
    header: str = ""
    epoch: int = 0
    tick_ns: int = 1000
    offset_unit: int = 1
    length_unit: int = 1
    device: tuple[str, ...] = ("device",)
    ops: dict[str, Op] | None = None


class Delimited(TraceFormat):
    """A format of one record a line."""

    LAYOUT: ClassVar[Layout]

    def __init__(self) -> None:
        layout = self.LAYOUT
        self._bulk = Bulk(layout.columns, layout.device, layout.delimiter, layout.ops or LETTERS)
        self._devices = Devices(layout.device)

    def sniff(self, head: bytes) -> bool:
        lines = [line for line in head.split(b"\n")[:-1] or [head] if line.strip()][:20]
        if not lines or b"\0" in head:
            return False
        if self._is_header(lines[0]):
            return True
        good = sum(self._looks_right(line) for line in lines)
        return good > len(lines) // 2

    def _looks_right(self, line: bytes) -> bool:
        try:
            row = self._row(line)
        except ValueError:
            return False
        return row[2] != Op.UNKNOWN

    def _is_header(self, line: bytes) -> bool:
        wanted = self.LAYOUT.header
        return bool(wanted) and line.strip().lower().startswith(wanted.lower().encode())

    def read(self, paths: Sequence[Path], report: Report) -> Iterator[Records]:
        for path in paths:
            first, latest = 1, 0
            for lines in texts(path, _PIECE):
                if not lines.endswith(b"\n"):
                    yield self._last(lines, first, report, latest)
                    continue
                head = lines.index(b"\n") + 1 if first == 1 else 0
                if head and self._is_header(lines[:head]):
                    first, lines = 2, lines[head:]
                whole = self._whole(lines, first, report)
                for records in [whole] if whole is not None else self._halves(lines, first, report):
                    yield records
                    latest = int(records.time[-1]) if len(records) else latest
                # Where each line is a record, lines need not be counted.
                first += len(whole) if whole is not None else lines.count(b"\n")

    def _halves(self, lines: bytes, first: int, report: Report) -> Iterator[Records]:
        """Read lines that bulk refuses: by halves, until what is left is read line by line."""
        cut = lines.find(b"\n", len(lines) // 2) + 1
        if len(lines) < _FEW or cut in (0, len(lines)):
            yield self._each(lines, first, report)
            return
        for part, start in ((lines[:cut], first), (lines[cut:], first + lines.count(b"\n", 0, cut))):
            whole = self._whole(part, start, report)
            if whole is not None:
                yield whole
            else:
                yield from self._halves(part, start, report)

    def _whole(self, lines: bytes, first: int, report: Report) -> Records | None:
        """Read all lines at once; None unless every single line is right in form."""
        if self.LAYOUT.delimiter == " ":
            lines = re.sub(rb"[ \t]+", b" ", lines) if b"  " in lines or b"\t" in lines else lines
        if b"\r" in lines and lines.count(b"\r") != lines.count(b"\r\n"):
            # Arrow would end a line there, and line numbers would be wrong.
            return None
        table = self._bulk.table(lines)
        if table is None:
            return None
        report.lines += len(table)
        return self._records(table, first, report)

    def _records(self, table: Any, first: int, report: Report) -> Records:
        layout = self.LAYOUT
        return Records(
            self._ticks(table["time"].to_numpy()),
            self._devices.codes(table, report),
            self._bulk.ops(table["op"]),
            scaled(table["offset"].to_numpy(), layout.offset_unit),
            scaled(table["length"].to_numpy(), layout.length_unit),
            first,
        )

    def _ticks(self, time: NDArray[Any]) -> Ints:
        layout = self.LAYOUT
        if time.dtype == np.int64:
            since = np.where(time >= layout.epoch, time - layout.epoch, time) if layout.epoch else time
            return scaled(since, layout.tick_ns)
        ns = np.rint(time * layout.tick_ns)
        ns[~(np.abs(ns) < LIMIT)] = -1
        whole: Ints = ns.astype(np.int64)
        return whole

    def _each(self, lines: bytes, first: int, report: Report) -> Records:
        """Read line by line, counting what cannot be read."""
        rows, places = [], []
        for place, line in enumerate(lines.split(b"\n")[:-1], first):
            if not line.strip():
                continue
            report.lines += 1
            try:
                row = self._row(line)
            except ValueError as error:
                report.fault(f"not a {self.NAME} record", [f"line {place} ({error})"])
                continue
            rows.append((row[0], report.device(row[1]), *row[2:]))
            places.append(place)
        time, device, op, offset, length = np.array(rows, np.int64).reshape(-1, 5).T
        return Records(time, device, op.astype(np.uint8), offset, length, np.array(places, np.int64))

    def _last(self, line: bytes, place: int, report: Report, latest: int) -> Records:
        """Read a last line that has no end: it may have been cut off anywhere, so that is told in any case."""
        if not line.strip() or (place == 1 and self._is_header(line)):
            return self._each(b"", place, report)
        try:
            time, _, op, _, _ = self._row(line)
            sound = op != Op.UNKNOWN and time >= latest - STEP_BACK_NS
        except ValueError:
            sound = False
        if sound:
            report.fault("last line has no end", [f"line {place}"])
            return self._each(line + b"\n", place, report)
        report.lines += 1
        report.fault("cut off record", [f"line {place}"])
        return self._each(b"", place, report)

    def _row(self, line: bytes) -> tuple[int, str, int, int, int]:
        layout = self.LAYOUT
        text = line.decode("ascii", "replace").strip()
        words = text.split() if layout.delimiter == " " else text.split(layout.delimiter)
        if len(words) != len(layout.columns):
            raise ValueError(f"{len(words)} values instead of {len(layout.columns)}")
        values = dict(zip(layout.columns, (w.strip() for w in words), strict=True))
        device = ".".join(label(values[name]) for name in layout.device) if layout.device else "0"
        op = (layout.ops or LETTERS).get(values["op"].lower(), Op.UNKNOWN)
        return (
            _whole(values["time"], layout.tick_ns, layout.epoch),
            device,
            int(op),
            _whole(values["offset"], layout.offset_unit),
            _whole(values["length"], layout.length_unit),
        )


def _whole(text: str, unit: int, epoch: int = 0) -> int:
    try:
        value = (int(text) - (epoch if int(text) >= epoch else 0)) * unit
    except ValueError:
        try:
            value = round(float(text) * unit)
        except (ValueError, OverflowError):
            raise ValueError(f"'{text[:20]}' is not a number") from None
    if not -LIMIT < value < LIMIT:
        raise ValueError(f"'{text[:20]}' is out of range")
    return value
