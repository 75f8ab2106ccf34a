"""drsim sweep: every point of a design, resumed where it stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drsim.cli import options
from drsim.cli.exits import INCOMPLETE, MISSED, PASSED
from drsim.cli.shown import measure, spread
from drsim.cli.studies import Watcher, columns_of, estimate_json, lab_of, warn, write_json
from drsim.cli.table import table

if TYPE_CHECKING:
    from drsim.study.design import Design
    from drsim.study.lab import Lab
    from drsim.study.sweep import Plan, SweepResult

_MOST_REASONS = 8
_MOST_FAILURES = 10


@click.command()
@options.scenario_file
@options.sets("Values of a path: V1,V2 or LOW:HIGH:log5; may be repeated, and crosses.", "PATH=VALUES")
@click.option(
    "--zip", "zips", multiple=True, metavar="PATH=VALUES", help="Like --set, but all --zip step together."
)
@click.option(
    "--design",
    type=click.Choice(["grid", "lhs", "sobol"]),
    default="grid",
    show_default=True,
    help="Cross all values, or draw --samples points from ranges like LOW:HIGH:log.",
)
@click.option("--samples", type=click.IntRange(1), help="Points to draw.")
@options.replications("Independent futures of each point; the same ones for all points.")
@click.option(
    "--resume",
    is_flag=True,
    help="Refuse to begin: there must be a sweep to go on with. Finished points never run again anyway.",
)
@click.option(
    "--rerun", type=click.Choice(["failed", "all"]), help="Run points again that failed before, or all."
)
@click.option("--dry-run", is_flag=True, help="Say what would run and why, and stop.")
@click.option(
    "--exit-zero", is_flag=True, help="Exit with 0 though objectives were missed, for sweeps that explore."
)
@options.junit("Write a JUnit report, a suite a point.")
@click.option("--no-pictures", is_flag=True, help="Draw nothing.")
@options.study_options()
def command(file: str, **asked: Any) -> int:
    """Run FILE at every point of a design.

    Every point's summary is kept under a key made of all that can change it, so whatever ends a sweep, asking
    again runs only what is missing. All points are told in one table, points.parquet.

    Exits with 0 where every point met its expectations, 3 where one missed, 4 where points failed or are
    missing, 130 after Ctrl-C.
    """
    from drsim.study.sweep import Folder, Sweep, run_sweep
    from drsim.study.world import ScenarioWorld

    world = ScenarioWorld.open(file, seed=asked["seed"])
    design = _design(asked, world.seed)
    for trial in design.trials():
        world.check(trial)
    warn(world, quiet=asked["quiet"])
    sweep = Sweep(design, asked["replications"])
    watcher = Watcher(f"{world.name} sweep", quiet=asked["quiet"], total=len(sweep.points))
    with lab_of(world, asked, watcher) as (lab, store, _):
        folder = Folder(store.root / sweep.name(), lab, store)
        if asked["resume"] and not folder.exists:
            raise click.UsageError(f"nothing to resume: no such sweep was begun in {store.root}")
        plan = folder.plan(sweep, asked["rerun"] or "missing")
        if not asked["dry_run"]:
            folder.begin(sweep)  # before a word is said: who interrupts from here on can resume
        _announce(watcher, plan)
        if asked["dry_run"]:
            return PASSED
        result = run_sweep(lab, sweep, folder, plan)
    _tell(result, folder.path, lab, asked)
    code = result.exit_code()
    return PASSED if code == MISSED and asked["exit_zero"] else code


def _design(asked: Mapping[str, Any], seed: int) -> Design:
    from drsim.study.axes import parse_axis
    from drsim.study.design import plan
    from drsim.study.replicate import stream

    sets, zips = ([parse_axis(option) for option in asked[name]] for name in ("sets", "zips"))
    return plan(sets, zips, asked["design"], asked["samples"], stream(seed, "design"))


def _announce(watcher: Watcher, plan: Plan) -> None:
    """What will run and why, what is known, what is left as failed."""
    total = len(plan.run) + len(plan.cached) + len(plan.left)
    watcher.say(
        f"{_points(total)}: {len(plan.run)} to run, {len(plan.cached)} cached, {len(plan.left)} failed before"
    )
    reasons = plan.reasons()
    for reason, count in reasons[:_MOST_REASONS]:
        watcher.say(f"{count} to run: {reason}")
    if len(reasons) > _MOST_REASONS:
        watcher.say(f"... and {len(reasons) - _MOST_REASONS} more reasons")
    if plan.left:
        watcher.say("points that failed before are left alone: --rerun failed runs them again")


def _tell(result: SweepResult, place: Path, lab: Lab, asked: Mapping[str, Any]) -> None:
    if asked["junit_to"] is not None:
        from drsim.report.junit import junit

        suites = [(o.point.label, o.summary, o.traceback or o.error or "") for o in result.outcomes.values()]
        Path(asked["junit_to"]).write_bytes(junit(suites))
    if not asked["no_pictures"]:
        from drsim.cli.pictures import sweep_pictures

        sweep_pictures(result, place, lab)
    write_json(_as_json(result, place, asked["confidence"][1]), asked["json_to"])
    if asked["json_to"] != "-" and not asked["quiet"]:
        click.echo(_as_table(result, asked["confidence"][1]))
        click.echo(f"\n{_verdict(result)}; every point in {place / 'points.parquet'}")


def _verdict(result: SweepResult) -> str:
    code = result.exit_code()
    done = sum(not o.failed for o in result.outcomes.values())
    if code == INCOMPLETE:
        return f"INCOMPLETE: {_points(len(result.failed))} failed, {result.missing} are missing, {done} ran"
    if code == MISSED:
        return f"FAILED: {len(result.missed)} of {_points(done)} missed an objective"
    return (
        f"PASSED: all {done} points met every expectation"
        if done > 1
        else "PASSED: every expectation was met"
    )


def _points(count: int) -> str:
    return f"{count} point{'s' * (count != 1)}"


def _as_table(result: SweepResult, confidence: float) -> str:
    paths = result.sweep.design.paths
    designs = list(result.designs(confidence))
    names = list(dict.fromkeys(name for _, found in designs for name in found.estimates))
    shown = columns_of(names)
    alone = len({name.rpartition(".")[0] for name in shown}) <= 1
    rows = []
    for overrides, found in designs:
        ran = len(found.outcomes) - found.failed
        cells = [spread(n, found.estimates[n], ran) if n in found.estimates else "-" for n in shown]
        rows.append([*(dict(overrides)[path] for path in paths), *cells, _passed(found.outcomes)])
    heads = [*paths, *(measure(name, only_target=alone) for name in shown), "verdict"]
    return "\n".join([table(heads, rows, left=len(paths)), *_failures(result)])


def _passed(outcomes: Sequence[Any]) -> str:
    failed = sum(o.failed for o in outcomes)
    missed = sum(o.summary is not None and not o.summary.get("passed", True) for o in outcomes)
    if failed or not outcomes:
        return f"{failed} failed" if outcomes else "missing"
    if len(outcomes) == 1:
        return "missed" if missed else "passed"
    return f"{len(outcomes) - missed} of {len(outcomes)} passed"


def _failures(result: SweepResult) -> list[str]:
    lines = [f"failed: {o.point.label}: {o.error}" for o in result.failed[:_MOST_FAILURES]]
    more = len(result.failed) - len(lines)
    return ["", *lines, *([f"... and {more} more"] if more else [])] if lines else []


def _as_json(result: SweepResult, place: Path, confidence: float) -> dict[str, Any]:
    points = [
        {
            "overrides": dict(o.point.overrides),
            "replication": o.point.replication,
            "seed": o.seed,
            "key": o.key,
            "cached": o.cached,
            "error": o.error,
            "summary": o.summary,
        }
        for o in result.outcomes.values()
    ]
    designs = [
        {"overrides": dict(overrides), "estimates": {k: estimate_json(v) for k, v in found.estimates.items()}}
        for overrides, found in result.designs(confidence)
    ]
    counts = {
        "done": len(points) - len(result.failed),
        "failed": len(result.failed),
        "missing": result.missing,
    }
    about = {"schema_version": 1, "confidence": confidence, "passed": result.exit_code() == PASSED}
    return {
        **about,
        "counts": counts,
        "table": str(place / "points.parquet"),
        "designs": designs,
        "points": points,
    }
