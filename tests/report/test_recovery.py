"""Bad days in rows and in a picture, from results made up by hand."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from rich.console import Console

from drsim.report import recovery
from drsim.report.html import pictures
from drsim.report.recoveryfigure import recovery_figure
from drsim.report.source import Source
from drsim.report.tables import tables
from drsim.report.terminal import show

TARGET = {
    "rpo_s": 60.0,
    **{f"lag_{p}_s": 1.0 for p in ("p50", "p95", "p99", "p999", "max", "final")},
    "violations": 0,
    "violation_s": 0.0,
    "violation_fraction": 0.0,
    "exposure_s": 0.0,
    **{f"loss_{p}_bytes": 1 for p in ("mean", "p50", "p95", "p99", "max")},
    "journal_peak_bytes": 1,
}


def outcome(cause: str, **changed: Any) -> dict[str, Any]:
    told = {
        "cause": cause,
        "site": "a",
        "at_s": 3600.0,
        "target": "b",
        "obstacle": "",
        "steps": {"detect": 60.0},
    }
    told |= {"loss_s": 2.0, "loss_bytes": 4096, "loss_writes": 3}
    return told | {"recovery_s": 60.0, "rto_s": 120.0, "rto_met": True} | changed


def results(*outcomes: dict[str, Any], tenures: tuple[dict[str, Any], ...] = ()) -> Source:
    planned = ("failover", "failback", "rehearsal")
    group = {
        "targets": {"b": TARGET},
        "tenures": list(tenures),
        "disasters": [o for o in outcomes if o["cause"] not in planned],
        "operations": [o for o in outcomes if o["cause"] in planned],
    }
    table = {
        "group": np.array(["g"] * 3),
        "begin": np.array([0.0, 3600.0, 3660.0]),
        "end": np.array([3600.0, 3660.0, 7200.0]),
        "what": np.array(["protected", "detect", "unprotected"]),
        "site": np.array(["a", "b", "b"]),
    }
    summary = {"scenario": "s", "seed": 1, "duration_s": 7200.0, "writes": 9, "groups": {"g": group}}
    return Source(summary, {"recovery": table} if outcomes else {})


def test_a_loss_that_was_recovered_from() -> None:
    (row,) = recovery.recoveries(results(outcome("loss")))
    assert row == ["g: loss of a", "1 h", "b", "2 s", "4.1 kB", "3", "1 min", "2 min: kept"]


def test_what_stands_where_there_is_nothing_to_tell() -> None:
    gone = outcome("crash", target=None, loss_s=None, loss_bytes=None, loss_writes=None, recovery_s=None)
    gone |= {"rto_met": False, "obstacle": "no consistent image is left"}
    drill = outcome("rehearsal", at_s=10.0, rto_s=None, rto_met=None, recovery_s=None, steps={})
    home = outcome("failback", at_s=7000.0, loss_writes=0, rto_s=None, rto_met=None)
    rows = recovery.recoveries(results(gone, drill, home))
    assert [row[0] for row in rows] == ["g: rehearsal", "g: crash of a", "g: failback"]
    assert rows[0][3:] == ["-", "-", "-", "not at all", "-"]
    assert rows[1][2:] == ["nowhere", "everything", "-", "-", "no consistent image is left", "2 min: missed"]
    assert rows[2][3:] == ["nothing", "-", "-", "1 min", "-"]


def test_terminal_and_report_tell_of_them_only_where_there_are_any() -> None:
    stay = {"source": "b", "begin_s": 3660.0, "end_s": 7200.0, "written_bytes": 10, "unprotected_s": 3540.0}
    bad = results(outcome("loss"), tenures=(stay | {"targets": {}},))
    for source, expected in ((bad, True), (results(), False)):
        console = Console(width=120, record=True, file=io.StringIO())
        show(source, console)
        assert ("g: loss of a" in console.export_text()) is expected
        names = {table.id for table in tables(source)}
        assert ({"recovery", "steps", "tenures"} <= names) is expected
        assert ("recovery" in {each.id for each in pictures(source)}) is expected


def test_the_picture_has_a_lane_for_the_group_and_a_bar_for_the_recovery() -> None:
    figure = recovery_figure(results(outcome("loss")))
    upper, lower = figure.axes
    assert [bar.get_width() for bar in upper.patches] == [3600.0, 60.0, 3540.0]
    assert [bar.get_hatch() for bar in upper.patches] == ["", None, "////"]
    assert sum(bar.get_width() for bar in lower.patches) == 60.0
    assert [line.get_xdata()[0] for line in lower.lines] == [120.0] or not lower.lines
    assert "g is up again at b 1 min after the loss" in figure.get_suptitle()
