"""What became of a group on a bad day or by an operator's plan: the image found, what is lost, the time it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from drsim.blocks.batch import Floats, Ints
from drsim.measure.snapshots import Taken
from drsim.simulation.leg import Leg
from drsim.units import at_most

Loss = tuple[float | None, int | None, int | None]
"""Seconds, bytes and writes lost; None where no image is left, so that everything is."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a failover to one target finds at an instant.

    Attributes:
        at: the instant, seconds.
        seq: the newest consistent image that is recoverable; None when there is none.
        acked: float64[n], when the acknowledged writes after ``seq`` were acknowledged, in order.
        nbytes: int64[n], their bytes.
    """

    at: float
    seq: int | None
    acked: Floats
    nbytes: Ints

    def loss(self, taken_over: int | None = None) -> Loss:
        """What is lost if the image at ``taken_over`` is used (which may be newer than ``seq``: more landed)."""
        if self.seq is None:
            return None, None, None
        kept = 0 if taken_over is None else taken_over - self.seq
        assert kept >= 0, "an image was taken over that is older than the one promised"
        if kept >= len(self.acked):
            return 0.0, 0, 0
        return self.at - float(self.acked[kept]), int(self.nbytes[kept:].sum()), len(self.acked) - kept


def look(leg: Leg, at: float) -> Found:
    """What a failover to a leg's target would find now; the world is settled to ``at``."""
    acked, nbytes = leg.probe.missing()
    return Found(at, None if leg.probe.exposed else leg.probe.recoverable, acked, nbytes)


@dataclass(slots=True, eq=False)
class Outcome:
    """One group's way through a disaster or a planned operation.

    Attributes:
        cause: ``loss``, ``crash`` (of ``site``), ``failover`` or ``rehearsal``.
        at: when it began, seconds: from here recovery is timed.
        found: by target, what a failover would have found at that instant.
        target: where the group goes; None when no image is left anywhere.
        steps: seconds of each of the runbook's steps.
        promoted: the seq at which the target took over.
        recovered_at: when hosts could write again.
        obstacle: why they can't; empty when nothing stood in the way.
        minutes: by target, what was found minute by minute in the hour before.
        awaits: what it waits for, while that may still come.
        point: the snapshot that is put back, where an older image is wanted; and what is lost by that.
        waited: seconds until the way home was free; hosts wrote meanwhile, so it is no part of the recovery.
    """

    cause: str
    site: str
    at: float
    found: dict[str, Found] = field(default_factory=dict)
    target: str | None = None
    steps: dict[str, float] = field(default_factory=dict)
    promoted: int | None = None
    recovered_at: float | None = None
    obstacle: str = ""
    minutes: dict[str, list[Found]] = field(default_factory=dict)
    awaits: str = ""
    waited: float = 0.0
    point: tuple[Taken, Loss] | None = None

    @property
    def planned(self) -> bool:
        """Whether an operator meant it."""
        return self.cause in ("failover", "failback", "rehearsal")

    @property
    def recovery_s(self) -> float | None:
        """From the beginning until hosts could write; None if that did not happen within the run."""
        return None if self.recovered_at is None else self.recovered_at - self.at

    @property
    def lost(self) -> Loss:
        """What was lost by going where the group went."""
        if self.point is not None:
            return self.point[1]
        if self.target in self.found:
            return self.found[self.target].loss(self.promoted)
        return (None, None, None) if self.target is None else (0.0, 0, 0)

    def meets(self, rto_s: float | None, end: float) -> bool | None:
        """Whether the objective was kept in a run until ``end``; None without one, or while it is open.

        What an operator could not even begin stopped no host: then there is nothing to judge.
        """
        if rto_s is None or (self.planned and self.obstacle and not self.steps):
            return None
        if self.recovery_s is not None:
            return at_most(self.recovery_s, rto_s)
        return None if not self.obstacle and at_most(end - self.at, rto_s) else False

    def summary(self, end: float, rpo_s: float | None, rto_s: float | None) -> dict[str, Any]:
        """The keys of the summary (docs/DISASTERS.md)."""
        lost = self.lost
        within = None if rpo_s is None else lost[0] is not None and at_most(lost[0], rpo_s)
        return {
            "cause": self.cause,
            "site": self.site,
            "at_s": self.at,
            "waited_s": self.waited,
            "target": self.target,
            "image_at_s": None if self.point is None else self.point[0].at,
            **_named(lost),
            "rpo_met": within,
            "recovery_s": self.recovery_s,
            "rto_s": rto_s,
            "rto_met": self.meets(rto_s, end),
            "steps": dict(self.steps),
            "obstacle": self.obstacle or ("" if self.recovered_at is not None else self.awaits),
            "found": {
                target: {"consistent": found.seq is not None, "seq": found.seq, **_named(found.loss())}
                for target, found in self.found.items()
            },
        }

    def table(self) -> Mapping[str, Any]:
        """The hour before as columns: t, target, recoverable_to_s, lag_s, missing_bytes, missing_writes.

        Everything acknowledged before ``recoverable_to_s`` would have been recovered. NaN and -1 where there
        was no consistent image.
        """
        rows = [
            (each.at, target, *each.loss()) for target, minutes in self.minutes.items() for each in minutes
        ]
        lag = np.array([np.nan if row[2] is None else row[2] for row in rows])
        t = np.array([row[0] for row in rows])
        return {
            "t": t,
            "target": [row[1] for row in rows],
            "recoverable_to_s": t - lag,
            "lag_s": lag,
            "missing_bytes": np.array([-1 if row[3] is None else row[3] for row in rows], np.int64),
            "missing_writes": np.array([-1 if row[4] is None else row[4] for row in rows], np.int64),
        }


def _named(loss: Loss) -> dict[str, float | int | None]:
    return dict(zip(("loss_s", "loss_bytes", "loss_writes"), loss, strict=True))
