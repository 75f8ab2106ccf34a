"""Servers: databases, files, mail, guests, nightly work; for sources see `drsim.workload.apps`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drsim.workload.app import App, Parts
from drsim.workload.spelling import argument, number, whole

_MIXED_LOG = {"4 KiB": "50 %", "8 KiB": "25 %", "16 KiB": "15 %", "64 KiB": "10 %"}


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
