"""The one door for scenarios: a file and overrides in, a Scenario or every problem out."""

from __future__ import annotations

import contextlib
import difflib
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from drsim.scenario.advice import advise
from drsim.scenario.blame import complaints
from drsim.scenario.check import Parts, check
from drsim.scenario.disaster import Disaster, Operation, Runbook
from drsim.scenario.expect import Names
from drsim.scenario.group import Group
from drsim.scenario.host import Host
from drsim.scenario.models import AnyExpectation, Scenario
from drsim.scenario.override import apply_overrides
from drsim.scenario.problem import Complaint, Problem, ScenarioError
from drsim.scenario.references import dangling
from drsim.scenario.site import Site
from drsim.scenario.source import LARGEST_FILE, Source, read_source
from drsim.wan.link import Link
from drsim.wan.sharing import KINDS as SHARING

Overrides = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Checked:
    """A scenario that passed, and warnings about it."""

    scenario: Scenario
    warnings: tuple[Problem, ...]


def load(path: str | Path, overrides: Overrides = (), seed: int | None = None) -> Scenario:
    """Read, override and check a scenario file.

    Args:
        path: the file; paths inside it are relative to its folder.
        overrides: (dotted path, value's text), applied in order before any check.
        seed: in place of the file's.

    Raises:
        ScenarioError: with every problem, each at its line and column or its override.
    """
    return examine(path, overrides, seed).scenario


def loads(
    text: str, name: str = "scenario.yaml", overrides: Overrides = (), seed: int | None = None
) -> Scenario:
    """Like `load`, from a text; ``name`` is what messages call it."""
    return _examine(text, name, Path(), overrides, seed).scenario


def examine(path: str | Path, overrides: Overrides = (), seed: int | None = None) -> Checked:
    """Like `load`, with the warnings too."""
    path = Path(path)
    return _examine(_read(path), str(path), path.parent, overrides, seed)


def warnings(scenario: Scenario) -> list[Complaint]:
    """What can't work well in a scenario that is valid: each with its number and its remedy."""
    return list(advise(scenario))


def schema() -> dict[str, Any]:
    """The JSON Schema of format version 1, for editors."""
    made = Scenario.model_json_schema(by_alias=True)
    for name, words in {"Sharing": [*SHARING]}.items():  # a word may stand for these mappings
        made["$defs"][name] = {"anyOf": [{"enum": words}, made["$defs"][name]]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "drsim scenario", **made}


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        there = [file.name for file in path.parent.glob("*.y*ml")]
        close = difflib.get_close_matches(path.name, there, n=1, cutoff=0.8)
        hint = f"did you mean {path.parent / close[0]}?" if close else ""
        raise _unreadable(path, str(error.strerror), hint) from None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    if len(data) > LARGEST_FILE:
        hint = "a scenario is small; put traces in files of their own"
        raise _unreadable(path, f"larger than {LARGEST_FILE // 2**20} MiB", hint)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"not UTF-8 text (byte {error.start})", "is this a scenario file?") from None


def _unreadable(path: Path, message: str, hint: str = "") -> ScenarioError:
    return ScenarioError([Problem("error", str(path), 0, 0, "", message, hint, "file")])


def _examine(text: str, name: str, folder: Path, overrides: Overrides, seed: int | None) -> Checked:
    source = read_source(text, name)
    apply_overrides(source, overrides)
    if seed is not None:
        source.tree["seed"] = seed
    _check_version(source)
    found = list(source.complaints)
    scenario = None
    try:
        scenario = Scenario.model_validate(source.tree, context=_names(source.tree))
    except ValidationError as error:
        found += complaints(error, source.tree, Scenario)
    wrong = {complaint.path for complaint in found}
    found += [complaint for complaint in dangling(source.tree) if complaint.path not in wrong]
    found += [
        c
        for c in check(_parts(source.tree, folder, scenario))
        if c.code != "endless" or ("duration",) not in wrong
    ]
    if found or scenario is None:
        raise ScenarioError(_sorted(source, found))
    scenario.came_from(folder, source)
    try:
        return Checked(scenario, tuple(source.problem(c, "warning") for c in warnings(scenario)))
    except (ValueError, OSError) as error:  # a file that a part names is missing or bad
        raise ScenarioError([Problem("error", name, 0, 0, "", str(error), code="file")]) from None


def _check_version(source: Source) -> None:
    version = source.tree.get("drsim")
    if version == 1:
        return
    hint = "begin the file with drsim: 1"
    if "drsim" not in source.tree:
        raise ScenarioError([source.problem(Complaint((), "this is not a drsim scenario", hint, "version"))])
    if isinstance(version, int) and version > 1:
        hint = "upgrade drsim, or begin the file with drsim: 1"
    message = f"format version {version} is not known here"
    raise ScenarioError([source.problem(Complaint(("drsim",), message, hint, "version"))])


def _sorted(source: Source, found: list[Complaint]) -> list[Problem]:
    unique = {(c.path, c.message): c for c in found}
    problems = [source.problem(c) for c in unique.values()]
    return sorted(problems, key=lambda p: (p.option != "", p.line, p.column))


def _names(tree: dict[str, Any]) -> Names:
    groups = _section(tree, "groups")
    return Names(
        {name: _section(group, "targets") for name, group in groups.items()},
        _section(tree, "links"),
        _section(tree, "hosts"),
    )


def _section(tree: Any, name: str) -> dict[str, Any]:
    section = tree.get(name) if isinstance(tree, dict) else None
    return section if isinstance(section, dict) else {}


def _parts(tree: dict[str, Any], folder: Path, scenario: Scenario | None) -> Parts:
    """Every entry that is right by itself, so that checks across entries need not wait for the rest."""
    if scenario is not None:
        named: dict[str, dict[Any, Any]] = {}
        for section in _SECTIONS:
            entries = getattr(scenario, section)
            named[section] = entries if isinstance(entries, dict) else dict(enumerate(entries))
        return Parts(tree, folder, **named, whole=frozenset(_SECTIONS))
    good: dict[str, dict[Any, Any]] = {}
    whole = set()
    for section, adapter in _entries().items():
        given = tree.get(section) or ()
        items = (
            given.items() if isinstance(given, dict) else enumerate(given) if isinstance(given, list) else ()
        )
        good[section] = {}
        for name, entry in items:
            with contextlib.suppress(ValidationError):
                good[section][name] = adapter.validate_python(entry, context=_names(tree))
        if len(good[section]) == len(given):
            whole.add(section)
    return Parts(tree, folder, **good, whole=frozenset(whole))


@functools.cache
def _entries() -> dict[str, TypeAdapter[Any]]:
    """How to read one entry of each section that `check` looks at."""
    return {section: TypeAdapter(kind) for section, kind in _SECTIONS.items()}


_SECTIONS: dict[str, Any] = {
    "sites": Site,
    "links": Link,
    "groups": Group,
    "hosts": Host,
    "runbooks": Runbook,
    "disasters": Disaster,
    "operations": Operation,
    "expect": AnyExpectation,
}
