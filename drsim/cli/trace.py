"""drsim trace: what a trace changes, and what that asks of links and journals."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drsim.cli.options import Quantified, efficiency, json_to
from drsim.cli.studies import finite
from drsim.cli.table import table
from drsim.units import (
    format_bits,
    format_duration,
    format_enough,
    format_fraction,
    format_rate,
    format_size,
    parse_duration,
    parse_rate,
    parse_size,
    rounded_up,
)

if TYPE_CHECKING:
    from datetime import datetime

    from drsim.workload.changerate import ChangeRate
    from drsim.workload.traces.report import Report

_SHARES = (1.0, 0.999, 0.99, 0.95, 0.9)
_RPOS = ("1 min", "15 min", "1 h", "4 h")
_OUTAGES = ("15 min", "1 h", "4 h")
_SHOWN_SIZES = 8
_DURATION = Quantified(parse_duration, "DURATION")


@dataclass(frozen=True)
class Answer:
    """The planning answers for one trace; rates are payload bytes/s."""

    efficiency: float
    bandwidth: list[tuple[float, float, float]]
    kept: list[tuple[str, float, float, float]]
    journal: list[tuple[float, float, float]]


@click.command()
@click.argument("file")
@click.option("--format", "kind", help="The trace's format, in place of recognising it.")
@click.option("--device", help="Only this device of the trace.")
@click.option(
    "--grain", type=Quantified(parse_size, "SIZE"), default="4 KiB", show_default=True, help="A block."
)
@click.option("--rpo", "rpos", type=_DURATION, multiple=True, default=_RPOS, show_default=True)
@click.option("--outage", "outages", type=_DURATION, multiple=True, default=_OUTAGES, show_default=True)
@click.option(
    "--link",
    "links",
    type=Quantified(parse_rate, "RATE"),
    multiple=True,
    help="A link's nominal rate; may be repeated.",
)
@efficiency
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%d %H:%M"]),
    help="When the trace began, for its hours of the day, where it bears no date.",
)
@json_to("everything")
@click.option("--picture", metavar="STEM", help="Draw it to STEM.png and STEM.svg.")
@click.option(
    "--import",
    "import_to",
    type=click.Path(dir_okay=False),
    help="Keep the trace as Parquet, to replay fast.",
)
def command(file: str, kind: str | None, device: str | None, **asked: Any) -> None:
    """Analyse the writes of FILE: a trace, or a pattern such as 'sda.blktrace.*' whose files are one trace.

    Tells the change rate, how much of it folding saves, and the bandwidth and journal it asks for. The
    bandwidth is nominal: the payload rate found divided by the efficiency. Bad lines are counted on stderr.
    """
    from drsim.workload.traces.formats import find, recognise

    paths = find(Path(), file)
    reader = recognise(paths, kind)
    if asked["import_to"] is not None:
        from drsim.workload.traces.parquet import import_trace

        import_trace(paths, reader, Path(asked["import_to"]))
    if any(value <= 0 for _, value in (asked["grain"], *asked["rpos"], *asked["links"])):
        raise click.UsageError("a block, an RPO and a link's rate must be above zero")
    rate, report, hours = _measure(paths, kind, device, asked["grain"][1], asked["start"])
    answer = _plan(rate, asked)
    _complain(report)
    if asked["picture"] is not None:
        from drsim.report.style import save
        from drsim.report.tracefigure import trace_figure

        save(trace_figure(rate, Path(file).name, answer.bandwidth, hours), Path(asked["picture"]))
    if asked["json_to"] is not None:
        told = json.dumps(finite(_as_json(file, rate, report, answer) | {"hours_of": hours}), indent=2)
        click.echo(told) if asked["json_to"] == "-" else Path(asked["json_to"]).write_text(told + "\n")
    if asked["json_to"] != "-":
        click.echo("\n\n".join(_text(file, rate, report, answer, hours)))


def _measure(
    paths: list[Path], kind: str | None, device: str | None, grain: int, start: datetime | None
) -> tuple[ChangeRate, Report, str]:
    """Give what was measured, what was found, and what hours of the day are counted by."""
    from drsim.workload.changerate import change_rate
    from drsim.workload.traces.replay import Opened, Replay

    # Devices are told apart, so that equal addresses on two of them are not taken for one block.
    opened = Opened(Replay(("",), kind, device or "apart"), paths, None)

    def offset() -> float:
        if start is not None:
            return start.weekday() * 86_400.0 + start.hour * 3600.0 + start.minute * 60.0
        return opened.week_offset_s or 0.0

    rate = change_rate(
        opened.writes(), grain=grain, span_s=lambda: opened.report.span_s, week_offset_s=offset
    )
    opened.check_device()
    known = opened.week_offset_s is not None
    return rate, opened.report, "the start given" if start else "UTC" if known else "the trace's start"


def _plan(rate: ChangeRate, asked: dict[str, Any]) -> Answer:
    from drsim.workload.planning import bandwidth_for, journal_for, rpo_kept

    e, load = asked["efficiency"], rate.load
    links = [value for _, value in asked["links"]]
    rpos = [value for _, value in asked["rpos"]]
    bandwidth = [(rpo, share, bandwidth_for(load, rpo, share) / e) for rpo in rpos for share in _SHARES]
    kept = [
        (text, value, share, rpo_kept(load, value * e, share))
        for text, value in asked["links"]
        for share in _SHARES
    ]
    journal = [
        (outage, link, journal_for(load, outage, link * e))
        for _, outage in asked["outages"]
        for link in [math.inf, *links]
    ]
    return Answer(e, bandwidth, kept, journal)


def _complain(report: Report) -> None:
    from drsim.workload.traces.report import NOTED

    for kind, fault in report.faults.items():
        word = "note" if kind in NOTED else "warning"
        more = ", ..." if fault.count > len(fault.first) else ""
        click.echo(f"{word}: {fault.count} x {kind}: {', '.join(fault.first)}{more}", err=True)


def _text(file: str, rate: ChangeRate, report: Report, answer: Answer, hours: str) -> list[str]:
    each = rate.nbytes / rate.writes if rate.writes else 0.0
    mean, devices = rate.mean_bytes_per_s, len(report.devices)
    head = [
        f"{file}: {report.format}, {devices} device{'s' * (devices != 1)}, {format_duration(rate.span_s)}",
        f"{rate.writes} writes, {format_size(rate.nbytes)}, {format_size(each)} each on average; "
        f"{rate.trims} trims, {report.reads} reads, {report.bad} bad records",
        f"change rate {format_rate(mean)} = {format_size(mean * 86400)} a day; "
        f"working set {format_size(rate.working_set_bytes)}, "
        f"of which {format_fraction(rate.hot_share)} takes 80 % of the writes",
    ]
    parts = ["\n".join(head)]
    if not rate.writes:
        return parts
    return [*parts, _rates(rate), _sizes(rate), *_heat(rate, hours), *_answers(answer)]


def _rates(rate: ChangeRate) -> str:
    left = {u.window_s: u for u in rate.uniques}
    rows = []
    for r in rate.rates:
        u = left[r.window_s]
        cells = [format_rate(r.p95), format_rate(r.p99), format_rate(r.peak), format_duration(r.peak_at_s)]
        rows.append(
            [format_duration(r.window_s), *cells, format_fraction(u.ratio), format_rate(u.bytes_per_s)]
        )
    heads = ("window", "p95", "p99", "peak", "peak at", "unique", "left to send")
    return table(heads, rows)


def _sizes(rate: ChangeRate) -> str:
    rows = [
        [
            _exactly(n),
            str(count),
            format_fraction(count / rate.writes),
            format_fraction(n * count / rate.nbytes),
        ]
        for n, count in rate.sizes[:_SHOWN_SIZES]
    ]
    return table(("write size", "writes", "of writes", "of bytes"), rows)


def _heat(rate: ChangeRate, hours: str) -> list[str]:
    """What is written by hour of the day; nothing where there is less than an hour to tell of."""
    if rate.span_s < 3600:
        return []
    cells = ["-" if math.isnan(v) else format_rate(v) for v in rate.heat_by_hour]
    rows = [[f"{first:02}:00", *cells[first : first + 6]] for first in range(0, 24, 6)]
    heads = ("hour", *(f"+{h} h" for h in range(6)))
    return [f"written by hour of the day, by {hours}\n{table(heads, rows)}"]


def _answers(answer: Answer) -> list[str]:
    """What planning asks, rounded up: what is shown shall be enough."""
    heads = ["kept for", *(format_fraction(share) for share in _SHARES)]
    at = f" at {format_fraction(answer.efficiency)} efficiency"
    needed = _grid(
        heads, answer.bandwidth, format_duration, lambda rate: format_bits(rounded_up(rate * 8) / 8)
    )
    told = [f"nominal bandwidth to keep an RPO{at}\n{needed}"]
    if answer.kept:
        kept = [(text, share, rpo) for text, _, share, rpo in answer.kept]
        told.append(f"RPO a link keeps{at}\n{_grid(heads, kept, str, format_enough)}")
    given = {link: text for text, link, _, _ in answer.kept}
    rows = [
        [format_duration(d), given.get(link, "no backlog before"), format_size(rounded_up(size))]
        for d, link, size in answer.journal
    ]
    told.append("journal that outlives an outage\n" + table(("outage", "link", "journal"), rows, left=2))
    return told


def _grid(heads: list[str], found: list[Any], head: Any, cell: Any) -> str:
    """Rows by their first value, columns by share."""
    rows: dict[Any, list[str]] = {}
    for key, _, value in found:
        rows.setdefault(key, [head(key)]).append(cell(value))
    return table(heads, list(rows.values()))


def _exactly(nbytes: int) -> str:
    """A write's size, in KiB where it is whole."""
    return f"{nbytes // 1024} KiB" if nbytes % 1024 == 0 else f"{nbytes} B"


def _as_json(file: str, rate: ChangeRate, report: Report, answer: Answer) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "trace": file,
        "found": report.as_dict(),
        **rate.as_dict(),
        "efficiency": answer.efficiency,
        "bandwidth": [
            {"rpo_s": rpo, "share": share, "nominal_bytes_per_s": value}
            for rpo, share, value in answer.bandwidth
        ],
        "rpo_kept": [
            {"link_bytes_per_s": link, "share": share, "rpo_s": rpo} for _, link, share, rpo in answer.kept
        ],
        "journal": [
            {"outage_s": d, "link_bytes_per_s": None if math.isinf(link) else link, "bytes": size}
            for d, link, size in answer.journal
        ],
    }
