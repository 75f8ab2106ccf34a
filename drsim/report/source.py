"""What every report reads: a summary, tables of columns, and the facts of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsim import __version__
from drsim.measure.causes import Span
from drsim.measure.spans import Row, at_work
from drsim.record import Record
from drsim.units import parse_size

Table = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float64]
_SPAN = ("begin", "end", "kind", "subject", "cause")


@dataclass(frozen=True, slots=True)
class Source:
    """One run's results.

    Attributes:
        summary: the summary's keys (docs list them).
        tables: columns by table name: ``curve/<group>/<target>`` (t, lag_s, backlog_bytes, and journal_bytes
            where there is a journal), ``exceedance/<group>/<target>`` (lag_s, share),
            ``link/<link>/<direction>`` (t, bytes by class, usable), ``spans`` (begin, end, kind, subject,
            cause), ``events`` (t, subject, what, detail), ``images/<group>/<target>``
            (`drsim.measure.images`), ``snapshots/<group>/<site>`` (`drsim.measure.snapshots`),
            ``routes`` (group, target, link), ``recovery`` (group, begin, end, what,
            site).
        facts: the manifest: ``scenario_text``, ``scenario_data`` (plain mapping), overrides, versions,
            ``key``, and ``warnings`` where there were any.
    """

    summary: Mapping[str, Any]
    tables: Mapping[str, Table] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Record) -> Source:
        """Read every table of a results directory."""
        facts = {**record.manifest, "key": record.manifest.get("key", record.path.name)}
        return cls(record.summary, record.tables(), facts)

    @property
    def duration_s(self) -> float:
        """Length of the window of observation, seconds."""
        return float(self.summary["duration_s"])

    @property
    def name(self) -> str:
        """The scenario's name."""
        return str(self.summary["scenario"])

    @property
    def data(self) -> Mapping[str, Any]:
        """The scenario as plain data; empty when it was not recorded."""
        data = self.facts.get("scenario_data")
        return data if isinstance(data, Mapping) else {}

    @property
    def title(self) -> str:
        """The scenario's title, or else its name."""
        return str(self.data.get("title") or self.name)

    @property
    def start(self) -> datetime | None:
        """The calendar instant of time 0, when it was recorded."""
        try:
            return datetime.fromisoformat(str(self.data["start"]))
        except (KeyError, ValueError):
            return None

    @property
    def footer(self) -> str:
        """What identifies a picture: scenario, key, seed, version."""
        version = self.facts.get("versions", {}).get("drsim", __version__)
        parts = [
            self.name,
            str(self.facts.get("key", ""))[:12],
            f"seed {self.summary.get('seed', '?')}",
            f"drsim {version}".strip(),
        ]
        return "  ·  ".join(part for part in parts if part)

    def groups(self) -> Mapping[str, Any]:
        """The groups' summaries by name."""
        groups: Mapping[str, Any] = self.summary.get("groups", {})
        return groups

    def targets(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Each group, target and its summary, in the scenario's order."""
        for group, facts in self.groups().items():
            for target, numbers in facts.get("targets", {}).items():
                yield group, target, numbers

    def judged(self) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
        """Each group, target and its summary of all stays: with a remark where the group was at another site then."""
        for group, target, numbers in self.targets():
            yield group, "", target, numbers
        for group, facts in self.groups().items():
            for stay in facts.get("tenures", ()):
                for target, numbers in stay["targets"].items():
                    yield group, f" (while {stay['source']} was source)", target, numbers

    def curve(self, group: str, target: str) -> Table | None:
        """The lag curve of a group at a target."""
        return self.tables.get(f"curve/{group}/{target}")

    def rows(self) -> Iterator[Row]:
        """The rows of the ``spans`` table."""
        table = self.tables.get("spans")
        if table is None:
            return
        for begin, end, kind, subject, cause in zip(*(table[k] for k in _SPAN), strict=True):
            yield float(begin), float(end), str(kind), str(subject), str(cause)

    def spans(self, kind: str, *subjects: str) -> list[Span]:
        """Spans of a kind, of these subjects, in order of their begin."""
        return sorted(Span(b, e, c, s) for b, e, k, s, c in self.rows() if k == kind and s in subjects)

    def outages(self, group: str) -> list[Span]:
        """When the links that a group's data crosses were down."""
        return [span for span in at_work(self.rows(), self.links(group)) if span.cause == "outage"]

    def causes(self, group: str, target: str) -> list[Span]:
        """Every span that names a cause and concerns a group at a target (or its links)."""
        return at_work(self.rows(), {f"{group}/{target}", *self.links(group)})

    def journal_limit(self, group: str, target: str) -> float | None:
        """Bytes the journal holds before it is full; None when there is no limit or it was not recorded."""
        facts = (self.data.get("groups") or {}).get(group, {})
        own = (facts.get("targets") or {}).get(target)
        journal = (own.get("journal") if isinstance(own, Mapping) else None) or facts.get("journal") or {}
        limit = self.groups()[group]["targets"][target].get("journal_limit_bytes")
        size = journal.get("size") if limit is None else limit
        try:
            return None if size is None else float(parse_size(str(size)) if isinstance(size, str) else size)
        except ValueError:
            return None

    def overflows(self, group: str) -> list[float]:
        """When a group's journal overflowed, seconds."""
        events = self.tables.get("events")
        if events is None:
            return []
        columns = zip(*(events[k] for k in ("t", "subject", "what", "detail")), strict=True)
        return [
            float(t)
            for t, subject, what, detail in columns
            if str(subject).split("/")[0] == group and ("overflow" in str(what) or detail == "journal full")
        ]

    def mode(self, group: str) -> str:
        """A group's replication mode; empty when it was not recorded."""
        mode = (self.data.get("groups") or {}).get(group, {}).get("mode") or ""
        return str(mode.get("kind", "") if isinstance(mode, Mapping) else mode)

    def text(self) -> str:
        """The scenario as the user wrote it; empty when it was not recorded."""
        return str(self.facts.get("scenario_text") or "")

    def links(self, group: str) -> list[str]:
        """Names of the links a group's data crosses; every link when that is not recorded."""
        routes = self.tables.get("routes")
        if routes is None:
            return [str(name) for name in self.summary.get("links", {})]
        pairs = zip(routes["group"], routes["link"], strict=True)
        return list(dict.fromkeys(str(link) for owner, link in pairs if owner == group))

    def link_tables(self, group: str) -> list[tuple[str, Table]]:
        """The use of the links a group's data crosses, as (``link/direction``, table), busiest direction."""
        found = []
        for link in self.links(group):
            both = [
                (f"{link} {name.rsplit('/', 1)[1]}", table)
                for name, table in self.tables.items()
                if name.startswith(f"link/{link}/")
            ]
            if both:
                found.append(max(both, key=lambda pair: _carried(pair[1])))
        return found


def classes(table: Table) -> list[str]:
    """The traffic classes of a link table, in order."""
    return [name for name in table if name not in {"t", "usable"}]


def _carried(table: Table) -> float:
    return float(sum(table[name].sum() for name in classes(table)))
