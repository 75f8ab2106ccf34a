"""What a sizing asks: a path, an expectation, how many futures, and where to look."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from drsim.scenario.expect import Expectation
from drsim.study.design import Override
from drsim.study.quorum import Question
from drsim.study.scale import scale_of
from drsim.study.search import Bounds
from drsim.study.text import StudyError
from drsim.study.world import ScenarioWorld
from drsim.units import format_bits

LINK_RATE = re.compile(r"links\.([^.]+)\.(?:rate|type)")
CEILINGS = {"rate": 1.25e11, "size": 1e18, "duration": 100 * 366 * 86400.0, "ratio": 1.0}
"""SI values above which a search does not look by itself: 1 Tb/s, 1 EB, a century, all of it."""
_GUESSES = {"rate": "10 Mb/s", "size": "1 GB", "rpo": "15 min", "efficiency": "70 %"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to size.

    Attributes:
        path: of the value looked for: ``links.ab.rate``, ``groups.g.journal.size``, ...
        until: the expectation.
        fixed: overrides of all points.
        futures: replications.
        share: of the futures in which the expectation must hold.
        low, high: ends of the range to search; without, the search finds its own.
        tolerance: relative distance of the answer from a value that is not enough.
    """

    path: str
    until: Expectation
    fixed: tuple[Override, ...] = ()
    futures: int = 1
    share: float = 0.95
    low: str | None = None
    high: str | None = None
    tolerance: float = 0.01


def setter(world: ScenarioWorld, path: str, text: str) -> tuple[Override, ...]:
    """Overrides that give ``path`` a value: a link's rate stands in place of its type, and the other way."""
    link = LINK_RATE.fullmatch(path)
    if link is None:
        return ((path, text),)
    other = "type" if path.endswith("rate") else "rate"
    there = any(
        key == f"links.{link[1]}.{other}" or key.startswith(f"links.{link[1]}.{other}.")
        for key in world.ingredients()
    )
    return ((path, text), (f"links.{link[1]}.{other}", "null")) if there else ((path, text),)


def question_of(world: ScenarioWorld, wanted: Wanted) -> Question:
    """What is asked of every value."""
    return Question(
        lambda text: setter(world, wanted.path, text),
        lambda summary: wanted.until.judge(summary).passed,
        bounds_of(world, wanted).scale,
        wanted.fixed,
        wanted.futures,
        wanted.share,
    )


def bounds_of(world: ScenarioWorld, wanted: Wanted) -> Bounds:
    """Where to look: the given range, or from what the scenario says now."""
    start = wanted.low or wanted.high or _current(world, wanted)
    ends = [text for text in (wanted.low, wanted.high) if text is not None]
    scale = scale_of(start, *ends)
    if len(ends) == 2 and scale.parse(ends[0]) >= scale.parse(ends[1]):
        raise StudyError(f"{ends[0]} is not less than {ends[1]}", "write --between LOW:HIGH")
    ceiling = max(CEILINGS.get(scale.noun, math.inf), *(scale.parse(text) for text in (start, *ends)))
    return Bounds(scale, start, wanted.low, wanted.high, ceiling=ceiling)


def _current(world: ScenarioWorld, wanted: Wanted) -> str:
    """A value to begin with: the overridden one, the scenario's own, a link type's rate, or a plain guess."""
    given = dict(wanted.fixed).get(wanted.path) or world.value(wanted.path)
    if given is not None:
        return given
    link = LINK_RATE.fullmatch(wanted.path)
    if link is not None:
        model = world.scenario(wanted.fixed).links.get(link[1])
        if model is None:
            raise StudyError(
                f"there is no link '{link[1]}'", "give the path of a value that the scenario has"
            )
        return format_bits(model.nominal[0] / model.n)
    guess = _GUESSES.get(wanted.path.rpartition(".")[2])
    if guess is None:
        raise StudyError(f"{wanted.path} has no value to begin with", "give the range: --between LOW:HIGH")
    return guess
