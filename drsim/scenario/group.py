"""Consistency groups: volumes that share one write order, where they are copied to, and how."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from drsim.blocks.bitmap import SMALLEST, fits
from drsim.replication import overflow, policy
from drsim.replication.policy import JournalMode
from drsim.replication.settings import Journal, Resync
from drsim.scenario.part import Name, Part, Shorthand, refuse
from drsim.units import SIZE, Days, Duration, Moment, Size, TimeOfDay

_DAY = 86400.0
AnyMode = Annotated[policy.AnyMode, Shorthand({"enum": [*policy.KINDS]})]
OnFull = Annotated[overflow.OnFull, Shorthand({"enum": [*overflow.KINDS]})]


def _sized(value: Any) -> Any:
    """Let ``log: 200 GB`` stand for ``log: {size: 200 GB}``."""
    return value if isinstance(value, (dict, Volume)) else {"size": value}


class Volume(Part):
    """A volume: its size, and how much of it is in use (all of it unless said), which is what a seed
    copies.
    """

    size: Annotated[Size, Field(gt=0)]
    allocated: Annotated[Size, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.allocated is not None and self.allocated > self.size:
            raise refuse("more is allocated than the volume holds", "make 'allocated' at most 'size'")
        return self

    @property
    def in_use(self) -> int:
        """Bytes that a seed copies."""
        return self.size if self.allocated is None else self.allocated


_SIZED = Shorthand({"type": "string", "pattern": SIZE.pattern, "examples": [*SIZE.like]})
AnyVolume = Annotated[Volume, BeforeValidator(_sized), _SIZED]


class GroupJournal(Journal):
    """``journal:`` of a group: the engine's settings, and the medium that the simulator charges.

    ``ideal`` is instant; ``disk`` shares the volumes' disk, where hosts have priority; ``journal_disk``
    is the site's own medium for it.
    """

    medium: Literal["ideal", "disk", "journal_disk"] = "ideal"
    on_full: OnFull = overflow.Track()


class Staging(Part):
    """Target side: where received writes wait before they are on the volume.

    ``size``: when that much waits, the target takes no more and the link backs up. ``amplification``:
    bytes the disk moves for each byte destaged (1 plain, 5 with an undo journal). What copy-on-write snapshots cost
    is counted block by block (``snapshot_store: {kind: copy-on-write}``), not here.
    """

    size: Annotated[Size, Field(gt=0)] | None = None
    medium: Literal["ideal", "disk", "journal_disk"] = "ideal"
    amplification: Annotated[float, Field(ge=1, le=100)] = 1.0


class Schedule(Part):
    """Snapshots of the group's image at fixed times: ``every`` so long from ``first``, or ``at`` times of
    the day. None is taken at the run's very beginning.

    ``keep`` is how many are held before the oldest goes; ``age`` how old one grows: at each snapshot those that
    are as old go.
    """

    every: Annotated[Duration, Field(gt=0)] | None = None
    first: Moment = 0.0
    at: tuple[TimeOfDay, ...] = ()
    days: Days = frozenset(range(7))
    keep: Annotated[int, Field(gt=0)] | None = None
    age: Annotated[Duration, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.every is None) == (not self.at):
            raise refuse("a schedule needs either 'every' or 'at'", "write every: 1 h or at: [08:00, 20:00]")
        foreign = self.model_fields_set & ({"days"} if self.every else {"first"})
        if foreign:
            which = "'at'" if self.every else "'every'"
            raise refuse(f"'{foreign.pop()}' goes with {which} only", "leave it out")
        return self

    def moments(self, horizon: float, week_offset: float) -> list[float]:
        """When it fires in [0, horizon], seconds of a run begun ``week_offset`` s after Monday 00:00."""
        if self.every:
            count = int((horizon - self.first) // self.every) + 1
            return [self.first + index * self.every for index in range(max(count, 0))]
        first = -(week_offset % _DAY)
        days = [first + day * _DAY for day in range(int((horizon - first) // _DAY) + 1)]
        due = [d + t for d in days if int((d + week_offset) // _DAY) % 7 in self.days for t in self.at]
        return sorted(moment for moment in due if 0 <= moment <= horizon)


class SnapshotStore(Part):
    """Where all snapshots of the group at a site keep what is overwritten: once for all of them, in blocks of ``grain``
    bytes (a power of two in 4 KiB..1 MiB; the real agent saves 64 KiB).

    ``size``: room for that; when it is full ``on_full`` lets the oldest snapshots go (``drop-oldest``), or all of
    them are lost (``lose-all``), as where the newest can't save what all need. ``kind``: ``ideal`` takes no time;
    ``copy-on-write`` reads a block and writes it aside, on the volumes' disk, before it is first overwritten.
    """

    kind: Literal["ideal", "copy-on-write"] = "ideal"
    grain: Size = SMALLEST
    size: Annotated[Size, Field(gt=0)] | None = None
    on_full: Literal["drop-oldest", "lose-all"] = "drop-oldest"

    @field_validator("grain")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if not fits(value):
            raise refuse("'grain' is no power of two in 4 KiB..1 MiB", "write grain: 64 KiB")
        return value


class History(Part):
    """Target side: older checkpoints kept, so that one can go back in time.

    ``keep``: for how long; ``space``: at most this much, the oldest go first. One of them, or both.
    """

    keep: Annotated[Duration, Field(gt=0)] | None = None
    space: Annotated[Size, Field(gt=0)] | None = None


class Target(Part):
    """A site to which a group is copied, and what is promised there.

    ``via``: the target that feeds this one (cascade); without it the source does. ``link``: which link, where
    several join the two sites. ``delay``: writes are applied this much later, on purpose. ``seed``: how
    the first copy comes: ``in-sync`` (there already), ``network``, or ``shipped`` (on media, ``shipping``
    under way). ``mode`` and ``journal`` override the group's.
    """

    rpo: Annotated[Duration, Field(gt=0)] | None = None
    rto: Annotated[Duration, Field(gt=0)] | None = None
    via: Name | None = None
    link: Name | None = None
    delay: Duration = 0.0
    seed: Literal["in-sync", "network", "shipped"] = "in-sync"
    shipping: Annotated[Duration, Field(gt=0)] | None = None
    mode: AnyMode | None = None
    journal: GroupJournal | None = None
    staging: Staging = Staging()
    history: History | None = None
    snapshots: tuple[Schedule, ...] = ()
    snapshot_store: SnapshotStore = SnapshotStore()

    @model_validator(mode="after")
    def _shipping_is_for_shipped(self) -> Self:
        if (self.seed == "shipped") != (self.shipping is not None):
            raise refuse(
                "'shipping' and 'seed: shipped' need each other", "write seed: shipped, shipping: 2 d"
            )
        return self


class Group(Part):
    """Volumes at a source site whose acknowledged writes have one order, and their targets.

    ``snapshots`` are kept at the source, ``snapshot_store`` is where; each target has its own.
    How groups share a link is said at the link (``sharing:``), by the groups' names.
    """

    source: Name
    volumes: Annotated[dict[Name, AnyVolume], Field(min_length=1)]
    targets: Annotated[dict[Name, Target], Field(min_length=1)]
    mode: AnyMode = JournalMode()
    journal: GroupJournal = GroupJournal()
    resync: Resync = Resync()
    snapshots: tuple[Schedule, ...] = ()
    snapshot_store: SnapshotStore = SnapshotStore()

    @field_validator("targets", mode="before")
    @classmethod
    def _bare_targets(cls, value: Any) -> Any:
        """Let ``lyon:`` alone stand for a target with no objectives."""
        if isinstance(value, dict):
            return {site: {} if target is None else target for site, target in value.items()}
        return value

    def mode_at(self, target: str) -> Any:
        """The mode in force towards a target."""
        return self.targets[target].mode or self.mode

    def journal_at(self, target: str) -> GroupJournal:
        """The journal in force towards a target."""
        return self.targets[target].journal or self.journal

    def feeder(self, target: str) -> str:
        """The site that sends to a target: the source, or another target."""
        return self.targets[target].via or self.source

    @property
    def nbytes(self) -> int:
        """Bytes of all volumes."""
        return sum(volume.size for volume in self.volumes.values())
