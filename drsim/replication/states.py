"""What may follow what: the engines' transitions as data. docs/STATES.md is drawn from these tables.

Source, order kept or lost × link down or up::

                     link down           link up
     order kept     BUFFERING  <------>  STREAMING
                        | journal full       | journal full     ^ copy done, journal
                        v                    v                  | replayed past its last read
     order lost     TRACKING   <------>  RESYNCING
"""

from __future__ import annotations

from enum import Enum
from typing import TypeVar


class Source(Enum):
    """Where a source stands with one target."""

    BUFFERING = "BUFFERING"
    STREAMING = "STREAMING"
    TRACKING = "TRACKING"
    RESYNCING = "RESYNCING"


class Target(Enum):
    """Where a target stands."""

    FOLLOWING = "FOLLOWING"
    INCONSISTENT = "INCONSISTENT"
    PROMOTED = "PROMOTED"


class Cause(Enum):
    """Why a state changed: the closed vocabulary of `StateChanged.cause`."""

    WELCOMED = "welcomed"
    LINK_DOWN = "link down"
    JOURNAL_FULL = "journal full"
    JOURNAL_FULL_AGAIN = "journal full again"
    TARGET_LACKS = "target lacks what was confirmed"
    SUSPENDED = "suspended"
    FEEDER_COPIED = "its own source copies"
    REGAINED = "order regained"
    REPAIR = "repair asked for"
    RESYNC = "resync begins"
    DISCARDED = "own writes discarded"
    PROMOTED = "promoted"
    SHIPPED = "seed shipped"
    LOADED = "seed loaded"


SOURCE: dict[tuple[Source, Cause], Source] = {
    (Source.BUFFERING, Cause.WELCOMED): Source.STREAMING,
    (Source.BUFFERING, Cause.JOURNAL_FULL): Source.TRACKING,
    (Source.BUFFERING, Cause.SUSPENDED): Source.TRACKING,
    (Source.BUFFERING, Cause.TARGET_LACKS): Source.TRACKING,
    (Source.BUFFERING, Cause.FEEDER_COPIED): Source.TRACKING,
    (Source.STREAMING, Cause.LINK_DOWN): Source.BUFFERING,
    (Source.STREAMING, Cause.JOURNAL_FULL): Source.RESYNCING,
    (Source.STREAMING, Cause.REPAIR): Source.RESYNCING,
    (Source.STREAMING, Cause.SUSPENDED): Source.TRACKING,
    (Source.TRACKING, Cause.WELCOMED): Source.RESYNCING,
    (Source.TRACKING, Cause.SHIPPED): Source.BUFFERING,
    (Source.RESYNCING, Cause.LINK_DOWN): Source.TRACKING,
    (Source.RESYNCING, Cause.JOURNAL_FULL_AGAIN): Source.RESYNCING,
    (Source.RESYNCING, Cause.SUSPENDED): Source.TRACKING,
    (Source.RESYNCING, Cause.REGAINED): Source.STREAMING,
}

TARGET: dict[tuple[Target, Cause], Target] = {
    (Target.FOLLOWING, Cause.RESYNC): Target.INCONSISTENT,
    (Target.FOLLOWING, Cause.PROMOTED): Target.PROMOTED,
    (Target.INCONSISTENT, Cause.REGAINED): Target.FOLLOWING,
    (Target.INCONSISTENT, Cause.LOADED): Target.FOLLOWING,
    (Target.INCONSISTENT, Cause.PROMOTED): Target.PROMOTED,
    (Target.FOLLOWING, Cause.DISCARDED): Target.INCONSISTENT,
}


S = TypeVar("S", Source, Target)


def follow(table: dict[tuple[S, Cause], S], state: S, cause: Cause) -> S:
    """Give the next state.

    Raises:
        ValueError: the table has no such transition, which is a bug of the engine, never of the world.
    """
    try:
        return table[state, cause]
    except KeyError:
        raise ValueError(f"{state.value} has no way out by {cause.value!r}") from None
