"""drsim compare: designs held against each other on one workload, in the same futures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drsim.cli import options
from drsim.cli.exits import INCOMPLETE, PASSED
from drsim.cli.shown import average, measure, spread
from drsim.cli.studies import Watcher, estimate_json, store_of, told_at_ctrl_c, warn, write_json
from drsim.cli.table import table

if TYPE_CHECKING:
    from drsim.study.compare import Comparison, Contender, Contrast, Row
    from drsim.study.design import Override

_WORDS = {"same": "same", "unclear": "may be luck"}


@click.command()
@options.scenario_file
@click.argument("designs", nargs=-1, required=True, metavar="DESIGN...")
@options.sets("Override a value in all designs.")
@options.replications("Futures, the same ones for all designs.")
@click.option("--all", "everything", is_flag=True, help="Compare every measure, not the headlines only.")
@options.picture("Draw the comparison")
@options.study_options()
def command(file: str, designs: Sequence[str], **asked: Any) -> int:
    """Compare FILE with each DESIGN.

    A DESIGN is another scenario file, or overrides of FILE: 'links.ab.type=DS3', several apart by ';', with a
    name before ':' if you like: 'big: links.ab.type=OC3; groups.g.journal.size=20 GB'.

    Every design meets the same futures: the same writes, the same outages. Differences are paired by future,
    with intervals, and called better or worse only where luck is an unlikely cause (Holm's adjustment for the
    number of comparisons).

    Exits with 0, or with 4 where runs failed.
    """
    from drsim.study.compare import compare

    watcher = Watcher("compare", quiet=asked["quiet"], total=(1 + len(designs)) * asked["replications"])
    with told_at_ctrl_c(watcher, Path(asked["output"])), contextlib.ExitStack() as stack:
        contenders = _contenders(file, designs, asked, watcher, stack)
        found = compare(
            contenders, asked["replications"], asked["confidence"][1], everything=asked["everything"]
        )
    for remark in found.remarks:
        watcher.say(f"beware: {remark}")
    if asked["picture_to"]:
        from drsim.cli.pictures import comparison_picture

        for path in comparison_picture(found, Path(asked["picture_to"]).with_suffix("")):
            watcher.say(f"picture: {path}")
    write_json(_as_json(found), asked["json_to"])
    if asked["json_to"] != "-":
        click.echo("\n".join(_lines(found)))
    return INCOMPLETE if found.failed else PASSED


def _contenders(
    file: str, designs: Sequence[str], asked: Mapping[str, Any], watcher: Watcher, stack: contextlib.ExitStack
) -> list[Contender]:
    """The base and the others; scenarios share the pool, each has its own store."""
    from drsim.study.compare import Contender
    from drsim.study.lab import Lab
    from drsim.study.pool import open_pool
    from drsim.study.world import ScenarioWorld

    fixed = _pairs("; ".join(asked["sets"])) if asked["sets"] else ()
    base = ScenarioWorld.open(file, fixed, asked["seed"])
    warn(base, quiet=asked["quiet"])
    pool = stack.enter_context(open_pool(asked["jobs"], asked["cluster"]))
    stack.enter_context(watcher)
    lab = Lab(base, pool, store_of(base, asked["output"]), watcher)
    found = [Contender(base.name, lab)]
    for text in designs:
        if "=" not in text:
            other = ScenarioWorld.open(text, fixed, base.seed)
            found.append(Contender(other.name, Lab(other, pool, store_of(other, asked["output"]), watcher)))
            continue
        label, overrides = _named(text)
        base.check(overrides)
        found.append(Contender(label, lab, overrides))
    return found


def _named(text: str) -> tuple[str, tuple[Override, ...]]:
    """``name: PATH=VALUE; PATH=VALUE``; without a name, the text itself is one."""
    head, colon, rest = text.partition(":")
    if colon and "=" not in head:
        return head.strip(), _pairs(rest)
    return text.strip(), _pairs(text)


def _pairs(text: str) -> tuple[Override, ...]:
    from drsim.study.text import StudyError, split_outside

    pairs = []
    for part in filter(None, split_outside(text, ";")):
        path, equals, given = part.partition("=")
        if not equals or not path.strip() or not given.strip():
            raise StudyError(f"'{part}' is not PATH=VALUE", "write it like links.ab.type=DS3")
        pairs.append((path.strip(), given.strip()))
    return tuple(pairs)


def _lines(found: Comparison) -> Iterator[str]:
    alone = len({row.measure.rpartition(".")[0] for row in found.rows if ".targets." in row.measure}) <= 1
    rows = [_cells(row, found.futures, alone=alone) for row in _told(found)]
    heads = [
        "",
        found.labels[0],
        *(cell for label in found.labels[1:] for cell in (label, "difference", "verdict")),
    ]
    yield table(heads, rows)
    unmoved = len(found.rows) - len(rows)
    if unmoved:
        yield f"\n{unmoved} measures are the same in every design and future"
    futures = (
        f"{found.futures} futures"
        if found.futures > 1
        else "one future, so nothing is known of luck; --replications asks more"
    )
    yield f"\n{futures}; intervals of {found.confidence:.0%}; differences: design less {found.labels[0]}"
    for outcome in found.failed:
        yield f"failed: {outcome.point.label}: {outcome.error}"


def _told(found: Comparison) -> list[Row]:
    return [row for row in found.rows if any(c.verdict != "same" for c in row.contrasts)]


def _cells(row: Row, futures: int, *, alone: bool) -> list[str]:
    cells = [
        measure(row.measure, only_target=alone and ".targets." in row.measure),
        average(row.measure, row.base, futures),
    ]
    for contrast in row.contrasts:
        cells += [
            average(row.measure, contrast.estimate, futures),
            *_difference(row.measure, contrast, futures),
        ]
    return cells


def _difference(name: str, contrast: Contrast, futures: int) -> tuple[str, str]:
    found = contrast.difference.estimate
    sign = "+" if found.mean > 0 else ""
    return f"{sign}{spread(name, found, futures)}", _WORDS.get(contrast.verdict, contrast.verdict)


def _as_json(found: Comparison) -> dict[str, Any]:
    rows = []
    for row in found.rows:
        contrasts = {
            label: {
                "estimate": estimate_json(c.estimate),
                "difference": estimate_json(c.difference.estimate),
                "p": c.p,
                "verdict": c.verdict,
            }
            for label, c in zip(found.labels[1:], row.contrasts, strict=True)
        }
        rows.append({"measure": row.measure, "base": estimate_json(row.base), "designs": contrasts})
    about = {"schema_version": 1, "designs": found.labels, "futures": found.futures}
    failed = [{"point": o.point.label, "error": o.error} for o in found.failed]
    return {
        **about,
        "confidence": found.confidence,
        "remarks": found.remarks,
        "failed": failed,
        "measures": rows,
    }
