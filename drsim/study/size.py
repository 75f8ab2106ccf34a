"""Sizing: the least bandwidth, journal or objective that meets an expectation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from drsim.study.closed import ClosedWorld
from drsim.study.lab import Lab
from drsim.study.links import LinkRow, facts_of, standard_links
from drsim.study.point import Outcome, Point
from drsim.study.quorum import Poll, Question, Quorum
from drsim.study.search import Bounds, Found, Search
from drsim.study.text import StudyError
from drsim.study.wanted import LINK_RATE, Wanted, bounds_of, question_of
from drsim.study.world import ScenarioWorld


@dataclass(frozen=True, slots=True)
class Closed:
    """The closed form's answer to the same question, or why there is none."""

    text: str | None
    reason: str = ""
    ratio: float = math.nan
    """The simulator's answer over this one."""


@dataclass(frozen=True, slots=True)
class Sized:
    """The answer.

    Attributes:
        wanted: the question.
        found: the least value that is enough, with its neighbours.
        facts: of the answer, of the value just below.
        closed: the closed form's answer.
        links: for a link's rate, the next smaller and the next standard link that is enough.
        runs: simulations made.
    """

    wanted: Wanted
    found: Found[Poll]
    facts: tuple[Mapping[str, float], Mapping[str, float]]
    closed: Closed
    links: tuple[LinkRow, ...]
    runs: int


def size(world: ScenarioWorld, lab: Lab, wanted: Wanted, width: int = 1, *, standard: bool = True) -> Sized:
    """Find the least value of ``wanted.path`` at which the expectation holds in enough futures.

    The closed form, where there is one, tells where to begin and is held against the answer; every verdict
    comes from simulation. ``width``: runs to make side by side. ``standard``: for a link's rate, try the
    standard links beside the answer too.
    """
    question, bounds = question_of(world, wanted), bounds_of(world, wanted)
    closed = _closed_form(world, wanted, question, bounds)
    if closed.text is not None and wanted.low is wanted.high is None:
        bounds = replace(bounds, start=closed.text, stride=1 + 2 * wanted.tolerance)
    before = lab.runs
    quorum = Quorum(lab, question, width)
    found = Search(quorum.trial, quorum.verify, bounds, wanted.tolerance).least()
    if closed.text is not None and found.text is not None and not found.edge:
        ratio = bounds.scale.parse(found.text) / bounds.scale.parse(closed.text)
        closed = Closed(closed.text, "", ratio)
    of_link = standard and LINK_RATE.fullmatch(wanted.path)
    links = tuple(standard_links(world, lab, wanted, found.text)) if of_link else ()
    facts = (facts_of(found.trial, wanted.until), facts_of(found.below, wanted.until))
    return Sized(wanted, found, facts, closed, links, lab.runs - before)


def _closed_form(world: ScenarioWorld, wanted: Wanted, question: Question, bounds: Bounds) -> Closed:
    path = wanted.until.value.path
    if "targets" not in path:
        return Closed(None, "the expectation is not about a group at a target")
    lab = Lab(ClosedWorld(world, path[1], path[3]))
    try:
        first = lab.gather([Point.of((*wanted.fixed, *question.setter(bounds.start)))])
        summary = next(iter(first.values())).summary
        if summary is None:
            return Closed(None, _reason(next(iter(first.values()))))
        if path[4] not in summary["groups"][path[1]]["targets"][path[3]]:
            return Closed(None, f"no closed form for {path[4]}")
        quorum = Quorum(lab, question)
        found = Search(quorum.trial, quorum.verify, bounds, wanted.tolerance / 10).least()
    except StudyError as error:
        return Closed(None, str(error))
    return Closed(found.text, found.edge if found.text is None else "")


def _reason(outcome: Outcome) -> str:
    return (outcome.error or "").removeprefix("UnsuitedError: ").removeprefix("no closed form: ")
