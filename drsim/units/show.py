"""Quantities as people read them: three significant digits, units spelt out, nothing to decode."""

from __future__ import annotations

import itertools
import math

_LONG = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_SHORT = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))
_PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def format_duration(seconds: float) -> str:
    """``1 d 3 h``, ``15 min``, ``2.5 s``, ``9 ms``: at most two parts, rounded to the smaller one.

    >>> format_duration(5400.0), format_duration(0.009)
    ('1 h 30 min', '9 ms')
    """
    if math.isnan(seconds):
        return "undefined"
    if math.isinf(seconds):
        return "never"
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if seconds < 59.95:
        return _below_a_minute(seconds)
    finest = _finest(seconds)
    whole = round(seconds / finest) * finest
    parts = []
    for unit, size in _LONG:
        if whole >= size:
            parts.append(f"{whole // size} {unit}")
            whole %= size
    return " ".join(parts[:2])


def format_enough(seconds: float) -> str:
    """`format_duration` rounded up: for a time that shall be enough.

    >>> format_enough(39.72), format_enough(3601.0)
    ('39.8 s', '1 h 1 min')
    """
    if not math.isfinite(seconds) or seconds < 59.95:
        return format_duration(rounded_up(seconds))
    finest = _finest(seconds)
    return format_duration(math.ceil(seconds / finest - 1e-9) * finest)


def rounded_up(value: float) -> float:
    """The least number of three significant digits that is no less: for what is shown and shall be enough.

    >>> rounded_up(11_034_112), rounded_up(2.5)
    (11100000.0, 2.5)
    """
    if not math.isfinite(value) or value <= 0:
        return value
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return math.ceil(value / step - 1e-9) * step


def _finest(seconds: float) -> int:
    """The smaller one of the two units in which a duration of a minute and more is told, seconds."""
    return next(below for (_, size), (_, below) in itertools.pairwise(_LONG) if seconds >= size or size == 60)


def _below_a_minute(seconds: float) -> str:
    if seconds == 0:
        return "0 s"
    unit, size = next((step for step in _SHORT if seconds >= step[1] * 0.9995), _SHORT[-1])
    return f"{_digits(seconds / size)} {unit}"


def format_size(nbytes: float) -> str:
    """Bytes with an SI prefix: ``1.23 GB``.

    >>> format_size(200_000_000_000)
    '200 GB'
    """
    return _prefixed(nbytes, "B")


def format_rate(bytes_per_s: float) -> str:
    """Bytes a second: ``5.62 MB/s``."""
    return _prefixed(bytes_per_s, "B/s")


def format_bits(bytes_per_s: float) -> str:
    """Bits a second, as links are sold: ``45 Mb/s``.

    >>> format_bits(5_625_000)
    '45 Mb/s'
    """
    return _prefixed(bytes_per_s * 8, "b/s")


def format_fraction(share: float) -> str:
    """Percent with three significant digits: ``70 %``."""
    return f"{_digits(share * 100)} %"


def _prefixed(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return f"unlimited {unit}"
    if value < 0:
        return f"-{_prefixed(-value, unit)}"
    step = 0
    while value >= 999.5 and step < len(_PREFIXES) - 1:
        value /= 1000
        step += 1
    return f"{_digits(value)} {_PREFIXES[step]}{unit}"


def _digits(value: float) -> str:
    if value >= 999.5:
        return f"{value:.0f}"
    text = f"{value:.3g}"
    return f"{value:.3e}" if value and abs(value) < 1e-3 else text
