"""Numbers of a summary as people read them, each in its own unit."""

from __future__ import annotations

import re
from typing import Any

from drsim.units import (
    format_duration,
    format_fraction,
    format_rate,
    format_size,
    parse_duration,
    parse_fraction,
    parse_rate,
    parse_size,
)

UNDEFINED = "undefined"
"""What is shown for a number that has no value: lag while no image exists, the delay of no writes."""

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
    """The value an expectation looked at, in the unit the expectation is written in.

    >>> expected("erp.lyon.lag.p99 <= 15 min", 1020.0)
    '17 min'
    """
    if value is None:
        return UNDEFINED
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    wanted = _COMPARISON.split(expect)[-1].strip()
    for parse, show in (
        (parse_duration, format_duration),
        (parse_size, format_size),
        (parse_rate, format_rate),
        (parse_fraction, format_fraction),
    ):
        if wanted == "0":
            break
        try:
            parse(wanted)
        except ValueError:
            continue
        return show(float(value))
    return f"{value:g}"
