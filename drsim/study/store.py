"""Outcomes on disk: one directory a point under its content key, shared by all studies of a scenario."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drsim.study.point import Outcome, Summary, World


class Store:
    """``root/points/KEY/{summary,manifest}.json`` for what ran, ``root/failed/KEY.json`` for what did not.

    A directory is written beside its place and moved there whole: one that exists is complete.
    """

    def __init__(self, root: Path, world: World) -> None:
        self.root = root
        self._world = world

    def find(self, key: str) -> Summary | None:
        """The summary kept under ``key``; None where there is none that can be read."""
        return _read(self.root / "points" / key / "summary.json")

    def keep(self, outcome: Outcome) -> None:
        """Keep a summary, or an error with the command that repeats it."""
        manifest = {
            "key": outcome.key,
            "overrides": dict(outcome.point.overrides),
            "replication": outcome.point.replication,
            "seed": outcome.seed,
            "command": self._world.command(outcome.point.overrides, outcome.seed),
        }
        failure = self.root / "failed" / f"{outcome.key}.json"
        if outcome.summary is None:
            said = {"error": outcome.error, "traceback": outcome.traceback, "wall_s": outcome.wall_s}
            failure.parent.mkdir(parents=True, exist_ok=True)
            write_whole(failure, manifest | said)
            return
        self._place(outcome.key, {"summary.json": outcome.summary, "manifest.json": manifest})
        failure.unlink(missing_ok=True)

    def failure(self, key: str) -> Mapping[str, Any] | None:
        """What is known of a point that failed: overrides, seed, error, traceback, command."""
        return _read(self.root / "failed" / f"{key}.json")

    def _place(self, key: str, files: Mapping[str, Mapping[str, Any]]) -> None:
        place = self.root / "points" / key
        beside = place.with_name(f".{key}.{secrets.token_hex(4)}")
        beside.mkdir(parents=True)
        try:
            for name, content in files.items():
                (beside / name).write_text(_json(content), encoding="utf-8")
            if place.exists():  # a point run afresh, or a directory somebody damaged
                shutil.rmtree(place)
            beside.replace(place)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise


def write_whole(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON beside ``path`` and move it there, so that nobody ever reads half of it."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        beside.write_text(_json(content), encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    """numpy scalars as numbers."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a summary holds {type(value).__name__}, which JSON does not know")


def _read(path: Path) -> Mapping[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else None
    return None
