"""What a run took for granted: every part of the scenario that was left ideal, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drsim.report.source import Source


def assumptions(source: Source) -> list[str]:
    """Sentences about what the model leaves out, from the recorded scenario data."""
    data = source.data
    found = [*_links(data.get("links") or {}), *_sites(data.get("sites") or {})]
    found += [*_groups(data.get("groups") or {}), *map(str, source.facts.get("assumptions", []))]
    return found


def _links(links: Mapping[str, Any]) -> Iterator[str]:
    by_efficiency: dict[str, list[str]] = {}
    for name, link in links.items():
        if link.get("efficiency") is not None:
            by_efficiency.setdefault(str(link["efficiency"]), []).append(name)
    for efficiency, names in by_efficiency.items():
        yield f"{_list('link', names)}: {efficiency} of the nominal rate carries data; no TCP model."
    wired = [n for n, link in links.items() if not (link.get("efficiency") or link.get("tcp"))]
    ramps = [name for name in wired if links[name].get("rtt") or links[name].get("distance")]
    if ramps:
        yield (
            f"{_list('link', ramps)}: wire bytes are charged with headers; TCP has no loss and as large a window"
            " as it takes, and starts slowly after an outage or a pause."
        )
    if wired := [name for name in wired if name not in ramps]:
        yield f"{_list('link', wired)}: wire bytes are charged with headers; TCP itself sets no limit."
    calm = [n for n, link in links.items() if not link.get("outages")]
    if calm:
        yield f"{_list('link', calm)}: never down."
    near = [n for n, link in links.items() if not link.get("rtt") and not link.get("distance")]
    if near:
        yield f"{_list('link', near)}: no propagation delay."


def _sites(sites: Mapping[str, Any]) -> Iterator[str]:
    ideal = [name for name, site in sites.items() if not (site or {}).get("disk")]
    if ideal:
        yield f"{_list('site', ideal)}: the disk takes no time."


def _groups(groups: Mapping[str, Any]) -> Iterator[str]:
    endless = [n for n, g in groups.items() if not (g.get("journal") or {}).get("size")]
    if endless:
        yield f"{_list('group', endless)}: the journal has room without limit."
    synced = [
        f"{name} at {target}"
        for name, group in groups.items()
        for target, facts in (group.get("targets") or {}).items()
        if isinstance(facts, Mapping) and facts.get("seed") in (None, "in-sync")
    ]
    if synced:
        yield f"The first full copy is already there at the start: {', '.join(synced)}."


def _list(noun: str, names: list[str]) -> str:
    return f"{noun.capitalize()}{'s' if len(names) > 1 else ''} {', '.join(names)}"
