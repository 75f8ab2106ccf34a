"""A trace as a stream of writes: one or several, at another speed, scaled, again and again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drsim.randomness import generator
from drsim.workload.columns import Writes
from drsim.workload.synthetic import BLOCK
from drsim.workload.timechange import WEEK_S
from drsim.workload.traces.cleaning import Cleaner, clean
from drsim.workload.traces.formats import find, recognise
from drsim.workload.traces.report import MENDED, Report, TraceError


@dataclass(frozen=True)
class Replay:
    """What to replay.

    Attributes:
        names: traces, one after another; each a path, or a pattern whose files are merged by time.
        format: name of their format; None to recognise it.
        device: label of the device wanted; None where there is but one; ``all`` for all on one volume.
        speed: 2 replays in half the time.
        scale: 1.5 makes three writes of every two: whole copies, and one more by chance, at the same instant,
            their addresses moved by an equal part of the volume.
        times: how often; None for ever.
        period: seconds from one start to the next; None for the traces' own span.
        fit: what becomes of writes past the volume's end: ``refuse``, ``wrap`` or ``drop``.
        bad: what becomes of a trace with records that cannot be used: ``refuse`` it, or ``skip`` them.
    """

    names: tuple[str, ...]
    format: str | None = None
    device: str | None = None
    speed: float = 1.0
    scale: float = 1.0
    times: int | None = 1
    period: float | None = None
    fit: str = "refuse"
    bad: str = "refuse"

    def blocks(
        self, seeds: np.random.SeedSequence, volume_size: int | None, folder: Path
    ) -> Iterator[Writes]:
        """Give the writes in blocks of the reader's size; raises TraceError where a trace cannot be used."""
        extra = generator(seeds, "scale")
        start, turn = 0.0, 0
        while True:
            span, found = 0.0, 0
            for name in self.names:
                opened = Opened(self, find(folder, name), volume_size)
                for block in opened.writes():
                    found += len(block)
                    self._judge(opened)
                    if start or span or self.speed != 1:
                        time = start + (block.time + span) / self.speed
                        block = Writes(time, block.offset, block.length, block.kind)
                    yield block if self.scale == 1 else self._copied(block, extra, volume_size)
                self._judge(opened)
                opened.check_device()
                span += opened.span_s
            turn += 1
            if turn == self.times:
                return
            start += self._turn(folder, span / self.speed, found)

    def _judge(self, opened: Opened) -> None:
        """Refuse a trace at its first record that cannot be used, so that none is left out unknown."""
        if self.bad == "refuse":
            for kind, fault in opened.report.faults.items():
                if not kind.startswith(MENDED):
                    hint = "write bad: skip to leave such records out"
                    raise TraceError(opened.path, kind, fault.first[0], hint)

    def _turn(self, folder: Path, span: float, found: int) -> float:
        """Give the time from one start to the next."""
        path = folder / self.names[0]
        length = span if self.period is None else self.period
        if length < span:
            raise TraceError(path, f"runs for {span:.6g} s, longer than its period of {length:.6g} s")
        if not found or length <= 0:
            raise TraceError(
                path, "has no writes to repeat" if not found else "has no length in time to repeat"
            )
        return length

    def _copied(self, block: Writes, extra: np.random.Generator, volume_size: int | None) -> Writes:
        whole = math.floor(self.scale)
        copies = whole + (extra.random(len(block)) < self.scale - whole)
        rows = np.repeat(np.arange(len(block)), copies)
        which = np.arange(len(rows)) - np.repeat(np.cumsum(copies) - copies, copies)
        taken = block.take(rows)
        if volume_size is None:
            return taken
        step = volume_size // math.ceil(self.scale) // BLOCK * BLOCK
        room = (volume_size - taken.length) // BLOCK * BLOCK + BLOCK
        offset = np.where(which > 0, (taken.offset + which * step) % room, taken.offset)
        return Writes(taken.time, np.minimum(offset, volume_size - taken.length), taken.length, taken.kind)


class Opened:
    """One trace being read: its writes, and what was found so far in ``report``."""

    def __init__(self, replay: Replay, paths: list[Path], volume_size: int | None) -> None:
        self.report = Report()
        self._paths, self._device = paths, replay.device
        self._reader = recognise(paths, replay.format)
        self._cleaner = Cleaner(
            paths[0],
            self.report,
            device=replay.device,
            volume_size=volume_size,
            fit=replay.fit if self._reader.PLACED else "anywhere",
            own_zero=self._reader.OWN_ZERO,
        )

    @property
    def span_s(self) -> float:
        """Seconds from the trace's start to the last record so far."""
        return self._cleaner.end_s

    @property
    def week_offset_s(self) -> float | None:
        """The trace's start in seconds after Monday 00:00 UTC, as of now; None where it bears no date."""
        began = self._reader.date(self._cleaner.zero)
        # 1970 began on a Thursday.
        return None if began is None else (began / 1e9 + 3 * 86_400) % WEEK_S

    @property
    def path(self) -> Path:
        """The trace's first file."""
        return self._paths[0]

    def check_device(self) -> None:
        """Raise TraceError if the device asked for was never met; to be asked at the end."""
        known = self.report.devices
        if self._device not in (None, "all", "apart", *known):
            names = ", ".join(known[:20])
            raise TraceError(self.path, f"there is no device '{self._device}' in it", hint=f"it has {names}")

    def writes(self) -> Iterator[Writes]:
        """Give the writes as they were, in blocks of the reader's size, none empty."""
        return clean(self._paths, self._reader, self.report, self._cleaner)
