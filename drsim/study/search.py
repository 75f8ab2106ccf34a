"""The least value at which something holds: bracketing, bisection in ratios, a check of what was assumed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from drsim.study.scale import Scale

MOST_STEPS = 64
"""Trials before a search gives up; bisection to 0.01 % over twelve orders of magnitude needs 46."""

_MOST_WIDENINGS = 6
_PROBES = (1.25, 2.0)


class Trial(Protocol):
    """What came of trying one value."""

    @property
    def passed(self) -> bool:
        """True where the value is enough."""


T = TypeVar("T", bound=Trial)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where to look, as texts on one scale.

    Without an end the search gallops away from ``start``: by the factor ``stride``, then by its square, and
    so on, up to ``ceiling`` (SI). A small stride suits a start that is a good guess.
    """

    scale: Scale
    start: str
    low: str | None = None
    high: str | None = None
    stride: float = 2.0
    ceiling: float = math.inf


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """What a search found.

    Attributes:
        text: the least value that is enough, None where none was.
        trial: what came of trying it.
        below, below_text: the largest value known not to be enough, if any.
        doubts: larger values tried afterwards that are not enough: the search assumed there are none.
        edge: why there is no closer answer: ``""``, or that even an end of the range passes or fails.
    """

    text: str | None
    trial: T | None
    below_text: str | None
    below: T | None
    doubts: tuple[str, ...] = ()
    edge: str = ""


class Search(Generic[T]):
    """Looks for the least value on a scale that is enough, assuming that more is never worse.

    Args:
        trial: tries a value, taking shortcuts that the assumption allows.
        verify: tries a value without shortcuts.
        bounds: where to look.
        tolerance: relative distance between the answer and a value that is not enough.
    """

    def __init__(
        self,
        trial: Callable[[str], T],
        verify: Callable[[str], T],
        bounds: Bounds,
        tolerance: float = 0.01,
    ) -> None:
        self._trial = trial
        self._verify = verify
        self._bounds = bounds
        self._tolerance = tolerance
        self._digits = max(4, math.ceil(-math.log10(tolerance)) + 2)
        self._steps = 0

    def least(self) -> Found[T]:
        """Bracket, halve, verify. The value just below and some larger ones are tried in full too."""
        low, high, edge = self._bracket()
        if high is None:
            below = self._verify(low) if low else None
            return Found(None, None, low, below, edge=edge + self._backwards(low))
        while low is not None and self._steps < MOST_STEPS:
            middle = self._between(low, high)
            if middle is None:
                break
            if self._try(middle):
                high = middle
            else:
                low = middle
        return self._verified(low, high, edge)

    def _bracket(self) -> tuple[str | None, str | None, str]:
        """(a value that fails, a value that passes, remark): either may be missing at an end of the range."""
        given = self._bounds
        if given.high is not None and not self._try(given.high):
            return given.high, None, f"even {given.high} is not enough"
        if given.low is not None and self._try(given.low):
            return None, given.low, f"even {given.low} is enough"
        low, high = given.low, given.high
        if low is None and high is None:
            low, high = (None, given.start) if self._try(given.start) else (given.start, None)
        if high is None:
            return self._upwards(low or given.start)
        return self._downwards(high) if low is None else (low, high, "")

    def _upwards(self, low: str) -> tuple[str, str | None, str]:
        for doubling in range(_MOST_WIDENINGS):
            high = self._times(low, self._bounds.stride ** (2**doubling))
            ceiling = min(self._bounds.ceiling, self._bounds.scale.most)
            last = self._number(high) >= ceiling
            high = self._bounds.scale.text(ceiling, self._digits) if last else high
            if self._try(high):
                return low, high, ""
            low = high
            if last:
                break
        return low, None, f"even {low} is not enough"

    def _downwards(self, high: str) -> tuple[str | None, str, str]:
        for doubling in range(_MOST_WIDENINGS):
            low = self._times(high, self._bounds.stride ** -(2**doubling))
            if self._number(low) == 0 or not self._try(low):
                return low, high, ""
            high = low
        return None, high, f"even {high} is enough"

    def _verified(self, low: str | None, high: str, edge: str) -> Found[T]:
        trial = self._verify(high)
        steps = 0
        while not trial.passed and steps < MOST_STEPS:  # shortcuts deceived: go up until it really holds
            low, high = high, self._times(high, 1 + 2 * self._tolerance)
            trial = self._verify(high)
            steps += 1
        if not trial.passed:
            return Found(None, None, high, trial, edge=f"even {high} is not enough")
        below = self._verify(low) if low is not None else None
        while below is not None and below.passed and low is not None and steps < MOST_STEPS:
            high, trial, low = low, below, self._times(low, 1 / (1 + self._tolerance))  # deceived: go down
            below = self._verify(low)
            steps += 1
        doubts = [above for above in self._probes(high) if not self._verify(above).passed]
        return Found(high, trial, low, below, tuple(doubts), edge)

    def _backwards(self, text: str | None) -> str:
        """Where nothing that is more is enough, perhaps something that is less is: a remark, or nothing."""
        if text is None:
            return ""
        probe = self._bounds.low or self._times(self._bounds.start, 1 / 4)
        if 0 < self._number(probe) < self._number(text) and self._verify(probe).passed:
            return f", but {probe} is: here less is better, so a least value says nothing"
        return ""

    def _probes(self, text: str) -> list[str]:
        limit = math.inf if self._bounds.high is None else self._number(self._bounds.high)
        probes = [self._times(text, factor) for factor in _PROBES]
        return [probe for probe in dict.fromkeys(probes) if text != probe and self._number(probe) <= limit]

    def _try(self, text: str) -> bool:
        self._steps += 1
        return self._trial(text).passed

    def _number(self, text: str) -> float:
        return float(self._bounds.scale.parse(text))

    def _times(self, text: str, factor: float) -> str:
        number = self._number(text) * factor
        made = self._bounds.scale.text(number, self._digits)
        if self._number(made) == self._number(text):  # whole numbers have no half steps
            made = self._bounds.scale.text(number + math.copysign(1, factor - 1), self._digits)
        return made

    def _between(self, low: str, high: str) -> str | None:
        """A value between the two, halfway in ratios; None where they are close enough or neighbours."""
        a, b = self._number(low), self._number(high)
        if b - a <= self._tolerance * b:
            return None
        middle = math.sqrt(a * b) if a > 0 else (a + b) / 2
        text = self._bounds.scale.text(middle, self._digits)
        return text if a < self._number(text) < b else None
