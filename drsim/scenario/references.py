"""Names that one part of a scenario uses for another: each must exist, told with the nearest that does."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from drsim.scenario.problem import Complaint, Path, near


class _Reference(NamedTuple):
    """Where names are used (``*`` any step, ``@`` the key itself is the name), and what they name."""

    pattern: tuple[str, ...]
    section: str
    noun: str


_REFERENCES = [
    _Reference(("links", "*", "between", "*"), "sites", "site"),
    _Reference(("links", "*", "sharing", "classes", "@"), "classes", "group"),
    _Reference(("groups", "*", "source"), "sites", "site"),
    _Reference(("groups", "*", "targets", "@"), "sites", "site"),
    _Reference(("groups", "*", "targets", "*", "link"), "links", "link"),
    _Reference(("groups", "*", "targets", "*", "via"), "targets", "target of this group"),
    _Reference(("hosts", "*", "site"), "sites", "site"),
    _Reference(("hosts", "*", "writes", "*", "volume"), "volumes", "volume"),
    _Reference(("disasters", "*", "site"), "sites", "site"),
    _Reference(("disasters", "*", "failover_to"), "sites", "site"),
    _Reference(("disasters", "*", "runbook"), "runbooks", "runbook"),
    _Reference(("operations", "*", "group"), "groups", "group"),
    _Reference(("operations", "*", "to"), "sites", "site"),
    _Reference(("operations", "*", "runbook"), "runbooks", "runbook"),
]


def dangling(tree: dict[str, Any]) -> Iterator[Complaint]:
    """Names that are used and not there. Works on the raw tree, so other errors don't hide these."""
    for reference in _REFERENCES:
        for path, name in _uses(tree, reference.pattern):
            known = _known(tree, reference.section, path)
            if known is not None and isinstance(name, str) and name not in known:
                on_key = reference.pattern[-1] == "@"
                message = f"there is no {reference.noun} '{name[:60]}'"
                yield Complaint(path, message, near(name, known), "dangling", "key" if on_key else "value")


def volumes(tree: dict[str, Any]) -> list[str]:
    """Every volume as hosts name it: ``erp/log``."""
    groups = tree.get("groups")
    found = []
    for group, body in groups.items() if isinstance(groups, dict) else ():
        inside = body.get("volumes") if isinstance(body, dict) else None
        found += [f"{group}/{volume}" for volume in inside] if isinstance(inside, dict) else []
    return found


def _known(tree: dict[str, Any], section: str, path: Path) -> Collection[str] | None:
    """The names there are; None where the section itself is wrong, which is told elsewhere."""
    if section == "volumes":
        return volumes(tree) if isinstance(tree.get("groups"), dict) else None
    if section == "classes":
        names = tree.get("groups")
        return (
            [name + part for name in names for part in ("", "/resync")] if isinstance(names, dict) else None
        )
    if section == "targets":
        return list(tree["groups"][path[1]]["targets"])
    found = tree.get(section, {} if section != "sites" else None)
    return list(found) if isinstance(found, dict) else None


def _uses(node: Any, pattern: tuple[str, ...], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if not pattern:
        yield path, node
    elif pattern[0] == "@":
        for key in node if isinstance(node, dict) else ():
            yield (*path, key), key
    else:
        for step, below in _steps(node, pattern[0]):
            yield from _uses(below, pattern[1:], (*path, step))


def _steps(node: Any, wanted: str) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, dict):
        yield from node.items() if wanted == "*" else ((k, v) for k, v in node.items() if k == wanted)
    elif isinstance(node, (list, tuple)) and wanted == "*":
        yield from enumerate(node)
