"""How a scenario spells a kind: a name, perhaps with arguments, like ``zipf(0.9)``."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, field, fields
from typing import Annotated, Any, ClassVar, TypeVar, cast

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from drsim.units import UnitError, parse_call


class Spelled:
    """A kind that can be spelt: a dataclass whose arguments are fields made by `argument`."""

    FORM: ClassVar[str]
    text: str = ""


T = TypeVar("T", bound=Spelled)


def argument(parse: Callable[[str], Any], default: Any = MISSING) -> Any:
    """Declare a field of a kind, read by ``parse`` from its argument's text."""
    if default is MISSING:
        return field(metadata={"parse": parse})
    return field(default=default, metadata={"parse": parse})


def number(text: str) -> float:
    """Read a plain, finite number; raises ValueError."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is not a finite number")
    return value


def whole(text: str) -> int:
    """Read a whole number; raises ValueError."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a whole number") from None


def unknown(what: str, name: str, names: Iterable[str]) -> UnitError:
    """Say that there is no such name, with the nearest one as a hint."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
    return UnitError(f"there is no {what} '{name[:40]}'", hint)


def read(what: str, text: str, kinds: Mapping[str, type[T]]) -> T:
    """Make the kind that ``text`` spells; raises UnitError naming what is wrong and what to write."""
    name, words = parse_call(text)
    if name not in kinds:
        raise unknown(what, name, kinds)
    kind = kinds[name]
    known = [f for f in fields(cast(Any, kind)) if "parse" in f.metadata]
    needed = sum(f.default is MISSING for f in known)
    if not needed <= len(words) <= len(known):
        raise UnitError(f"'{text.strip()}' has {len(words)} arguments", f"write it like {kind.FORM}")
    values: dict[str, Any] = {}
    try:
        for at, word in zip(known, words, strict=False):
            values[at.name] = at.metadata["parse"](word)
        made = kind(**values)
    except UnitError as error:
        raise UnitError(f"'{text.strip()}': {error.problem}", error.hint) from None
    except ValueError as error:
        raise UnitError(f"'{text.strip()}': {error}", f"write it like {kind.FORM}") from None
    object.__setattr__(made, "text", text.strip())
    return made


def custom(parse: Callable[[Any], T]) -> Callable[[Any], T]:
    """Wrap a reader so that pydantic reports its problem and hint apart."""

    def validate(value: Any) -> T:
        try:
            return parse(value)
        except UnitError as error:
            context = {"problem": error.problem, "hint": error.hint}
            raise PydanticCustomError("spelling", "{problem}", context) from None

    return validate


def field_type(base: type[Any], parse: Callable[[Any], Any], forms: list[str], what: str) -> Any:
    """Give the pydantic annotation of a field that is spelt; it is serialised as the user wrote it."""
    schema = {"type": "string", "examples": forms, "description": what}
    marks = BeforeValidator(custom(parse)), PlainSerializer(lambda kind: kind.text), WithJsonSchema(schema)
    bare = cast(Any, InstanceOf).__class_getitem__(base)
    return Annotated[(bare, *marks)]
