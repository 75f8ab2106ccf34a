"""Expectations: one comparison of a summary value with a quantity, read at load, judged after a run.

``erp.lyon.lag.p99 <= 15 min`` · ``erp.lyon.lag.max <= rpo`` · ``paris-lyon.utilisation < 80 %``

A name is a group, a group and one of its targets, a link or a host; where two kinds share a name, begin
with ``groups.``, ``links.`` or ``hosts.``. The right side is a quantity with its unit, or another value of
the same kind. Nothing here is evaluated as code.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from drsim.scenario.keys import SECTIONS, TARGET, Unit, find, listed
from drsim.scenario.problem import near
from drsim.units import SAME_S, UnitError

_COMPARISON = re.compile(r"(.*?)(<=|>=|==|!=|<|>|=)(.*)", re.DOTALL)
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_ROUNDING = {"duration": SAME_S, "size": 0.5}
"""By how much a value may miss what it stands for: instants are floats, bytes at an instant a rate times a span."""
_LONGEST_TEXT = 300


class ExpectError(ValueError):
    """An expectation that can't be read: problem, hint, and ``at``, the place in the text that is wrong."""

    def __init__(self, problem: str, hint: str, at: int = 0) -> None:
        super().__init__(f"{problem}; {hint}" if hint else problem)
        self.problem, self.hint, self.at = problem, hint, at


@dataclass(frozen=True, slots=True)
class Names:
    """What an expectation can be about: groups with their targets, links, hosts."""

    groups: Mapping[str, Collection[str]]
    links: Collection[str]
    hosts: Collection[str]

    def all(self) -> list[str]:
        """Every name that can stand first, targets with their group."""
        pairs = [f"{group}.{target}" for group, targets in self.groups.items() for target in targets]
        return [*pairs, *self.groups, *self.links, *self.hosts]


class Value(NamedTuple):
    """A place in the summary, and the unit of what is there."""

    path: tuple[str, ...]
    unit: Unit

    def read(self, summary: Mapping[str, Any]) -> float | bool | None:
        """The value in a summary; None where it is undefined."""
        found: Any = summary
        for step in self.path[:-1]:
            found = found[step]
        found = found.get(self.path[-1])
        return None if found is None or (isinstance(found, float) and math.isnan(found)) else found


class Verdict(NamedTuple):
    """An expectation as written, the value it met (SI units; None where undefined), and whether it held."""

    text: str
    value: float | bool | None
    passed: bool


@dataclass(frozen=True, slots=True)
class Expectation:
    """A comparison that was read: ``bound`` is an SI number or another value."""

    text: str
    value: Value
    sign: str
    bound: float | Value

    @property
    def subject(self) -> str:
        """The group and target, link or host it is about, for reports: ``erp.lyon``."""
        path = self.value.path
        return ".".join((path[1], path[3]) if "targets" in path else path[1:2])

    def judge(self, summary: Mapping[str, Any]) -> Verdict:
        """Hold it against a summary (DESIGN's keys). What is undefined, as lag is under exposure, fails."""
        value = self.value.read(summary)
        bound = self.bound.read(summary) if isinstance(self.bound, Value) else self.bound
        passed = value is not None and bound is not None and self._holds(value, bound)
        return Verdict(self.text, value, passed)

    def _holds(self, value: float, bound: float) -> bool:
        """Compare; what differs by rounding alone is equal."""
        rounding = _ROUNDING.get(self.value.unit.noun, 0.0)
        same = math.isclose(value, bound, rel_tol=1e-12, abs_tol=rounding)
        return self.sign in ("<=", ">=", "==") if same else _OPERATORS[self.sign](value, bound)


def parse(text: str, names: Names) -> Expectation:
    """Read one expectation; ExpectError tells what is wrong and where."""
    match = _COMPARISON.fullmatch(text)
    if match is None or len(text) > _LONGEST_TEXT:
        raise ExpectError("not a comparison", "write it like erp.lyon.lag.p99 <= 15 min")
    if match[2] == "=":
        raise ExpectError("'=' is not a comparison", "write == or <=", match.start(2))
    left = match[1].strip()
    value = _value(left, names, at=len(match[1]) - len(match[1].lstrip()))
    right = match[3].strip()
    at = match.start(3) + len(match[3]) - len(match[3].lstrip())
    return Expectation(text.strip(), value, match[2], _bound(right, value, names, at))


def _bound(text: str, value: Value, names: Names, at: int) -> float | Value:
    if text in ("rpo", "rto") and "targets" in value.path:
        return _same_unit(Value((*value.path[:-1], f"{text}_s"), TARGET[f"{text}_s"]), value, text, at)
    if re.match(r"[A-Za-z]", text) and text.lower() not in ("true", "false"):
        return _same_unit(_value(text, names, at), value, text, at)
    try:
        return value.unit.read(text)
    except UnitError as error:
        raise ExpectError(error.problem, error.hint, at) from None


def _same_unit(bound: Value, value: Value, text: str, at: int) -> Value:
    if bound.unit != value.unit:
        noun, other = value.unit.noun, bound.unit.noun
        hint = f"compare with a {noun}, like {value.unit.example}"
        raise ExpectError(f"a {noun} can't be compared with {text}, a {other}", hint, at)
    return bound


def _value(text: str, names: Names, at: int) -> Value:
    candidates = [c for c in _candidates(text.split("."), names) if c.section in _sections(text)]
    found = {c: Value((*c.path, key), c.keys[key]) for c in candidates if (key := find(c.rest, c.keys))}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        choices = " or ".join(f"{c.section}.{text}" for c in found)
        raise ExpectError(f"'{text}' has more than one meaning", f"write {choices}", at)
    if not candidates:
        raise ExpectError(f"'{text[:60]}' names no group, target, link or host", near(text, names.all()), at)
    raise _no_measure(text, candidates[-1], at)


def _no_measure(text: str, best: _Candidate, at: int) -> ExpectError:
    where = at + len(text) - len(best.rest)
    said = text[: len(text) - len(best.rest)].rstrip(".")
    if not best.rest:
        return ExpectError(
            f"'{text}' says nothing about it", near("", [*listed(best.keys), *best.targets]), at
        )
    first, _, more = best.rest.partition(".")
    if more and best.targets:
        return ExpectError(f"'{first}' is not a target of '{said}'", near(first, best.targets), where)
    hint = near(best.rest, [*listed(best.keys), *best.targets])
    return ExpectError(f"'{best.rest}' is not a measure of '{said}'", hint, where)


@dataclass(frozen=True, eq=False, slots=True)
class _Candidate:
    section: str
    path: tuple[str, ...]
    rest: str
    keys: dict[str, Unit]
    targets: tuple[str, ...] = ()


def _sections(text: str) -> Collection[str]:
    first = text.split(".", 1)[0]
    return (first,) if first in SECTIONS else SECTIONS


def _candidates(words: list[str], names: Names) -> list[_Candidate]:
    """Every reading of the first words as a name; the longest reading of a group comes last."""
    if words[0] in SECTIONS and len(words) > 1:
        words = words[1:]
    name, rest = words[0], words[1:]
    found = [
        _Candidate(section, (section, name), ".".join(rest), SECTIONS[section])
        for section, known in (("links", names.links), ("hosts", names.hosts))
        if name in known
    ]
    targets = names.groups.get(name, ())
    if name in names.groups:
        found.append(
            _Candidate("groups", ("groups", name), ".".join(rest), SECTIONS["groups"], tuple(targets))
        )
        rest = rest[1:] if rest and rest[0] == "targets" else rest
        if rest and rest[0] in targets:
            path = ("groups", name, "targets", rest[0])
            found.append(_Candidate("groups", path, ".".join(rest[1:]), TARGET))
    return found
