"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
