"""Every unit against pint with a registry of our own: an outside reader must agree on each value."""

import math
import re
from fractions import Fraction

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.units import DISTANCE, DURATION, FREQUENCY, RATE, RATIO, SIZE, Kind

_DEFINITIONS = """
ns = 1e-9 s
us = 1e-6 s
ms = 1e-3 s
min = 60 s
h = 60 min
d = 24 h
w = 7 d
bit = B / 8
percent = 0.01 one
ppm = 1e-6 one
meter = 0.001 km
mile = 1.609344 km
"""
_PREFIXES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15} | {
    f"{letter}i": 1024.0 ** (power + 1) for power, letter in enumerate("KMGTP")
}
_WORDS = {
    "sec": "s",
    "second": "s",
    "seconds": "s",
    "minute": "min",
    "minutes": "min",
    "hour": "h",
    "hours": "h",
    "day": "d",
    "days": "d",
    "week": "w",
    "weeks": "w",
    "µs": "us",
    "μs": "us",
    "byte": "B",
    "bytes": "B",
    "b": "bit",
    "%": "percent",
    "m": "meter",
    "mi": "mile",
    "miles": "mile",
}


def _registry() -> pint.UnitRegistry:
    registry = pint.UnitRegistry(None)
    for base in ("s = [time]", "B = [data]", "km = [length]", "one = []"):
        registry.define(base)
    for line in _DEFINITIONS.split("\n"):
        if line:
            registry.define(line)
    for prefix, factor in _PREFIXES.items():
        if prefix:
            registry.define(f"{prefix}B = {factor} B")
            registry.define(f"{prefix}bit = {factor} bit")
    return registry


_REGISTRY = _registry()


def _for_pint(unit: str) -> str:
    unit = re.sub(r"([bB])ps$", r"\1/s", unit).replace("IOPS", "/s").replace("Hz", "/s").replace("writes", "")
    top, slash, below = unit.partition("/")
    top = re.sub(r"^(\w*)b$", r"\1bit", _WORDS.get(top, top))
    return f"{top or 1}{slash}{_WORDS.get(below, below)}"


_BASES = [(DURATION, "s"), (SIZE, "B"), (RATE, "B/s"), (FREQUENCY, "1/s"), (RATIO, "one"), (DISTANCE, "km")]
_ALL_UNITS = [(kind, base, unit) for kind, base in _BASES for unit in kind.units]


@pytest.mark.parametrize(
    ("kind", "base", "unit"), _ALL_UNITS, ids=[f"{k.noun}-{u}" for k, _, u in _ALL_UNITS]
)
def test_every_unit_has_the_size_pint_gives_it(kind: Kind, base: str, unit: str) -> None:
    theirs = _REGISTRY.Quantity(1.0, _for_pint(unit)).to(base).magnitude
    assert float(kind.units[unit]) == pytest.approx(theirs, rel=1e-12)


@given(
    which=st.sampled_from(_ALL_UNITS),
    digits=st.integers(0, 10**9),
    places=st.integers(0, 6),
    gap=st.sampled_from(["", " ", "  "]),
)
def test_a_number_with_a_unit_is_the_correctly_rounded_product(
    which: tuple[Kind, str, str], digits: int, places: int, gap: str
) -> None:
    kind, _, unit = which
    number = f"{digits / 10**places:.{places}f}"
    exact = Fraction(number) * kind.units[unit]
    if exact > kind.most[0] or (kind is SIZE and exact.denominator != 1):
        with pytest.raises(ValueError, match=r"whole number|is more than"):
            kind.parse(f"{number}{gap}{unit}")
    else:
        value = kind.parse(f"{number}{gap}{unit}")
        assert value == float(exact)
        theirs = _REGISTRY.Quantity(float(number), _for_pint(unit)).to(which[1]).magnitude
        assert math.isclose(value, theirs, rel_tol=1e-12)
