"""Traces whose lines are of several kinds: read one line at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from drsim.workload.traces.files import line_pieces
from drsim.workload.traces.records import Op, Records, TraceFormat
from drsim.workload.traces.report import Report

PIECE = 1 << 20
Row = tuple[int, str, Op, int, int]


class Lines(TraceFormat):
    """A format read line by line; a reader keeps what a later line depends on in itself."""

    @abstractmethod
    def reader(self, first_piece: bytes) -> LineReader:
        """Give a reader for a file that begins with these lines."""

    def read(self, paths: Sequence[Path], report: Report) -> Iterator[Records]:
        for path in paths:
            reader: LineReader | None = None
            for lines, first, _ in line_pieces(path, PIECE):
                reader = reader or self.reader(lines)
                yield self._piece(reader, lines, first, report)

    def _piece(self, reader: LineReader, lines: bytes, first: int, report: Report) -> Records:
        rows, places = [], []
        for place, line in enumerate(lines.decode("ascii", "replace").split("\n")[:-1], first):
            text = line.strip()
            if not text:
                continue
            report.lines += 1
            try:
                row = reader.row(text)
            except ValueError as error:
                report.fault(f"not a {self.NAME} record", [f"line {place} ({error})"])
                continue
            if row is None:
                report.other += 1
                continue
            rows.append((row[0], report.device(row[1]), *row[2:]))
            places.append(place)
        time, device, op, offset, length = np.array(rows, np.int64).reshape(-1, 5).T
        return Records(time, device, op.astype(np.uint8), offset, length, np.array(places, np.int64))


class LineReader(ABC):
    """Reads one file's lines in order."""

    @abstractmethod
    def row(self, text: str) -> Row | None:
        """Give (ns, device, op, bytes offset, bytes length); None for a line that is none but right.

        Raises ValueError for a line that is wrong.
        """


def whole(text: str) -> int:
    """Read a whole number below 2**62; raises ValueError."""
    if not text.isdecimal():
        raise ValueError(f"'{text[:20]}' is not a number")
    value = int(text)
    if value >= 1 << 62:
        raise ValueError(f"'{text[:20]}' is out of range")
    return value
