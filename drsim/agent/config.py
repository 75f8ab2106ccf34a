"""A real agent's configuration, validated as scenarios are: every problem at once, with line and hint."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from drsim.agent.address import Address, AnyAddress
from drsim.agent.tls import Keys
from drsim.replication.history import Keep
from drsim.replication.policy import AnyMode, JournalMode
from drsim.replication.settings import Journal, Resync
from drsim.scenario.part import Name, Part, refuse
from drsim.units import Duration, Size

BLOCK = 4096
MIB = 1 << 20


class Site(Part):
    """A site's agent: where other sites reach it, and where it listens (there, unless said)."""

    address: AnyAddress
    listen: AnyAddress | None = None

    @property
    def bind(self) -> Address:
        """Where the agent listens."""
        return self.listen or self.address


class Tls(Part):
    """This site's certificate and key, and the certificates that sign its peers'; names are the sites'."""

    certificate: Path
    key: Path
    authority: Path


class Nbd(Part):
    """Where hosts reach the volumes. ``listen`` is TCP: beyond loopback with ``tls`` (hosts need certificates too).

    ``connections`` at once; in each, ``requests`` and ``memory`` may be in flight before it is left unread.
    """

    socket: Path | None = None
    listen: AnyAddress | None = None
    tls: Tls | None = None
    connections: Annotated[int, Field(ge=1, le=4096)] = 64
    requests: Annotated[int, Field(ge=1, le=65536)] = 512
    memory: Annotated[Size, Field(ge=64 * 1024)] = 64 * MIB


class Link(Part):
    """How connections between agents behave.

    ``heartbeat``: silence after which one is sent; ``dead``: silence after which the connection is cut;
    ``retry``: the longest pause before dialling again; ``window``: bytes sent and not confirmed;
    ``memory``: bytes received, not staged, beyond which the link is not read; ``congestion``: TCP's own.
    """

    heartbeat: Annotated[Duration, Field(gt=0)] = 2.0
    dead: Annotated[Duration, Field(gt=0)] = 10.0
    retry: Annotated[Duration, Field(gt=0)] = 15.0
    window: Annotated[Size, Field(ge=BLOCK)] = 64 * MIB
    memory: Annotated[Size, Field(ge=BLOCK)] = 64 * MIB
    congestion: Literal["cubic", "bbr", "reno"] | None = None

    @model_validator(mode="after")
    def _patient(self) -> Self:
        if self.dead < 2 * self.heartbeat:
            raise refuse("'dead' is less than two heartbeats", "make it at least twice 'heartbeat'")
        return self


class Volume(Part):
    """A volume: its size, and the file that holds it (in the state folder, unless said)."""

    size: Annotated[Size, Field(gt=0)]
    file: Path | None = None

    @field_validator("size")
    @classmethod
    def _whole_blocks(cls, size: int) -> int:
        if size % BLOCK:
            raise refuse(f"{size} bytes are no whole number of 4 KiB blocks", "round it up")
        return size


AnyVolume = Annotated[Volume, BeforeValidator(lambda v: {"size": v} if isinstance(v, str | int) else v)]


class Staging(Part):
    """Received, not yet on the volumes: beyond ``size`` the source must pause; ``resident`` in memory."""

    size: Annotated[Size, Field(ge=BLOCK)] | None = None
    resident: Annotated[Size, Field(ge=BLOCK)] = 64 * MIB


class Target(Part):
    """A site to which a group is copied. ``seed: in-sync`` is a promise that both ends are equal now.

    ``history``: how long one can go back in time there.
    """

    rpo: Annotated[Duration, Field(gt=0)] | None = None
    seed: Literal["network", "in-sync"] = "network"
    staging: Staging = Staging()
    history: Keep | None = None


class Group(Part):
    """A consistency group: as in a scenario, with files in place of a simulated disk.

    ``snapshot_chunk``: bytes saved at once before a block of a snapshot is overwritten; ``spill``: the folder of
    the second medium of ``on_full: {kind: spill}`` (in the state folder, unless said); ``cache``: bytes of hosts'
    writes that may be answered before they are on stable media, as by a disk with a write cache: a flush
    or FUA waits, a crash of the agent loses nothing, one of the machine what was not flushed.
    """

    source: Name
    volumes: Annotated[dict[Name, AnyVolume], Field(min_length=1, max_length=65535)]
    targets: Annotated[dict[Name, Target], Field(min_length=1)]
    mode: AnyMode = JournalMode()
    journal: Journal = Journal()
    resync: Resync = Resync()
    snapshot_chunk: Annotated[Size, Field(ge=BLOCK, le=MIB)] = 64 * 1024
    segment: Annotated[Size, Field(ge=BLOCK)] = 64 * MIB
    spill: Path | None = None
    cache: Size = 0

    @field_validator("targets", mode="before")
    @classmethod
    def _bare_targets(cls, value: Any) -> Any:
        """Let ``lyon:`` alone stand for a target with no objectives."""
        if isinstance(value, dict):
            return {site: {} if target is None else target for site, target in value.items()}
        return value

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if len(self.targets) > 1 and self.journal.on_full.kind == "fail":
            raise refuse(
                "with several targets 'on_full: fail' would let them disagree about the order",
                "use block or track",
            )
        return self

    @model_validator(mode="after")
    def _cached(self) -> Self:
        if self.cache and self.journal.on_full.kind == "fail":
            raise refuse(
                "what 'cache' has answered for cannot be refused by 'on_full: fail'", "leave one out"
            )
        if 0 < self.cache < MIB:
            raise refuse("a cache of less than 1 MiB keeps hosts waiting", "leave it out, or say 32 MiB")
        return self

    @model_validator(mode="after")
    def _spills(self) -> Self:
        if self.spill is not None and self.journal.on_full.kind != "spill":
            raise refuse(
                "'spill' names a folder that 'on_full' never uses", "set on_full: {kind: spill, size: …}"
            )
        return self

    @property
    def sites(self) -> list[str]:
        """All sites that hold the group: the first source first."""
        return [self.source, *self.targets]

    def others(self, site: str) -> list[str]:
        """All sites that hold the group but one."""
        return [other for other in self.sites if other != site]

    def target(self, site: str) -> Target:
        """Give what is said of a site as a target; the first source, when it comes back, is one without objectives."""
        return self.targets.get(site, Target())


class Config(Part):
    """One agent. The same file may serve at every site but for ``site`` (or ``drsim serve --site``).

    Without ``tls`` every address must be loopback, unless ``insecure`` says that the network is
    protected by other means.
    """

    drsim_agent: Literal[1]
    site: Name
    state: Path
    sites: Annotated[dict[Name, Site], Field(min_length=1)]
    tls: Tls | None = None
    insecure: bool = False
    nbd: Nbd = Nbd()
    link: Link = Link()
    metrics: AnyAddress | None = None
    record: Path | None = None
    groups: Annotated[dict[Name, Group], Field(min_length=1)]

    @property
    def keys(self) -> Keys | None:
        """The TLS files, None without TLS."""
        return None if self.tls is None else Keys(self.tls.certificate, self.tls.key, self.tls.authority)

    @property
    def host_context(self) -> ssl.SSLContext | None:
        """TLS for hosts on TCP, None where NBD goes in clear."""
        tls = self.nbd.tls
        return None if tls is None else Keys(tls.certificate, tls.key, tls.authority).context(server=True)

    @property
    def status_socket(self) -> Path:
        """Where `drsim status` asks."""
        return self.state / "status.sock"
