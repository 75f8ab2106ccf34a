"""How fast a stream writes: in bytes or in writes a second."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, WithJsonSchema

from drsim.units import FREQUENCY, RATE, Quantity, UnitError
from drsim.workload.spelling import custom


class Pace(Quantity):
    """Bytes/s, or writes/s where ``in_writes``; keeps the user's text."""

    in_writes: bool


def parse_pace(value: Any) -> Pace:
    """Read ``2 MB/s`` or ``500 /s``; raises UnitError."""
    if isinstance(value, Pace):
        return value
    text = str(value).strip()
    try:
        pace, in_writes = Pace(FREQUENCY.parse(text)), True
    except UnitError:
        pace, in_writes = Pace(RATE.parse(text)), False
    if pace <= 0:
        raise UnitError(f"'{text}': a stream must write something", "write it like 2 MB/s or 500 /s")
    pace.in_writes, pace.text = in_writes, text
    return pace


def bytes_a_second(rate: float) -> Pace:
    """Give a pace in bytes/s."""
    pace = Pace(rate)
    pace.in_writes, pace.text = False, f"{rate} B/s"
    return pace


WriteRate = Annotated[
    InstanceOf[Pace],
    BeforeValidator(custom(parse_pace)),
    PlainSerializer(lambda pace: pace.text),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"{RATE.pattern}|{FREQUENCY.pattern}",
            "examples": ["2 MB/s", "500 /s"],
            "description": "bytes or writes a second",
        }
    ),
]
"""A rate of writing: ``2 MB/s`` or ``500 /s``."""
