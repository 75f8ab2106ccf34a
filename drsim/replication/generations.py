"""Generations: whose data descends from whose, told without clocks (after DRBD's generation identifiers).

A generation names a stretch of history that one site wrote. A new one begins when a site starts to
write without its peer's certain knowledge: at its first promotion, at an unplanned failover.
"""

from __future__ import annotations

from dataclasses import dataclass

HISTORY = 8
"""Older generations remembered; a peer away for more of them than this is taken for a stranger."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a site knows of its data's descent. 0 means none.

    Attributes:
        current: the generation its data belongs to.
        base: the generation the peer had when the two parted, while a bitmap or journal tells the difference.
        history: earlier generations, newest first, at most `HISTORY`.
    """

    current: int = 0
    base: int = 0
    history: tuple[int, ...] = ()


def identity(origin: int, count: int) -> int:
    """Give the generation number ``count`` of the site ``origin`` (32 bits each): unique without chance."""
    assert 0 <= origin < 1 << 32
    assert 0 <= count < 1 << 32
    return origin << 32 | count
