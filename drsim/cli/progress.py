"""A progress bar for runs that last: on a terminal's stderr only, and not before a second has passed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drsim.units import format_duration

Moved = Callable[[float, float | None, int], None]

_PATIENCE_S = 1.0
_PERIOD_S = 0.1


@contextmanager
def progress(name: str, *, quiet: bool) -> Iterator[Moved | None]:
    """Yield what a run calls with (simulated seconds, of how many if known, writes so far); None for
    silence.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    shown = Progress(
        TextColumn(name),
        BarColumn(),
        TextColumn("{task.fields[at]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = shown.add_task(name, total=None, at="")
    due = time.monotonic() + _PATIENCE_S
    started = False

    def moved(now: float, end: float | None, writes: int) -> None:
        nonlocal due, started
        if time.monotonic() < due:
            return
        if not started:
            shown.start()
            started = True
        due = time.monotonic() + _PERIOD_S
        at = f"{format_duration(now)}, {writes / 1e6:.1f} million writes"
        shown.update(task, completed=now, total=end, at=at)

    try:
        yield moved
    finally:
        if started:
            shown.stop()
