"""Quantities with units: closed tables, exact arithmetic, and types that hold SI values.

A unit is required, except for 0. ``b`` is bit and ``B`` is byte; SI prefixes are powers of ten (``KB`` is
1000 B), IEC prefixes powers of two (``KiB`` is 1024 B). Nothing is guessed: ``64K``, ``30 m`` and, for a
rate, ``45 Mb`` are refused with the units that may have been meant, because libraries that guess here
silently misread some of them.

A field's value is a float (``Size``: an int) in seconds, bytes, bytes/s, 1/s or km; a validated value keeps
the user's text as ``.text``, and that is how it is serialised.
"""

from __future__ import annotations

from typing import Annotated

from drsim.units.instants import SAME_S, at_most
from drsim.units.kind import Count, Kind, Quantity, UnitError
from drsim.units.kinds import (
    DISTANCE,
    DURATION,
    FRACTION,
    FREQUENCY,
    MOMENT,
    RATE,
    RATIO,
    SIZE,
    TIME_OF_DAY,
    parse_distance,
    parse_duration,
    parse_fraction,
    parse_frequency,
    parse_moment,
    parse_rate,
    parse_size,
    parse_time_of_day,
)
from drsim.units.show import (
    format_bits,
    format_duration,
    format_enough,
    format_fraction,
    format_rate,
    format_size,
    rounded_up,
)
from drsim.units.words import DAY_NAMES, Days, format_days, parse_call, parse_days

Duration = Annotated[float, DURATION]
"""Seconds: ``15 min``, ``1 h 30 min``, ``1 d 03:00``."""
Moment = Annotated[float, MOMENT]
"""Seconds since the run's start: ``1 d 03:00``, ``36 h``."""
TimeOfDay = Annotated[float, TIME_OF_DAY]
"""Seconds since midnight: ``08:00``."""
Size = Annotated[int, SIZE]
"""Whole bytes: ``200 GB``, ``64 KiB``."""
Rate = Annotated[float, RATE]
"""Bytes/s: ``45 Mb/s``, ``2 MB/s``."""
Frequency = Annotated[float, FREQUENCY]
"""Events a second: ``500 /s``."""
Fraction = Annotated[float, FRACTION]
"""Share of one, at most 1: ``70 %``."""
Ratio = Annotated[float, RATIO]
"""Share of one without an upper bound: ``120 %``."""
Distance = Annotated[float, DISTANCE]
"""Kilometres: ``640 km``."""

__all__ = [
    "DAY_NAMES",
    "DISTANCE",
    "DURATION",
    "FRACTION",
    "FREQUENCY",
    "MOMENT",
    "RATE",
    "RATIO",
    "SAME_S",
    "SIZE",
    "TIME_OF_DAY",
    "Count",
    "Days",
    "Distance",
    "Duration",
    "Fraction",
    "Frequency",
    "Kind",
    "Moment",
    "Quantity",
    "Rate",
    "Ratio",
    "Size",
    "TimeOfDay",
    "UnitError",
    "at_most",
    "format_bits",
    "format_days",
    "format_duration",
    "format_enough",
    "format_fraction",
    "format_rate",
    "format_size",
    "parse_call",
    "parse_days",
    "parse_distance",
    "parse_duration",
    "parse_fraction",
    "parse_frequency",
    "parse_moment",
    "parse_rate",
    "parse_size",
    "parse_time_of_day",
    "rounded_up",
]
