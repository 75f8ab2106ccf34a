"""What every report reads: a summary, tables of columns, and the facts of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsim.measure.causes import Span
from drsim.record import Record

Table = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Source:
    """One run's results.

    Attributes:
        summary: the summary's keys (docs list them).
        tables: columns by table name: ``curve/<group>/<target>`` (t, lag_s, backlog_bytes, and journal_bytes
            where there is a journal), ``exceedance/<group>/<target>`` (lag_s, share),
            ``link/<link>/<direction>`` (t, bytes by class, usable), ``spans`` (begin, end, kind, subject,
            cause), ``events`` (t, subject, what, detail), ``images/<group>/<target>`` (taken, sent_from,
            sent_to, usable), ``routes`` (group, target, link).
        facts: the manifest: scenario text, ``scenario_data`` (plain mapping), overrides, versions, ``key``.
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
        version = self.facts.get("versions", {}).get("drsim", self.facts.get("version", ""))
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

    def curve(self, group: str, target: str) -> Table | None:
        """The lag curve of a group at a target."""
        return self.tables.get(f"curve/{group}/{target}")

    def spans(self, kind: str, *subjects: str) -> list[Span]:
        """Spans of a kind, of these subjects (of all when none are named), in order of their begin."""
        table = self.tables.get("spans")
        if table is None:
            return []
        rows = zip(*(table[k] for k in ("begin", "end", "kind", "subject", "cause")), strict=True)
        found = [
            Span(float(begin), float(end), str(cause), str(subject))
            for begin, end, what, subject, cause in rows
            if what == kind and (not subjects or subject in subjects)
        ]
        return sorted(found)

    def causes(self, group: str, target: str) -> list[Span]:
        """Every span that names a cause and concerns a group at a target (or its links)."""
        table = self.tables.get("spans")
        if table is None:
            return []
        mine = {"", group, target, f"{group}/{target}", f"{group}.{target}", *self.links(group)}
        rows = zip(*(table[k] for k in ("begin", "end", "kind", "subject", "cause")), strict=True)
        return [
            Span(float(begin), float(end), str(cause), str(subject))
            for begin, end, kind, subject, cause in rows
            if cause and str(kind) != "violation" and (str(subject) in mine)
        ]

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
