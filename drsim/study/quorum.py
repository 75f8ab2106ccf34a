"""One value tried under many futures: does the expectation hold in enough of them?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from drsim.study.design import Override
from drsim.study.lab import Lab
from drsim.study.point import Outcome, Point, Summary
from drsim.study.scale import Scale
from drsim.study.stats import share_interval
from drsim.study.text import StudyError

Held = Callable[[Summary], bool]
"""Does the expectation hold in this summary?"""
Setter = Callable[[str], tuple[Override, ...]]
"""The overrides that give the varied path a value (``links.ab.rate`` also unsets ``links.ab.type``)."""


@dataclass(frozen=True, slots=True)
class Poll:
    """A value's outcomes.

    Attributes:
        text: the value.
        held: number of futures in which the expectation held, counting those inferred.
        asked: number of futures decided: fewer than all, where the rest could change nothing.
        needed: how many had to hold.
        outcomes: of the runs made (inferred futures have none).
    """

    text: str
    held: int
    asked: int
    needed: int
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """True where enough futures held."""
        return self.held >= self.needed

    def interval(self, confidence: float) -> tuple[float, float]:
        """Of the true share of futures in which it holds, from those asked."""
        return share_interval(self.held, self.asked, confidence)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every value.

    Attributes:
        setter: overrides for a value of the varied path.
        held: the expectation.
        scale: of the varied path.
        fixed: overrides of all points.
        futures: number of replications.
        share: of futures in which the expectation must hold.
    """

    setter: Setter
    held: Held
    scale: Scale
    fixed: tuple[Override, ...] = ()
    futures: int = 1
    share: float = 0.95

    @property
    def needed(self) -> int:
        """Number of futures in which it must hold."""
        return max(1, math.ceil(self.share * self.futures - 1e-9))


class Quorum:
    """Polls values with common random numbers: future r is the same at every value.

    Because more is assumed never to be worse, a future that held at a smaller value is not run again at a
    larger one, and a future that failed at a larger value is not run at a smaller one; and the hardest
    futures are asked first. A search over N futures so costs little more than one over a single future.

    Args:
        lab: runs points.
        question: what is asked.
        width: futures to run side by side.
    """

    def __init__(self, lab: Lab, question: Question, width: int = 1) -> None:
        self._lab, self._question, self._width = lab, question, max(width, 1)
        self.needed = question.needed
        self._futures = question.futures
        self._holds_at = dict.fromkeys(range(self._futures), math.inf)
        self._fails_at = dict.fromkeys(range(self._futures), -math.inf)

    def trial(self, text: str) -> Poll:
        """Poll until the verdict is certain, inferring what smaller and larger values have shown."""
        value = float(self._question.scale.parse(text))
        held = sum(at <= value for at in self._holds_at.values())
        failed = sum(at >= value for at in self._fails_at.values())
        open_ = [r for r in self._by_hardness() if self._fails_at[r] < value < self._holds_at[r]]
        outcomes: list[Outcome] = []
        while held < self.needed and failed <= self._futures - self.needed:
            batch, open_ = open_[: self._width], open_[self._width :]
            for outcome in self._run(text, batch):
                holds = self._note(outcome, value)
                held, failed = held + holds, failed + (not holds)
                outcomes.append(outcome)
        return Poll(text, held, held + failed, self.needed, tuple(outcomes))

    def verify(self, text: str) -> Poll:
        """Poll every future, inferring nothing."""
        poll = poll_all(self._lab, self._question, text)
        for outcome in poll.outcomes:
            self._note(outcome, float(self._question.scale.parse(text)))
        return poll

    def _by_hardness(self) -> list[int]:
        return sorted(range(self._futures), key=lambda r: (-self._fails_at[r], -self._holds_at[r], r))

    def _note(self, outcome: Outcome, value: float) -> bool:
        future = outcome.point.replication
        holds = _holds(self._question, outcome)
        if holds:
            self._holds_at[future] = min(self._holds_at[future], value)
        else:
            self._fails_at[future] = max(self._fails_at[future], value)
        return holds

    def _run(self, text: str, futures: Sequence[int]) -> list[Outcome]:
        return _outcomes(self._lab, self._question, text, futures)


def poll_all(lab: Lab, question: Question, text: str) -> Poll:
    """Poll a value in every future."""
    outcomes = _outcomes(lab, question, text, range(question.futures))
    held = sum(_holds(question, outcome) for outcome in outcomes)
    return Poll(text, held, question.futures, question.needed, tuple(outcomes))


def _outcomes(lab: Lab, question: Question, text: str, futures: Iterable[int]) -> list[Outcome]:
    overrides = (*question.fixed, *question.setter(text))
    return list(lab.gather(Point.of(overrides, r) for r in futures).values())


def _holds(question: Question, outcome: Outcome) -> bool:
    if outcome.summary is None:
        raise StudyError(f"{outcome.point.label} failed: {outcome.error}", "run that point by itself")
    return question.held(outcome.summary)
