"""The real world's clock for a driver: the event loop's, laid on the wall clock once at the start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class LoopClock:
    """Seconds since 1970 that never go back: the loop's monotonic time plus an offset fixed at birth."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._offset = time.time() - self._time()

    def now(self) -> float:
        """Give the present, seconds."""
        return self._time() + self._offset

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        """Call back once, at ``when``."""
        self._loop.call_at(when - self._offset, callback)
