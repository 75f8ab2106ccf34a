"""What the commands of one answer write as JSON: explain, validate, trace, links, seed-time."""

from __future__ import annotations

from drsim.measure.causes import CAUSES
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

_CAUSE: Schema = {"enum": list(CAUSES)}


def explain() -> Schema:
    """``drsim explain DIR --at TIME --json -``."""
    span = closed(
        Key("cause", TEXT, "what it stands for"),
        Key("subject", TEXT, "of which link, or group and target"),
        Key("begin_s", SECONDS, "since the run's start"),
        Key("end_s", SECONDS, "since the run's start"),
    )
    event = closed(Key("t_s", NUMBER, "since the run's start"), Key("what", TEXT, "what happened"))
    link = closed(
        Key("link", TEXT, "its name and direction"),
        Key("carried_bytes_per_s", RATE, "around that instant"),
        Key("usable_bytes_per_s", maybe(RATE), "what it could have carried"),
    )
    target = closed(
        Key("group", TEXT, "the group"),
        Key("target", TEXT, "and its target"),
        Key("rpo_s", maybe(SECONDS), "the objective; null without one"),
        Key("lag_s", maybe(SECONDS), "lag then; null without a consistent image"),
        Key("violated", TRUTH, "whether that was beyond the RPO"),
        Key("cause", maybe(_CAUSE), "the one cause it is put down to; null without lag"),
        Key(
            "lag_s_by_cause",
            {**by_name(SECONDS), "propertyNames": _CAUSE},
            "seconds of the lag by the cause under which they grew",
        ),
        Key("backlog_bytes", BYTES, "what the target lacked"),
        Key("journal_bytes", maybe(BYTES), "what the journal held"),
        Key("around", listed(span), "what went on at that instant"),
        Key("events", listed(event), "the nearest before and after"),
        Key("links", listed(link), "in the busier direction"),
    )
    return document(
        "explain",
        "drsim explain: why targets were behind",
        FORMAT,
        Key("scenario", TEXT, "its name"),
        Key("at_s", SECONDS, "the instant, since the run's start"),
        Key("targets", listed(target), "of each group asked about"),
    )


def problems() -> Schema:
    """``drsim validate --format json``."""
    problem = closed(
        Key("severity", {"enum": ["error", "warning"]}, "an error is refused; a warning is told"),
        Key("file", TEXT, "the scenario file"),
        Key("line", COUNT, "from 1; 0 where there is no place"),
        Key("column", COUNT, "from 1; 0 where there is no place"),
        Key("path", TEXT, "of the value in the scenario"),
        Key("message", TEXT, "what is wrong"),
        Key("hint", TEXT, "what to do about it"),
        Key("code", TEXT, "a word for the kind of problem"),
        Key("option", TEXT, "the override that caused it; else empty"),
        Key("excerpt", TEXT, "the line of the file"),
    )
    return document(
        "problems",
        "drsim validate",
        FORMAT,
        Key("files", listed(TEXT), "that were checked"),
        Key("problems", listed(problem), "of all files, in their order"),
    )


def links() -> Schema:
    """``drsim links --json``."""
    link = closed(
        Key("type", TEXT, "as in a scenario"),
        Key("nominal_bits_per_s", RATE, "the rate that efficiency multiplies"),
        Key("line_bits_per_s", RATE, "on the wire"),
        Key("payload_bits_per_s", RATE, "left for frames"),
        Key("usable_bytes_per_s", RATE, "at the efficiency"),
    )
    efficiency = Key("efficiency", SHARE, "share of the nominal rate that carries data")
    return document("links", "drsim links", FORMAT, efficiency, Key("links", listed(link), "every type"))


def seed_time() -> Schema:
    """``drsim seed-time --json``."""
    cell = closed(
        Key("link", TEXT, "its type"),
        Key("bytes", BYTES, "to be copied"),
        Key("hours", maybe(NUMBER), "until the copy is whole; null: never, more changes than is copied"),
        Key("text", TEXT, "the same in words"),
        Key("ship_disks", TRUTH, "longer than a week"),
        Key("courier_hours", maybe(NUMBER), "with shipped disks and the changes sent after"),
        Key(
            "break_even_day",
            maybe(NUMBER),
            "the last day on which shipped disks would still end sooner; 0 or less: never",
        ),
    )
    efficiency = Key("efficiency", SHARE, "share of the nominal rate that carries data")
    return document("seed-time", "drsim seed-time", FORMAT, efficiency, Key("cells", listed(cell), "all"))


def trace() -> Schema:
    """``drsim trace --json``."""
    return document(
        "trace",
        "drsim trace",
        FORMAT,
        Key("trace", TEXT, "the file"),
        Key("found", _found(), "what was read"),
        *_changed(),
        *_planned(),
    )


def _found() -> Schema:
    fault = closed(Key("count", COUNT, "of them"), Key("first", listed(TEXT), "where the first ones are"))
    return closed(
        Key("format", TEXT, "the reader's name"),
        *(
            Key(name, COUNT, f"records: {name}")
            for name in ("lines", "reads", "writes", "trims", "other", "bad")
        ),
        *(Key(f"bytes_{name}", BYTES, f"bytes {name}") for name in ("read", "written", "trimmed")),
        Key("devices", listed(TEXT), "in order of appearance"),
        Key("span_s", SECONDS, "last instant less the first one"),
        Key("faults", by_name(fault), "what was wrong, by kind"),
    )


def _changed() -> list[Key]:
    rates = closed(
        Key("window_s", SECONDS, "its width"),
        Key("windows", COUNT, "how many"),
        *(Key(f"{name}_bytes_per_s", RATE, f"{name} of the windows") for name in ("p95", "p99", "peak")),
        Key("peak_at_s", SECONDS, "where the busiest begins"),
    )
    unique = closed(
        Key("window_s", SECONDS, "its width"),
        Key("ratio", maybe(SHARE), "bytes left when each block is sent once a window"),
        Key("bytes_per_s", maybe(RATE), "the same as a rate"),
    )
    return [
        Key("writes", COUNT, "of the devices asked for"),
        Key("written_bytes", BYTES, "by them"),
        Key("trims", COUNT, "of the devices asked for"),
        Key("trimmed_bytes", BYTES, "by them"),
        Key("span_s", SECONDS, "from the first instant of the trace to its last"),
        Key("mean_bytes_per_s", RATE, "over the span"),
        Key("rates", listed(rates), "by width of the window"),
        Key("unique", listed(unique), "what folding leaves, by width of the window"),
        Key("grain_bytes", BYTES, "size of the blocks that are told apart"),
        Key("working_set_bytes", BYTES, "blocks written at least once"),
        Key("hot_share", SHARE, "of the working set, which takes 80 % of the writes"),
        Key(
            "sizes",
            listed(closed(Key("length_bytes", BYTES, "of a write"), Key("writes", COUNT, "of them"))),
            "most frequent first",
        ),
        Key("heat_bytes_per_s", listed(maybe(RATE)), "by hour of the week, Monday 00:00 first"),
    ]


def _planned() -> list[Key]:
    share = Key("share", SHARE, "of the time")
    bandwidth = closed(Key("rpo_s", SECONDS, "kept"), share, Key("nominal_bytes_per_s", RATE, "needed"))
    link = Key("link_bytes_per_s", maybe(RATE), "nominal; null: no link is in the way")
    kept = closed(link, share, Key("rpo_s", maybe(SECONDS), "kept; null: it falls behind for ever"))
    journal = closed(Key("outage_s", SECONDS, "its length"), link, Key("bytes", maybe(BYTES), "needed"))
    return [
        Key("hours_of", {}, "which hours the rates are of"),
        Key("efficiency", SHARE, "share of the nominal rate that carries data"),
        Key("bandwidth", listed(bandwidth), "what an RPO asks for"),
        Key("rpo_kept", listed(kept), "what a link can keep"),
        Key("journal", listed(journal), "what an outage asks for"),
    ]
