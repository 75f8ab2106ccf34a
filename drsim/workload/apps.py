"""Applications an architect recognises, each a composition of arrivals, access, sizes and calendar.

Where the numbers come from:

* ``oltp``: over a thousand hours of seven Oracle databases the data blocks written were mostly 2 to 4 times
  the redo (K. Hailey, "Ratio of redo bytes to datablocks writes", 2011), so a third is log. Log writes are
  groups of commits, small, to the end of a log that goes round; table pages are 8 KiB, skewed, with the
  bursts of checkpoints.
* ``mail``: pages of 32 KiB, as Exchange has since 2010; the log in order.
* ``vdi``, ``vdi-boot``: 7.5 writes/s of 9 KB a desktop at work, 15 writes/s of 5 KB while booting (Dell BP1018,
  table 7: 7-8 IOPS, 99.8 % of them writes; 16-18 IOPS, 87 %). ``vdi-caches`` is what the white paper advises
  not to replicate: page files and browser caches, taken as 40 % of a desktop's bytes.
* ``file-server``: half of the blocks of a home-directory server die within a second, being logs and indices
  (Ellard et al., FAST 2003, their EECS trace), and load follows the day; the file system's journal is a small
  area written round and round.
* ``vmfs``: many guests, each on and off for heavy-tailed times, which add up to self-similar traffic (Gribble
  et al., "Self-similarity in file systems", SIGMETRICS 1998), in pieces of 1 MiB, a block of VMFS.
* ``page-file``: the same few percent of C: over and over, in bursts. ``defragmentation``: runs of clusters moved
  through the whole volume in a weekly night. ``batch``, ``load``, ``catalogue``: nightly updates of a skewed
  part, bulk inserts with their log, a backup's index.

Shares and skews without a source here are assumptions, fit to compare choices with; replay a trace for yours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from drsim.workload.calendars import Office
from drsim.workload.spelling import Spelled, argument, number, read, whole

Parts = dict[str, dict[str, Any]]
_MIXED_LOG = {"4 KiB": "50 %", "8 KiB": "25 %", "16 KiB": "15 %", "64 KiB": "10 %"}


class App(Spelled, ABC):
    """An application: named parts, each a stream's entry with its ``share`` of the application's bytes."""

    @abstractmethod
    def parts(self) -> Parts:
        """Give the parts: ``share`` (of bytes, together 1), then keys of a stream."""

    @property
    def rate(self) -> float | None:
        """How much it writes if nobody says, bytes/s; None if it must be said."""
        return None


@dataclass(frozen=True)
class Oltp(App):
    """A transactional database: parts ``log`` and ``tables``."""

    FORM: ClassVar[str] = "oltp"

    def parts(self) -> Parts:
        return {
            "log": {
                "share": 0.33,
                "size": _MIXED_LOG,
                "arrivals": "mmpp(5, 2 s, 18 s)",
                "access": "sequential",
                "calendar": "office",
            },
            "tables": {
                "share": 0.67,
                "size": "8 KiB",
                "arrivals": "mmpp(8, 30 s, 270 s)",
                "access": "zipf(0.9, 64 KiB)",
                "calendar": "office",
            },
        }


@dataclass(frozen=True)
class FileServer(App):
    """Files of many users: parts ``data`` and ``journal``."""

    FORM: ClassVar[str] = "file-server"

    def parts(self) -> Parts:
        return {
            "data": {
                "share": 0.85,
                "size": "lognormal(16 KiB, 1.2)",
                "arrivals": "bmodel(0.7, 1 h)",
                "access": "hot(5 %, 50 %)",
                "calendar": "office",
                "trims": "2 %",
                "area": ["1 %", "100 %"],
            },
            "journal": {
                "share": 0.15,
                "size": "4 KiB",
                "arrivals": "bmodel(0.7, 1 h)",
                "access": "sequential",
                "calendar": "office",
                "area": ["0 %", "1 %"],
            },
        }


@dataclass(frozen=True)
class Mail(App):
    """A mail store: parts ``log`` and ``database``."""

    FORM: ClassVar[str] = "mail"

    def parts(self) -> Parts:
        common = {"arrivals": "onoff(20 s, 10 s)", "calendar": "office"}
        return {
            "log": {"share": 0.45, "size": _MIXED_LOG, "access": "sequential", **common},
            "database": {"share": 0.55, "size": "32 KiB", "access": "zipf(0.7)", **common},
        }


@dataclass(frozen=True)
class Vdi(App):
    """That many desktops at work: parts ``profiles`` (what matters) and ``caches`` (what does not)."""

    FORM: ClassVar[str] = "vdi(200)"
    desktops: int = argument(whole)

    @property
    def rate(self) -> float:
        # Measured at work, so by the calendar's busiest hours; the rate is the mean over its week.
        return self.desktops * 7.5 * 9000 / Office().week().peak

    def parts(self) -> Parts:
        return {
            "profiles": {
                "share": 0.6,
                "size": "lognormal(8 KiB, 0.8)",
                "arrivals": f"pareto(1.5, {min(self.desktops, 1000)}, 30 s)",
                "access": "hot(10 %, 70 %)",
                "calendar": "office",
                "area": ["20 %", "100 %"],
            },
            "caches": {"share": 0.4, **VdiCaches(self.desktops).parts()["caches"], "area": ["0 %", "20 %"]},
        }


@dataclass(frozen=True)
class VdiCaches(App):
    """Only page files and browser caches of that many desktops."""

    FORM: ClassVar[str] = "vdi-caches(200)"
    desktops: int = argument(whole)

    @property
    def rate(self) -> float:
        return Vdi(self.desktops).rate * 0.4

    def parts(self) -> Parts:
        return {
            "caches": {
                "share": 1.0,
                "size": {"4 KiB": "50 %", "16 KiB": "35 %", "64 KiB": "15 %"},
                "arrivals": f"pareto(1.4, {min(self.desktops, 1000)}, 10 s)",
                "access": "hot(20 %, 80 %, 256 KiB)",
                "calendar": "office",
            }
        }


@dataclass(frozen=True)
class VdiBoot(App):
    """A boot storm: that many desktops writing 15 times a second for half an hour each working day."""

    FORM: ClassVar[str] = "vdi-boot(200)"
    desktops: int = argument(whole)

    @property
    def rate(self) -> float:
        return self.desktops * 15 * 5000 * 5 * 0.5 / 168

    def parts(self) -> Parts:
        return {
            "boot": {
                "share": 1.0,
                "size": {"4 KiB": "90 %", "16 KiB": "10 %"},
                "arrivals": "poisson",
                "access": "hot(10 %, 60 %)",
                "calendar": "window(08:00, 30 min, Mon-Fri)",
            }
        }


@dataclass(frozen=True)
class Vmfs(App):
    """A volume with that many guests of all sorts, their rates adding up to self-similar traffic."""

    FORM: ClassVar[str] = "vmfs(40)"
    guests: int = argument(whole)

    def parts(self) -> Parts:
        return {
            "guests": {
                "share": 1.0,
                "size": {"4 KiB": "55 %", "8 KiB": "20 %", "32 KiB": "15 %", "64 KiB": "10 %"},
                "arrivals": f"pareto(1.3, {self.guests}, 20 s)",
                "access": "zipf(0.8, 1 MiB)",
                "calendar": "diurnal(3, 14)",
            }
        }


@dataclass(frozen=True)
class PageFile(App):
    """A page file on C:: the first 5 % of the volume over and over, in bursts."""

    FORM: ClassVar[str] = "page-file"

    def parts(self) -> Parts:
        return {
            "pages": {
                "share": 1.0,
                "size": {"4 KiB": "40 %", "16 KiB": "30 %", "64 KiB": "30 %"},
                "arrivals": "mmpp(20, 30 s, 570 s)",
                "access": "uniform",
                "calendar": "office",
                "area": ["0 %", "5 %"],
            }
        }


@dataclass(frozen=True)
class Defragmentation(App):
    """Runs of clusters moved through the whole volume, on Sundays from 01:00 for the given time."""

    FORM: ClassVar[str] = "defragmentation(4)"
    hours: float = argument(number, 4.0)

    def parts(self) -> Parts:
        return {
            "moves": {
                "share": 1.0,
                "size": "256 KiB",
                "arrivals": "poisson",
                "access": "sequential",
                "calendar": f"window(01:00, {self.hours} h, Sun)",
            }
        }


@dataclass(frozen=True)
class Batch(App):
    """Nightly updates from 22:00 before working days, for the given time."""

    FORM: ClassVar[str] = "batch(4)"
    hours: float = argument(number, 4.0)

    def parts(self) -> Parts:
        return {
            "updates": {
                "share": 1.0,
                "size": {"8 KiB": "70 %", "64 KiB": "30 %"},
                "arrivals": "poisson",
                "access": "zipf(0.6, 1 MiB)",
                "calendar": f"window(22:00, {self.hours} h, Sun-Thu)",
            }
        }


@dataclass(frozen=True)
class Load(App):
    """A bulk load: parts ``log`` and ``tables``, both in order, tables in large writes."""

    FORM: ClassVar[str] = "load"

    def parts(self) -> Parts:
        return {
            "log": {"share": 0.4, "size": "128 KiB", "arrivals": "poisson", "access": "sequential"},
            "tables": {"share": 0.6, "size": "256 KiB", "arrivals": "poisson", "access": "sequential"},
        }


@dataclass(frozen=True)
class Catalogue(App):
    """A backup's catalogue: index pages and their log, while the nightly backup runs."""

    FORM: ClassVar[str] = "catalogue(6)"
    hours: float = argument(number, 6.0)

    def parts(self) -> Parts:
        common = {"arrivals": "onoff(1 min, 1 min)", "calendar": f"window(21:00, {self.hours} h)"}
        return {
            "index": {"share": 0.7, "size": "16 KiB", "access": "zipf(0.5)", **common},
            "log": {"share": 0.3, "size": "8 KiB", "access": "sequential", "area": ["0 %", "5 %"], **common},
        }


KINDS: dict[str, type[App]] = {
    "oltp": Oltp,
    "file-server": FileServer,
    "mail": Mail,
    "vdi": Vdi,
    "vdi-caches": VdiCaches,
    "vdi-boot": VdiBoot,
    "vmfs": Vmfs,
    "page-file": PageFile,
    "defragmentation": Defragmentation,
    "batch": Batch,
    "load": Load,
    "catalogue": Catalogue,
}


def parse_app(value: Any) -> App:
    """Read an application's spelling; raises UnitError."""
    return value if isinstance(value, App) else read("application", str(value), KINDS)
