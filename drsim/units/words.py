"""Two small grammars that several rooms share: ``name(a, b)`` and days of the week."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from drsim.units.kind import UnitError

_CALL = re.compile(r"\s*([A-Za-z][\w-]*)\s*(?:\(([^()]*)\))?\s*")
_LONGEST_TEXT = 400
DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def parse_call(text: str) -> tuple[str, list[str]]:
    """Split ``name(a, b)`` or ``name`` into the name and its arguments' texts.

    >>> parse_call("lognormal(45 min, 1.2)")
    ('lognormal', ['45 min', '1.2'])
    """
    match = _CALL.fullmatch(text)
    if match is None or len(text) > _LONGEST_TEXT:
        raise UnitError(f"'{text[:40]}' is not a name with arguments", "write it like exponential(20 d)")
    inside = (match[2] or "").strip()
    return match[1], [part.strip() for part in inside.split(",")] if inside else []


def parse_days(text: str) -> frozenset[int]:
    """Days of the week (Monday is 0) of ``Mon-Fri``, ``Sat, Sun``, ``Fri-Mon`` or ``daily``.

    >>> sorted(parse_days("Fri-Mon"))
    [0, 4, 5, 6]
    """
    if text.strip().lower() == "daily":
        return frozenset(range(7))
    days: set[int] = set()
    for part in text[:_LONGEST_TEXT].split(","):
        first, dash, last = part.partition("-")
        begin = _day(first, text)
        length = (_day(last, text) - begin) % 7 if dash else 0
        days.update((begin + step) % 7 for step in range(length + 1))
    return frozenset(days)


def _day(name: str, text: str) -> int:
    short = name.strip().capitalize()
    if short not in DAY_NAMES:
        raise UnitError(
            f"'{text[:40]}': '{name.strip()[:20]}' is not a day", "write it like Mon-Fri or Sat, Sun"
        )
    return DAY_NAMES.index(short)


def _days(value: object) -> frozenset[int]:
    if isinstance(value, frozenset):
        return value
    try:
        return parse_days(str(value))
    except UnitError as error:
        raise PydanticCustomError(
            "days", "{problem}", {"problem": error.problem, "hint": error.hint}
        ) from None


def format_days(days: frozenset[int]) -> str:
    """Day names in week order, comma separated."""
    return ", ".join(DAY_NAMES[day] for day in sorted(days))


_SCHEMA = {"type": "string", "examples": ["Mon-Fri", "Sat, Sun", "daily"], "description": "days of the week"}
Days = Annotated[
    frozenset[int], BeforeValidator(_days), PlainSerializer(format_days), WithJsonSchema(_SCHEMA)
]
