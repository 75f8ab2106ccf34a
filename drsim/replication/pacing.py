"""How much of a resync may be on its way: a fill target, a delay target, and a rate it never exceeds."""

from __future__ import annotations

from drsim.replication.settings import Resync

GAIN = 0.5
"""Share of the wanted change that one confirmed slice brings about (a plain smoother)."""


class Pacing:
    """The window of a copy.

    Fill target: ``window`` bytes on their way, about twice bandwidth × delay keeps a link full. Delay target
    (``delay``): the window moves so that a slice is confirmed after about that long; each confirmed slice tells how
    long what was on its way with it took, whatever the window has become since, so that it settles. A delay
    below the round trip leaves a window of one granule. ``limit``: a token bucket of one slice, so that the
    foreground keeps what is above it.
    """

    def __init__(self, settings: Resync) -> None:
        self.settings = settings
        self.window = settings.window if settings.delay is None else min(settings.window, settings.slice)
        self._free_at = 0.0

    def room(self, flying: int, now: float) -> int:
        """Give the bytes that may be read now."""
        if self.settings.limit is not None and now < self._free_at:
            return 0
        return max(0, min(self.settings.slice, self.window - flying))

    def sent(self, nbytes: int, now: float) -> None:
        """A slice was asked for."""
        if self.settings.limit:
            self._free_at = max(now, self._free_at) + nbytes / self.settings.limit

    def confirmed(self, took: float, flying: int) -> None:
        """A slice was confirmed, ``took`` seconds after it was asked for; ``flying`` bytes were on their way then."""
        delay = self.settings.delay
        if delay is None or took <= 0:
            return
        wanted = flying * delay / took
        moved = self.window + GAIN * (wanted - self.window)
        self.window = int(min(self.settings.window, max(self.settings.granularity, moved)))

    def deadline(self, flying: int) -> float | None:
        """Give when more may be read, if only the limit stands in the way."""
        return self._free_at if self.settings.limit is not None and flying < self.window else None
