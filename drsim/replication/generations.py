"""Generations: whose data descends from whose, told without clocks (after DRBD's generation identifiers).

A generation names a stretch of history that one site wrote. A new one begins when a site starts to
write without its peer's certain knowledge: at its birth, at a takeover.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

HISTORY = 8
"""Older generations remembered; a peer away for more of them than this is taken for a stranger."""


FIRST = 1
"""The generation of a pair that is known to be equal at birth: both ends name it alike, with no site's origin."""


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

    def parted(self, new: int) -> Lineage:
        """Give the lineage of a site that goes on alone as ``new``, knowing what it changes from here on."""
        return Lineage(new, self.current, self._older(self.base))

    def joined(self) -> Lineage:
        """Give the lineage of a site whose peer has caught up: the difference is no longer tracked."""
        return Lineage(self.current, 0, self._older(self.base)) if self.base else self

    def _older(self, generation: int) -> tuple[int, ...]:
        return ((generation, *self.history) if generation else self.history)[:HISTORY]


class Outcome(Enum):
    """What the lineages of a source and a target say when they meet: the eight outcomes of DRBD's table."""

    BOTH_NEW = "neither has data yet"
    TARGET_NEW = "the target has no data: everything must be copied"
    SOURCE_NEW = "the source has no data but the target has"
    SAME = "both have the same data, but for what the journal or bitmap tells"
    DIFFERENCE = "the source went on from the target's data and knows every difference"
    ANCESTOR = "the source descends from the target's data but no longer knows the difference: copy all"
    TARGET_NEWER = "the target descends from the source's data: the roles are wrong"
    SPLIT_BRAIN = "both went on alone from common data"
    UNRELATED = "the two have nothing in common"


def compare(source: Lineage, target: Lineage) -> Outcome:
    """Say how the data of a source and of a target are related.

    Source:
        "How DRBD uses generation identifiers", DRBD User's Guide, drbd-internals.
    """
    if not source.current or not target.current:
        return _new(source, target)
    if source.current == target.current:
        return Outcome.SAME
    if source.base == target.current:
        return Outcome.DIFFERENCE
    if target.base == source.current:
        return Outcome.TARGET_NEWER
    if target.current in source.history:
        return Outcome.ANCESTOR
    if source.current in target.history:
        return Outcome.TARGET_NEWER
    ours, theirs = _past(source), _past(target)
    return Outcome.SPLIT_BRAIN if ours & theirs else Outcome.UNRELATED


def _new(source: Lineage, target: Lineage) -> Outcome:
    if source.current:
        return Outcome.TARGET_NEW
    return Outcome.SOURCE_NEW if target.current else Outcome.BOTH_NEW


def _past(lineage: Lineage) -> set[int]:
    return {lineage.base, *lineage.history} - {0}


def identity(origin: int, count: int) -> int:
    """Give the generation number ``count`` of the site ``origin`` (32 bits each): unique without chance."""
    assert 0 <= origin < 1 << 32
    assert 0 <= count < 1 << 32
    return origin << 32 | count


def successor(lineage: Lineage, origin: int) -> int:
    """Give a generation that ``origin`` has not used in anything this lineage remembers."""
    known = [g & 0xFFFFFFFF for g in (lineage.current, lineage.base, *lineage.history) if g >> 32 == origin]
    return identity(origin, max(known, default=0) + 1)
