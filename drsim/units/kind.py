"""What a kind of quantity is: its closed unit table, its exact parser, and its pydantic and JSON schema."""

from __future__ import annotations

import difflib
import fractions
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Ratio = fractions.Fraction

NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?"
_PART = re.compile(rf"\s*({NUMBER})\s*([^\s0-9.+\-][^\s0-9]*)?\s*")
_FAR = re.compile(r"[0-9.][eE][+-]?[0-9]{3}")
_NO_NUMBER = re.compile(r"[+-]?\.?(?:inf|nan)", re.IGNORECASE)
_LONGEST_TEXT = 80
_SEPARATORS = {
    ",": ("a comma", "write decimals with a point, like 1.5, and thousands without a separator, like 1500"),
    "_": ("an underscore", "write thousands without a separator, like 1500"),
    "'": ("an apostrophe", "write thousands without a separator, like 1500"),
}


class UnitError(ValueError):
    """A text that is no quantity of the wanted kind: ``problem`` says why, ``hint`` what to write."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(f"{problem}; {hint}" if hint else problem)
        self.problem = problem
        self.hint = hint


class Quantity(float):
    """A float in SI base units that remembers the user's ``text``."""

    text: str


class Count(int):
    """A whole number that remembers the user's ``text``."""

    text: str


def a(noun: str) -> str:
    """The noun with its article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of quantity; as ``Annotated`` metadata it is also the pydantic schema of its fields.

    Attributes:
        noun: what messages call it.
        base: the unit whose factor is 1 inside (SI base), used to write a value that has no user's text.
        units: every unit's exact size in the base unit; nothing else is accepted.
        like: examples for users.
        pattern: regular expression of all accepted texts, for the JSON Schema.
        parse: text -> value in SI base units, raising UnitError.
        traps: units that other tools misread, with what to write instead.
        limit: largest value a field of this kind accepts.
        most: largest value that any text may have, and how messages call it; far beyond use, so that a slip of the
            keyboard is refused rather than simulated.
    """

    noun: str
    base: str
    units: Mapping[str, Ratio]
    like: tuple[str, ...]
    pattern: str
    parse: Callable[[str], float]
    traps: Mapping[str, str] = field(default_factory=dict)
    limit: float = math.inf
    most: tuple[float, str] = (math.inf, "")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source, handler
        return core_schema.no_info_plain_validator_function(
            self.validate, serialization=core_schema.plain_serializer_function_ser_schema(self.text)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        del schema, handler
        text = {"type": "string", "pattern": f"^\\s*(?:{self.pattern})\\s*$", "examples": list(self.like)}
        return {"anyOf": [text, {"const": 0}], "description": f"{a(self.noun)}, like {self.like[0]}"}

    def validate(self, value: object) -> float:
        """A user's text, 0, or a value parsed before; PydanticCustomError with problem and hint otherwise."""
        if isinstance(value, (Quantity, Count)):
            return value
        try:
            number = self._read(value)
        except UnitError as error:
            context = {"problem": error.problem, "hint": error.hint}
            raise PydanticCustomError("quantity", "{problem}", context) from None
        kept = Count(number) if isinstance(number, int) else Quantity(number)
        kept.text = str(value).strip()
        return kept

    def _read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise UnitError(f"not {a(self.noun)}", self.hint())
        number = self.parse(str(value))
        if number > self.limit:
            raise UnitError(f"'{value}' is more than {self.limit:.0%}", self.hint())
        return number

    def text(self, value: float) -> str | int:
        """The user's text where it is known, else the value in the base unit."""
        known = getattr(value, "text", None)
        if known is not None:
            return str(known)
        return 0 if value == 0 else f"{float(value / self.units[self.base]):.17g} {self.base}"

    def hint(self) -> str:
        """How a user should write it."""
        return f"write it like {' or '.join(self.like[:2])}"

    def number(self, text: str) -> Ratio:
        """One number with one unit, exactly, in SI base units."""
        parts = self.parts(text)
        if len(parts) != 1:
            raise UnitError(f"'{text}' is not one {self.noun}", self.hint())
        return self.within(parts[0][0] * parts[0][1], text)

    def within(self, value: Ratio, text: str) -> Ratio:
        """The value of ``text``, which must not be more than any text of this kind may say."""
        most, words = self.most
        if value > most:
            raise UnitError(f"'{text.strip()}' is more than {words}", self.hint())
        return value

    def parts(self, text: str) -> list[tuple[Ratio, Ratio]]:
        """(number, size of its unit) for each part of ``text``; a unit is required except for a bare 0."""
        if len(text) > _LONGEST_TEXT:
            raise UnitError(f"'{text[:20]}...' has more than {_LONGEST_TEXT} characters", self.hint())
        if _FAR.search(text):
            raise UnitError(
                f"'{text.strip()}' is far out of range: two digits at most may follow the e", self.hint()
            )
        found: list[tuple[Ratio, Ratio]] = []
        at = 0
        while at < len(text):
            match = _PART.match(text, at)
            if match is None:
                self.refuse(text)
            if match[2] and match[2][0] in _SEPARATORS:
                named, hint = _SEPARATORS[match[2][0]]
                raise UnitError(f"'{text.strip()}' has {named}", hint)
            number, unit = Ratio(match[1]), match[2]
            if unit is None and (number or found or match.end() < len(text)):
                raise UnitError(f"'{text.strip()}' has no unit", self.hint())
            found.append((number, self._size(unit, text.strip()) if unit else Ratio(1)))
            at = match.end()
        return found or self.refuse(text)

    def refuse(self, text: str) -> NoReturn:
        """Raise the error for a text that has no number where one must be."""
        if text.strip().startswith("-"):
            raise UnitError(f"'{text}': {a(self.noun)} may not be negative", self.hint())
        if _NO_NUMBER.match(text.strip()):
            raise UnitError(f"'{text}': {a(self.noun)} must be a finite number", self.hint())
        raise UnitError(f"'{text}' is not {a(self.noun)}", self.hint())

    def _size(self, unit: str, text: str) -> Ratio:
        known = self.units.get(unit)
        if known is not None:
            return known
        if unit in self.traps:
            raise UnitError(f"'{text}': '{unit}' is not a unit of {self.noun}", self.traps[unit])
        near = " or ".join(f"'{known}'" for known in self._near(unit))
        hint = f"did you mean {near}?" if near else self.hint()
        raise UnitError(f"'{text}': '{unit}' is not a unit of {self.noun}", hint)

    def _near(self, unit: str) -> list[str]:
        same = [known for known in self.units if known.lower() == unit.lower()]
        return same[:2] or difflib.get_close_matches(unit, list(self.units), n=1, cutoff=0.5)
