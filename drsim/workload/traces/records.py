"""A trace's records as columns, before anything is filtered, and what a trace format is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from drsim.workload.columns import Ints
from drsim.workload.traces.report import SHOWN, Report

LIMIT = 1 << 62
FILE_SHIFT = 44
STEP_BACK_NS = 1_000_000_000
"""A clock may step back this far (many queues, one trace) and is held; further, and the file is refused."""


class Op(IntEnum):
    """What a record does."""

    READ = 0
    WRITE = 1
    TRIM = 2
    OTHER = 3
    UNKNOWN = 4


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Consecutive records of a trace, ``n`` of them.

    Attributes:
        time: int64[n], nanoseconds on the trace's own clock.
        device: int64[n], codes of `Report.devices`.
        op: uint8[n], an `Op`.
        offset: int64[n], bytes (-1 where it was out of all range).
        length: int64[n], bytes.
        place: int64[n], or the first one of consecutive places: text line (from 1) or byte.
        unit: what places count: ``line`` or ``byte``.
        files: names of the trace's files, if several; a place is then ``file << FILE_SHIFT | byte``.
    """

    time: Ints
    device: Ints
    op: NDArray[np.uint8]
    offset: Ints
    length: Ints
    place: Ints | int
    unit: str = "line"
    files: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.time)

    def spots(self, chosen: NDArray[np.bool_]) -> list[str]:
        """Say where the first few of the chosen rows stand."""
        rows = np.flatnonzero(chosen)[:SHOWN]
        places = rows + self.place if isinstance(self.place, int) else self.place[rows]
        if not self.files:
            return [f"{self.unit} {int(at)}" for at in places]
        low = (1 << FILE_SHIFT) - 1
        return [f"{self.unit} {int(at) & low} of {self.files[int(at) >> FILE_SHIFT]}" for at in places]

    def take(self, rows: slice | Ints | NDArray[np.bool_]) -> Records:
        """Give the chosen rows."""
        if isinstance(rows, np.ndarray) and rows.dtype == np.bool_:
            if rows.all():
                return self
            rows = np.flatnonzero(rows)
        place = self.place
        if isinstance(place, int):
            place = np.arange(place, place + len(self), dtype=np.int64)
        return Records(
            self.time[rows],
            self.device[rows],
            self.op[rows],
            self.offset[rows],
            self.length[rows],
            place[rows],
            self.unit,
            self.files,
        )


def in_order(parts: list[Records]) -> Records:
    """Join records and sort them by time; at equal times the order stays."""
    whole = [part.take(slice(None)) for part in parts]
    joined = Records(
        np.concatenate([part.time for part in whole]),
        np.concatenate([part.device for part in whole]),
        np.concatenate([part.op for part in whole]),
        np.concatenate([part.offset for part in whole]),
        np.concatenate([part.length for part in whole]),
        np.concatenate([np.atleast_1d(part.place) for part in whole]),
        whole[0].unit,
        whole[0].files,
    )
    return joined.take(np.argsort(joined.time, kind="stable"))


_DATED_NS = 631_152_000_000_000_000
"""Clocks that say less (1990) count from something else, like a machine's start."""


class TraceFormat(ABC):
    """A trace format: how it is recognised and how it is read, in bounded memory."""

    NAME: ClassVar[str]
    OWN_ZERO: ClassVar[bool] = False
    """True where time 0 of the file is the trace's start; else its first record is."""
    DATED: ClassVar[bool] = False
    """True where times count from 1970, so that hours of the day are known (in UTC)."""
    PLACED: ClassVar[bool] = True
    """False where addresses are made up."""

    def date(self, zero: int) -> int | None:
        """When the trace began, ns since 1970, by its own clock's ``zero``; None where it bears no date."""
        return zero if self.DATED and zero >= _DATED_NS else None

    @abstractmethod
    def sniff(self, head: bytes) -> bool:
        """Tell whether a file that begins with ``head`` (decompressed) looks like this format."""

    @abstractmethod
    def read(self, paths: Sequence[Path], report: Report) -> Iterator[Records]:
        """Give the records; several paths are parts of one trace. Lines it cannot read go to ``report``.

        Raises TraceError where the file as a whole cannot be used.
        """


def scaled(values: Ints, unit: int) -> Ints:
    """Multiply by a unit; what is negative or leaves 62 bits becomes -1."""
    if unit == 1:
        return values
    out = values * unit
    bad = (values < 0) | (values > LIMIT // unit)
    if bad.any():
        out[bad] = -1
    return out
