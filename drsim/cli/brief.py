"""What a short command need not pay for: searches for garbage that is not there, documentation nobody reads."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting() -> Iterator[None]:
    """The collector of circles rests meanwhile: for what makes much that stays (modules, models, a picture)."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def end_at_once() -> None:
    """At the process's end nothing is looked through any more: the system takes all its memory back."""
    atexit.register(gc.freeze)


def import_matplotlib() -> None:
    """Import what draws, without the lists of an artist's properties that matplotlib puts into its docstrings.

    Making them takes a third of the import, and ``help()`` is the only one to read them.
    """
    from matplotlib import artist

    listed = artist.kwdoc
    artist.kwdoc = lambda artist: ""  # noqa: ARG005
    try:
        from drsim.report import style  # noqa: F401
    finally:
        artist.kwdoc = listed
