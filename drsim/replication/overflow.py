"""What happens when the journal is full: one class a policy. To add one: write it, list it in `KINDS`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from drsim.blocks.batch import WriteBatch
from drsim.replication.actions import Action, FailWrites, Noted, PaceHosts
from drsim.replication.journal import Journal
from drsim.replication.states import Cause
from drsim.units import Duration, Fraction, Size


class Overflowing(Protocol):
    """What a policy may see and do of a source leg."""

    journal: Journal
    held: WriteBatch | None
    level: int
    now: float
    out: list[Action]

    def hold(self, why: str) -> None:
        """Hold the hosts for one more reason."""

    def release(self, why: str) -> None:
        """One reason less."""


class Doors(Protocol):
    """The ways out of a full journal that a source offers its policy."""

    @property
    def leg(self) -> Overflowing:
        """The state the policy decides on."""

    def admits(self, batch: WriteBatch) -> int:
        """Say how many leading writes can be taken now."""

    def admit(self, batch: WriteBatch) -> None:
        """Take writes that were held and can be taken now."""

    def lose_order(self, rest: WriteBatch, cause: Cause) -> None:
        """Turn the journal and the writes that did not fit into dirty bits."""


class Policy(BaseModel, ABC):
    """Base of all: by default nothing happens before the journal is full, nor when it empties again."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)
    kind: str

    @property
    def keeps_order(self) -> bool:
        """Whether order survives a full journal; else places are marked instead."""
        return not isinstance(self, Forgetting)

    def capacity(self, size: int | None) -> int | None:
        """Give the journal's bytes in all, given the first medium's."""
        return size

    @abstractmethod
    def full(self, source: Doors, rest: WriteBatch) -> None:
        """Deal with ``rest``, whose first write did not fit."""

    def filled(self, source: Doors) -> None:
        """The journal has just taken writes."""

    def eased(self, source: Doors) -> None:
        """The journal has just been trimmed."""

    def headroom(self, source: Doors) -> int | None:
        """Give the bytes that may be told before anything changes; None for no limit."""
        return source.leg.journal.room

    def waiting(self, source: Doors) -> bool:
        """Say whether the next acknowledgement is needed at once."""
        return source.leg.held is not None

    def chase_until(self, size: int | None) -> int | None:
        """Give the dirty bytes left at which a resync begins to journal host writes; None: at once."""
        del size
        return None


class Forgetting(Policy):
    """What `Track` and `Suspend` share: order is given up, places are remembered.

    ``journal_below``: during the resync, host writes are only marked until what is left to copy has fallen to this
    share of the journal; then they are journalled, so that the copy can end. 0 waits for an empty bitmap, which load
    may never allow; ``at_once`` journals from the start, which a small journal turns into oscillation (DRBD issue 46).
    """

    journal_below: Fraction = 0.5
    at_once: bool = False

    def chase_until(self, size: int | None) -> int | None:
        """The share of the journal."""
        return None if size is None or self.at_once else int(self.journal_below * size)


class Holding(Policy):
    """What `Block` and `Pace` share: at a full journal the hosts are held."""

    resume: Fraction = 1.0

    def full(self, source: Doors, rest: WriteBatch) -> None:
        """Keep the writes and stop the hosts."""
        leg = source.leg
        assert leg.held is None, "hosts were held, yet more was written"
        leg.held = rest
        leg.hold("journal full")
        leg.out.append(Noted("journal_overflows", 1, leg.now))

    def eased(self, source: Doors) -> None:
        """Take held writes as room comes; they enter the order at the time there was room."""
        leg = source.leg
        if leg.held is None:
            return
        size = leg.journal.size
        if len(leg.held) and (count := source.admits(leg.held)):
            rows, leg.held = leg.held.slice(0, count), leg.held.slice(count, len(leg.held))
            source.admit(_restamped(rows, leg.now))
        if not len(leg.held) and (size is None or leg.journal.nbytes <= self.resume * size):
            leg.held = None
            leg.release("journal full")

    def headroom(self, source: Doors) -> int | None:
        """None may be told while hosts are held."""
        return 0 if source.leg.held is not None else source.leg.journal.room


class Block(Holding):
    """Hold the hosts until there is room (DRBD protocol A; Veritas SRL ``override``).

    ``resume``: hosts go on once occupancy has fallen to this share of the journal. A low value makes rare
    long stalls, a high one many short ones.
    """

    kind: Literal["block"] = "block"


class Pace(Holding):
    """Slow each host write, from nothing at ``low`` to ``delay`` at ``high``, linearly in ``steps`` (MARS).

    A full journal blocks all the same.
    """

    kind: Literal["pace"] = "pace"
    low: Fraction = 0.5
    high: Fraction = 0.9
    delay: Duration = 0.05
    steps: Annotated[int, Field(ge=1, le=64)] = 8

    @model_validator(mode="after")
    def _ordered(self) -> Pace:
        if self.low >= self.high:
            raise ValueError("pace: low must be less than high")
        return self

    def filled(self, source: Doors) -> None:
        """Pace harder when a mark was passed."""
        level = self._level(source.leg.journal)
        if level > source.leg.level:
            self._set(source, level)

    def eased(self, source: Doors) -> None:
        """Pace less once occupancy is a full step below its mark, so that it does not flutter."""
        super().eased(source)
        level = self._level(source.leg.journal)
        if level + 1 < source.leg.level or (level == 0 and source.leg.level):
            self._set(source, level)

    def headroom(self, source: Doors) -> int | None:
        """Stop at the next mark."""
        room = super().headroom(source)
        size = source.leg.journal.size
        if not room or size is None or source.leg.level >= self.steps:
            return room
        mark = self.low + (self.high - self.low) * source.leg.level / self.steps
        return max(0, min(room, int(mark * size) - source.leg.journal.nbytes))

    def waiting(self, source: Doors) -> bool:
        """While paced, each trim may change the pace."""
        return source.leg.level > 0 or super().waiting(source)

    def _level(self, journal: Journal) -> int:
        if journal.size is None:
            return 0
        share = (journal.nbytes / journal.size - self.low) / (self.high - self.low)
        return min(self.steps, max(0, int(np.ceil(share * self.steps))))

    def _set(self, source: Doors, level: int) -> None:
        source.leg.level = level
        source.leg.out.append(PaceHosts(self.delay * level / self.steps))


class Track(Forgetting):
    """Forget the order, remember where: the bitmap (DRBD pull-ahead, Veritas autodcm)."""

    kind: Literal["track"] = "track"

    def full(self, source: Doors, rest: WriteBatch) -> None:
        """Everything unconfirmed becomes dirty."""
        source.leg.out.append(Noted("journal_overflows", 1, source.leg.now))
        source.lose_order(rest, Cause.JOURNAL_FULL)


class Suspend(Forgetting):
    """Stop replicating and remember where; an operator must say ``resume`` (SRDF/A session drop)."""

    kind: Literal["suspend"] = "suspend"

    def full(self, source: Doors, rest: WriteBatch) -> None:
        """Everything unconfirmed becomes dirty and the leg waits for its operator."""
        source.leg.out.append(Noted("journal_overflows", 1, source.leg.now))
        source.lose_order(rest, Cause.SUSPENDED)


class Fail(Policy):
    """Refuse the write: an outage instead of exposure (Veritas ``srlprot=fail``)."""

    kind: Literal["fail"] = "fail"

    def full(self, source: Doors, rest: WriteBatch) -> None:
        """Fail what did not fit; it never enters the order."""
        source.leg.out.append(Noted("journal_overflows", 1, source.leg.now))
        source.leg.out.append(FailWrites(rest.seq))


class Spill(Policy):
    """Go on in a second, slower medium of ``size``; when that is full too, do ``then`` (SRDF DSE)."""

    kind: Literal["spill"] = "spill"
    size: Size
    then: Annotated[Block | Pace | Track | Suspend | Fail, Field(discriminator="kind")] = Track()

    @property
    def keeps_order(self) -> bool:
        """What comes last decides."""
        return self.then.keeps_order

    def capacity(self, size: int | None) -> int | None:
        """Both media together."""
        return None if size is None else size + self.size

    def full(self, source: Doors, rest: WriteBatch) -> None:
        """Both are full."""
        self.then.full(source, rest)

    def filled(self, source: Doors) -> None:
        """Pass on."""
        self.then.filled(source)

    def eased(self, source: Doors) -> None:
        """Pass on."""
        self.then.eased(source)

    def headroom(self, source: Doors) -> int | None:
        """Pass on: the change of medium is no change of behaviour for hosts."""
        return self.then.headroom(source)

    def waiting(self, source: Doors) -> bool:
        """Pass on."""
        return self.then.waiting(source)

    def chase_until(self, size: int | None) -> int | None:
        """Pass on."""
        return self.then.chase_until(size)


KINDS: dict[str, type[Policy]] = {
    "block": Block,
    "pace": Pace,
    "spill": Spill,
    "track": Track,
    "fail": Fail,
    "suspend": Suspend,
}


def _named(value: Any) -> Any:
    """Let ``on_full: track`` stand for ``on_full: {kind: track}``."""
    return {"kind": value} if isinstance(value, str) else value


OnFull = Annotated[
    Block | Pace | Spill | Track | Fail | Suspend, Field(discriminator="kind"), BeforeValidator(_named)
]


def _restamped(batch: WriteBatch, at: float) -> WriteBatch:
    """Give the writes with the time at which they entered the order."""
    time = np.full(len(batch), at)
    return WriteBatch(batch.seq, time, batch.volume, batch.offset, batch.length, batch.kind, batch.payload)
