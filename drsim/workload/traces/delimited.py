"""Traces of one record a line, values between delimiters: read in bulk, and line by line where bulk fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from drsim.workload.columns import Ints
from drsim.workload.traces.files import line_pieces
from drsim.workload.traces.records import LIMIT, Op, Records, TraceFormat, scaled
from drsim.workload.traces.report import Report

LETTERS = {
    **dict.fromkeys(("r", "read", "rs", "readsync"), Op.READ),
    **dict.fromkeys(("w", "write", "ws", "writesync"), Op.WRITE),
    **dict.fromkeys(("d", "t", "trim", "discard", "unmap"), Op.TRIM),
}
_FEW = 8192
_CODED = pa.dictionary(pa.int32(), pa.string())
_TYPES = tuple((clock, device) for device in (pa.int64(), _CODED) for clock in (pa.int64(), pa.float64()))


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
    _usual: tuple[Any, Any] | None = None

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
            for lines, first, count in line_pieces(path):
                head = lines.index(b"\n") + 1
                if first > 1 or not self._is_header(lines[:head]):
                    yield from self._piece(lines, first, count, report)
                elif count > 1:
                    yield from self._piece(lines[head:], 2, count - 1, report)

    def _piece(self, lines: bytes, first: int, count: int, report: Report) -> Iterator[Records]:
        """Read in bulk; where that fails, halve, until what is left is read line by line."""
        records = self._bulk(lines, first, count, report)
        if records is not None:
            yield records
        elif len(lines) < _FEW:
            yield self._each(lines, first, report)
        else:
            cut = lines.find(b"\n", len(lines) // 2) + 1 or len(lines)
            upper, lower = lines[:cut], lines[cut:]
            if not lower:
                yield self._each(upper, first, report)
                return
            above = upper.count(b"\n")
            yield from self._piece(upper, first, above, report)
            yield from self._piece(lower, first + above, count - above, report)

    def _bulk(self, lines: bytes, first: int, count: int, report: Report) -> Records | None:
        """Read all lines at once; None unless every single line is right in form."""
        if self.LAYOUT.delimiter == " ":
            lines = re.sub(rb"[ \t]+", b" ", lines) if b"  " in lines or b"\t" in lines else lines
        # What the last piece held is tried first; else whole numbers, for the clock and for the device.
        for types in sorted(_TYPES, key=lambda t: t != self._usual):
            try:
                table = self._table(lines, *types)
            except pa.ArrowInvalid:
                continue
            self._usual = types
            if len(table) == count and not any(c.null_count for c in table.columns):
                report.lines += len(table)
                return self._records(table, first, report)
        return None

    def _table(self, lines: bytes, clock: Any, device: Any) -> Any:
        layout = self.LAYOUT
        types: dict[str, Any] = {"time": clock, "offset": pa.int64(), "length": pa.int64(), "op": pa.string()}
        types |= dict.fromkeys(layout.device, device)
        return csv.read_csv(
            pa.BufferReader(lines),
            csv.ReadOptions(column_names=layout.columns, block_size=1 << 20),
            csv.ParseOptions(delimiter=layout.delimiter, quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=[""],
                strings_can_be_null=True,
                auto_dict_encode=False,
            ),
        )

    def _records(self, table: Any, first: int, report: Report) -> Records:
        layout = self.LAYOUT
        names = layout.ops or LETTERS
        op = _letters(table["op"], names)
        return Records(
            self._ticks(table["time"].to_numpy()),
            self._devices(table, report),
            op,
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

    def _devices(self, table: Any, report: Report) -> Ints:
        columns = self.LAYOUT.device
        if not columns:
            return np.full(len(table), report.device("0"), np.int64)
        if len(columns) == 1:
            return _coded(table[columns[0]], lambda texts: report.codes([t.strip() for t in texts]).tolist())
        texts: list[str] = [""]
        which = np.zeros(len(table), np.int64)
        for name in columns:
            own: list[str] = []
            code = _coded(table[name], lambda words: [_index(own, word.strip()) for word in words])  # noqa: B023
            which = which * len(own) + code
            texts = [f"{a}.{b}" if a else b for a in texts for b in own]
        used = np.flatnonzero(np.bincount(which, minlength=len(texts)))
        codes = np.zeros(len(texts), np.int64)
        codes[used] = report.codes([texts[i] for i in used])
        return codes[which]

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

    def _row(self, line: bytes) -> tuple[int, str, int, int, int]:
        layout = self.LAYOUT
        text = line.decode("ascii", "replace").strip()
        words = text.split() if layout.delimiter == " " else text.split(layout.delimiter)
        if len(words) != len(layout.columns):
            raise ValueError(f"{len(words)} values instead of {len(layout.columns)}")
        values = dict(zip(layout.columns, (w.strip() for w in words), strict=True))
        device = ".".join(values[name] for name in layout.device) if layout.device else "0"
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


def _index(known: list[str], word: str) -> int:
    """Give the place of a word in a list, adding it if it is new."""
    if word not in known:
        known.append(word)
    return known.index(word)


def _letters(column: Any, names: dict[str, Op]) -> NDArray[np.uint8]:
    """Translate what each record does; single letters, the usual case, by their byte."""
    table = np.full(256, Op.UNKNOWN, np.uint8)
    for name, op in names.items():
        if len(name) == 1:
            table[[ord(name), ord(name.upper())]] = op
    parts = []
    for chunk in column.chunks:
        _, ends, letters = chunk.buffers()
        edge = np.frombuffer(ends, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        if edge[-1] - edge[0] == len(chunk) and (np.diff(edge) == 1).all():
            parts.append(table[np.frombuffer(letters, np.uint8)[edge[0] : edge[-1]]])
        else:
            own = pa.chunked_array([chunk])
            codes = _coded(own, lambda words: [names.get(w.strip().lower(), Op.UNKNOWN) for w in words])
            parts.append(codes.astype(np.uint8))
    return np.concatenate(parts) if parts else np.empty(0, np.uint8)


def _coded(column: Any, meaning: Callable[[list[str]], Sequence[int]]) -> Ints:
    """Translate a column by its few distinct texts, which ``meaning`` turns into codes."""
    parts = []
    for part in column.chunks:
        chunk = part if pa.types.is_dictionary(part.type) else part.dictionary_encode()
        codes = np.array(meaning([str(text) for text in chunk.dictionary.to_pylist()]), np.int64)
        parts.append(codes[chunk.indices.to_numpy()])
    return np.concatenate(parts) if parts else np.empty(0, np.int64)
