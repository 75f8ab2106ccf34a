"""VMware VSCSI traces, binary, as CloudPhysics published them: versions 1 (32 bytes a record) and 2 (40)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from drsim.workload.traces.files import pieces
from drsim.workload.traces.records import Op, Records, TraceFormat, scaled
from drsim.workload.traces.report import Report, TraceError

_SECTOR = 512
_READS = (0x08, 0x28, 0x88, 0xA8)
_WRITES = (0x0A, 0x2A, 0x8A, 0xAA, 0x2E, 0x8E, 0xAE, 0x41, 0x93)
_TRIMS = (0x42,)
_OPS = np.full(256, Op.OTHER, np.uint8)
_OPS[list(_READS)], _OPS[list(_WRITES)], _OPS[list(_TRIMS)] = Op.READ, Op.WRITE, Op.TRIM


class Vscsi(TraceFormat):
    """Records of SCSI commands, by opcode; the two versions differ in their order of fields."""

    VERSION: ClassVar[int]
    FIELDS: ClassVar[list[tuple[str, str]]]

    def sniff(self, head: bytes) -> bool:
        whole = len(head) // self._dtype().itemsize * self._dtype().itemsize
        rows = np.frombuffer(head[:whole], self._dtype())[:32]
        return len(rows) > 0 and bool((rows["version"] >> 8 == self.VERSION).all())

    @classmethod
    def _dtype(cls) -> np.dtype[Any]:
        return np.dtype(cls.FIELDS)

    def read(self, paths: Sequence[Path], report: Report) -> Iterator[Records]:
        size = self._dtype().itemsize
        for path in paths:
            done, rest = 0, b""
            for piece in pieces(path, (8 << 20) // size * size):
                data = rest + piece
                cut = len(data) // size * size
                yield self._records(path, np.frombuffer(data[:cut], self._dtype()), done, report)
                done, rest = done + cut, data[cut:]
            if rest:
                report.fault("cut off record", [f"byte {done}"])

    def _records(self, path: Path, rows: Any, done: int, report: Report) -> Records:
        size = self._dtype().itemsize
        other = np.flatnonzero(rows["version"] >> 8 != self.VERSION)
        if len(other):
            where = f"byte {done + int(other[0]) * size}"
            swapped = int(rows["version"][other[0]]) & 0xFF == self.VERSION
            problem = "byte order changes" if swapped else f"not a version {self.VERSION} record"
            raise TraceError(path, problem, where, f"{len(other)} such records in this piece")
        report.lines += len(rows)
        device = np.full(len(rows), report.device("0"), np.int64)
        return Records(
            scaled(rows["time"].astype(np.int64), 1000),
            device,
            _OPS[rows["command"] & 0xFF],
            scaled(rows["block"].astype(np.int64), _SECTOR),
            rows["length"].astype(np.int64),
            np.arange(done, done + len(rows) * size, size),
            "byte",
        )


_IDENTITY = [("number", "<u4"), ("length", "<u4"), ("pieces", "<u4")]
_COMMAND = [("command", "<u2"), ("version", "<u2")]
_PLACE = [("block", "<u8"), ("time", "<u8")]


class VscsiV1(Vscsi):
    """Version 1."""

    NAME = "vscsi-v1"
    VERSION = 1
    FIELDS: ClassVar[list[tuple[str, str]]] = [*_IDENTITY, *_COMMAND, *_PLACE]


class VscsiV2(Vscsi):
    """Version 2, with the response time."""

    NAME = "vscsi-v2"
    VERSION = 2
    FIELDS: ClassVar[list[tuple[str, str]]] = [*_COMMAND, *_IDENTITY, *_PLACE, ("response", "<u8")]
