"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a place beside ``path`` to write to, which is moved there at the end: nobody ever reads half of it.

    What is interrupted, or refused by the disk, leaves what was there before.
    """
    beside = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def move(beside: Path, folder: Path) -> None:
    """Move a finished folder into place; an older one goes first, whole, and comes back where that fails."""
    if folder.is_dir() and any(folder.iterdir()):
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
        folder.replace(old)
        try:
            beside.replace(folder)
        except OSError:
            old.replace(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
        return
    beside.replace(folder)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C, and a request to end, wait until what is inside is done: for what takes an instant and must be whole."""
    if threading.current_thread() is not threading.main_thread():  # which alone hears of signals
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    heard = {number: handler for number, handler in before.items() if callable(handler)}
    try:
        for number in heard:
            signal.signal(number, lambda number, frame: came.append((number, frame)))
        yield
    finally:
        for number, handler in reversed(heard.items()):
            signal.signal(number, handler)
        if came:
            number, frame = came[0]
            heard[number](number, frame)
