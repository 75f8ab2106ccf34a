"""What the commands of many runs write as JSON: futures, sweep, size, the RPO kept, compare."""

from __future__ import annotations

from drsim.report.schema.parts import (
    BYTES,
    COUNT,
    FORMAT,
    NUMBER,
    RATE,
    SECONDS,
    SHARE,
    TEXT,
    TRUTH,
    Key,
    Schema,
    by_name,
    closed,
    document,
    listed,
    maybe,
)
from drsim.report.schema.summary import RUN, defs

_CONFIDENCE = Key("confidence", SHARE, "of intervals and verdicts")
_OVERRIDES = Key("overrides", by_name(TEXT), "the value's text by path")
_SHARE_INTERVAL: Schema = {"type": "array", "prefixItems": [SHARE, SHARE], "minItems": 2, "maxItems": 2}

ESTIMATE = closed(
    Key("mean", maybe(NUMBER), "over the futures"),
    Key("low", maybe(NUMBER), "the interval's lower end"),
    Key("high", maybe(NUMBER), "and its upper end"),
    Key("least", maybe(NUMBER), "of the futures"),
    Key("median", maybe(NUMBER), "of the futures"),
    Key("most", maybe(NUMBER), "of the futures"),
    Key("n", COUNT, "futures in which the number was defined"),
    Key("method", TEXT, "of the interval: t, bootstrap, none"),
)
_ESTIMATE: Schema = {"$ref": "#/$defs/estimate"}

FACTS = closed(
    Key("lag_max_s", SECONDS, "the longest lag of all futures", optional=True),
    Key("lag_p99_s", SECONDS, "mean of the futures", optional=True),
    Key("violation_s", SECONDS, "mean of the futures", optional=True),
    Key("violations", NUMBER, "mean of the futures", optional=True),
    Key("exposure_s", SECONDS, "mean of the futures", optional=True),
    Key("backlog_peak_bytes", BYTES, "the most of all futures", optional=True),
    Key("journal_peak_bytes", BYTES, "the most of all futures", optional=True),
)
"""What a planner asks of a value; empty where the expectation is not about a target."""


def futures() -> Schema:
    """``drsim run -n N --json``."""
    objective = closed(
        Key("expect", TEXT, "the expectation"),
        Key("held", COUNT, "futures in which it held"),
        Key("futures", COUNT, "futures that ran"),
        Key("low", SHARE, "of all futures it holds in at least this share, with the confidence"),
        Key("high", SHARE, "and in at most this one"),
        Key("passed", TRUTH, "it held in at least the share confidence"),
    )
    return document(
        "futures",
        "drsim run in several futures",
        FORMAT,
        Key("futures", COUNT, "futures that were asked for"),
        Key("failed", COUNT, "of which broke"),
        _CONFIDENCE,
        Key("precise", TRUTH, "whether the precision asked for was reached"),
        Key("passed", TRUTH, "nothing broke and every expectation passed"),
        Key("seeds", listed(COUNT), "of the futures: --seed repeats one"),
        Key("estimates", by_name(_ESTIMATE), "of each number of the summary, by its dotted name"),
        Key("expectations", listed(objective), "verdicts over the futures"),
        defs={"estimate": ESTIMATE},
    )


def sweep() -> Schema:
    """``drsim sweep --json``."""
    point = closed(
        _OVERRIDES,
        Key("replication", COUNT, "number of the future"),
        Key("seed", COUNT, "of the run"),
        Key("key", TEXT, "under which its summary is kept"),
        Key("cached", TRUTH, "whether it was known already"),
        Key("error", maybe(TEXT), "why it broke; null when it ran"),
        Key("summary", maybe({"$ref": "#/$defs/run"}), "of the run; null when it broke"),
    )
    design = closed(_OVERRIDES, Key("estimates", by_name(_ESTIMATE), "over its futures, by dotted name"))
    counts = closed(
        Key("done", COUNT, "points that ran"),
        Key("failed", COUNT, "points that broke"),
        Key("missing", COUNT, "points that did not run"),
    )
    return document(
        "sweep",
        "drsim sweep",
        FORMAT,
        _CONFIDENCE,
        Key("passed", TRUTH, "every point ran and met every expectation"),
        Key("counts", counts, "of points"),
        Key("table", TEXT, "the Parquet file with all points"),
        Key("designs", listed(design), "a row a set of overrides"),
        Key("points", listed(point), "a row a run"),
        defs={"estimate": ESTIMATE, "run": closed(*RUN), **defs()},
    )


def size() -> Schema:
    """``drsim size --json``."""
    form = closed(
        Key("answer", maybe(TEXT), "of the closed form; null without one"),
        Key("reason", TEXT, "why there is none"),
        Key("ratio", maybe(NUMBER), "the simulator's answer over it"),
    )
    link = closed(
        Key("type", TEXT, "a standard link"),
        Key("rate_bytes_per_s", RATE, "its rate, in the sense of the link's rate in the scenario"),
        Key("enough", TRUTH, "whether the expectation held with it"),
        Key("held", COUNT, "in so many futures"),
        *(
            Key(name, value, value["description"], optional=True)
            for name, value in FACTS["properties"].items()
        ),
    )
    return document(
        "size",
        "drsim size",
        FORMAT,
        Key("vary", TEXT, "the path looked for"),
        Key("until", TEXT, "what shall hold"),
        Key("answer", maybe(TEXT), "the least value that is enough; null when none is"),
        Key("edge", TEXT, "why there is no answer, or no value that is not enough; else empty"),
        Key("not_enough", maybe(TEXT), "the value just below, which is not enough"),
        Key("doubts", listed(TEXT), "values above the answer that are not enough"),
        Key("futures", COUNT, "in which each value was judged"),
        Key("held", maybe(COUNT), "futures in which the answer held"),
        Key("share_interval", maybe(_SHARE_INTERVAL), "of all futures it holds in this share"),
        _CONFIDENCE,
        Key("at_answer", FACTS, "measures at the answer"),
        Key("at_not_enough", FACTS, "measures just below"),
        Key("closed_form", form, "the closed form's answer to the same question"),
        Key("links", listed(link), "the next smaller standard link and the least that is enough"),
        Key("simulations", COUNT, "runs made"),
    )


def sizes() -> Schema:
    """``drsim size --json`` with a list in ``--set``."""
    row = closed(
        Key("value", TEXT, "of the path along which sizes were found"),
        Key("answer", maybe(TEXT), "the least value that is enough; null when none is"),
        Key("edge", TEXT, "why there is none"),
        Key("not_enough", maybe(TEXT), "the value just below"),
        Key("closed_form", maybe(TEXT), "the closed form's answer"),
        Key("next_link", maybe(TEXT), "the slowest standard link that is as fast, by nominal rate"),
        Key("band", maybe(listed(maybe(TEXT))), "the least value in the luckiest and unluckiest futures"),
    )
    return document(
        "sizes",
        "drsim size along a list of values",
        FORMAT,
        Key("vary", TEXT, "the path looked for"),
        Key("until", TEXT, "what shall hold"),
        Key("along", TEXT, "the path of the list"),
        Key("rows", listed(row), "in the list's order"),
    )


def kept() -> Schema:
    """``drsim size --rpo --json``."""
    shares = {**by_name(maybe(SECONDS)), "propertyNames": {"pattern": r"^[01]\.[0-9]{3}$"}}
    design = closed(
        Key("design", TEXT, "its values"),
        _OVERRIDES,
        Key("rpo_s", shares, "RPO kept in this share of the time; null: in no RPO at all"),
        Key("exposure_s", SECONDS, "mean time without a consistent image"),
        Key("violation_s", SECONDS, "mean time beyond the scenario's own RPO"),
    )
    return document(
        "kept",
        "drsim size --rpo: the RPO that designs can keep",
        FORMAT,
        Key("rpo_of", TEXT, "group.target"),
        Key("futures", COUNT, "in which each design ran"),
        _CONFIDENCE,
        Key("designs", listed(design), "in the order asked for"),
    )


def compare() -> Schema:
    """``drsim compare --json``."""
    contrast = closed(
        Key("estimate", _ESTIMATE, "of the design"),
        Key("difference", _ESTIMATE, "design less base, paired by future"),
        Key("p", maybe(SHARE), "how often luck alone would give such a difference (Holm); null: one future"),
        Key("verdict", {"enum": ["better", "worse", "more", "less", "same", "unclear"]}, "in one word"),
    )
    row = closed(
        Key("measure", TEXT, "dotted name in the summary"),
        Key("base", _ESTIMATE, "of the first design"),
        Key("designs", by_name(contrast), "of each other design"),
    )
    failed = closed(Key("point", TEXT, "the run"), Key("error", TEXT, "why it broke"))
    return document(
        "compare",
        "drsim compare",
        FORMAT,
        Key("designs", listed(TEXT), "names, the base first"),
        Key("futures", COUNT, "the same for all designs"),
        _CONFIDENCE,
        Key("remarks", listed(TEXT), "why the designs may not be comparable"),
        Key("failed", listed(failed), "runs that broke"),
        Key("measures", listed(row), "in the summary's order"),
        defs={"estimate": ESTIMATE},
    )
