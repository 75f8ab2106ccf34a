"""Where each group was when, and how it came back: the timeline of a run's bad days as columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from drsim.simulation.built import Built
from drsim.simulation.outcome import Outcome
from drsim.simulation.tenure import Tenure

Row = tuple[str, float, float, str, str]
"""Group, begin, end (seconds), what, and the site it is about."""


def timeline(built: Built, end: float) -> dict[str, Any] | None:
    """Give the columns group, begin, end, what, site; None in a run in which nothing befell any group.

    ``what`` is ``protected`` or ``unprotected`` while hosts write at ``site``, a step of the recovery while they do not
    (``return`` while the site itself is waited for), ``down`` when no step explains it. To be asked once the legs'
    measures are finished.
    """
    rows: list[Row] = []
    for group, outcomes in built.outcomes.items():
        told = [o for o in outcomes if o.cause != "rehearsal" and o.at <= end]
        if not told:
            continue
        gaps = [gap for outcome in told for gap in _steps(group, outcome, end)]
        rows += gaps
        for tenure in built.tenures[group]:
            if tenure.begin <= end:
                rows += _at_work(tenure, gaps, end)
    rows.sort(key=lambda row: (row[0], row[1], row[2]))
    if not rows:
        return None
    columns: list[Any] = [list(column) for column in zip(*rows, strict=True)]
    names = ("group", "begin", "end", "what", "site")
    return dict(zip(names, columns, strict=True)) | {
        "begin": np.array(columns[1], float),
        "end": np.array(columns[2], float),
    }


def _steps(group: str, outcome: Outcome, end: float) -> Iterator[Row]:
    """What a recovery's time was spent on, step by step; what is still open ends with the run."""
    if outcome.planned and not outcome.steps:
        return
    at, site = outcome.at, outcome.target or outcome.site
    for step, seconds in outcome.steps.items():
        if seconds and at < end:
            yield group, at, min(at + seconds, end), step, site
        at += seconds
    if outcome.recovered_at is None and at < end:
        yield group, at, end, "down", outcome.site


def _at_work(tenure: Tenure, gaps: list[Row], end: float) -> Iterator[Row]:
    """When hosts wrote there, protected or not."""
    last = end if tenure.end is None else min(tenure.end, end)
    pieces = [(tenure.begin, last)]
    for _, low, high, _, _ in gaps:
        pieces = [p for b, e in pieces for p in ((b, min(e, low)), (max(b, high), e)) if p[0] < p[1]]
    bare = tenure.unprotected(end)
    edges = sorted({t for piece in [*pieces, *bare] for t in piece})
    for begin, stop in itertools.pairwise(edges):
        if any(b <= begin and stop <= e for b, e in pieces):
            covered = not any(b <= begin and stop <= e for b, e in bare)
            what = "protected" if covered else "unprotected"
            yield tenure.name, begin, stop, what, tenure.source
