"""From what happened (links down, states, exposure) to causes at work on one group at one target."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from drsim.measure.causes import CAUSES, Span

Row = tuple[float, float, str, str, str]
"""begin, end (seconds), kind, subject, cause: a row of the ``spans`` table."""

_LINK = {"tcp": "tcp", "loss": "tcp", "throttle": "throttle", "brownout": "throttle", "background": ""}


def cause_of(kind: str, cause: str) -> str:
    """The cause of a row, one of `CAUSES`, or an empty text where it explains no lag.

    A link's span that is none of tcp, loss, throttle, brownout and background is an outage under the name the
    scenario gives it. Background traffic is part of what the link is asked to carry: bandwidth.

    >>> cause_of("link", "maintenance"), cause_of("resyncing", "resync"), cause_of("violation", "")
    ('outage', 'resync', '')
    """
    if kind == "link":
        return _LINK.get(cause, "outage")
    if kind == "exposure":
        return "resync"
    return cause if cause in CAUSES and kind != "violation" else ""


def at_work(rows: Iterable[Row], subjects: Collection[str]) -> list[Span]:
    """The spans that can be to blame, of these subjects (links, ``group/target``), in order of begin."""
    return sorted(
        Span(begin, end, found, subject)
        for begin, end, kind, subject, cause in rows
        if subject in subjects and (found := cause_of(kind, cause))
    )


def usual_cause(mode: str) -> str:
    """What holds lag up in ordinary times: ``schedule`` in cycle and snapshot modes, else ``bandwidth``."""
    return "schedule" if mode in {"cycle", "snapshot"} else "bandwidth"
