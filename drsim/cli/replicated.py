"""drsim run with several futures: every headline number with its interval, every objective with its odds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from drsim.cli.exits import INCOMPLETE, MISSED, PASSED
from drsim.cli.shown import average, measure, value
from drsim.cli.studies import Watcher, estimate_json, lab_of, warn, write_json
from drsim.cli.table import table

if TYPE_CHECKING:
    from drsim.study.replicate import Precision, Replicated
    from drsim.study.stats import Estimate
    from drsim.study.world import ScenarioWorld

_HEADS = ("", "mean", "interval", "least", "most")


def run_replicated(file: str, overrides: Sequence[tuple[str, str]], asked: Mapping[str, Any]) -> int:
    """Run FILE in several futures and judge it by the share of them in which its objectives were met.

    Exits with 0 where each expectation held in at least the share ``confidence`` of the futures, with 3 where
    one did not, with 4 where futures failed.
    """
    from drsim.study.replicate import replicate
    from drsim.study.world import ScenarioWorld

    world = ScenarioWorld.open(file, tuple(overrides), asked["seed"])
    warn(world, quiet=asked["quiet"])
    total = asked["replications"] if asked["precision"] is None else None
    watcher = Watcher(f"{world.name} run", quiet=asked["quiet"], total=total)
    confidence = float(asked["confidence"][1])
    with lab_of(world, asked, watcher) as (lab, store, _):
        found = replicate(
            lab.gather,
            (),
            asked["replications"],
            confidence=confidence,
            precision=_precision(world, asked),
            seed=world.seed,
        )
    objectives = _objectives(found, confidence)
    if not found.precise:
        watcher.say(f"the asked precision was not reached in {len(found.outcomes)} futures")
    write_json(_as_json(found, objectives), asked["json_to"])
    if asked["json_to"] != "-" and not asked["quiet"]:
        kept = "" if asked["no_save"] else f"; each kept in {store.root / 'points'}"
        click.echo("\n".join(_lines(found, objectives)) + kept)
    if found.failed:
        return INCOMPLETE
    return PASSED if all(each["passed"] for each in objectives) else MISSED


def _precision(world: ScenarioWorld, asked: Mapping[str, Any]) -> Precision | None:
    """What expectations are about shall be so precise; without expectations, the lag of each target."""
    from drsim.study.replicate import Precision

    if asked["precision"] is None:
        return None
    scenario = world.scenario()
    names = [".".join(expectation.value.path) for expectation in scenario.expect]
    if not names:
        names = [f"groups.{g}.targets.{t}.lag_p99_s" for g, x in scenario.groups.items() for t in x.targets]
    return Precision(float(asked["precision"][1]), tuple(dict.fromkeys(names)), asked["most"])


def _objectives(found: Replicated, confidence: float) -> list[dict[str, Any]]:
    """For each expectation: in how many futures it held of those that judged it, between which shares the
    truth lies, the verdict.
    """
    from drsim.study.point import verdicts
    from drsim.study.stats import share_interval

    judged = [verdicts(o.summary) for o in found.outcomes if o.summary is not None]
    rows = []
    for text in dict.fromkeys(text for future in judged for text in future):
        verdicts_of = [
            future[text] for future in judged if text in future
        ]  # an RTO is judged where it was due
        held, futures = sum(verdicts_of), len(verdicts_of)
        low, high = share_interval(held, futures, confidence)
        passed = held >= max(1, math.ceil(confidence * futures - 1e-9))
        rows.append(
            {"expect": text, "held": held, "futures": futures, "low": low, "high": high, "passed": passed}
        )
    return rows


def _lines(found: Replicated, objectives: Sequence[Mapping[str, Any]]) -> list[str]:
    names = _headlines(found)
    alone = len({name.rpartition(".")[0] for name in names}) <= 1
    ran = len(found.outcomes) - found.failed
    lines = [table(_HEADS, [_row(name, found, alone=alone) for name in names]), ""]
    for each in objectives:
        mark = "✓" if each["passed"] else "✗"
        truth = f"{each['low']:.0%} to {each['high']:.0%} of all futures"
        judged = "" if each["futures"] == ran else f" that could judge it, of {ran}"
        odds = f"{each['held']} of {each['futures']}{judged} ({truth})"
        lines.append(f"  {mark} {each['expect']}   held in {odds}")
    verdict = "PASSED" if all(each["passed"] for each in objectives) else "FAILED"
    failed = f", {found.failed} failed" if found.failed else ""
    return [
        *lines,
        f"\n{verdict}: {len(found.outcomes)} futures{failed}, intervals of {found.confidence:.0%}",
    ]


def _headlines(found: Replicated) -> list[str]:
    from drsim.study.compare import HEADLINES

    names = [n for n in found.estimates if ".targets." in n and n.rpartition(".")[2] in HEADLINES]
    return [name for name in names if not _is_of_nothing(name, found.estimates[name])]


def _is_of_nothing(name: str, e: Estimate) -> bool:
    """Whether it tells of snapshots or a history that there are none."""
    last = name.rpartition(".")[2]
    return last.startswith(("snapshot", "history")) and not (e.most > 0 or (last == "snapshots_lost" and e.n))


def _row(name: str, found: Replicated, *, alone: bool) -> list[str]:
    e = found.estimates[name]
    interval = "-" if e.method == "none" else f"{value(name, e.low)} .. {value(name, e.high)}"
    return [
        measure(name, only_target=alone),
        average(name, e, len(found.outcomes) - found.failed),
        interval,
        value(name, e.least),
        value(name, e.most),
    ]


def _as_json(found: Replicated, objectives: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "futures": len(found.outcomes),
        "failed": found.failed,
        "confidence": found.confidence,
        "precise": found.precise,
        "passed": not found.failed and all(each["passed"] for each in objectives),
        "seeds": [outcome.seed for outcome in found.outcomes],
        "estimates": {name: estimate_json(e) for name, e in found.estimates.items()},
        "expectations": list(objectives),
    }
