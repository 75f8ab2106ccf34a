"""A whole scenario as plain data: sites, links, groups, hosts, bad days, and what is expected of the run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, PrivateAttr, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from drsim.scenario.disaster import Disaster, Operation, Runbook
from drsim.scenario.expect import Expectation, ExpectError, Names, parse
from drsim.scenario.group import Group
from drsim.scenario.host import Host, traces
from drsim.scenario.part import Name, Part, refuse
from drsim.scenario.problem import Complaint, Problem
from drsim.scenario.site import Site
from drsim.scenario.source import Source
from drsim.units import Duration
from drsim.wan.distribution import Empirical
from drsim.wan.link import Link

A_MONDAY = datetime(2026, 3, 2)  # noqa: DTZ001  a scenario's clock has no zone
LONGEST_RUN = 100 * 366 * 86400.0
"""Seconds; a century, so that a slip in a unit is refused rather than simulated."""


def _start(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        start = datetime.fromisoformat(str(value))
    except ValueError:
        raise refuse(f"'{value}' is not a date", "write it like 2026-03-02 00:00") from None
    if start.tzinfo is not None:
        raise refuse(f"'{value}' has a time zone", "write local time, like 2026-03-02 00:00")
    return start


def _expectation(value: Any, info: ValidationInfo) -> Expectation:
    if isinstance(value, Expectation):
        return value
    names = info.context or Names({}, (), ())
    try:
        return parse(str(value), names)
    except ExpectError as error:
        context = {"problem": error.problem, "hint": error.hint, "offset": error.at}
        raise PydanticCustomError("expectation", "{problem}", context) from None


_START_SCHEMA = WithJsonSchema({"type": "string", "examples": ["2026-03-02 00:00"]})
_EXPECT_SCHEMA = WithJsonSchema({"type": "string", "examples": ["erp.lyon.lag.p99 <= 15 min"]})
Start = Annotated[datetime, BeforeValidator(_start), PlainSerializer(str), _START_SCHEMA]
if TYPE_CHECKING:
    AnyExpectation = Expectation
else:
    AnyExpectation = Annotated[
        Any, BeforeValidator(_expectation), PlainSerializer(lambda e: e.text), _EXPECT_SCHEMA
    ]


class Scenario(Part):
    """Format version 1. See the parts for units and defaults; without a part the world is ideal.

    ``duration``: without it the run lasts until everything is recoverable at every target, which needs hosts
    that come to an end. ``start``: the wall-clock time of the run's beginning, which calendars use.
    """

    drsim: Literal[1]
    title: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    duration: Annotated[Duration, Field(gt=0, le=LONGEST_RUN)] | None = None
    start: Start = A_MONDAY
    sites: Annotated[dict[Name, Site], Field(min_length=1)]
    links: dict[Name, Link] = Field(default_factory=dict)
    groups: Annotated[dict[Name, Group], Field(min_length=1)]
    hosts: dict[Name, Host] = Field(default_factory=dict)
    runbooks: dict[Name, Runbook] = Field(default_factory=dict)
    disasters: tuple[Disaster, ...] = ()
    operations: tuple[Operation, ...] = ()
    expect: tuple[AnyExpectation, ...] = ()

    _folder: Path = PrivateAttr(default=Path())
    _source: Source | None = PrivateAttr(default=None)
    _name: str = PrivateAttr(default="scenario")

    @property
    def folder(self) -> Path:
        """Paths in the scenario are relative to it."""
        return self._folder

    @property
    def text(self) -> str:
        """The file as the user wrote it, before overrides."""
        return self._source.text if self._source is not None else ""

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self._name

    @property
    def faults(self) -> list[Disaster | Operation]:
        """Disasters and operations in the order of their times."""
        return sorted([*self.disasters, *self.operations], key=lambda fault: fault.at)

    @property
    def week_offset(self) -> float:
        """Seconds from the last Monday 00:00 to the run's start."""
        start = self.start
        return start.weekday() * 86400.0 + (start - start.replace(hour=0, minute=0, second=0)).total_seconds()

    def came_from(self, folder: Path, source: Source) -> Scenario:
        """Note the file it was read from, with the place of every value in it."""
        self._folder, self._source, self._name = folder, source, Path(source.name).stem
        return self

    def problem(self, complaint: Complaint) -> Problem:
        """An error about this scenario that was found after it was read, at its line and column."""
        return (self._source or Source(self.name, "")).problem(complaint)

    def plain(self) -> dict[str, Any]:
        """The scenario as its user could have written it, overrides included: loading it gives the same
        again.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def files(self) -> list[Path]:
        """Every file besides the scenario that decides its result: traces, and what distributions have
        seen.
        """
        found: dict[Path, None] = {}
        for host in self.hosts.values():
            for write in host.writes:
                found.update(dict.fromkeys(traces(write, self.folder)))
        for link in self.links.values():
            chances = [c for fault in link.outages for c in vars(fault).values() if isinstance(c, Empirical)]
            found.update({self.folder / chance.file: None for chance in chances if chance.file})
        return list(found)

    def route(self, group: str, target: str) -> str:
        """The name of the link that carries a group to a target."""
        wanted = self.groups[group].targets[target]
        if wanted.link is not None:
            return wanted.link
        ends = {self.groups[group].feeder(target), target}
        return next(name for name, link in self.links.items() if set(link.between) == ends)
