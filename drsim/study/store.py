"""Outcomes on disk: one directory a point under its content key, shared by all studies of a scenario."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from drsim import record
from drsim.study.point import Curves, Outcome, Summary, World
from drsim.whole import whole


class Store:
    """``root/points/KEY/{summary,manifest}.json`` for what ran; ``root/failed/KEY.json`` for what did not.

    What ran keeps small lag curves too, in ``tables/curves.parquet``.

    Directories are `drsim.record`'s: written beside their place and moved there whole.
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
            "scenario": self._world.name,
            "overrides": [f"{path}={value}" for path, value in outcome.point.overrides],
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
        place = self.root / "points" / outcome.key
        wall = {"wall_s": outcome.wall_s, "cpu_s": outcome.cpu_s}
        tables = {"curves": _columns(outcome.curves)} if outcome.curves else {}
        record.write(
            place, summary=outcome.summary, tables=tables, manifest=manifest, wall=wall, replace=True
        )
        failure.unlink(missing_ok=True)

    def curves(self, key: str) -> Curves:
        """The lag curves kept under ``key``; none where there are none that can be read."""
        try:
            found = record.read(self.root / "points" / key).table("curves")
        except record.RecordError:
            return {}
        names = np.array([f"{g}/{t}" for g, t in zip(found["group"], found["target"], strict=True)])
        return {
            str(name): {"t": found["t"][names == name], "lag_s": found["lag_s"][names == name]}
            for name in dict.fromkeys(names.tolist())
        }

    def failure(self, key: str) -> Mapping[str, Any] | None:
        """What is known of a point that failed: overrides, seed, error, traceback, command."""
        return _read(self.root / "failed" / f"{key}.json")


def _columns(curves: Curves) -> dict[str, Any]:
    """Curves as one tidy table: group, target, t, lag_s."""
    names = [name.partition("/") for name, curve in curves.items() for _ in curve["t"]]
    return {
        "group": [group for group, _, _ in names],
        "target": [target for _, _, target in names],
        **{column: np.concatenate([curve[column] for curve in curves.values()]) for column in ("t", "lag_s")},
    }


def write_whole(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    with whole(path) as beside:
        beside.write_text(record.to_json(content), encoding="utf-8")


def _read(path: Path) -> Mapping[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else None
    return None
