"""Overrides: ``--set links.paris-lyon.type=DS3`` put into a scenario's tree before any check."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ruamel.yaml.error import YAMLError

from drsim.scenario.problem import Path, Problem, ScenarioError, dotted, near
from drsim.scenario.source import Source, plain_value

_STEP = re.compile(r"([^.\[\]]+)((?:\[[0-9]+\])*)")
_NAMED = ("sites", "links", "groups", "hosts", "runbooks")
_EITHER = {
    ("links", 2): (("type", "rate"), ("rtt", "distance"), ("efficiency", "tcp")),
    ("hosts", 4): (("rate", "peak"),),
}
"""By section and depth, keys of which there can be one: an override takes the other's place."""


class OverrideError(ValueError):
    """An override that can't be put in place: problem and hint."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem, self.hint = problem, hint


def split_override(text: str) -> tuple[str, str]:
    """``PATH=VALUE`` taken apart; OverrideError where there is no path or no ``=``."""
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        raise OverrideError(f"'{text}' is not PATH=VALUE", "write it like links.paris-lyon.type=DS3")
    return path.strip(), value.strip()


def parse_path(text: str) -> Path:
    """``hosts.erp-db.writes[0].rate`` (or ``.writes.0.rate``) as steps."""
    steps: list[str | int] = []
    for part in text.split("."):
        match = _STEP.fullmatch(part.strip())
        if match is None:
            raise OverrideError(f"'{text}' is not a path", "write it like hosts.erp-db.writes[0].rate")
        steps.append(match[1])
        steps.extend(int(index) for index in re.findall(r"[0-9]+", match[2]))
    return tuple(steps)


def apply_overrides(source: Source, overrides: Sequence[tuple[str, str]]) -> None:
    """Put each (path, value's text) into the source's tree, in order; ScenarioError names the impossible."""
    problems = []
    for path, text in overrides:
        option = f"{path}={text}"
        try:
            _put(source, parse_path(path), _value(text), option)
        except OverrideError as error:
            problems.append(_problem(source, option, error.problem, error.hint))
    if problems:
        raise ScenarioError(problems)
    for where in list(source.options):
        _displace(source, where)


def _displace(source: Source, path: Path) -> None:
    """Take away what can't stand beside an overridden value, unless it was overridden as well."""
    for (section, depth), pairs in _EITHER.items():
        place, key = path[:depth], path[depth : depth + 1]
        if not key or path[0] != section or _at(source.tree, (*place, *key)) is None:
            continue
        others = [b if key[0] == a else a for a, b in pairs if key[0] in (a, b)]
        for other in (
            name for name in others if not any(p[: depth + 1] == (*place, name) for p in source.options)
        ):
            _at(source.tree, place).pop(other, None)


def _at(node: Any, path: Path) -> Any:
    """What is in the tree at a path; None where there is nothing."""
    for step in path:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            return None
    return node


def _problem(source: Source, option: str, problem: str, hint: str) -> Problem:
    return Problem("error", source.name, 0, 0, "", problem, hint, "override", option)


def _value(text: str) -> Any:
    try:
        return plain_value(text)
    except ScenarioError as error:
        raise OverrideError(error.problems[0].message, error.problems[0].hint) from None
    except (YAMLError, RecursionError):
        raise OverrideError("the value is not YAML", "quote it if it holds one of : { } [ ] #") from None


def _put(source: Source, path: Path, value: Any, option: str) -> None:
    node: Any = source.tree
    done: Path = ()
    for wanted in path[:-1]:
        place, step = _enter(node, wanted, done)
        missing = isinstance(place, dict) and place.get(step) is None
        if missing:
            if done and done[0] in _NAMED and len(done) == 1:
                raise OverrideError(f"no '{step}' in {done[0]}", near(str(step), place))
            place[step] = {}
        node, done = place[step], (*done, step)
    place, last = _enter(node, path[-1], done)
    place[last] = value
    where = (*done, last)
    for known in [p for p in source.options if p[: len(where)] == where]:
        del source.options[known]
    source.options[where] = option


def _enter(node: Any, step: str | int, done: Path) -> tuple[Any, Any]:
    """The container and the key or index in it that ``step`` means; OverrideError where there is none."""
    if isinstance(node, dict):
        return node, str(step)
    if isinstance(node, list):
        index = int(step) if str(step).isdecimal() and len(str(step)) < 9 else -1
        if 0 <= index < len(node):
            return node, index
        raise OverrideError(f"{dotted(done)} has no item '{step}'", f"it has {len(node)}, counted from 0")
    raise OverrideError(
        f"{dotted(done)} is the plain value '{node}', and '{step}' can't be set inside it",
        f"set it whole: {dotted(done)}={{{step}: ...}}",
    )
