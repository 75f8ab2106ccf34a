"""Numbers of a summary as people read them, each in its own unit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from drsim.scenario.keys import SECTIONS, TARGET, Unit, find
from drsim.units import SAME_S, UnitError, format_duration, format_fraction, format_rate, format_size

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

    >>> expected("erp.lyon.lag.p99 <= rpo", 1020.0), expected("erp.lyon.lag.max <= 15 min", 900.004)
    ('17 min', '15 min (900.004 s)')
    """
    if value is None:
        return UNDEFINED
    left, _, right = (*_COMPARISON.split(expect, maxsplit=1), "", "")[:3]
    unit = _unit(left)
    if unit is not None and unit.noun in _SHOW and type(value) in (int, float):
        shown = _SHOW[unit.noun](float(value))
        return shown + (_exactly(unit, value) if _hides(unit, value, shown, right.strip()) else "")
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _unit(words: str) -> Unit | None:
    """What a summary key holds, by the longest end of the user's words that is a key."""
    parts = words.strip().split(".")
    for at in range(len(parts)):
        for keys in (TARGET, *SECTIONS.values()):
            key = find(".".join(parts[at:]), keys)
            if key is not None:
                return keys[key]
    return None


def _hides(unit: Unit, value: float, shown: str, bound: str) -> bool:
    """Whether three digits make a value look like the bound that it is not."""
    try:
        wanted = unit.read(bound)
    except UnitError:
        return False
    return shown == _SHOW[unit.noun](wanted) and not math.isclose(value, wanted, rel_tol=1e-9, abs_tol=SAME_S)


def _exactly(unit: Unit, value: float) -> str:
    scale, sign = {"duration": (1, "s"), "size": (1, "B"), "rate": (1, "B/s")}.get(unit.noun, (100, "%"))
    return f" ({value * scale:.10g} {sign})"
