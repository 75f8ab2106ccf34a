"""A scenario's text as a plain tree in which every key and value knows its line and column.

YAML 1.2 core scalars only: no sexagesimal numbers, no ``off`` for false, no dates, no tags, no merge keys.
Limits keep a hostile or mistaken file from costing time: see LARGEST_FILE, MOST_VALUES and DEEPEST.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from drsim.scenario.problem import Complaint, Path, Problem, ScenarioError, dotted

LARGEST_FILE = 10 * 2**20
"""Bytes; a larger file is refused unread (traces belong in files of their own)."""
MOST_VALUES = 200_000
"""Values in a scenario, counted with aliases expanded; more are refused (an alias bomb, or a wrong file)."""
DEEPEST = 50
"""Levels of nesting."""

_PREFIX = "tag:yaml.org,2002:"
_TAGS = ("str", "int", "float", "bool", "null", "map", "seq", "timestamp", "merge")
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_ZERO = re.compile(r"[-+.0]*[1-9]")


class Mark(NamedTuple):
    """Line and column, from 1."""

    line: int
    column: int


@dataclass
class Source:
    """A scenario's tree and where each part of it came from.

    ``keys`` and ``values`` hold the mark of every key and value; ``options`` the text of the override that
    put a value in place.
    """

    name: str
    text: str
    tree: Any = None
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)
    options: dict[Path, str] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)

    def problem(self, complaint: Complaint, severity: Any = "error") -> Problem:
        """The complaint with its file, line, column and excerpt, or with the option that caused it."""
        path = complaint.path
        mark = self._mark(complaint)
        lines = self.text.splitlines()
        return Problem(
            severity=severity,
            file=self.name,
            line=mark.line,
            column=mark.column,
            path=dotted(path),
            message=complaint.message,
            hint=complaint.hint,
            code=complaint.code,
            option=next((t for p, t in self.options.items() if path[: len(p)] == p), ""),
            excerpt=lines[mark.line - 1] if 0 < mark.line <= len(lines) else "",
        )

    def _mark(self, complaint: Complaint) -> Mark:
        path = complaint.path
        first, second = (self.keys, self.values) if complaint.on == "key" else (self.values, self.keys)
        for length in range(len(path), -1, -1):
            mark = first.get(path[:length]) or second.get(path[:length])
            if mark:
                return Mark(mark.line, mark.column + complaint.offset)
        return Mark(1, 1)


def read_source(text: str, name: str) -> Source:
    """Compose ``text`` (YAML 1.2) into a Source; ScenarioError where it isn't YAML at all."""
    source = Source(name, text)
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        raise ScenarioError([_syntax(source, error)]) from None
    except YAMLError as error:
        raise ScenarioError([_plain(source, f"not YAML: {' '.join(str(error).split())[:150]}")]) from None
    except RecursionError:
        raise ScenarioError([_plain(source, f"nested more than {DEEPEST} levels deep")]) from None
    if node is None:
        raise ScenarioError([_plain(source, "the file is empty", "start one with: drsim init")])
    if not isinstance(node, MappingNode):
        raise ScenarioError(
            [_plain(source, "not a scenario: the top must be a mapping", "begin with drsim: 1")]
        )
    source.tree = _Builder(source).build(node, (), 0)
    return source


def plain_value(text: str) -> Any:
    """The value of an override's text, by the same rules; ScenarioError or YAMLError where it isn't YAML."""
    node = YAML(typ="safe", pure=True).compose(text)
    if node is None:
        return None
    source = Source("", text)
    value = _Builder(source).build(node, (), 0)
    if source.complaints:
        raise ScenarioError([source.problem(complaint) for complaint in source.complaints])
    return value


def _syntax(source: Source, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    said = ", ".join(part for part in (error.problem, error.context) if part)
    hint = {"mapping values are not allowed here": "quote a text that contains ': '"}.get(
        error.problem or "", ""
    )
    if error.problem and "\\t" in error.problem:
        hint = "indent with spaces"
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    lines = source.text.splitlines()
    excerpt = lines[line - 1] if 0 < line <= len(lines) else ""
    return Problem(
        "error", source.name, line, column, "", f"not YAML: {said}", hint, "syntax", excerpt=excerpt
    )


def _plain(source: Source, message: str, hint: str = "") -> Problem:
    return Problem("error", source.name, 0, 0, "", message, hint, "syntax")


class _Builder:
    """Turns composed nodes into dicts, lists and scalars, noting marks and complaints on the way."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.count = 0
        self.parts: dict[type, Callable[[Any, Path, int], Any]] = {
            MappingNode: self._mapping,
            SequenceNode: self._sequence,
            ScalarNode: self._scalar,
        }

    def build(self, node: Node, path: Path, depth: int) -> Any:
        self.count += 1
        if self.count > MOST_VALUES:
            raise ScenarioError([_plain(self.source, f"more than {MOST_VALUES:,} values (aliases expanded)")])
        if depth > DEEPEST:
            raise ScenarioError([_plain(self.source, f"nested more than {DEEPEST} levels deep")])
        self.source.values[path] = Mark(node.start_mark.line + 1, node.start_mark.column + 1)
        if str(node.tag).removeprefix(_PREFIX) not in _TAGS:
            self._complain(path, "tags (!name) are not used", "remove it", "value")
            return None
        return self.parts[type(node)](node, path, depth)

    def _mapping(self, node: MappingNode, path: Path, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in _rejoined_pairs(node.value) if node.flow_style else node.value:
            mark = Mark(key.start_mark.line + 1, key.start_mark.column + 1)
            if not isinstance(key, ScalarNode) or (key.value == "<<" and key.style is None):
                where = (*path, "<<")
                self.source.keys[where] = mark
                self._complain(where, "a key must be a plain name", "write the keys out", "key")
                continue
            where = (*path, key.value)
            if key.value in found:
                before = self.source.keys[where].line
                self.source.keys[where] = mark
                self._complain(where, f"'{key.value}' is given twice", f"first in line {before}", "key")
            self.source.keys[where] = mark
            found[key.value] = self.build(value, where, depth + 1)
        return found

    def _sequence(self, node: SequenceNode, path: Path, depth: int) -> list[Any]:
        items = _rejoined(node.value) if node.flow_style else node.value
        return [self.build(item, (*path, index), depth + 1) for index, item in enumerate(items)]

    def _scalar(self, node: ScalarNode, path: Path, depth: int) -> Any:
        del path, depth
        text = str(node.value)
        if node.style is not None:
            return text
        if _NULL.fullmatch(text):
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _INT.fullmatch(text) and len(text) < 40:
            return int(text)
        return _finite(text) if _FLOAT.fullmatch(text) else text

    def _complain(self, path: Path, message: str, hint: str, on: Any) -> None:
        self.source.complaints.append(Complaint(path, message, hint, "syntax", on))


def _finite(text: str) -> float | str:
    """The number; the text as it is where no float comes near it (1e400, 1e-400), which no field takes for a number."""
    value = float(text)
    lost = math.isinf(value) or (value == 0 and _NOT_ZERO.match(text))
    return text if lost else value


def _rejoined_pairs(pairs: list[tuple[Node, Node]]) -> list[tuple[Node, Node]]:
    """In ``{repair: lognormal(45 min, 1.2)}`` YAML ends a value at the comma; put such values together
    again.
    """
    joined: list[tuple[Node, Node]] = []
    for key, value in pairs:
        if joined and _is_open(joined[-1][1]) and _is_plain(key) and _is_plain(value) and value.value == "":
            joined[-1] = (joined[-1][0], _together(joined[-1][1], key))
        else:
            joined.append((key, value))
    return joined


def _rejoined(items: list[Node]) -> list[Node]:
    """The same in ``[uniform(1 h, 2 h)]``."""
    joined: list[Node] = []
    for item in items:
        if joined and _is_open(joined[-1]) and _is_plain(item):
            joined[-1] = _together(joined[-1], item)
        else:
            joined.append(item)
    return joined


def _is_plain(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style is None


def _is_open(node: Node) -> bool:
    return _is_plain(node) and node.value.count("(") > node.value.count(")")


def _together(first: Node, more: Node) -> ScalarNode:
    return ScalarNode(first.tag, f"{first.value}, {more.value}", first.start_mark, more.end_mark)
