"""Small closed-form worlds for the study's tests: a fluid link with an outage, with a summary's keys."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from drsim.units import parse_duration, parse_rate, parse_size

Overrides = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class FluidWorld:
    """Hosts write ``lam`` bytes/s, the link carries ``rate``, and down once, for a time drawn by the seed.

    FIFO, no propagation: the worst lag is the outage T, violation of theta lasts
    max(0, T - theta) C / (C - lam), the peak backlog is lam T (truth/analytic.csv, fluid_outage_*).
    """

    lam: float = 100_000.0
    outage: str = "1 h"
    spread: float = 0.0
    """Standard deviation of the logarithm of the outage's length."""
    seed: int = 7
    log: str = ""
    """A file to which every run appends its overrides and seed."""
    version: str = "1"

    name = "fluid"

    def command(self, overrides: Overrides, seed: int) -> str:
        return " ".join(
            ["drsim run fluid.yaml", *(f"--set '{p}={v}'" for p, v in overrides), f"--seed {seed}"]
        )

    def ingredients(self) -> Mapping[str, str]:
        return {
            "lam": str(self.lam),
            "outage": self.outage,
            "spread": str(self.spread),
            "version": self.version,
        }

    def check(self, overrides: Overrides) -> None:
        known = {"links.ab.rate", "rpo", "outage", "journal", "do"}
        for path, _ in overrides:
            if path not in known:
                raise ValueError(f"{path}: unknown key")

    def run(self, overrides: Overrides, seed: int) -> dict[str, Any]:
        if self.log:
            with Path(self.log).open("a") as file:
                file.write(f"{overrides} {seed}\n")
        given = dict(overrides)
        misbehave(given.get("do", ""))
        rate = parse_rate(given.get("links.ab.rate", "192 kB/s"))
        theta = parse_duration(given.get("rpo", "15 min"))
        journal = parse_size(given.get("journal", "1 TB"))
        rng = np.random.default_rng(seed)
        length = parse_duration(given.get("outage", self.outage)) * float(
            np.exp(self.spread * rng.standard_normal())
        )
        day = 86400.0
        behind = (length - theta) * rate / (rate - self.lam) if rate > self.lam else day
        violation = min(max(0.0, behind), day)
        target = {
            "rpo_s": theta,
            "lag_max_s": length,
            "violations": int(violation > 0),
            "violation_s": violation,
            "violation_fraction": violation / day,
            "backlog_peak_bytes": self.lam * length,
            "journal_overflows": int(self.lam * length > journal),
        }
        passed = violation <= 0.05 * day
        return {
            "schema_version": 1,
            "scenario": "fluid",
            "wall_s": 0.0,
            "duration_s": day,
            "groups": {"g": {"written_bytes": self.lam * day, "targets": {"b": target}}},
            "links": {"ab": {"down_s": length}},
            "expectations": [
                {"expect": "g.b.violation_fraction <= 5 %", "value": violation / day, "passed": passed}
            ],
            "passed": passed,
        }


def misbehave(how: str) -> None:
    if how == "raise":
        raise RuntimeError("the link melted")
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how.startswith("once "):
        marker = Path(how[5:])
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Witness:
    """A listener that remembers."""

    planned_points: list[tuple[int, int]] = field(default_factory=list)
    outcomes: list[Any] = field(default_factory=list)

    def planned(self, points: int, cached: int) -> None:
        self.planned_points.append((points, cached))

    def finished(self, outcome: Any) -> None:
        self.outcomes.append(outcome)
