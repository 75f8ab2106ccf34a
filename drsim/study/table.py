"""One tidy table of all points: a row a run, a column an override, a measure or an expectation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from drsim.study.point import Outcome, Point, flatten, verdicts
from drsim.study.scale import scale_of
from drsim.study.text import StudyError
from drsim.whole import whole

Columns = dict[str, list[Any]]


def tidy(points: Sequence[Point], outcomes: Mapping[Point, Outcome]) -> Columns:
    """Columns of equal length, one row for each point in order.

    ``PATH`` holds an override as text and ``PATH.si`` its number in SI base units where it is a quantity;
    then replication, seed, key, state (``done``, ``failed`` or ``missing``), error, wall_s; then each numeric
    summary key; then for each expectation ``expect TEXT`` (true, false). What a row lacks is null.
    """
    paths = list(dict.fromkeys(path for point in points for path, _ in point.overrides))
    columns: Columns = {}
    for path in paths:
        texts = [dict(point.overrides).get(path) for point in points]
        columns[path] = texts
        numbers = _numbers(texts)
        if numbers:
            columns[f"{path}.si"] = numbers
    found = [outcomes.get(point) for point in points]
    columns["replication"] = [point.replication for point in points]
    columns["seed"] = [o.seed if o else None for o in found]
    columns["key"] = [o.key if o else None for o in found]
    columns["state"] = [_state(o) for o in found]
    columns["error"] = [o.error if o else None for o in found]
    columns["wall_s"] = [o.wall_s if o else None for o in found]
    columns |= _spread([_measures(o) for o in found])
    columns |= _spread([_verdicts(o) for o in found])
    return columns


def _state(outcome: Outcome | None) -> str:
    return "missing" if outcome is None else "failed" if outcome.failed else "done"


def _measures(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None or outcome.summary is None:
        return {}
    return {k: v for k, v in flatten(outcome.summary).items() if k not in ("wall_s", "seed")}


def _verdicts(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None or outcome.summary is None:
        return {}
    return {f"expect {text}": passed for text, passed in verdicts(outcome.summary).items()}


def _spread(rows: Sequence[Mapping[str, Any]]) -> Columns:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _numbers(texts: Iterable[str | None]) -> list[float | None]:
    given = [text for text in texts if text is not None]
    try:
        scale = scale_of(*given)
    except StudyError:
        return []
    return [None if text is None else float(scale.parse(text)) for text in texts]


def write_parquet(path: Path, columns: Columns, about: Mapping[str, str]) -> None:
    """Write the table whole (zstd), with ``about`` as its metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(columns).replace_schema_metadata({f"drsim.{k}": v for k, v in about.items()})
    with whole(path) as beside:
        pq.write_table(table, beside, compression="zstd")
