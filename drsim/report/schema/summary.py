"""The summary of a run, key by key: what ``summary.json`` and ``drsim run --json`` hold."""

from __future__ import annotations

from dataclasses import replace

from drsim.measure.causes import CAUSES
from drsim.report.schema.parts import (
    BYTES,
    COUNT,
    NUMBER,
    RATE,
    SECONDS,
    SHARE,
    STATISTICS,
    TEXT,
    TRUTH,
    VERSION,
    Key,
    Schema,
    by_name,
    closed,
    document,
    listed,
    maybe,
)


def _of(prefix: str, suffix: str, value: Schema, what: str) -> list[Key]:
    return [
        Key(f"{prefix}_{name}_{suffix}", maybe(value), words.format(what))
        for name, words in STATISTICS.items()
    ]


_RANDOM = (
    "what would be lost if the disaster came at a random instant, in {}; null without a consistent image"
)

_SNAPSHOTS = [
    Key("snapshots_taken", maybe(COUNT), "by timetable; null without one"),
    Key("snapshots_kept", maybe(COUNT), "of them, there at the end"),
    Key(
        "snapshots_lost", maybe(COUNT), "of them, gone because room for them ran out, or with the site's data"
    ),
    Key("snapshot_age_mean_s", maybe(SECONDS), "lag of the newest of them that was there, over time"),
    Key("snapshot_age_max_s", maybe(SECONDS), "the greatest; null while there was none"),
    Key("snapshot_none_s", maybe(SECONDS), "time without any of them, that before the first included"),
    Key(
        "snapshot_space_peak_bytes", maybe(BYTES), "the most that all snapshots kept of what was overwritten"
    ),
    Key("snapshot_space_final_bytes", maybe(BYTES), "and at the end"),
]

TARGET: list[Key] = [
    Key("rpo_s", maybe(SECONDS), "the objective; null without one"),
    *_of("lag", "s", SECONDS, "lag over time; null where no consistent image ever was"),
    Key("lag_final_s", maybe(SECONDS), "lag at the end of the window; null without a consistent image then"),
    *_of("delay", "s", SECONDS, "the writes' times from acknowledged to recoverable; null without writes"),
    Key("violations", maybe(COUNT), "stretches of time with more lag than the RPO; null without one"),
    Key("violation_s", maybe(SECONDS), "their seconds together, time without a consistent image included"),
    Key("violation_fraction", maybe(SHARE), "their share of the window"),
    Key("violation_longest_s", maybe(SECONDS), "the longest of them"),
    Key("violation_integral_s2", maybe(NUMBER), "lag above the RPO, integrated over time, seconds squared"),
    Key(
        "violation_s_by_cause",
        {**by_name(SECONDS), "propertyNames": {"enum": list(CAUSES)}},
        "violation_s divided by cause; the parts sum to it exactly",
    ),
    Key("exposure_s", SECONDS, "time without any consistent image at the target"),
    Key(
        "backlog_peak_bytes",
        BYTES,
        "the most bytes that the target ever lacked; of a write under way, the part to come",
    ),
    *_of("loss", "bytes", BYTES, _RANDOM.format("bytes")),
    *_of("loss", "writes", NUMBER, _RANDOM.format("writes")),
    *_of("loss", "s", SECONDS, _RANDOM.format("seconds")),
    Key("journal_peak_bytes", BYTES, "the most bytes that the source journal ever held, at arrivals"),
    Key("journal_overflows", COUNT, "times the journal was full"),
    Key("resyncs", COUNT, "times order was lost and regained by copying"),
    Key("resync_bytes", BYTES, "bytes copied by resyncs and seeds"),
    Key("sent_bytes", BYTES, "bytes put on the link for this target's group, in this direction"),
    Key("folded_bytes", BYTES, "bytes not sent because they were overwritten within their cycle"),
    Key(
        "recovery_points_lost",
        COUNT,
        "writes within folded cycles and snapshots, which none can return to; copies of a resync are not counted",
    ),
    Key(
        "staging_peak_bytes",
        maybe(BYTES),
        "the most that was received and not yet on the volumes; null: not kept",
    ),
    *_SNAPSHOTS,
    Key(
        "history_mean_s",
        maybe(SECONDS),
        "for how long writes could be undone; null without a history, or where none left",
    ),
    Key("history_min_s", maybe(SECONDS), "the shortest such time"),
    Key(
        "history_cut_writes",
        maybe(COUNT),
        "writes that left the history before their time, for want of room or by a resync",
    ),
    Key("snapshots_missed", COUNT, "snapshots that were due while the volumes were no image, and left out"),
    Key("last_applied_s", SECONDS, "when the last write reached the target's volumes"),
    Key("rto_s", maybe(SECONDS), "the objective for recovery; null without one"),
    Key("recovery_max_s", maybe(SECONDS), "the longest recovery at this target; null without any"),
    Key("consistent", TRUTH, "every recoverable image passed the check of its order"),
]

TENURE_TARGET: list[Key] = [
    replace(key, optional=key.name in ("rto_s", "recovery_max_s", "violation_s_by_cause")) for key in TARGET
]
"""A target of one tenure: recoveries and causes are told of the group as a whole."""

TENURE: list[Key] = [
    Key("source", TEXT, "where hosts wrote"),
    Key("begin_s", SECONDS, "since the run's start"),
    Key("end_s", SECONDS, "since the run's start"),
    Key("writes", COUNT, "made in it"),
    Key("written_bytes", BYTES, "by them"),
    Key("unprotected_s", SECONDS, "time in which no other site held an image"),
    Key(
        "targets", by_name({"$ref": "#/$defs/tenure_target"}), "empty for the first: see the group's targets"
    ),
]

_LOSS = [
    Key(
        "loss_s", maybe(SECONDS), "age of the oldest acknowledged write that is lost; null: no image is left"
    ),
    Key("loss_bytes", maybe(BYTES), "bytes of acknowledged writes that are lost"),
    Key("loss_writes", maybe(COUNT), "their number"),
]

OUTCOME: list[Key] = [
    Key("cause", TEXT, "loss or crash of a site; failover or rehearsal, which an operator planned"),
    Key("site", TEXT, "the site that was lost"),
    Key("at_s", SECONDS, "when"),
    Key("target", maybe(TEXT), "where the group went; null when no image was left"),
    Key(
        "image_at_s",
        maybe(SECONDS),
        "when the snapshot that was put back was taken; null where the newest image was wanted",
    ),
    *_LOSS,
    Key("rpo_met", maybe(TRUTH), "whether the loss was within the RPO; null without one"),
    Key("recovery_s", maybe(SECONDS), "until hosts could write again; null when they could not"),
    Key("waited_s", SECONDS, "how long a failback waited for the old site before that"),
    Key("rto_s", maybe(SECONDS), "the objective; null without one"),
    Key("rto_met", maybe(TRUTH), "whether it was kept; null without one, or when the run ended first"),
    Key("steps", by_name(SECONDS), "seconds of each step of the runbook, in order"),
    Key("obstacle", TEXT, "why recovery was not possible; empty when it was"),
    Key(
        "found",
        by_name(
            closed(
                Key("consistent", TRUTH, "whether there was a consistent image"),
                Key("seq", maybe(COUNT), "the write it was consistent at"),
                *_LOSS,
            )
        ),
        "by target: what a failover would have found at that instant",
    ),
]

GROUP: list[Key] = [
    Key("written_bytes", BYTES, "bytes its hosts wrote"),
    Key("writes", COUNT, "writes its hosts made"),
    Key("targets", by_name({"$ref": "#/$defs/target"}), "measures at each target"),
    *_SNAPSHOTS,
    Key("disasters", listed({"$ref": "#/$defs/outcome"}), "what became of it in each disaster, in order"),
    Key("moves", COUNT, "how often it went to another site"),
    Key("lost_bytes", BYTES, "by all moves together"),
    Key("lost_writes", COUNT, "by all moves together"),
    Key("recovery_max_s", maybe(SECONDS), "the longest recovery anywhere; null without any"),
    Key("unprotected_s", SECONDS, "time in which no other site held an image, over all tenures"),
    Key(
        "violation_s",
        maybe(SECONDS),
        "seconds of violation added up over all targets and tenures; null without any RPO",
    ),
    Key(
        "tenures", listed({"$ref": "#/$defs/tenure"}), "its times at each source; empty while it never moved"
    ),
    Key("operations", listed({"$ref": "#/$defs/outcome"}), "and in each planned failover and rehearsal"),
]

LINK: list[Key] = [
    Key("utilisation", SHARE, "carried over what could have been carried, of the busier direction"),
    Key("carried_bytes", BYTES, "bytes in both directions"),
    Key("down_s", SECONDS, "time without a connection"),
]

HOST: list[Key] = [
    Key("writes", COUNT, "its writes that were acknowledged"),
    *_of("write_latency", "s", SECONDS, "the times from issued to acknowledged; null without writes"),
    *(
        Key(
            f"queue_wait_{name}_s",
            maybe(SECONDS),
            STATISTICS[name].format("the times writes waited for a place in the queue"),
        )
        for name in ("mean", "p99", "max")
    ),
    Key("failed_writes", COUNT, "writes that were refused"),
]

EXPECTATION: list[Key] = [
    Key("expect", TEXT, "the expectation as written, or the objective of a recovery"),
    Key("value", {"type": ["number", "boolean", "null"]}, "what it met, in SI units; null where undefined"),
    Key("passed", TRUTH, "whether it held; what is undefined does not"),
]

WALL: list[Key] = [
    Key("wall_s", SECONDS, "seconds this run took; differs between runs"),
    Key("writes_per_wall_s", RATE, "writes over that; differs between runs"),
]

RUN: list[Key] = [
    Key("schema_version", VERSION, "of this format"),
    Key("scenario", TEXT, "the file's name without its ending"),
    Key("seed", COUNT, "of every random draw"),
    Key("duration_s", SECONDS, "length of the window of observation, which begins at 0"),
    Key("writes", COUNT, "writes of all groups"),
    Key("groups", by_name({"$ref": "#/$defs/group"}), "by name"),
    Key("links", by_name({"$ref": "#/$defs/link"}), "by name"),
    Key("hosts", by_name({"$ref": "#/$defs/host"}), "by name"),
    Key("expectations", listed({"$ref": "#/$defs/expectation"}), "verdicts, in the scenario's order"),
    Key("passed", TRUTH, "every expectation held"),
    *WALL,
]

SECTIONS: dict[str, list[Key]] = {
    "group": GROUP,
    "target": TARGET,
    "outcome": OUTCOME,
    "tenure": TENURE,
    "tenure_target": TENURE_TARGET,
    "link": LINK,
    "host": HOST,
    "expectation": EXPECTATION,
}
"""The objects inside a summary by the name they have in its schema."""


def defs() -> dict[str, Schema]:
    """Schemas of the objects inside a summary."""
    return {name: closed(*keys) for name, keys in SECTIONS.items()}


def summary() -> Schema:
    """JSON Schema of a run's summary, format version 1."""
    return document("summary", "drsim summary of a run", *RUN, defs=defs())
