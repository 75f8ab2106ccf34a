"""What a study varies: lists and ranges of values of one scenario path, read from ``--set PATH=VALUES``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from drsim.study.scale import Scale, scale_of
from drsim.study.text import StudyError, split_outside

MOST_VALUES = 10_000
"""Values on one axis; more are refused as a slip of the pen."""

_SPACING = re.compile(r"(?P<spacing>lin|log)(?P<count>[0-9]*)")


@dataclass(frozen=True, slots=True)
class Span:
    """A continuous range of one quantity, ends included, in SI base units, evenly or log-evenly filled."""

    low: float
    high: float
    spacing: Literal["lin", "log"]
    scale: Scale

    def at(self, share: float) -> str:
        """Text of the value that lies this share (0 to 1) of the way from low to high."""
        if self.spacing == "log":
            value = float(np.exp((1 - share) * np.log(self.low) + share * np.log(self.high)))
        else:
            value = (1 - share) * self.low + share * self.high
        return self.scale.text(min(max(value, self.low), self.high))


@dataclass(frozen=True, slots=True)
class Axis:
    """One scenario path and the values it takes.

    Attributes:
        path: like ``links.paris-lyon.rate``.
        values: the values as texts, in order; empty when only ``span`` is given.
        span: the range to draw from, where the axis is a range.
    """

    path: str
    values: tuple[str, ...]
    span: Span | None = None

    @property
    def varies(self) -> bool:
        """True with more than one value: else it is a plain override."""
        return len(self.values) != 1 or self.span is not None


def parse_axis(option: str) -> Axis:
    """The axis of ``PATH=V1,V2,...``, ``PATH=LOW:HIGH:log5``, ``PATH=LOW:HIGH:lin``, or a mix.

    Commas inside brackets or quotes belong to a value. ``linN`` and ``logN`` give N values with both ends; a
    bare ``lin`` or ``log`` is a range to draw from (Latin hypercube and Sobol designs).

    >>> parse_axis("groups.g.journal.size=10 GB:100 GB:log3").values
    ('10 GB', '31.62 GB', '100 GB')
    """
    path, equals, right = option.partition("=")
    path = path.strip()
    if not equals or not path:
        raise StudyError(f"'{option}' has no path", "write PATH=VALUE, like links.paris-lyon.rate=45 Mb/s")
    items = split_outside(right, ",")
    if not all(items):
        empty = "a value is missing" if len(items) > 1 else "there is no value"
        raise StudyError(f"{path}: {empty}", "write PATH=V1,V2 without a comma at the end")
    values: list[str] = []
    span = None
    for item in items:
        ranged = _range(path, item)
        if ranged is None:
            values.append(item)
            continue
        found, count = ranged
        if count is None and len(items) > 1:
            raise StudyError(f"{path}: a range without a count can't share a list", f"write {item}5")
        span = found if len(items) == 1 else None
        values.extend(_filled(path, found, item, count) if count else ())
    if len(values) > MOST_VALUES:
        raise StudyError(f"{path}: {len(values)} values", f"at most {MOST_VALUES}")
    return Axis(path, tuple(values), span)


def _range(path: str, item: str) -> tuple[Span, int | None] | None:
    pieces = split_outside(item, ":")
    match = _SPACING.fullmatch(pieces[-1])
    if match is None or len(pieces) < 3:
        _refuse_forgotten(path, item, pieces)
        return None
    low, high = _ends(path, item, pieces[:-1])
    scale = scale_of(low, high)
    bottom, top = scale.parse(low), scale.parse(high)
    if bottom >= top:
        raise StudyError(f"{path}: '{item}' does not rise", f"write {high}:{low}:{pieces[-1]}")
    if match["spacing"] == "log" and bottom <= 0:
        raise StudyError(
            f"{path}: a log range can't begin at {low}", f"write {low}:{high}:lin{match['count']}"
        )
    spacing: Literal["lin", "log"] = "log" if match["spacing"] == "log" else "lin"
    count = int(match["count"]) if match["count"] else None
    if count is not None and not 2 <= count <= MOST_VALUES:
        raise StudyError(f"{path}: a range of {count} values", f"write from 2 to {MOST_VALUES}, like log5")
    return Span(bottom, top, spacing, scale), count


def _refuse_forgotten(path: str, item: str, pieces: Sequence[str]) -> None:
    """``10 GB:100 GB`` is no value of any path: say what was forgotten."""
    if len(pieces) == 2 and not any(piece.isdecimal() for piece in pieces):
        try:
            scale_of(*pieces)
        except StudyError:
            return
        raise StudyError(
            f"{path}: '{item}' does not say how to fill the range", f"write {item}:log5 or {item}:lin5"
        )


def _ends(path: str, item: str, pieces: Sequence[str]) -> tuple[str, str]:
    """Low and high: clock times bring colons of their own, so both ends must have as many."""
    if len(pieces) % 2 == 0:
        half = len(pieces) // 2
        return ":".join(pieces[:half]), ":".join(pieces[half:])
    raise StudyError(
        f"{path}: '{item}': can't tell where the range is cut", "write both ends in the same form"
    )


def _filled(path: str, span: Span, item: str, count: int) -> list[str]:
    values = [span.at(k / (count - 1)) for k in range(count)]
    low, high = _ends(path, item, split_outside(item, ":")[:-1])
    values[0], values[-1] = low, high
    if len(set(values)) < count:
        raise StudyError(f"{path}: '{item}' gives the same value twice", "ask for fewer values")
    return values
