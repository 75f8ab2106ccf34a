"""The topology picture: sites, links as wide as they are used, and which group goes where."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from drsim.report import style
from drsim.report.findings import share
from drsim.report.source import Source

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Edge:
    """A link in the picture: two sites, what it is, and how much of it is used (0..1)."""

    name: str
    ends: tuple[str, str]
    label: str
    utilisation: float


@dataclass(frozen=True, slots=True)
class Flow:
    """A group's way from its source to a target, and whether that target kept its objective."""

    group: str
    source: str
    target: str
    failed: bool


def topology_figure(source: Source) -> Figure:
    """Draw what was modelled, from the recorded scenario data: red where an expectation failed."""
    sites = list(source.data.get("sites") or {})
    edges, flows = _edges(source), _flows(source)
    place = _places(sites)
    xs, ys = [p[0] for p in place.values()] or [0.0], [p[1] for p in place.values()] or [0.0]
    width, height = max(xs) - min(xs) + 1.2, max(ys) - min(ys) + 0.9
    with style.look():
        figure = Figure(figsize=(9.5, min(max(9.2 * height / width, 2.6), 9.0) + 1.1))
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.set_xlim(min(xs) - 0.6, max(xs) + 0.6)
        axes.set_ylim(min(ys) - 0.45, max(ys) + 0.45)
        for edge in edges:
            _draw_edge(axes, edge, place)
        for index, flow in enumerate(flows):
            _draw_flow(axes, flow, place, index, flows)
        for site in sites:
            _draw_site(axes, site, place[site], source.data["sites"][site] or {})
        legend = "grey: links, the wider the busier   ▸ replication   ✗ an expectation failed"
        style.headline(figure, _finding(source, flows, len(edges)), legend)
        style.footer(figure, source.footer)
    return figure


def _edges(source: Source) -> list[Edge]:
    used = source.summary.get("links", {})
    found = []
    for name, link in (source.data.get("links") or {}).items():
        kind = str(link.get("type") or link.get("rate") or "")
        rtt = f", rtt {link['rtt']}" if link.get("rtt") else ""
        share_used = float(used.get(name, {}).get("utilisation") or 0.0)
        label = f"{name}\n{kind}{rtt}\n{share(share_used)} used"
        found.append(Edge(name, tuple(link["between"]), label, share_used))
    return found


def _flows(source: Source) -> list[Flow]:
    groups = source.data.get("groups") or {}
    broken = {str(e["expect"]) for e in source.summary.get("expectations") or [] if not e["passed"]}
    found = []
    for group, target, numbers in source.targets():
        failed = any(text.startswith(f"{group}.{target}.") for text in broken)
        late = bool(numbers.get("violation_s")) and not source.summary.get("expectations")
        origin = str(groups.get(group, {}).get("source", ""))
        found.append(Flow(group, origin, target, failed or late))
    return found


def _places(sites: Sequence[str]) -> dict[str, Place]:
    """Sites on a circle, the first at the left; two side by side."""
    if len(sites) == 1:
        return {sites[0]: (0.0, 0.0)}
    radius = max(1.0, len(sites) * 0.34)
    turn = 2 * math.pi / max(len(sites), 1)
    first = math.pi if len(sites) == 2 else math.pi / 2 + turn / 2 if len(sites) > 3 else math.pi * 5 / 6
    return {
        site: (radius * math.cos(first - i * turn), radius * math.sin(first - i * turn) * 0.78)
        for i, site in enumerate(sites)
    }


def _draw_edge(axes: Axes, edge: Edge, place: Mapping[str, Place]) -> None:
    (x0, y0), (x1, y1) = (place[end] for end in edge.ends)
    axes.plot(
        [x0, x1],
        [y0, y1],
        color="#b5b5b5",
        lw=2 + 12 * min(edge.utilisation, 1.0),
        solid_capstyle="butt",
        zorder=1,
    )
    _label(axes, (x0 + x1) / 2, (y0 + y1) / 2, edge.label, fontsize=9, zorder=4)


def _draw_flow(axes: Axes, flow: Flow, place: Mapping[str, Place], index: int, flows: Sequence[Flow]) -> None:
    """A curved arrow outside the straight link; groups between the same sites bend further out one by one."""
    if flow.source not in place or flow.target not in place:
        return
    twins = [f for f in flows if {f.source, f.target} == {flow.source, flow.target}]
    a, b = place[flow.source], place[flow.target]
    outward = 1.0 if (b[0] - a[0]) * (a[1] + b[1]) - (b[1] - a[1]) * (a[0] + b[0]) <= 0 else -1.0
    bend = outward * (0.26 + 0.16 * twins.index(flow))
    colour: Any = style.RED if flow.failed else style.series(index)["color"]
    curve = {"connectionstyle": f"arc3,rad={bend}", "lw": 1.9, "color": colour, "zorder": 3}
    axes.add_patch(
        FancyArrowPatch(a, b, arrowstyle="-|>", mutation_scale=17, shrinkA=34, shrinkB=36, **curve)
    )
    middle = ((a[0] + b[0] + bend * (b[1] - a[1])) / 2, (a[1] + b[1] - bend * (b[0] - a[0])) / 2)
    _label(axes, *middle, f"{flow.group} {'✗' if flow.failed else '✓'}", fontsize=10, color=colour, zorder=5)


def _label(axes: Axes, x: float, y: float, text: str, **look: Any) -> None:
    """A text upon a line, which stops before it and goes on behind."""
    gap = {"boxstyle": "round,pad=0.25", "fc": "white", "ec": "none"}
    axes.text(x, y, style.plain(text), ha="center", va="center", bbox=gap, **look)


def _draw_site(axes: Axes, site: str, at: Place, facts: Mapping[str, Any]) -> None:
    disk = facts.get("disk") or {}
    more = f"\n{disk['write']}" if isinstance(disk, Mapping) and disk.get("write") else ""
    box = {"boxstyle": "round,pad=0.5", "fc": "white", "ec": style.DARK, "lw": 1.4}
    axes.text(
        *at,
        style.plain(f"{site}{more}"),
        ha="center",
        va="center",
        fontsize=11,
        fontweight="bold",
        bbox=box,
        zorder=6,
    )


def _finding(source: Source, flows: Sequence[Flow], links: int) -> str:
    sites = len(source.data.get("sites") or {})
    counts = ((sites, "site"), (links, "link"), (len(flows), "replication"))
    what = ", ".join(f"{count} {noun}{'s' * (count != 1)}" for count, noun in counts)
    failed = [f"{f.group} at {f.target}" for f in flows if f.failed]
    judged = "expectation" if source.summary.get("expectations") else "RPO"
    if not failed:
        return f"{what}: every {judged} met"
    return f"{what}: {judged}{'s' * (len(failed) > 1)} missed by {', '.join(failed)}"
