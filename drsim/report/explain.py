"""Why a target was behind at one instant: the lag, its cause, what was going on around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from drsim.measure.causes import Blame, Span
from drsim.measure.decimate import hold
from drsim.measure.spans import usual_cause
from drsim.report.source import Source, classes
from drsim.units import format_bits, format_duration, format_size

_STORY = {
    "outage": "the link was down",
    "tcp": "TCP was recovering its speed after a loss of the connection",
    "journal-full": "the journal was full",
    "resync": "order had been lost: it was being resynchronised",
    "throttle": "the link was throttled",
    "destage": "the target's disk could not keep up",
    "schedule": "the next cycle had yet to be taken or sent",
    "bandwidth": "more was written than the link could carry",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of one target at one instant.

    Attributes:
        group, target: whose.
        at_s: the instant, seconds since the run's start.
        rpo_s: the objective, or None.
        lag_s: the lag; None while there was no consistent image.
        violated: whether that is beyond the objective.
        cause: the one cause it is put down to; None when there was no lag.
        shares: seconds of the lag by cause.
        backlog_bytes: what the target lacked.
        journal_bytes: what the journal held, where there is one.
        around: spans at work at that instant.
        events: (seconds before or after, text) of the nearest events, before and after.
        links: (name, bytes/s carried, bytes/s usable or None) around that instant.
    """

    group: str
    target: str
    at_s: float
    rpo_s: float | None
    lag_s: float | None
    violated: bool
    cause: str | None
    shares: dict[str, float]
    backlog_bytes: float
    journal_bytes: float | None
    around: list[Span] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    links: list[tuple[str, float, float | None]] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """As plain data, units in the names (``drsim schema explain``)."""
        plain = ("group", "target", "rpo_s", "lag_s", "violated", "cause", "backlog_bytes", "journal_bytes")
        links = [
            {"link": name, "carried_bytes_per_s": carried, "usable_bytes_per_s": usable}
            for name, carried, usable in self.links
        ]
        spans = [
            {"cause": s.cause, "subject": s.subject, "begin_s": s.begin, "end_s": s.end} for s in self.around
        ]
        events = [{"t_s": self.at_s + offset, "what": text} for offset, text in self.events]
        return {
            **{name: getattr(self, name) for name in plain},
            "lag_s_by_cause": dict(self.shares),
            "around": spans,
            "events": events,
            "links": links,
        }


def explain(source: Source, at_s: float, group: str | None = None) -> list[Explanation]:
    """Explain every target (of one group, or of all) at an instant.

    Args:
        source: the results.
        at_s: seconds since the run's start.
        group: only this group.

    Raises:
        ValueError: the instant lies outside the window, or there is no such group or no curve.
    """
    if not 0 <= at_s <= source.duration_s:
        end = format_duration(source.duration_s)
        raise ValueError(f"{format_duration(at_s)} lies outside the run, which is from 0 s to {end}")
    if group is not None and group not in source.groups():
        raise ValueError(f"no group {group!r} in these results (there are: {', '.join(source.groups())})")
    found = [
        _explain(source, owner, target, numbers, at_s)
        for owner, target, numbers in source.targets()
        if group in (None, owner)
    ]
    known = [each for each in found if each is not None]
    if not known:
        raise ValueError("these results hold no lag curves: run the scenario again")
    return known


def blame(source: Source, group: str, target: str) -> Blame | None:
    """The painted lag history of a target; None when no curve was recorded."""
    curve = source.curve(group, target)
    if curve is None:
        return None
    numbers = source.groups()[group]["targets"][target]
    usual = usual_cause(source.mode(group))
    return Blame(curve["t"], curve["lag_s"], source.causes(group, target), numbers.get("rpo_s") or 0.0, usual)


def _explain(source: Source, group: str, target: str, numbers: Any, at_s: float) -> Explanation | None:
    history = blame(source, group, target)
    curve = source.curve(group, target)
    if history is None or curve is None:
        return None
    said = history.at(at_s)
    now = np.array([at_s])
    journal = float(hold(curve["t"], curve["journal_bytes"], now)[0]) if "journal_bytes" in curve else None
    spans = [s for s in source.causes(group, target) if s.begin <= at_s < s.end]
    return Explanation(
        group,
        target,
        at_s,
        numbers.get("rpo_s"),
        said["lag_s"],
        said["violated"] and numbers.get("rpo_s") is not None,
        said["cause"],
        said["shares"],
        float(hold(curve["t"], curve["backlog_bytes"], now)[0]),
        journal,
        spans,
        list(_nearest(source, group, at_s)),
        list(_links(source, group, at_s)),
    )


def _nearest(source: Source, group: str, at_s: float, each_side: int = 2) -> Iterator[tuple[float, str]]:
    """The last events before an instant and the first after it, of a group, its links, or the whole."""
    events = source.tables.get("events")
    if events is None:
        return
    mine = {"", group, *source.links(group)}
    rows = [
        (float(t) - at_s, f"{subject}: {what}" + (f" ({detail})" if detail else ""))
        for t, subject, what, detail in zip(
            *(events[k] for k in ("t", "subject", "what", "detail")), strict=True
        )
        if subject in mine or str(subject).split("/")[0] == group
    ]
    rows.sort()
    yield from [row for row in rows if row[0] <= 0][-each_side:]
    yield from [row for row in rows if row[0] > 0][:each_side]


def _links(source: Source, group: str, at_s: float) -> Iterator[tuple[str, float, float | None]]:
    for name, table in source.link_tables(group):
        at = max(int(np.searchsorted(table["t"], at_s, side="right")) - 1, 0)
        end = float(table["t"][at + 1]) if at + 1 < len(table["t"]) else source.duration_s
        width = max(end - float(table["t"][at]), 1e-9)
        carried = sum(float(table[kind][at]) for kind in classes(table))
        usable = float(table["usable"][at]) / width if "usable" in table else None
        yield name, carried / width, usable


def tell(each: Explanation, start: datetime | None = None) -> list[str]:
    """An explanation as lines of text, the answer first; ``start`` is the calendar instant of time 0."""
    lines = [f"{each.group} at {each.target}, {clock(each.at_s, start)}: {_answer(each)}"]
    if each.shares and each.lag_s:
        parts = [f"{cause} {format_duration(seconds)}" for cause, seconds in each.shares.items()]
        lines.append(f"  the lag is made of: {', '.join(parts)}")
    for span in each.around:
        since, until = format_duration(each.at_s - span.begin), format_duration(span.end - each.at_s)
        lines.append(f"  now: {span.cause} at {span.subject or each.group}, since {since}, for {until} more")
    held = f"; the journal holds {format_size(each.journal_bytes)}" if each.journal_bytes else ""
    lines.append(f"  {each.target} lacks {format_size(each.backlog_bytes)}{held}")
    for link, carried, usable in each.links:
        room = "" if usable is None else f" of {format_bits(usable)} it could carry"
        lines.append(f"  link {link} carries {format_bits(carried)}{room}")
    for offset, text in each.events:
        when = f"{format_duration(-offset)} before" if offset <= 0 else f"{format_duration(offset)} after"
        lines.append(f"  {when}: {text}")
    return lines


def _answer(each: Explanation) -> str:
    if each.lag_s is None:
        return f"no consistent image exists there ({_STORY['resync']})"
    if each.lag_s == 0 or each.cause is None:
        return "nothing is missing, lag is 0"
    text = f"lag is {format_duration(each.lag_s)}"
    if each.rpo_s is not None:
        text += f", {'beyond' if each.violated else 'within'} the RPO of {format_duration(each.rpo_s)}"
    if not each.violated and each.lag_s <= (each.rpo_s or 100.0) / 100:
        return f"{text}: these writes are on their way"
    past = each.cause not in {"bandwidth", "schedule", *(span.cause for span in each.around)}
    return f"{text}, because {_STORY[each.cause]}{', and that is not caught up yet' if past else ''}"


def clock(at_s: float, start: datetime | None) -> str:
    """An instant as people name it: ``1 d 03:36:00``, and the calendar's time where there is one."""
    at_s = round(at_s, 3)
    days, rest = divmod(at_s, 86400)
    seconds = f"{rest % 60:06.3f}".removesuffix(".000")
    text = f"{days:.0f} d " * (days > 0) + f"{rest // 3600:02.0f}:{rest % 3600 // 60:02.0f}:{seconds}"
    return (
        text if start is None else f"{text} ({start + timedelta(seconds=round(at_s)):%a %Y-%m-%d %H:%M:%S})"
    )
