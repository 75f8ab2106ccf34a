"""A scale: how the texts of one quantity (`10 GB`, `5 min`, `3`) become numbers and numbers become texts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from drsim.study.text import StudyError
from drsim.units import DISTANCE, DURATION, FREQUENCY, MOMENT, RATE, RATIO, SIZE, TIME_OF_DAY, Kind

_KINDS: tuple[Kind, ...] = (TIME_OF_DAY, DURATION, SIZE, RATE, RATIO, FREQUENCY, DISTANCE, MOMENT)
_ONE_UNIT = re.compile(r"\s*[0-9.eE+-]+\s*(?P<unit>[^\s0-9.:][^\s:]*)\s*")


def _plain(text: str) -> float:
    return float(text)


@dataclass(frozen=True, slots=True)
class Scale:
    """Texts of one kind of quantity.

    Attributes:
        noun: ``size``, ``rate``, ``number``, ...
        unit: unit in which new values are written; empty for plain numbers.
        parse: text -> SI base value.
        whole: values are whole numbers (in ``unit``).
        most: no text may say more (SI).
    """

    noun: str
    unit: str
    parse: Callable[[str], float]
    whole: bool = False
    most: float = math.inf

    def text(self, value: float, digits: int = 4) -> str:
        """The value (SI base) in ``unit`` with at most so many significant digits.

        A size that comes to no whole number of bytes so is written in bytes; more than any text may say, as the most.
        """
        value = min(value, self.most)
        if self.noun == TIME_OF_DAY.noun:
            minutes, seconds = divmod(round(value), 60)
            return f"{minutes // 60:02d}:{minutes % 60:02d}" + f":{seconds:02d}" * (seconds > 0)
        if self.whole:
            return f"{round(value)}{self._suffix()}"
        number = value / self._one()
        shown = np.format_float_positional(number, precision=digits, fractional=False, trim="-")
        text = f"{shown}{self._suffix()}"
        try:
            self.parse(text)
        except ValueError:
            return f"{round(value)} B" if self.noun == SIZE.noun else f"{number:.15g}{self._suffix()}"
        return text

    def _suffix(self) -> str:
        return f" {self.unit}" if self.unit else ""

    def _one(self) -> float:
        return float(self.parse(f"1 {self.unit}")) if self.unit else 1.0


def scale_of(*texts: str) -> Scale:
    """The scale on which all ``texts`` lie, writing in the first one's unit.

    Raises StudyError where they share none: ``10 GB`` and ``5 min``.
    """
    try:
        for text in texts:
            _plain(text)
    except ValueError:
        return _with_unit(texts)
    return Scale("number", "", _plain, whole=all(re.fullmatch(r"\s*[+-]?[0-9]+\s*", t) for t in texts))


def _with_unit(texts: tuple[str, ...]) -> Scale:
    for kind in _KINDS:
        if all(_parses(kind, text) for text in texts):
            return Scale(kind.noun, _unit(texts, kind), kind.parse, most=float(kind.most[0]))
    listed = " and ".join(f"'{text}'" for text in texts)
    raise StudyError(f"{listed} are not quantities of one kind", "write both ends like 10 GB or 5 min")


def _parses(kind: Kind, text: str) -> bool:
    try:
        kind.parse(text)
    except ValueError:
        return False
    return True


def _unit(texts: tuple[str, ...], kind: Kind) -> str:
    for text in texts:
        match = _ONE_UNIT.fullmatch(text)
        if match:
            return match["unit"]
    return kind.base
