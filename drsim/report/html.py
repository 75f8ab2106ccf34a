"""One self-contained HTML file: verdicts, tables, pictures, scenario. No network, no script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from drsim.record import safe_name
from drsim.report import style, values
from drsim.report.assumptions import assumptions
from drsim.report.charts import causes_figure, exceedance_figure
from drsim.report.findings import group_finding, verdict, worst
from drsim.report.imagesfigure import images_figure, worth_drawing
from drsim.report.lagfigure import lag_figure
from drsim.report.pointsfigure import finding as points_finding
from drsim.report.pointsfigure import points_figure
from drsim.report.recovery import finding as recovery_finding
from drsim.report.recoveryfigure import recovery_figure
from drsim.report.source import Source
from drsim.report.tables import tables
from drsim.report.topology import topology_figure

_WORDS = {True: "Passed", False: "Failed", None: "Done"}
GROUPS = 24
"""Lag figures in one report; further groups are named in the warnings, their numbers are in the tables."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the report.

    Attributes:
        id: its name, also that of its file beside the results.
        says: its finding, for those who cannot see it.
        draw: draws it.
    """

    id: str
    says: str
    draw: Callable[[], Figure]


def pictures(source: Source) -> Iterator[Picture]:
    """Every picture that one run's results can give, in the report's order."""
    for index, group in enumerate(source.groups()):
        if index < GROUPS and any(source.curve(group, t) for t in source.groups()[group]["targets"]):
            yield Picture(f"lag-{safe_name(group)}", group_finding(source, group), _lag(source, group))
    if any(numbers.get("violation_s_by_cause") for _, _, numbers in source.targets()):
        yield Picture("causes", "Causes of the time beyond the RPO", lambda: causes_figure(source))
    if any(name.startswith("exceedance/") for name in source.tables):
        yield Picture(
            "exceedance", "How often lag is longer than a given time", lambda: exceedance_figure(source)
        )
    yield from _past(source)
    if "recovery" in source.tables:
        yield Picture("recovery", recovery_finding(source), lambda: recovery_figure(source, source.start))
    if source.data.get("sites"):
        yield Picture("topology", "Sites, links and replications", lambda: topology_figure(source))


def _past(source: Source) -> Iterator[Picture]:
    """Which image served when, and which older points there were."""
    for index, (group, target, _) in enumerate(source.targets()):
        if index < GROUPS and worth_drawing(source.tables.get(f"images/{group}/{target}")):
            name = f"images-{safe_name(group)}-{safe_name(target)}"
            yield Picture(name, f"Images of {group} at {target}", _images(source, group, target))
    for index, name in enumerate(n for n in source.tables if n.startswith("snapshots/")):
        if index < GROUPS and len(source.tables[name]["name"]):
            _, group, site = name.split("/")
            key = f"points-{safe_name(group)}-{safe_name(site)}"
            yield Picture(key, points_finding(source, group, site), _points(source, group, site))


def _lag(source: Source, group: str) -> Callable[[], Figure]:
    return lambda: lag_figure(source, group, source.start)


def _images(source: Source, group: str, target: str) -> Callable[[], Figure]:
    return lambda: images_figure(source, group, target, source.start)


def _points(source: Source, group: str, site: str) -> Callable[[], Figure]:
    return lambda: points_figure(source, group, site, source.start)


def save_pictures(source: Source, directory: Path) -> list[Path]:
    """Write every picture as PNG and SVG into a directory; give the files."""
    return [path for each in pictures(source) for path in style.save(each.draw(), directory / each.id)]


def html(source: Source) -> str:
    """The whole report as one HTML document; the same results give the same text."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    surroundings = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return surroundings.get_template("report.html.j2").render(_content(source))


def _content(source: Source) -> dict[str, Any]:
    passed, text = verdict(source)
    facts = source.facts
    return {
        "passed": passed,
        "word": _WORDS[passed],
        "verdict": text,
        "worst": worst(source) if passed is not True else "",
        "title": source.title,
        "footer": source.footer,
        "start": f"{source.start:%A %Y-%m-%d %H:%M}" if source.start else "",
        "writes": values.count(source.summary.get("writes")),
        "duration": values.duration(source.duration_s),
        "expectations": [
            {"expect": e["expect"], "passed": e["passed"], "value": values.expected(e["expect"], e["value"])}
            for e in source.summary.get("expectations") or []
        ],
        "warnings": [*facts.get("warnings", []), *_left_out(source)],
        "assumptions": assumptions(source),
        "tables": list(tables(source)),
        "pictures": [_drawn(each) for each in pictures(source)],
        "scenario": source.text(),
        "overrides": facts.get("overrides", []),
        "versions": facts.get("versions", {}),
        "version": facts.get("versions", {}).get("drsim", ""),
        "seed": source.summary.get("seed"),
        "key": facts.get("key", ""),
    }


def _left_out(source: Source) -> list[str]:
    rest = list(source.groups())[GROUPS:]
    return [f"No lag picture is drawn here for {', '.join(rest)}; drsim plot draws them."] if rest else []


def _drawn(picture: Picture) -> dict[str, Any]:
    svg = style.svg_text(picture.draw(), picture.says, picture.id)
    return {"id": picture.id, "svg": Markup(svg)}
