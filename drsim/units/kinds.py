"""The kinds of quantity a scenario can hold: unit tables and parsers, one of each."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction as Ratio
from functools import partial

from drsim.units.kind import NUMBER, Kind, UnitError

_SI = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_IEC = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_PREFIXES = _SI | _IEC
_PER = {"s": 1, "sec": 1, "min": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}
_CLOCK = re.compile(r"([0-9]{1,2}):([0-5][0-9])(?::([0-5][0-9]))?")
_LONGEST = (1e6 * 366 * 86400, "a million years")


def _table(*groups: tuple[str, int | Ratio]) -> dict[str, Ratio]:
    return {name: Ratio(size) for names, size in groups for name in names.split()}


_TIMES = _table(
    ("ns", Ratio(1, 10**9)),
    ("us µs μs", Ratio(1, 10**6)),
    ("ms", Ratio(1, 1000)),
    ("s sec second seconds", 1),
    ("min minute minutes", 60),
    ("h hour hours", 3600),
    ("d day days", 86400),
    ("w week weeks", 7 * 86400),
)
_BYTES = _table(*((f"{p}B", f) for p, f in _PREFIXES.items()), ("byte bytes", 1))
_BITS = _table(*((f"{p}{bit}", Ratio(f, 8)) for p, f in _PREFIXES.items() for bit in ("b", "bit")))
_SHORT = _table(
    *((f"{p}bps", Ratio(f, 8)) for p, f in _SI.items()), *((f"{p}Bps", f) for p, f in _SI.items())
)
_RATES = {f"{u}/{t}": f / s for u, f in (_BYTES | _BITS).items() for t, s in _PER.items()} | _SHORT
_FREQUENCIES = {f"{e}/{t}": Ratio(1, s) for e in ("", "writes") for t, s in _PER.items()} | _table(
    ("Hz IOPS", 1)
)
_SHARES = _table(("% percent", Ratio(1, 100)), ("ppm", Ratio(1, 10**6)))
_LENGTHS = _table(("km", 1), ("m", Ratio(1, 1000)), ("mi miles", Ratio(1609344, 10**6)))


def parse_time_of_day(text: str) -> float:
    """Seconds since midnight of ``08:00``, ``18:30:15`` or ``24:00``."""
    match = _CLOCK.fullmatch(text.strip())
    seconds = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0) if match else -1
    if not 0 <= seconds <= 86400:
        raise UnitError(f"'{text[:20]}' is not a time of day", "write it like 08:00, from 00:00 to 24:00")
    return float(seconds)


def _time(text: str, *, bare_clock: bool) -> float:
    words = text.split()
    clock = Ratio(0)
    kind = MOMENT if bare_clock else DURATION
    if words and ":" in words[-1]:
        if len(words) == 1 and not bare_clock:
            raise UnitError(f"'{text}' may be hours or minutes", "write it like 2 h 30 min or 1 d 03:00")
        clock = Ratio(parse_time_of_day(words.pop()))
        if not words:
            return float(clock)
    parts = kind.parts(" ".join(words))
    sizes = [size for _, size in parts]
    if any(later >= earlier for earlier, later in itertools.pairwise(sizes)):
        raise UnitError(
            f"'{text}' is not in order", "write the larger unit first, each once, like 1 h 30 min"
        )
    if len(words) < len(text.split()) and sizes[-1] < _TIMES["d"]:
        raise UnitError(f"'{text}': a clock time may follow days only", "write it like 1 d 03:00")
    return float(kind.within(sum((number * size for number, size in parts), clock), text))


def parse_duration(text: str) -> float:
    """Seconds of ``2 h``, ``1 h 30 min``, ``9 ms`` or ``1 d 03:00``.

    Raises UnitError (a ValueError) with a hint otherwise.

    >>> parse_duration("1 d 03:00")
    97200.0
    """
    return _time(text, bare_clock=False)


def parse_moment(text: str) -> float:
    """Seconds since the run's start: a duration, or ``03:00`` meaning three hours after the start."""
    return _time(text, bare_clock=True)


def parse_size(text: str) -> int:
    """Bytes of ``200 GB`` or ``4 MiB``; must come to a whole number of bytes.

    >>> parse_size("64 KiB")
    65536
    """
    size = SIZE.number(text)
    if size.denominator != 1:
        raise UnitError(f"'{text}' is not a whole number of bytes", SIZE.hint())
    return int(size)


def parse_rate(text: str) -> float:
    """Bytes/s of ``45 Mb/s``, ``45 Mbps``, ``2 MB/s`` or ``20 GB/d``.

    >>> parse_rate("45 Mb/s")
    5625000.0
    """
    return float(RATE.number(text))


def parse_fraction(text: str) -> float:
    """Share of one: ``70 %`` is 0.7."""
    return float(FRACTION.number(text))


def parse_frequency(text: str) -> float:
    """Events a second: ``500 /s``, ``500 writes/s``, ``30 /min``."""
    return float(FREQUENCY.number(text))


def parse_distance(text: str) -> float:
    """Kilometres of ``640 km`` or ``400 mi``."""
    return float(DISTANCE.number(text))


_PREFIX = "(?:[kKMGTP]|[KMGTP]i)?"
_PER_PATTERN = "/(?:s|sec|min|h|hour|d|day)"
_PARTS = rf"(?:{NUMBER}\s*(?:{'|'.join(_TIMES)})\s*)+"
_CLOCK_PATTERN = "[0-9]{1,2}:[0-5][0-9](?::[0-5][0-9])?"
_TIME_TRAPS = {
    "m": "did you mean min (minutes) or ms?",
    "M": "did you mean min (minutes)?",
    "y": "a year has no fixed length: write days, like 365 d",
    "year": "a year has no fixed length: write days, like 365 d",
    "years": "a year has no fixed length: write days, like 365 d",
    "month": "a month has no fixed length: write days, like 30 d",
    "months": "a month has no fixed length: write days, like 30 d",
}
_SIZE_TRAPS = {
    **{p: f"did you mean {p.upper()}B (powers of 1000) or {p.upper()}iB (powers of 1024)?" for p in "kKMGTP"},
    **{p: f"did you mean {p.upper()}B (powers of 1000) or {p.upper()}iB (powers of 1024)?" for p in "mgtp"},
    **{f"{p}b": f"b is bit, and a size is in bytes: did you mean {p}B?" for p in _PREFIXES},
    **{f"{p}bit": f"a size is in bytes: did you mean {p}B?" for p in _PREFIXES},
}
_RATE_TRAPS = {u: f"did you mean {u}/s?" for u in _BYTES | _BITS} | {
    p: f"did you mean {p.upper()}b/s (bits) or {p.upper()}B/s (bytes)?" for p in "kKMGTPmgtp"
}

_CLOCKED = rf"(?:{_PARTS}|(?:{NUMBER}\s*(?:d|days?|w|weeks?)\s*)+\s{_CLOCK_PATTERN}|0)"
DURATION = Kind(
    "duration", "s", _TIMES, ("15 min", "2 h", "9 ms"), _CLOCKED, parse_duration, _TIME_TRAPS, most=_LONGEST
)
MOMENT = Kind(
    "moment",
    "s",
    _TIMES,
    ("1 d 03:00", "36 h"),
    rf"(?:{_CLOCKED}|{_CLOCK_PATTERN})",
    parse_moment,
    _TIME_TRAPS,
    most=_LONGEST,
)
SIZE = Kind(
    "size",
    "B",
    _BYTES,
    ("200 GB", "64 KiB"),
    rf"{NUMBER}\s*(?:{_PREFIX}B|bytes?)|0",
    parse_size,
    _SIZE_TRAPS,
    most=(2**62, "4 EiB"),
)
RATE = Kind(
    "rate",
    "B/s",
    _RATES,
    ("45 Mb/s", "2 MB/s"),
    rf"{NUMBER}\s*(?:(?:{_PREFIX}(?:B|b|bit)|bytes?){_PER_PATTERN}|[kKMGTP]?[bB]ps)|0",
    parse_rate,
    _RATE_TRAPS,
    most=(1e15, "1 PB/s"),
)
FREQUENCY = Kind(
    "frequency",
    "/s",
    _FREQUENCIES,
    ("500 /s", "30 /min"),
    rf"{NUMBER}\s*(?:(?:writes)?{_PER_PATTERN}|Hz|IOPS)|0",
    parse_frequency,
    most=(1e12, "a million million a second"),
)
_share = partial(
    Kind,
    base="%",
    units=_SHARES,
    like=("70 %",),
    pattern=rf"{NUMBER}\s*(?:%|percent|ppm)|0",
    most=(1e6, "a hundred million %"),
)
FRACTION = _share("fraction", parse=parse_fraction, limit=1.0)
RATIO = _share("ratio", parse=parse_fraction)
DISTANCE = Kind(
    "distance",
    "km",
    _LENGTHS,
    ("640 km", "400 mi"),
    rf"{NUMBER}\s*(?:km|m|mi|miles)|0",
    parse_distance,
    most=(1e9, "a thousand million km"),
)
TIME_OF_DAY = Kind("time of day", "s", _TIMES, ("08:00", "18:30"), _CLOCK_PATTERN, parse_time_of_day)
