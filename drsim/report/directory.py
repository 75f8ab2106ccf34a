"""What can be asked of a results directory: pictures, the HTML report, why a target was behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from drsim.record import RecordError, read
from drsim.report.explain import Explanation, explain, tell
from drsim.report.source import Source
from drsim.units import parse_moment
from drsim.whole import whole


def plot(directory: Path, into: Path | None = None) -> list[Path]:
    """Draw every picture of a results directory as PNG and SVG, into its ``pictures`` unless told otherwise.

    Raises:
        RecordError: there are no results, or the pictures cannot be written.
    """
    from drsim.report.html import save_pictures

    source = _source(directory)
    into = directory / "pictures" if into is None else into
    try:
        return save_pictures(source, into)
    except OSError as error:
        raise RecordError(f"cannot write pictures to {into}", error.strerror or str(error)) from error


def report(directory: Path, to: Path | None = None) -> Path:
    """Write the HTML report of a results directory, to its ``report.html`` unless told otherwise.

    Raises:
        RecordError: there are no results, or the file cannot be written.
    """
    from drsim.report.html import html

    text = html(_source(directory))
    to = directory / "report.html" if to is None else to
    try:
        with whole(to) as beside:
            beside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RecordError(f"cannot write the report to {to}", error.strerror or str(error)) from error
    return to


def _source(directory: Path) -> Source:
    """The results in a directory; RecordError where they lack what every drsim of this layout has written."""
    if not (directory / "manifest.json").exists() and (newest := _newest(directory)):
        raise RecordError(f"no results in {directory}", f"the newest below it are in {newest}")
    source = Source.of(read(directory))
    lacking = [key for key in _SUMMARY if key not in source.summary]
    for name, table in source.tables.items():
        columns = next((words for start, words in _COLUMNS.items() if name.startswith(start)), ())
        lacking += [f"{column} of {name}" for column in columns if column not in table]
    if lacking:
        raise RecordError(f"the results in {directory} lack {lacking[0]}", "run the scenario again")
    return source


def _newest(directory: Path) -> Path | None:
    """The run of a scenario whose results were written last, below a folder of them."""
    manifests = [path for depth in ("*", "*/*") for path in directory.glob(f"{depth}/manifest.json")]
    runs = [path for path in manifests if path.parents[1].name != "points"]
    return max(runs, key=lambda path: path.stat().st_mtime).parent if runs else None


_SUMMARY = ("schema_version", "scenario", "seed", "duration_s", "groups", "links")
_COLUMNS = {
    "curve/": ("t", "lag_s", "backlog_bytes"),
    "exceedance/": ("lag_s", "share"),
    "images/": ("begin", "end", "image", "seq", "taken", "age_max_s", "sent_from", "sent_to"),
    "link/": ("t",),
    "spans": ("begin", "end", "kind", "subject", "cause"),
    "events": ("t", "subject", "what", "detail"),
    "routes": ("group", "target", "link"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Why targets were behind at an instant (seconds since the run's start)."""

    scenario: str
    at_s: float
    found: tuple[Explanation, ...]
    start: datetime | None = None

    def lines(self) -> list[str]:
        """As lines of text."""
        return [line for each in self.found for line in tell(each, self.start)]

    def record(self) -> dict[str, Any]:
        """As plain data (``drsim schema explain``)."""
        about = {"schema_version": 1, "scenario": self.scenario, "at_s": self.at_s}
        return {**about, "targets": [each.record() for each in self.found]}


def answer(directory: Path, at: str, group: str | None = None) -> Answer:
    """Say why each target was as far behind as it was at a time.

    Args:
        directory: the results.
        at: a time since the start (``1 d 03:00``, ``36 h``) or, where the scenario has a start, a date and
            time (``2026-03-03 03:00``).
        group: only this group; every group if None.

    Returns:
        What is known of each target, for people and for programs.

    Raises:
        RecordError: there are no results.
        ValueError: the time cannot be read or lies outside the run, or there is no such group.
    """
    source = _source(directory)
    at_s = _instant(source, at)
    return Answer(source.name, at_s, tuple(explain(source, at_s, group)), source.start)


def _instant(source: Source, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return float(parse_moment(text))
    if source.start is None:
        raise ValueError(
            f"the scenario has no start, so {text} cannot be placed: give a time since the start"
        )
    return (moment - source.start).total_seconds()
