"""Lines between delimiters read in bulk: Arrow's CSV reader, each column with the cheapest type that fits it.

A clock is first tried as whole numbers, a device as a number, and what a record does as a truth value (write
or read), which needs no texts at all. Where a column does not fit, only that one is read in a more general
type, and what fitted the last piece is tried first on the next.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from drsim.workload.columns import Ints
from drsim.workload.traces.records import Op
from drsim.workload.traces.report import Report

CODED = pa.dictionary(pa.int32(), pa.string())
_BLOCK = 1 << 20
_COLUMN = re.compile(r"In CSV column #(\d+)")
_GENERAL = {"time": pa.float64(), "op": CODED}
_SPAN = 1 << 16


class Bulk:
    """Reads pieces of one format.

    Args:
        columns: names of all columns in the file, among them ``time``, ``offset``, ``length`` and ``op``.
        device: names of those that name the device.
        delimiter: one character.
        ops: what ``op`` may say, in lower case.
    """

    def __init__(
        self, columns: Sequence[str], device: Sequence[str], delimiter: str, ops: Mapping[str, Op]
    ) -> None:
        self._columns, self._ops = columns, ops
        self._types: dict[str, Any] = {
            "time": pa.int64(),
            "offset": pa.int64(),
            "length": pa.int64(),
            "op": pa.bool_(),
            **dict.fromkeys(device, pa.int64()),
        }
        self._general = {**dict.fromkeys(device, CODED), **_GENERAL}
        self._read = csv.ReadOptions(column_names=columns, block_size=_BLOCK)
        self._parse = csv.ParseOptions(delimiter=delimiter, quote_char=False, ignore_empty_lines=False)

    def table(self, lines: bytes) -> Any:
        """Give a table of the columns that matter; None unless every single line is right in form."""
        types: dict[str, Any] | None = dict(self._types)
        # Memory of Arrow's own: its threads may let go of it last, even as Python is ending, when they
        # must not touch an object of Python's any more (the process would be aborted).
        held = pa.allocate_buffer(len(lines))
        np.frombuffer(held, np.uint8)[:] = np.frombuffer(lines, np.uint8)
        while types is not None:
            try:
                found = csv.read_csv(pa.BufferReader(held), self._read, self._parse, self._convert(types))
            except pa.ArrowInvalid as error:
                types = self._relaxed(types, str(error))
                continue
            if any(column.null_count for column in found.columns):
                return None
            self._types = types
            return found
        return None

    def _convert(self, types: dict[str, Any]) -> Any:
        return csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=[""],
            strings_can_be_null=True,
            auto_dict_encode=False,
            true_values=_spellings(self._ops, Op.WRITE),
            false_values=_spellings(self._ops, Op.READ),
        )

    def _relaxed(self, types: dict[str, Any], error: str) -> dict[str, Any] | None:
        """Give the types with that of the column in error generalised; None where no type would help."""
        found = _COLUMN.match(error)
        name = self._columns[int(found[1])] if found else ""
        general = self._general.get(name)
        return None if general is None or types[name] == general else {**types, name: general}

    def ops(self, column: Any) -> NDArray[np.uint8]:
        """Translate what each record does, uint8[n]."""
        if pa.types.is_boolean(column.type):
            written: NDArray[np.bool_] = column.to_numpy(zero_copy_only=False)
            return written.view(np.uint8)  # Op.READ is 0 and Op.WRITE 1
        parts = []
        for chunk in column.chunks:
            words = chunk.dictionary.to_pylist()
            meaning = np.array([self._ops.get(w.strip().lower(), Op.UNKNOWN) for w in words], np.uint8)
            parts.append(meaning[chunk.indices.to_numpy()])
        return np.concatenate(parts) if parts else np.empty(0, np.uint8)


def _spellings(ops: Mapping[str, Op], wanted: Op) -> list[str]:
    return sorted({f(word) for word, op in ops.items() if op == wanted for f in (str, str.upper, str.title)})


def label(word: str) -> str:
    """Give a device's label: numbers lose leading zeros, so that they are the same however they were read."""
    word = word.strip()
    return str(int(word)) if word.isdecimal() and word.isascii() and len(word) < 4000 else word


@dataclass(slots=True)
class _Words:
    """The distinct labels of one column, in order of appearance; small numbers are looked up in a table."""

    words: dict[str, int]
    table: Ints

    def code(self, word: str) -> int:
        return self.words.setdefault(label(word), len(self.words))

    def codes(self, column: Any) -> Ints:
        """Translate a column of numbers or of coded texts to places in ``words``, int64[n]."""
        if pa.types.is_dictionary(column.type):
            parts = [self._listed(chunk) for chunk in column.chunks]
            return np.concatenate(parts) if parts else np.empty(0, np.int64)
        values: Ints = column.to_numpy()
        if not len(values) or int(values.min()) < 0 or int(values.max()) >= _SPAN:
            return self._listed(column.combine_chunks().dictionary_encode())
        codes = self.table[values]
        if int(codes.min()) < 0:
            fresh = pa.array(values[codes < 0]).unique().to_pylist()
            self.table[fresh] = [self.code(str(value)) for value in fresh]
            codes = self.table[values]
        return codes

    def _listed(self, chunk: Any) -> Ints:
        meaning = np.array([self.code(str(word)) for word in chunk.dictionary.to_pylist()], np.int64)
        codes: Ints = meaning[chunk.indices.to_numpy()]
        return codes


class Devices:
    """Gives devices' codes from the columns that name them, whose labels are joined by dots."""

    def __init__(self, names: Sequence[str]) -> None:
        self._words = {name: _Words({}, np.full(_SPAN, -1, np.int64)) for name in names}

    def codes(self, table: Any, report: Report) -> Ints:
        """Give the codes in ``report.devices`` of a table's rows, int64[n]; no column means one device, 0."""
        texts = [""]
        which = np.zeros(len(table), np.int64)
        for name, words in self._words.items():
            code = words.codes(table[name])
            which = which * len(words.words) + code if len(texts) > 1 else code
            texts = [f"{a}.{b}" if a else b for a in texts for b in words.words]
        if not self._words:
            return np.full(len(table), report.device("0"), np.int64)
        used = np.flatnonzero(np.bincount(which, minlength=len(texts)))
        codes = np.zeros(len(texts), np.int64)
        codes[used] = report.codes([texts[i] for i in used])
        return codes[which]
