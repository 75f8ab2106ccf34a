"""From pydantic's errors to complaints with a place in the user's file, in words for users."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from drsim.scenario.problem import Complaint, Path, near
from drsim.units import DURATION, MOMENT, Kind, format_duration

_WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping (name: value)",
    "model_type": "a mapping (name: value)",
    "model_attributes_type": "a mapping (name: value)",
    "list_type": "a list",
    "tuple_type": "a list",
    "finite_number": "a finite number",
}
_HINTED = re.compile(r"; |: (?=did you mean|known|use )")
_BOUNDS = {
    "greater_than": ("must be more than {}", "gt"),
    "greater_than_equal": ("must be at least {}", "ge"),
    "less_than": ("must be less than {}", "lt"),
    "less_than_equal": ("must be at most {}", "le"),
}


def complaints(error: ValidationError, tree: Any, model: type[BaseModel]) -> list[Complaint]:
    """One complaint for each thing wrong, not for each way in which pydantic tried to read it."""
    found: dict[tuple[Path, str], Complaint] = {}
    for detail in error.errors(include_url=False, include_input=True):
        path, rest = _place(detail["loc"], tree)
        complaint = _complaint(detail, path, rest, model)
        found.setdefault((complaint.path, complaint.message), complaint)
    return _without_echoes(list(found.values()))


def _without_echoes(found: list[Complaint]) -> list[Complaint]:
    """Drop what was said of a whole, as by a union's other arms, once something of it or inside it was told."""
    told = {c.path for c in found if c.code not in ("type", "echo")}
    deep = {c.path for c in found}
    return [
        c
        for c in found
        if c.code not in ("type", "echo")
        or not (c.path in told or any(p[: len(c.path)] == c.path and len(p) > len(c.path) for p in deep))
    ]


def _place(loc: tuple[str | int, ...], tree: Any) -> tuple[Path, tuple[str | int, ...]]:
    """The part of pydantic's location that exists in the tree, and what is left; union tags drop out."""
    path: Path = ()
    for index, step in enumerate(loc):
        if _holds(tree, step):
            tree, path = tree[step], (*path, step)
        elif index == len(loc) - 1:
            return path, (step,)
    return path, ()


def _holds(tree: Any, step: str | int) -> bool:
    if isinstance(tree, dict):
        return step in tree
    return isinstance(tree, list) and isinstance(step, int) and step < len(tree)


def _complaint(detail: ErrorDetails, path: Path, rest: Path, model: type[BaseModel]) -> Complaint:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return Complaint(
            path, f"'{(rest or path)[-1]}' is missing", _write_it(detail, model), "missing", "key"
        )
    if kind == "extra_forbidden":
        hint = near(str(path[-1]), _keys_at(detail["loc"][:-1], model))
        return Complaint(path, f"unknown key '{path[-1]}'", hint, "unknown-key", "key")
    if rest == ("[key]",):
        return Complaint(path, _bad_name(path[-1]), "use letters, digits, - and _", "name", "key")
    if "problem" in context:
        offset = int(context.get("offset", 0))
        return Complaint(path, str(context["problem"]), str(context.get("hint", "")), kind, offset=offset)
    if kind == "literal_error" or "tag" in kind:
        return _not_a_choice(detail, path)
    if kind in _BOUNDS:
        text, key = _BOUNDS[kind]
        bound = _bound(context.get(key), _quantity(detail, model))
        return Complaint(path, f"'{_shown(detail)}': {text.format(bound)}", code="range")
    if kind in _WANTED:
        return Complaint(path, f"{_shown(detail)} is not {_WANTED[kind]}", _quote(detail), "type")
    if kind == "string_pattern_mismatch":
        return Complaint(path, _bad_name(detail["input"]), "use letters, digits, - and _", "name")
    return _other(detail, path)


def _other(detail: ErrorDetails, path: Path) -> Complaint:
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if detail["type"] in ("too_short", "too_long"):
        text = text.replace("Tuple", "the list").replace("Dictionary", "the mapping").split(" after")[0]
    problem, hint = [*_HINTED.split(text, maxsplit=1), ""][:2]
    code = "echo" if detail["type"] == "too_short" else "invalid"
    return Complaint(
        path, problem[:1].lower() + problem[1:] if problem[1:2].islower() else problem, hint, code
    )


def _bad_name(name: object) -> str:
    return f"'{str(name)[:40]}' is not a name"


def _quote(detail: ErrorDetails) -> str:
    value = detail["input"]
    wants_text = detail["type"] == "string_type" and isinstance(value, (int, float))
    return f'write it in quotes: "{value}"' if wants_text else ""


def _bound(bound: Any, kind: Any) -> str:
    """A bound in the words of its quantity, or as a plain number."""
    if kind is None or not bound:
        return f"{bound:g}" if isinstance(bound, float) else str(bound)
    return format_duration(bound) if kind in (DURATION, MOMENT) else str(kind.text(bound))


def _not_a_choice(detail: ErrorDetails, path: Path) -> Complaint:
    context = detail.get("ctx", {})
    expected = str(context.get("expected", context.get("expected_tags", "")))
    choices = [part.strip(" '") for part in expected.replace(" or ", ", ").split(",")]
    value = context.get("tag", detail["input"])
    return Complaint(path, f"'{str(value)[:40]}' is not a choice here", near(str(value), choices), "choice")


def _shown(detail: ErrorDetails) -> str:
    value = detail["input"]
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    known = getattr(value, "text", value)
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else str(value).lower()
    return str(known)[:60]


def _write_it(detail: ErrorDetails, model: type[BaseModel]) -> str:
    quantity = _quantity(detail, model)
    return f"add {detail['loc'][-1]}: {quantity.like[0]}" if quantity else ""


def _quantity(detail: ErrorDetails, model: type[BaseModel]) -> Any:
    """The kind of quantity that belongs at an error's place; None where none does."""
    for candidate in _models_at(detail["loc"][:-1], model):
        for name, info in candidate.model_fields.items():
            if detail["loc"][-1] in (name, info.alias):
                notes = [*info.metadata, *_notes(info.annotation)]
                return next((note for note in notes if isinstance(note, Kind)), None)
    return None


def _notes(kind: Any) -> Iterator[Any]:
    """What is annotated to a type, or to the arms of a union."""
    if get_origin(kind) is Annotated:
        yield from get_args(kind)[1:]
    elif get_origin(kind) in (Union, types.UnionType):
        for arm in get_args(kind):
            yield from _notes(arm)


def _keys_at(path: Path, model: type[BaseModel]) -> Iterator[str]:
    for candidate in _models_at(path, model):
        for name, info in candidate.model_fields.items():
            yield info.alias or name


def _models_at(path: Path, model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that can stand at a path, by walking the annotations of the models above it."""
    here: list[_Arm] = [_Arm(model, None)]
    for step in path:
        below = [arm for each in here for arm in _below(each.kind, step)]
        here = below or [arm for arm in here if _is_tagged(arm, step)] or here
    return [arm.kind for arm in here if _is_model(arm.kind)]


class _Arm(NamedTuple):
    """One type that a value may have, and the tag by which a union chooses it."""

    kind: Any
    tag: str | None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_tagged(arm: _Arm, step: str | int) -> bool:
    """Whether a step that is no key is the tag by which this arm of a union was chosen."""
    fields = arm.kind.model_fields.values() if _is_model(arm.kind) else ()
    literals = (info.annotation for info in fields if get_origin(info.annotation) is Literal)
    return arm.tag == step or any(step in get_args(literal) for literal in literals)


def _below(kind: Any, step: str | int) -> list[_Arm]:
    if _is_model(kind):
        fields = kind.model_fields.items()
        return [arm for name, info in fields if step in (name, info.alias) for arm in _arms(info.annotation)]
    origin, args = get_origin(kind), get_args(kind)
    if origin in (dict, list, tuple, frozenset) and args:
        return _arms(args[1] if origin is dict else args[0])
    return []


def _arms(kind: Any, tag: str | None = None) -> list[_Arm]:
    """A type without Annotated and Optional, its unions taken apart."""
    origin = get_origin(kind)
    if origin is Annotated:
        bare, *notes = get_args(kind)
        return _arms(bare, next((note.tag for note in notes if isinstance(note, Tag)), tag))
    if origin in (Union, types.UnionType):
        return [arm for option in get_args(kind) for arm in _arms(option, tag)]
    return [] if kind is type(None) or origin is Literal else [_Arm(kind, tag)]
