"""Numbers of a summary as people read them, each in its own unit."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from drsim.scenario.keys import SECTIONS, TARGET, find
from drsim.units import format_duration, format_fraction, format_rate, format_size

UNDEFINED = "undefined"
"""What is shown for a number that has no value: lag while no image exists, the delay of no writes."""

_SHOW: dict[str, Callable[[float], str]] = {
    "duration": format_duration,
    "size": format_size,
    "rate": format_rate,
    "fraction": format_fraction,
    "truth": lambda value: "true" if value else "false",
}
_COMPARISON = re.compile(r"(<=|>=|==|!=|<|>)")


def duration(value: float | None) -> str:
    """Seconds in words, or `UNDEFINED`."""
    return UNDEFINED if value is None else format_duration(value)


def size(value: float | None) -> str:
    """Bytes in words, or `UNDEFINED`."""
    return UNDEFINED if value is None else format_size(value)


def count(value: float | None) -> str:
    """A whole number with thin gaps between thousands, or `UNDEFINED`."""
    return UNDEFINED if value is None else f"{value:,.0f}".replace(",", "\u202f")


def expected(expect: str, value: Any) -> str:
    """The value an expectation looked at, in the unit of what stands on its left.

    >>> expected("erp.lyon.lag.p99 <= rpo", 1020.0)
    '17 min'
    """
    if value is None:
        return UNDEFINED
    show = _SHOW.get(_noun(_COMPARISON.split(expect)[0]))
    if show is not None and not isinstance(value, bool) and isinstance(value, int | float):
        return show(float(value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _noun(words: str) -> str:
    """What kind of quantity a summary key holds, by the longest end of the user's words that is a key."""
    parts = words.strip().split(".")
    for at in range(len(parts)):
        for keys in (TARGET, *SECTIONS.values()):
            key = find(".".join(parts[at:]), keys)
            if key is not None:
                return keys[key].noun
    return ""
