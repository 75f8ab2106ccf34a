"""Measures as people read them: names without the summary's scaffolding, values in their own units."""

from __future__ import annotations

import math
from typing import Any

from drsim.units import format_duration, format_fraction, format_size

_WORDS = {"violation_s": "beyond RPO", "exposure_s": "no image", "journal_peak_bytes": "journal peak"}


def measure(name: str, *, only_target: bool = False) -> str:
    """``groups.erp.targets.lyon.lag_p99_s`` is ``erp.lyon lag p99``, or ``lag p99`` where no other target is.

    >>> measure("groups.erp.targets.lyon.lag_p99_s")
    'erp.lyon lag p99'
    """
    words = [word for word in name.split(".") if word not in ("groups", "targets", "links", "hosts")]
    last = _WORDS.get(words[-1]) or words[-1].removesuffix("_bytes").removesuffix("_s").replace("_", " ")
    return last if only_target or len(words) == 1 else f"{'.'.join(words[:-1])} {last}"


def value(name: str, number: float | None) -> str:
    """A measure's value in the unit that its name tells.

    >>> value("lag_p99_s", 900.0), value("journal_peak_bytes", 2e9), value("violations", 3.0)
    ('15 min', '2 GB', '3')
    """
    last = name.rpartition(".")[2]
    if number is None or math.isnan(number):
        return "undefined"
    if last.endswith("_s"):
        return format_duration(number) if number else "0"
    if last.endswith("_bytes"):
        return format_size(number) if number else "0"
    if last.endswith("fraction") or last in ("utilisation", "passed", "consistent"):
        return format_fraction(number)
    return f"{number:.3g}" if number != int(number) else f"{int(number)}"


def average(name: str, found: Any, futures: int) -> str:
    """A mean; and in how many of the ``futures`` it is defined, where not in all: ``15 min in 3 of 8``."""
    return value(name, found.mean) + _share(found, futures)


def spread(name: str, found: Any, futures: int) -> str:
    """The same with the ends of its interval, where there is one: ``15 min (12 min .. 19 min) in 3 of 8``."""
    if found.method in ("none", "constant"):
        return average(name, found, futures)
    return f"{value(name, found.mean)} ({value(name, found.low)} .. {value(name, found.high)}){_share(found, futures)}"


def _share(found: Any, futures: int) -> str:
    """A mean over the futures that have an image says nothing of the others, so it must not stand alone."""
    return f" in {found.n} of {futures}" if 0 < found.n < futures else ""
