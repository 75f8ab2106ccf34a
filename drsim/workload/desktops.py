"""Desktops, and what a Windows volume writes besides data; for sources see `drsim.workload.apps`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drsim.workload.app import App, Parts
from drsim.workload.calendars import Office
from drsim.workload.spelling import argument, number, whole


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
            "caches": VdiCaches(self.desktops).parts()["caches"] | {"share": 0.4, "area": ["0 %", "20 %"]},
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
