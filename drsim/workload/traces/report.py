"""What a trace held and what was wrong with it: every bad line is counted, and the first ones are located."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from drsim.workload.columns import Ints

SHOWN = 5


NOTED = ("last line has no end",)
"""Told, and not held against a file: some programs write no last newline, and some files were cut off there."""
MENDED = ("clock steps back", "past the volume's end", *NOTED)
"""Faults (by how they begin) whose records are used nevertheless, or left out by the user's own word."""


class TraceError(ValueError):
    """A trace that cannot be used: which file, where (``line 17``, ``byte 4096``), what is wrong."""

    def __init__(self, path: Path | str, problem: str, where: str = "", hint: str = "") -> None:
        place = f"{path}: {where}" if where else f"{path}"
        super().__init__(f"{place}: {problem}" + (f"; {hint}" if hint else ""))
        self.path = Path(path)
        self.problem = problem
        self.where = where
        self.hint = hint


@dataclass
class Fault:
    """One kind of thing that was wrong: how often, and where first."""

    count: int = 0
    first: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What was read so far.

    Attributes:
        format: the reader's name.
        lines: records seen, good or bad (text lines, binary records).
        reads, writes, trims: good records, of all devices.
        other: records that move no data (flushes, other events of a block trace).
        bytes_read, bytes_written, bytes_trimmed: of the good records.
        devices: labels, in order of appearance.
        span_s: last instant less the first one.
        faults: what was wrong, by kind; nothing in it was used (a clock's step back was held at the latest
            instant before it).
    """

    format: str = ""
    lines: int = 0
    reads: int = 0
    writes: int = 0
    trims: int = 0
    other: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    bytes_trimmed: int = 0
    devices: list[str] = field(default_factory=list)
    span_s: float = 0.0
    faults: dict[str, Fault] = field(default_factory=dict)
    _known: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def bad(self) -> int:
        """Records that were refused or mended."""
        return sum(fault.count for kind, fault in self.faults.items() if kind not in NOTED)

    def fault(self, kind: str, places: list[str], count: int | None = None) -> None:
        """Count ``places`` (or ``count`` of which ``places`` are the first) under ``kind``."""
        entry = self.faults.setdefault(kind, Fault())
        entry.count += len(places) if count is None else count
        entry.first.extend(places[: SHOWN - len(entry.first)])

    def device(self, label: str) -> int:
        """Give the code of a device's label."""
        code = self._known.setdefault(label, len(self.devices))
        if code == len(self.devices):
            self.devices.append(label)
        return code

    def codes(self, labels: list[str]) -> Ints:
        """Give the codes of labels, int64[n]."""
        return np.array([self.device(label) for label in labels], np.int64)

    def as_dict(self) -> dict[str, Any]:
        """Give plain data for JSON."""
        faults = {kind: {"count": f.count, "first": f.first} for kind, f in self.faults.items()}
        plain = {k: v for k, v in vars(self).items() if k not in ("faults", "_known")}
        return {**plain, "bad": self.bad, "faults": faults}
