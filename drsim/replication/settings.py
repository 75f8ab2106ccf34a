"""What one leg of a group is told at its birth, and the scenario's models that it is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from drsim.blocks.bitmap import fits
from drsim.replication.history import Keep
from drsim.replication.overflow import OnFull, Policy, Track
from drsim.replication.policy import AnyMode, JournalMode, Mode
from drsim.replication.shelf import Timetable
from drsim.units import Duration, Rate, Size

MIB = 1 << 20


class Journal(BaseModel):
    """``journal:`` of a group. Without ``size`` it has room without limit.

    ``resident``: bytes kept in memory; older writes are read back from the journal's medium.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)
    size: Size | None = None
    on_full: OnFull = Track()
    resident: Size | None = None


class Resync(BaseModel):
    """``resync:`` of a group: how what is dirty is copied.

    Attributes:
        window: bytes that may be on their way at once (DRBD's fill target; about 2 × bandwidth × delay).
        slice: bytes read at a time. row: bytes of the largest frame they travel in.
        granularity: bytes a dirty bit stands for, a power of two in 4 KiB..1 MiB.
        protect: keep a snapshot of the target's last consistent image until order is regained.
        delay: make the window such that a slice is confirmed after about this long (DRBD's delay target);
            ``window`` is then its upper limit.
        limit: bytes/s the copy never exceeds: what it leaves is the foreground's share.
        volumes: copy one volume after another, or all side by side.
        checksum: send hashes first and only the extents that differ.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)
    window: Annotated[Size, Field(gt=0)] = 64 * MIB
    slice: Annotated[Size, Field(gt=0)] = 4 * MIB
    row: Annotated[Size, Field(gt=0)] = MIB
    granularity: Size = 4096
    protect: bool = True
    delay: Annotated[Duration, Field(gt=0)] | None = None
    limit: Annotated[Rate, Field(gt=0)] | None = None
    volumes: Literal["serial", "side by side"] = "serial"
    checksum: bool = False

    @field_validator("granularity")
    @classmethod
    def _granule(cls, size: int) -> int:
        if not fits(size):
            raise ValueError("give a power of two in 4 KiB..1 MiB")
        return size


class Early(BaseModel):
    """What an engine keeps of frames that came before their turn.

    More than ``frames`` of them, or more than ``size`` bytes (of the wire, uncompressed), end the connection: either
    connections drifted apart further than was allowed for, or a frame that is missing will never come.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)
    frames: int = Field(default=4096, ge=0)
    size: Size = 16 * MIB


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Settings of a `SourceEngine`.

    Attributes:
        group: the group's name; both ends must agree.
        volumes: bytes of each volume, by index.
        allocated: bytes of each volume that may differ from an empty one at the beginning, which lie at its
            beginning; the first copy leaves the rest out. Empty: all of them.
        mode, on_full: the policies.
        size: journal bytes, None for no limit. resident: bytes of it kept in memory.
        window: bytes of ``Data`` sent and not acknowledged, None for no limit (the link queues).
        room: bytes of writes that a target's staging takes of one cycle, before they are folded; None for all.
        resync: how dirty blocks are copied.
        in_sync: both ends are known to be equal at seq 0; otherwise the first session seeds everything.
        akin: some other leg's ends are, so that this leg's source names its first data as they do: whoever takes
            over one day, a group's targets must know each other's data for relatives.
        origin: a number for this site, unique among the group's sites.
        activity: hot extents the activity log holds, for a journal that a crash of the source loses; None
            when the journal survives.
        early: what is kept of frames that came before their turn.
    """

    group: str = "group"
    volumes: tuple[int, ...] = (1 << 40,)
    allocated: tuple[int, ...] = ()
    mode: Mode = field(default_factory=JournalMode)
    on_full: Policy = field(default_factory=Track)
    size: int | None = None
    resident: int | None = None
    window: int | None = None
    room: int | None = None
    resync: Resync = field(default_factory=Resync)
    in_sync: bool = True
    akin: bool = False
    origin: int = 1
    activity: int | None = None
    early: Early = field(default_factory=Early)

    @property
    def limit(self) -> int | None:
        """Journal bytes in all media."""
        return self.on_full.capacity(self.size)

    @property
    def granularity(self) -> int:
        """Bytes a dirty bit stands for."""
        return self.resync.granularity


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """Settings of a `TargetEngine`.

    Attributes:
        group: the group's name; both ends must agree.
        volumes: bytes of each volume, by index; what a peer names beyond them is refused. Empty: the peer is trusted.
        protect: keep a snapshot of the last consistent image during an unordered copy.
        in_sync: both ends are known to be equal at seq 0; otherwise there is no image before the seed is done.
        origin: a number for this site, unique among the group's sites.
        size: staging bytes beyond which the source is asked to pause; None for no limit.
        resident: bytes of staging kept in memory, None for all.
        history: how long older points are kept; None for not at all.
        destage: false for a log-only bunker, whose volumes nobody needs.
        late: writes that only their age keeps back go at their own instants, at the next step whenever that is:
            `TargetEngine.deadline` does not speak of them, and the world takes care (`Staging.expiry`).
        snapshots: timetables of group snapshots on the target (`Schedule`, `Moments`).
        split_brain: when both sites wrote on alone, ``refuse`` until someone decides, or ``discard`` what
            this site wrote: the decision, to be set by someone who knows.
        early: what is kept of frames that came before their turn.
    """

    group: str = "group"
    volumes: tuple[int, ...] = ()
    protect: bool = True
    in_sync: bool = True
    origin: int = 2
    size: int | None = None
    resident: int | None = None
    history: Keep | None = None
    destage: bool = True
    snapshots: tuple[Timetable, ...] = ()
    split_brain: Literal["refuse", "discard"] = "refuse"
    early: Early = field(default_factory=Early)
    late: bool = False


__all__ = ["AnyMode", "Early", "Journal", "OnFull", "Resync", "SourceSettings", "TargetSettings"]
