"""Designs held against each other in the same futures: differences with intervals and significance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drsim.study.design import Override
from drsim.study.lab import Lab
from drsim.study.point import Curves, Outcome, Point, flatten
from drsim.study.replicate import stream
from drsim.study.stats import Difference, Estimate, estimate, holm, paired
from drsim.study.text import StudyError

Floats = NDArray[np.float64]
Verdict = Literal["better", "worse", "more", "less", "same", "unclear"]

HEADLINES: tuple[str, ...] = (
    "lag_p99_s",
    "lag_max_s",
    "delay_p99_s",
    "violations",
    "violation_s",
    "exposure_s",
    "loss_p99_bytes",
    "backlog_peak_bytes",
    "journal_peak_bytes",
    "journal_overflows",
    "resync_bytes",
    "snapshot_age_max_s",
    "snapshots_lost",
    "snapshot_space_peak_bytes",
    "history_min_s",
    "sent_bytes",
    "utilisation",
    "write_latency_p99_s",
    "passed",
)
"""Last words of the measures shown unless all are asked for."""

_NEUTRAL = ("sent_bytes", "folded_bytes", "carried_bytes", "utilisation", "last_applied_s", "rpo_s", "rto_s")
_MORE_IS_BETTER = ("passed", "consistent", "snapshots_kept", "history_min_s", "history_mean_s")
_WORKLOAD = ("written_bytes", "writes", "down_s")


@dataclass(frozen=True, slots=True)
class Contender:
    """A design: its label, the lab of its scenario, and overrides."""

    label: str
    lab: Lab
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True)
class Contrast:
    """One measure of one design against the base's.

    Attributes:
        estimate: the design's own mean and interval.
        difference: design minus base, paired by future.
        p: chance of such a difference by luck, adjusted for all comparisons of the table (Holm).
        verdict: ``better``, ``worse`` (or ``more``, ``less`` where neither is good), ``same`` where no future
            differs, ``unclear`` where luck may explain it.
    """

    estimate: Estimate
    difference: Difference
    p: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """A measure: the base's mean, and the contrast of each other design."""

    measure: str
    base: Estimate
    contrasts: tuple[Contrast, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Designs side by side; the first is the base.

    Attributes:
        labels: of the designs.
        rows: in the summary's order.
        futures: replications in which all designs ran.
        outcomes: by label, in order of replication.
        curves: by label, the lag curves of the first future in which all designs ran.
        remarks: where workload or outages were not the same in all designs.
    """

    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    futures: int
    confidence: float
    outcomes: Mapping[str, tuple[Outcome, ...]]
    curves: Mapping[str, Curves]
    remarks: tuple[str, ...]

    @property
    def failed(self) -> list[Outcome]:
        """Runs that gave no summary."""
        return [o for outcomes in self.outcomes.values() for o in outcomes if o.failed]


def compare(
    contenders: Sequence[Contender],
    replications: int = 1,
    confidence: float = 0.95,
    *,
    everything: bool = False,
) -> Comparison:
    """Run every design in the same futures (replication r has the same seed in each) and contrast them.

    Raises StudyError where the designs' seeds differ, or no future gave a result in all of them.
    """
    _refuse_unlike(contenders, replications)
    outcomes = {c.label: _run(c, replications) for c in contenders}
    both = [r for r in range(replications) if not any(outcomes[c.label][r].failed for c in contenders)]
    if not both:
        first = next(o for found in outcomes.values() for o in found if o.failed)
        raise StudyError(f"no future gave a result in every design: {first.error}", "run that design alone")
    columns = [_columns([outcomes[c.label][r] for r in both]) for c in contenders]
    told = [m for m in columns[0] if all(m in c for c in columns) and (everything or _headline(m))]
    measures = [m for m in told if not all(np.isnan(c[m]).all() for c in columns)]
    rows = _adjusted([_row(m, [c[m] for c in columns], confidence) for m in measures], confidence)
    labels = tuple(c.label for c in contenders)
    remarks = tuple(_remarks(labels, columns))
    curves = {c.label: c.lab.curves(outcomes[c.label][both[0]]) for c in contenders}
    return Comparison(labels, tuple(rows), len(both), confidence, outcomes, curves, remarks)


def _refuse_unlike(contenders: Sequence[Contender], replications: int) -> None:
    if len(contenders) < 2:
        raise StudyError(
            "nothing to compare with", "give another file, or overrides like 'links.ab.type=DS3'"
        )
    if len({c.label for c in contenders}) < len(contenders):
        raise StudyError("two designs have the same name", "name them: 'small: links.ab.type=T1'")
    if len({c.lab.world.seed for c in contenders}) > 1:
        raise StudyError("the designs have different seeds, so their futures differ", "give --seed")
    if replications < 1:
        raise StudyError(f"{replications} replications", "give 1 or more")


def _run(contender: Contender, replications: int) -> tuple[Outcome, ...]:
    points = [Point.of(contender.overrides, r) for r in range(replications)]
    return tuple(contender.lab.gather(points).values())


def _columns(outcomes: Sequence[Outcome]) -> dict[str, Floats]:
    rows = [flatten(outcome.summary or {}) for outcome in outcomes]
    return {name: np.array([row.get(name, math.nan) for row in rows]) for name in rows[0]}


def _headline(measure: str) -> bool:
    return measure.rpartition(".")[2] in HEADLINES


def _row(measure: str, columns: Sequence[Floats], confidence: float) -> Row:
    def rng(at: int) -> np.random.Generator:
        return stream(at, measure)

    base = estimate(columns[0], confidence, rng(0))
    contrasts = []
    for at, column in enumerate(columns[1:], 1):
        difference = paired(columns[0], column, confidence, rng(at))
        own = estimate(column, confidence, rng(0))
        contrasts.append(Contrast(own, difference, difference.p, "unclear"))
    return Row(measure, base, tuple(contrasts))


def _adjusted(rows: Sequence[Row], confidence: float) -> Iterator[Row]:
    adjusted = iter(holm([c.p for row in rows for c in row.contrasts]))
    for row in rows:
        contrasts = [
            replace(c, p=p, verdict=_verdict(row.measure, c.difference, p, confidence))
            for c, p in zip(row.contrasts, adjusted, strict=False)
        ]
        yield replace(row, contrasts=tuple(contrasts))


def _verdict(measure: str, difference: Difference, p: float, confidence: float) -> Verdict:
    found = difference.estimate
    if found.n and found.least == found.most == 0:
        return "same"
    luck = found.n > 1 and not p < 1 - confidence
    if luck or found.mean == 0 or math.isnan(found.mean):
        return "unclear"
    last = measure.rpartition(".")[2]
    if last in _NEUTRAL:
        return "more" if found.mean > 0 else "less"
    return "better" if (found.mean > 0) == (last in _MORE_IS_BETTER) else "worse"


def _remarks(labels: Sequence[str], columns: Sequence[Mapping[str, Floats]]) -> Iterator[str]:
    for name, base in columns[0].items():
        if name.rpartition(".")[2] not in _WORKLOAD:
            continue
        for label, column in zip(labels[1:], columns[1:], strict=True):
            if name in column and not np.array_equal(base, column[name], equal_nan=True):
                yield f"{name} differs between {labels[0]} and {label}: not the same workload or outages"
