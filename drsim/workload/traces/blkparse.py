"""The text that blkparse prints in its default format, queue or issue events."""

from __future__ import annotations

import re

from drsim.workload.traces.lines import LineReader, Lines, Row
from drsim.workload.traces.records import Op

_EVENT = re.compile(
    r"(\d+),(\d+)\s+\d+\s+\d+\s+(\d+)\.(\d{9})\s+\d+\s+([A-Z]{1,2})\s+(\S+)(?:\s+(\d+) \+ (\d+))?"
)
_QUEUED = re.compile(rb"\.\d{9}\s+\d+\s+Q\s")
_NO_DATA = re.compile(r"\d+,\d+\s+\d+\s+\d+\s+\d+\.\d{9}\s+\d+\s+[A-Z]{1,2}\s")
_SECTOR = 512


class Blkparse(Lines):
    """Q events (what the host asked for, before merging); D events where the file begins without any Q."""

    NAME = "blkparse"
    OWN_ZERO = True

    def sniff(self, head: bytes) -> bool:
        lines = [line for line in head.decode("ascii", "replace").split("\n")[:-1] if line.strip()][:20]
        return (
            bool(lines) and sum(_NO_DATA.match(line.strip()) is not None for line in lines) > len(lines) // 2
        )

    def reader(self, first_piece: bytes) -> LineReader:
        return _Events("Q" if _QUEUED.search(first_piece) else "D")


class _Events(LineReader):
    def __init__(self, action: str) -> None:
        self._action = action
        self._over = False

    def row(self, text: str) -> Row | None:
        if self._over or text.startswith(("CPU", "Total (")):
            # The summary closes the file.
            self._over = True
            return None
        match = _EVENT.match(text)
        if match is None:
            if _NO_DATA.match(text):
                return None
            raise ValueError("not an event")
        major, minor, seconds, ns, action, flags, sector, sectors = match.groups()
        if action != self._action or sector is None:
            return None
        time = int(seconds) * 1_000_000_000 + int(ns)
        return time, f"{major},{minor}", operation(flags), int(sector) * _SECTOR, int(sectors) * _SECTOR


def operation(flags: str) -> Op:
    """Read blkparse's RWBS flags: D discards, W writes, R reads; a flush without data is neither."""
    if "D" in flags:
        return Op.TRIM
    if "W" in flags:
        return Op.WRITE
    return Op.READ if "R" in flags else Op.OTHER
