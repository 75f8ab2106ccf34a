"""A trace imported once and replayed often: its sound records as Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from drsim.workload.traces.cleaning import Cleaner
from drsim.workload.traces.records import Records, TraceFormat
from drsim.workload.traces.report import Report, TraceError

_ROWS = 1 << 18
_NOTE = b"drsim.trace"
_BEGAN = "began_ns"
_SCHEMA = pa.schema(
    [
        pa.field("t_ns", pa.int64(), nullable=False),
        pa.field("device", pa.int32(), nullable=False),
        pa.field("op", pa.uint8(), nullable=False),
        pa.field("offset_bytes", pa.int64(), nullable=False),
        pa.field("length_bytes", pa.int64(), nullable=False),
    ]
)


_DELTA = "DELTA_BINARY_PACKED"
_HOW = {
    "compression": "lz4",
    "use_dictionary": ["device", "op"],
    "column_encoding": {"t_ns": _DELTA, "length_bytes": _DELTA},
}


def import_trace(paths: Sequence[Path], reader: TraceFormat, target: Path) -> Report:
    """Write a trace's sound records (reads too) to ``target``, times from its start; gives what was found.

    The file appears whole or not at all. Columns: t_ns, device (index into the labels of the file's
    ``drsim.trace`` note, which is the report as JSON, with when the trace began if it bears a date), op (0
    read, 1 write, 2 trim), offset_bytes, length_bytes.
    """
    report = Report(format=reader.NAME)
    cleaner = Cleaner(paths[0], report, own_zero=reader.OWN_ZERO)
    part = target.with_name(target.name + ".part")
    try:
        with parquet.ParquetWriter(part, _SCHEMA, **_HOW) as file:
            for records in reader.read(paths, report):
                sound = cleaner.sound(records)
                if len(sound):
                    file.write_table(_table(sound, cleaner.zero), _ROWS)
            note = report.as_dict() | {_BEGAN: reader.date(cleaner.zero)}
            file.add_key_value_metadata({_NOTE.decode(): json.dumps(note)})
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return report


def _table(rows: Records, zero: int) -> Any:
    columns = (rows.time - zero, rows.device.astype(np.int32), rows.op, rows.offset, rows.length)
    return pa.table(list(columns), schema=_SCHEMA)


class Parquet(TraceFormat):
    """What `import_trace` wrote."""

    NAME = "parquet"
    OWN_ZERO = True
    _began: int | None = None

    def date(self, zero: int) -> int | None:  # noqa: ARG002
        """What the import noted of the trace's own clock; of the first file, once it is being read."""
        return self._began

    def sniff(self, head: bytes) -> bool:
        return head.startswith(b"PAR1")

    def read(self, paths: Sequence[Path], report: Report) -> Iterator[Records]:
        for path in paths:
            try:
                file = parquet.ParquetFile(path, memory_map=True)
                note = (file.metadata.metadata or {}).get(_NOTE)
            except (OSError, pa.ArrowException) as error:
                raise TraceError(path, f"is not a whole Parquet file: {error}") from None
            if note is None or file.schema_arrow.names != _SCHEMA.names:
                raise TraceError(path, "was not written by drsim's import", hint="import the trace itself")
            known = json.loads(note)
            codes = report.codes(known["devices"])
            if path == paths[0]:
                self._began = known.get(_BEGAN)
            yield from self._records(file, codes, report)

    @staticmethod
    def _records(file: Any, codes: Any, report: Report) -> Iterator[Records]:
        row = 1
        alone = codes if len(codes) == 1 else None
        names = [name for name in _SCHEMA.names if alone is None or name != "device"]
        for batch in file.iter_batches(_ROWS, columns=names):
            time, *device, op, offset, length = (column.to_numpy() for column in batch.columns)
            report.lines += len(time)
            code = codes[device[0]] if alone is None else np.broadcast_to(alone[0], (len(time),))
            yield Records(time, code, op, offset, length, row, "row")
            row += len(time)
