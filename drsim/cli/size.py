"""drsim size: the least value that is enough, or the RPO that designs can keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from drsim.cli import options
from drsim.cli.exits import MISSED, PASSED
from drsim.cli.frontier import size_along
from drsim.cli.keeping import keep_rpo
from drsim.cli.shown import value
from drsim.cli.studies import Watcher, lab_of, warn, write_json
from drsim.cli.table import table
from drsim.units import format_bits

if TYPE_CHECKING:
    from drsim.scenario.expect import Expectation
    from drsim.study.axes import Axis
    from drsim.study.lab import Lab
    from drsim.study.links import LinkRow
    from drsim.study.quorum import Poll
    from drsim.study.size import Sized
    from drsim.study.wanted import Wanted
    from drsim.study.world import ScenarioWorld

_LINK_HEADS = ("link", "rate", "enough", "peak lag", "beyond RPO", "violations", "journal peak")


@click.command()
@options.scenario_file
@click.option(
    "--vary",
    metavar="PATH",
    help="The value looked for, like links.paris-lyon.rate or groups.erp.journal.size.",
)
@click.option("--until", metavar="EXPECTATION", help="What shall hold, like 'erp.lyon.lag.p99 <= 15 min'.")
@click.option(
    "--rpo",
    "keeping",
    metavar="GROUP.TARGET",
    help="The other way round: the RPO kept there, for each value of --set.",
)
@options.sets("Override a value; with --rpo a list makes a row a value.")
@options.picture("Draw the frontier")
@click.option("--between", metavar="LOW:HIGH", help="Range to search; without it the search finds its own.")
@options.percent("--tolerance", default="1 %", help="How close to the least value to come.")
@options.replications("Futures; it must hold in --confidence of them.")
@options.study_options()
def command(file: str, **asked: Any) -> int:
    """Find the least value of a path in FILE that meets an expectation.

    The search brackets and halves, with the same futures at every value, and verifies its answer. Where a
    closed form holds it is computed too and held against the answer. For a link's rate the next standard
    links are simulated as well: the smaller one with what it would cost, the larger one that is enough.

    With a list in --set, finds the answer for each of its values; of RPOs, --picture draws the frontier.

    With --rpo, tells instead which RPO can be kept 100, 99.9, 99, 95 and 90 % of the time.

    Exits with 0 where there is an answer, 3 where no value is enough.
    """
    from drsim.study.world import ScenarioWorld

    if (asked["vary"] is None) == (asked["keeping"] is None):
        raise click.UsageError("give either --vary PATH --until EXPECTATION, or --rpo GROUP.TARGET")
    if (asked["vary"] is None) != (asked["until"] is None):
        raise click.UsageError("--vary and --until need each other")
    world = ScenarioWorld.open(file, seed=asked["seed"])
    warn(world, quiet=asked["quiet"])
    watcher = Watcher(f"{world.name} size", quiet=asked["quiet"])
    with lab_of(world, asked, watcher) as (lab, _, width):
        if asked["keeping"] is not None:
            return keep_rpo(world, lab, asked)
        axis, fixed = _axis(asked["sets"])
        if axis is not None:
            return size_along(world, lab, width, _wanted(world, asked, fixed), axis, asked)
        return _size(world, lab, width, asked)


def _size(world: ScenarioWorld, lab: Lab, width: int, asked: Mapping[str, Any]) -> int:
    from drsim.study.size import size

    found = size(world, lab, _wanted(world, asked, _axis(asked["sets"])[1]), width)
    write_json(_as_json(found, asked["confidence"][1]), asked["json_to"])
    if asked["json_to"] != "-":
        click.echo("\n".join(_lines(found, asked["confidence"][1])))
    return PASSED if found.found.text is not None else MISSED


def _wanted(world: ScenarioWorld, asked: Mapping[str, Any], fixed: tuple[tuple[str, str], ...]) -> Wanted:
    from drsim.study.wanted import Wanted

    low, high = _range(asked["between"])
    return Wanted(
        asked["vary"],
        _expectation(world, asked["until"]),
        fixed,
        asked["replications"],
        asked["confidence"][1],
        low,
        high,
        asked["tolerance"][1],
    )


def _expectation(world: ScenarioWorld, text: str) -> Expectation:
    try:
        return world.expectation(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--until") from None


def _axis(sets: Sequence[str]) -> tuple[Axis | None, tuple[tuple[str, str], ...]]:
    """The one path with several values, if any, and the overrides."""
    from drsim.study.axes import parse_axis

    axes = [parse_axis(option) for option in sets]
    several = [axis for axis in axes if axis.varies]
    if len(several) > 1 or any(not axis.values for axis in several):
        raise click.UsageError("give one path a list of values at most: a size is found for each")
    fixed = tuple((axis.path, axis.values[0]) for axis in axes if not axis.varies)
    return (several[0] if several else None), fixed


def _range(between: str | None) -> tuple[str | None, str | None]:
    from drsim.study.text import split_outside

    if between is None:
        return None, None
    ends = split_outside(between, ":")
    if len(ends) != 2 or not all(ends):
        raise click.BadParameter(f"'{between}' is not LOW:HIGH", param_hint="--between")
    return ends[0], ends[1]


def _lines(sized: Sized, confidence: float) -> list[str]:
    wanted, found = sized.wanted, sized.found
    asked = f"{wanted.path} for {wanted.until.text}"
    if found.text is None or found.trial is None:
        return [f"NO ANSWER: {asked}: {found.edge}", *_closed(sized), _effort(sized)]
    lines = [f"{found.text} is the least {asked}"]
    if found.edge:
        lines = [f"{asked}: {found.edge}"]
    if wanted.futures > 1:
        lines.append(f"  it holds in {_futures(found.trial, confidence)}")
    else:
        lines.append("  judged in one future; --replications asks more of them")
    lines.append(f"  at {found.text}: {_facts(sized.facts[0])}")
    if found.below_text is not None and found.below is not None:
        lines.append(f"  at {found.below_text}, not enough: {_facts(sized.facts[1])}")
    lines += [
        f"  beware: {text}, which is more, is not enough: the answer is not the only edge"
        for text in found.doubts
    ]
    return [*lines, *_closed(sized), *_links(sized), _effort(sized)]


def _futures(poll: Poll, confidence: float) -> str:
    low, high = poll.interval(confidence)
    sure = f"between {low:.0%} and {high:.0%} with {confidence:.0%} confidence"
    return f"{poll.held} of {poll.asked} futures (of all futures: {sure})"


def _facts(facts: Mapping[str, float]) -> str:
    named = {
        "lag_max_s": "peak lag",
        "lag_p99_s": "lag p99",
        "violation_s": "beyond the RPO",
        "exposure_s": "without an image",
        "journal_peak_bytes": "journal peak",
    }
    told = [f"{words} {value(key, facts[key])}" for key, words in named.items() if key in facts]
    return ", ".join(told) or "nothing of a target is concerned"


def _closed(sized: Sized) -> list[str]:
    closed = sized.closed
    if closed.text is None:
        return [f"  no closed form to check with: {closed.reason}"]
    if closed.ratio != closed.ratio:
        return [f"  the closed form says {closed.text}"]
    return [f"  the closed form says {closed.text}; simulation asks {closed.ratio - 1:+.1%}"]


def _links(sized: Sized) -> list[str]:
    if not sized.links:
        return []
    rows = [_link(row) for row in sized.links]
    lines = ["", table(_LINK_HEADS, rows)]
    enough = [row.name for row in sized.links if row.poll.passed]
    return [*lines, f"\nnext standard link: {enough[0]}" if enough else "\nno standard link is enough"]


def _link(row: LinkRow) -> list[str]:
    keys = ("lag_max_s", "violation_s", "violations", "journal_peak_bytes")
    cells = [value(key, row.facts[key]) if key in row.facts else "-" for key in keys]
    return [row.name, format_bits(row.rate), "yes" if row.poll.passed else "no", *cells]


def _effort(sized: Sized) -> str:
    return f"\n{sized.runs} simulations"


def _as_json(sized: Sized, confidence: float) -> dict[str, Any]:
    wanted, found = sized.wanted, sized.found
    return {
        "schema_version": 1,
        "vary": wanted.path,
        "until": wanted.until.text,
        "answer": found.text,
        "edge": found.edge,
        "not_enough": found.below_text,
        "doubts": found.doubts,
        "futures": wanted.futures,
        "held": found.trial.held if found.trial else None,
        "share_interval": found.trial.interval(confidence) if found.trial else None,
        "confidence": confidence,
        "at_answer": sized.facts[0],
        "at_not_enough": sized.facts[1],
        "closed_form": {
            "answer": sized.closed.text,
            "reason": sized.closed.reason,
            "ratio": sized.closed.ratio,
        },
        "links": [
            {
                "type": row.name,
                "rate_bytes_per_s": row.rate,
                "enough": row.poll.passed,
                "held": row.poll.held,
                **row.facts,
            }
            for row in sized.links
        ],
        "simulations": sized.runs,
    }
