"""A host that waits for each answer before it writes again is waited for awake: sleep costs more than its pause."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter

from drsim.agent.arena import Arena

_PAUSE_S = 50e-6  # a host that takes longer is not waited for
_TURN_S = 300e-6  # then others have their turn
_MOST_MISSES = 6


class Linger:
    """Looks for a host's next request before the event loop does, as long as that keeps paying off.

    After each time that it did not, it is not tried for 1, 3, 7 … 63 answers.

    Args:
        fd: the host's socket, never blocking.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._misses = self._pass = 0

    def serve(self, arena: Arena, take: Callable[[], bool]) -> None:
        """Receive into ``arena`` and let ``take`` have it, until it says no more, nothing comes or the turn ends."""
        if self._pass:
            self._pass -= 1
            return
        end = perf_counter() + _TURN_S
        while self._receive(arena):
            if not take() or perf_counter() > end:
                return

    def _receive(self, arena: Arena) -> bool:
        fd, into, until = self._fd, (arena.free(),), 0.0
        while True:
            try:
                got = os.readv(fd, into)
            except BlockingIOError:
                now = perf_counter()
                if not until:
                    until = now + _PAUSE_S
                elif now > until:
                    self._misses = min(self._misses + 1, _MOST_MISSES)
                    self._pass = (1 << self._misses) - 1
                    return False
            except OSError:  # the loop will see the same
                return False
            else:
                arena.end += got
                self._misses = 0
                return got > 0
