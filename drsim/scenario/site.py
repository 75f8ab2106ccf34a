"""Sites and their disks: how much work a write is for a medium, and what else keeps that medium busy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag

from drsim.scenario.part import Part
from drsim.units import Duration, Rate, Size
from drsim.wan.calendar import Weekly

Ints = NDArray[np.int64]
NO_JUMP = np.zeros(1, np.bool_)
"""For a disk to which jumps do not matter, however many writes there are."""


class Disk(Part, ABC):
    """A medium: work is counted in bytes served at the write rate, so that a disk is one more FIFO server.

    ``latency`` is added to each request's completion without keeping the medium busy.
    """

    write: Annotated[Rate, Field(gt=0)]
    read: Annotated[Rate, Field(gt=0)] | None = None
    latency: Duration = 0.0
    seeks: ClassVar[bool] = False
    """Whether a write that does not begin where the one before it ended costs more."""

    @abstractmethod
    def charge(self, nbytes: Ints, jumps: NDArray[np.bool_]) -> Ints:
        """Work of writes, in bytes at ``write`` bytes/s.

        Args:
            nbytes: int64[n], bytes of each write.
            jumps: bool[n], true where a write does not begin where the one before it ended.

        Returns:
            int64[n], at least 1.
        """

    def charge_reads(self, nbytes: Ints, jumps: NDArray[np.bool_]) -> Ints:
        """Work of reads, in bytes at ``write`` bytes/s; without ``read`` it reads as fast as it writes."""
        scale = self.write / self.read if self.read else 1.0
        return self.charge(np.ceil(nbytes * scale).astype(np.int64), jumps)


class _Paced(Disk):
    """So many bytes/s, and no more than ``iops`` requests/s: the slower of the two for each request."""

    iops: Annotated[float, Field(gt=0)] | None = None

    def charge(self, nbytes: Ints, jumps: NDArray[np.bool_]) -> Ints:
        """Bytes, but no less than a request's share of the rate."""
        del jumps
        least = int(np.ceil(self.write / self.iops)) if self.iops else 1
        return np.maximum(nbytes, least)


class FixedDisk(_Paced):
    """A medium known by its rate and its requests a second alone."""

    kind: Literal["fixed"] = "fixed"


class SolidState(_Paced):
    """An SSD: like a fixed disk, in whole pages: a request smaller than ``page`` costs one."""

    kind: Literal["ssd"] = "ssd"
    page: Annotated[Size, Field(gt=0)] = 4096

    def charge(self, nbytes: Ints, jumps: NDArray[np.bool_]) -> Ints:
        """Bytes rounded up to pages, but no less than a request's share of the rate."""
        return super().charge(-(-nbytes // self.page) * self.page, jumps)


class HardDisk(Disk):
    """Spindles: a jump costs a mean seek and half a turn, shared by ``spindles``; then bytes at the rate.

    Mean service time of a random request is ``seek + 30 / rpm + size / rate`` (Ruemmler and Wilkes, An
    introduction to disk drive modeling, IEEE Computer 27(3), 1994), the rotational mean being half a turn.
    """

    kind: Literal["hdd"] = "hdd"
    seek: Duration = 0.004
    rpm: Annotated[float, Field(gt=0)] = 10_000
    spindles: Annotated[int, Field(gt=0)] = 1
    seeks: ClassVar[bool] = True

    def charge(self, nbytes: Ints, jumps: NDArray[np.bool_]) -> Ints:
        """Bytes, plus what could have been written during the seek and half turn of a jump."""
        move = int(np.ceil((self.seek + 30 / self.rpm) / self.spindles * self.write))
        return nbytes + np.where(jumps, move, 0)


KINDS: dict[str, type[Disk]] = {"fixed": FixedDisk, "ssd": SolidState, "hdd": HardDisk}


def _kind(value: Any) -> str:
    return str(value.get("kind", "fixed") if isinstance(value, dict) else getattr(value, "kind", "fixed"))


AnyDisk = Annotated[
    Annotated[FixedDisk, Tag("fixed")] | Annotated[SolidState, Tag("ssd")] | Annotated[HardDisk, Tag("hdd")],
    Discriminator(_kind),
]


class Backup(Weekly):
    """Reading that a site's disk does besides replication, by the clock: a backup from a snapshot."""

    read: Annotated[Rate, Field(gt=0)]


class Site(Part):
    """A place with hosts and disks. Without ``disk`` it is infinitely fast.

    ``journal_disk`` is the journal's and the staging's own medium; without it they share ``disk`` where a
    group says so.
    """

    disk: AnyDisk | None = None
    journal_disk: AnyDisk | None = None
    backup: tuple[Backup, ...] = ()
