"""Coarse counters as traces: what diskstats, iostat, sar and perfmon say of an interval, spread into writes.

The rule: an interval's bytes, rounded to whole sectors of 512 B, become as many writes as were counted (or,
where writes were not counted, writes of 64 KiB; none is longer than 1 MiB), as equal as whole sectors allow,
each in the middle of its equal share of the interval. Where they went is unknown: addresses run on through
the volume and round again, so such a trace says nothing about folding; bursts within an interval are lost.
"""

from __future__ import annotations

import csv
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from drsim.workload.traces.files import line_pieces
from drsim.workload.traces.records import LIMIT, Op, Records, TraceFormat
from drsim.workload.traces.report import Report

_SECTOR = 512
_USUAL = 64 << 10
_LONGEST = 1 << 20
_PIECE = 1 << 16
_MOST = 10**7
"""Writes of one interval, at most: more would not be a coarse counter."""
_FASTEST = 1e11
"""Bytes/s that no device writes."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What one device wrote from ``begin`` to ``end`` (seconds); ``writes`` is None if not counted."""

    line: int
    device: str
    begin: float
    end: float
    nbytes: float
    writes: float | None


class Counters(TraceFormat):
    """A format of counters."""

    DATED = True
    PLACED = False

    @abstractmethod
    def intervals(self, lines: Iterator[tuple[int, str]], report: Report) -> Iterator[Interval]:
        """Give the intervals in order; lines that are wrong go to ``report``."""

    def read(self, paths: Sequence[Path], report: Report) -> Iterator[Records]:
        position: dict[str, int] = {}
        for path in paths:
            waiting: list[Interval] = []
            for interval in self.intervals(_lines(path, report), report):
                wrong = _wrong(interval)
                if wrong:
                    report.fault(wrong, [f"line {interval.line} ({interval.device})"])
                    continue
                if waiting and interval.end != waiting[0].end:
                    yield from _together(waiting, position, report)
                    waiting = []
                waiting.append(interval)
            yield from _together(waiting, position, report)


def _wrong(interval: Interval) -> str:
    """Say what is wrong with an interval; "" if nothing is."""
    seconds, writes = interval.end - interval.begin, interval.writes or 0.0
    if seconds < 0 or (seconds == 0 and interval.nbytes):
        return "clock goes back"
    sound = 0 <= interval.begin <= interval.end < LIMIT / 1e9 and 0 <= writes <= _MOST
    # Said this way round, so that what is no number is wrong as well.
    most = min(_FASTEST * seconds, _MOST * _LONGEST)
    return "" if sound and 0 <= interval.nbytes <= most else "value out of range"


def spread(interval: Interval) -> tuple[list[int], list[int]]:
    """Give (instants in ns, lengths in bytes) of one interval's writes, by the rule."""
    sectors = round(interval.nbytes / _SECTOR)
    if sectors <= 0 or interval.end <= interval.begin:
        return [], []
    counted = round(interval.writes) if interval.writes is not None else -(-sectors * _SECTOR // _USUAL)
    number = min(max(counted, -(-sectors * _SECTOR // _LONGEST), 1), sectors)
    edge = sectors * np.arange(number + 1, dtype=np.int64) // number
    begin, width = interval.begin * 1e9, (interval.end - interval.begin) * 1e9 / number
    instants = np.floor(begin + (np.arange(number) + 0.5) * width).astype(np.int64)
    return instants.tolist(), (np.diff(edge) * _SECTOR).tolist()


def _together(intervals: list[Interval], position: dict[str, int], report: Report) -> Iterator[Records]:
    """Merge the devices' writes of one interval by time."""
    rows = []
    for interval in intervals:
        code, at = report.device(interval.device), position.get(interval.device, 0)
        for instant, length in zip(*spread(interval), strict=True):
            rows.append((instant, code, at, length, interval.line))
            at += length
        position[interval.device] = at
    if rows:
        time, device, offset, length, line = np.array(sorted(rows), np.int64).T
        yield Records(time, device, np.full(len(rows), Op.WRITE, np.uint8), offset, length, line)


def _lines(path: Path, report: Report) -> Iterator[tuple[int, str]]:
    for lines, first, _ in line_pieces(path, _PIECE):
        for place, line in enumerate(lines.decode("utf-8", "replace").split("\n")[:-1], first):
            if line.strip():
                report.lines += 1
                yield place, line.strip()


class Diskstats(Counters):
    """Samples of /proc/diskstats, each after a line with its time: ``date +%s.%N; cat /proc/diskstats``."""

    NAME = "diskstats"
    _TIME = re.compile(r"\d{9,11}(?:\.\d+)?")
    _ROW = re.compile(r"\d+\s+\d+\s+\S+(?:\s+\d+){11,}")

    def sniff(self, head: bytes) -> bool:
        lines = [x.strip() for x in head.decode("utf-8", "replace").split("\n")[:-1] if x.strip()]
        return len(lines) > 1 and bool(self._TIME.fullmatch(lines[0]) and self._ROW.fullmatch(lines[1]))

    def intervals(self, lines: Iterator[tuple[int, str]], report: Report) -> Iterator[Interval]:
        now: float | None = None
        last: dict[str, tuple[float, int, int]] = {}
        for place, text in lines:
            if self._TIME.fullmatch(text):
                now = float(text)
                continue
            if now is None or not self._ROW.fullmatch(text):
                report.fault("not a diskstats record", [f"line {place}"])
                continue
            words = text.split()
            device, writes, sectors = words[2], int(words[7]), int(words[9])
            if device in last:
                began, w, s = last[device]
                if sectors < s or writes < w:
                    report.fault("counter goes back", [f"line {place}"])
                else:
                    yield Interval(place, device, began, now, (sectors - s) * _SECTOR, writes - w)
            last[device] = now, writes, sectors


class Iostat(Counters):
    """``iostat -d -x -t SECONDS`` (or -k): reports with a time each. The first, since boot, is left out."""

    NAME = "iostat"
    _FORMS = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z")

    def sniff(self, head: bytes) -> bool:
        return re.search(rb"^Device:?\s.*\s(kB_wrtn/s|wkB/s)", head, re.MULTILINE) is not None

    def intervals(self, lines: Iterator[tuple[int, str]], report: Report) -> Iterator[Interval]:
        before: float | None = None
        now: float | None = None
        names: list[str] = []
        for place, text in lines:
            instant = _instant(text, self._FORMS)
            if instant is not None:
                before, now = now, instant
            elif text.startswith("Device"):
                names = text.replace("Device:", "Device").split()
            elif names and before is not None and now is not None:
                row = self._row(place, text, names, before, now)
                if row is None:
                    report.fault("not an iostat record", [f"line {place}"])
                else:
                    yield row

    @staticmethod
    def _row(place: int, text: str, names: list[str], before: float, now: float) -> Interval | None:
        values = dict(zip(names, text.replace(",", ".").split(), strict=False))
        rate = values.get("wkB/s", values.get("kB_wrtn/s"))
        try:
            seconds = now - before
            nbytes = float(rate or "") * 1024 * seconds
            writes = float(values["w/s"]) * seconds if "w/s" in values else None
        except ValueError:
            return None
        return Interval(place, values[names[0]], before, now, nbytes, writes)


class Sar(Counters):
    """``sadf -d -- -d``: sar's disks, values between semicolons."""

    NAME = "sar"
    _FORMS = ("%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S")

    def sniff(self, head: bytes) -> bool:
        return head.startswith(b"# hostname;interval;timestamp;DEV")

    def intervals(self, lines: Iterator[tuple[int, str]], report: Report) -> Iterator[Interval]:
        names: list[str] = []
        for place, text in lines:
            words = text.lstrip("# ").split(";")
            if text.startswith("#"):
                names = words
                continue
            values = dict(zip(names, words, strict=False))
            end = _instant(values.get("timestamp", ""), self._FORMS)
            kb, sectors = values.get("wkB/s"), values.get("wr_sec/s")
            try:
                seconds = float(values.get("interval", ""))
                rate = float(kb) * 1024 if kb is not None else float(sectors or "") * _SECTOR
            except ValueError:
                end = None
            if end is None:
                report.fault("not a sar record", [f"line {place}"])
            else:
                yield Interval(place, values.get("DEV", "?"), end - seconds, end, rate * seconds, None)


class Perfmon(Counters):
    """Windows performance logs as CSV (typeperf, relog -f csv): Disk Write Bytes/sec and Disk Writes/sec."""

    NAME = "perfmon"
    _FORMS = ("%m/%d/%Y %H:%M:%S.%f", "%m/%d/%Y %H:%M:%S")
    _COUNTER = re.compile(
        r".*\\(?:Physical|Logical)Disk\((.+)\)\\Disk (Write Bytes|Writes)/sec", re.IGNORECASE
    )

    def sniff(self, head: bytes) -> bool:
        return head.lstrip(b'\xef\xbb\xbf"').startswith(b"(PDH-CSV")

    def intervals(self, lines: Iterator[tuple[int, str]], report: Report) -> Iterator[Interval]:
        columns: dict[str, dict[str, int]] = {}
        before: float | None = None
        for place, text in lines:
            words = next(csv.reader([text]))
            if "(PDH-CSV" in words[0]:
                columns = self._columns(words)
                continue
            now = _instant(words[0], self._FORMS)
            if now is None:
                report.fault("not a perfmon record", [f"line {place}"])
                continue
            if before is not None:
                yield from self._rows(place, words, columns, (before, now), report)
            before = now

    def _columns(self, words: list[str]) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for column, name in enumerate(words):
            match = self._COUNTER.fullmatch(name)
            if match is not None and match[1] != "_Total":
                found.setdefault(match[1], {})[match[2].lower()] = column
        return found

    @staticmethod
    def _rows(
        place: int,
        words: list[str],
        columns: dict[str, dict[str, int]],
        span: tuple[float, float],
        report: Report,
    ) -> Iterator[Interval]:
        seconds = span[1] - span[0]
        for device, at in columns.items():
            try:
                nbytes = float(words[at["write bytes"]]) * seconds
                writes = float(words[at["writes"]]) * seconds if "writes" in at else None
            except (KeyError, IndexError, ValueError):
                report.fault("no value", [f"line {place} ({device})"])
                continue
            yield Interval(place, device, *span, nbytes, writes)


def _instant(text: str, forms: Sequence[str]) -> float | None:
    """Read a time of day and date as seconds since 1970, all in one time zone; None if it is none."""
    if len(text) > 40 or not text[:1].isdigit():
        return None
    for form in forms:
        try:
            at = datetime.strptime(text, form)  # noqa: DTZ007
        except ValueError:
            continue
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return None
