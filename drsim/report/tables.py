"""The tables of the HTML report: headings, and how each cell is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drsim.measure.causes import CAUSES
from drsim.report import points, recovery, values
from drsim.report.findings import share
from drsim.report.source import Source

Facts = Mapping[str, Any]
Cell = Callable[[Facts], str]
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """A table ready to be shown: text everywhere.

    Attributes:
        id: its anchor.
        title: its heading.
        caption: a line that says what the numbers are; may be empty.
        head: the columns' headings, that of the rows' names first.
        rows: the cells, the row's name first.
    """

    id: str
    title: str
    caption: str
    head: list[str]
    rows: list[list[str]]


def tables(source: Source) -> Iterator[Table]:
    """Every table that the results can fill, in the report's order."""
    targets = [(f"{group} → {target}", facts) for group, target, facts in source.targets()]
    lag: dict[str, Cell] = {
        "RPO": _objective(lambda n: values.duration(n["rpo_s"])),
        **{_show(p): _duration(f"lag_{p}_s") for p in ("p50", "p95", "p99", "p999", "max")},
        "violations": _objective(lambda n: values.count(n["violations"])),
        "beyond RPO": _objective(lambda n: _part(n["violation_s"], n["violation_fraction"])),
        "no image": lambda n: _part(n.get("exposure_s") or 0.0),
        "at end": _duration("lag_final_s"),
    }
    yield _table(("lag", "Lag", "percentiles over time"), "group → target", targets, lag)
    loss: dict[str, Cell] = {
        **{_show(p): _size(f"loss_{p}_bytes") for p in ("mean", "p50", "p95", "p99", "max")},
        "journal peak": _size("journal_peak_bytes"),
        "overflows": lambda n: values.count(n.get("journal_overflows", 0)),
        "resyncs": lambda n: values.count(n.get("resyncs", 0)),
        "sent": _size("sent_bytes"),
        "consistent": lambda n: {"True": "yes", "False": "NO"}.get(str(n.get("consistent")), "not checked"),
    }
    caption = "bytes lost if the disaster came at an instant chosen evenly at random; and what it took"
    yield _table(("loss", "Loss and load", caption), "group → target", targets, loss)
    yield from _recovery(source)
    yield from _points(source)
    yield from _causes(targets)
    yield from _links_and_hosts(source)


def _recovery(source: Source) -> Iterator[Table]:
    if rows := recovery.recoveries(source):
        yield Table(
            "recovery", "Bad days", "what was lost, and how long hosts stood still", recovery.HEAD, rows
        )
    if rows := recovery.steps(source):
        caption = "seconds of the recovery, step by step"
        yield Table("steps", "Recovery, step by step", caption, ["group", *recovery.STEPS], rows)
    if rows := recovery.tenures(source):
        caption = "where hosts wrote, and how long no other site held an image of it"
        yield Table("tenures", "After the move", caption, recovery.TENURE, rows)


def _points(source: Source) -> Iterator[Table]:
    if rows := points.timetables(source):
        caption = (
            "by timetable; age: lag of the newest one; room: what all snapshots kept of what was overwritten"
        )
        yield Table("snapshots", "Snapshots", caption, points.HEAD, rows)
    if rows := points.histories(source):
        caption = "for how long a write could be undone, on average and at least; writes that left before their time"
        yield Table("history", "History", caption, points.HISTORY, rows)
    if rows := points.points(source):
        caption = f"snapshots that are there at the end, the newest first, {points.SHOWN} of each place"
        yield Table("points", "Recovery points", caption, points.POINT, rows)


def _causes(targets: list[tuple[str, Facts]]) -> Iterator[Table]:
    by = [(name, n.get("violation_s_by_cause") or {}) for name, n in targets]
    seen = [cause for cause in CAUSES if any(cause in facts for _, facts in by)]
    if seen:
        name = ("why", "Causes", "time beyond the RPO by cause")
        yield _table(name, "group → target", by, {cause: _seconds(cause) for cause in seen})


def _links_and_hosts(source: Source) -> Iterator[Table]:
    links, hosts = source.summary.get("links"), source.summary.get("hosts")
    if links:
        columns: dict[str, Cell] = {
            "used": lambda n: share(n["utilisation"]) if n.get("utilisation") is not None else NOTHING,
            "carried": _size("carried_bytes"),
            "down": lambda n: _part(n.get("down_s") or 0.0, (n.get("down_s") or 0.0) / source.duration_s),
        }
        yield _table(("links", "Links", ""), "link", links.items(), columns)
    if hosts:
        columns = {
            "writes": lambda n: values.count(n.get("writes")),
            "mean latency": _duration("write_latency_mean_s"),
            "p99": _duration("write_latency_p99_s"),
            "max": _duration("write_latency_max_s"),
        }
        yield _table(("hosts", "Hosts", "how long their writes wait"), "host", hosts.items(), columns)


def _table(
    name: tuple[str, str, str], of: str, rows: Iterable[tuple[str, Facts]], columns: Mapping[str, Cell]
) -> Table:
    cells = [[row, *(cell(facts) for cell in columns.values())] for row, facts in rows]
    return Table(*name, [of, *columns], cells)


def _show(percentile: str) -> str:
    return "p99.9" if percentile == "p999" else percentile


def _duration(key: str) -> Cell:
    return lambda n: values.duration(n.get(key))


def _size(key: str) -> Cell:
    return lambda n: values.size(n[key]) if n.get(key) is not None else NOTHING


def _seconds(cause: str) -> Cell:
    return lambda n: values.duration(n[cause]) if n.get(cause) else NOTHING


def _objective(cell: Cell) -> Cell:
    """A cell that only makes sense where there is an objective."""
    return lambda n: cell(n) if n.get("rpo_s") is not None else NOTHING


def _part(seconds: float, of_all: float | None = None) -> str:
    if not seconds:
        return "never"
    return values.duration(seconds) + (f" ({share(of_all)})" if of_all is not None else "")
