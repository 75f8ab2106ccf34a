"""A receive buffer, filled from start to end and then left to whoever still holds a slice of it."""

from __future__ import annotations

import numpy as np

_FIRST, _MOST = 64 << 10, 2 << 20


class Arena:
    """Bytes that came and are not yet parsed: ``view[begin:end]``.

    What was parsed may be kept as slices without copying: those bytes are never written again. When
    the room at the end is used up, a fresh buffer takes over what is unparsed. Buffers double while
    much comes, so that little is copied over, and a quiet connection keeps a small one.

    Args:
        most: bytes of the largest buffer that is made unless a single message needs more.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._size = min(_FIRST, most)
        self.view = np.empty(self._size, np.uint8).data
        self.begin = self.end = 0

    def free(self) -> memoryview:
        """Give the room for what comes next (never empty after `make_room`)."""
        return self.view[self.end :]

    def make_room(self, need: int) -> None:
        """See to it that ``need`` bytes from the first unparsed one have room."""
        if self.begin + need <= len(self.view) and self.end < len(self.view):
            return
        self._size = min(2 * self._size, self._most)
        rest = self.view[self.begin : self.end]
        fresh = np.empty(max(self._size, need), np.uint8).data
        fresh[: len(rest)] = rest
        self.view, self.begin, self.end = fresh, 0, len(rest)

    def __len__(self) -> int:
        return self.end - self.begin
