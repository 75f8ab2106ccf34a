"""The documented effects of choosing what to replicate, by simulation; and that every kind is documented."""

from pathlib import Path

import pytest

from drsim.scenario import load
from drsim.simulation import run
from drsim.workload import access, apps, arrivals, calendars, sizes
from drsim.workload.changerate import change_rate
from drsim.workload.traces import formats
from drsim.workload.traces.replay import Opened, Replay

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "WORKLOADS.md").read_text()
PAGES = ("hosts.paging.writes[0].volume", "local/pages")
MOVES = ("hosts.defragmenter.writes[0].volume", "local/moves")
TABLES = ("hosts.sql.writes[1].volume", "local/tables")


@pytest.mark.parametrize(
    ("overrides", "gigabytes", "lag_s", "beyond"),
    [
        ([], 41.2, 80 * 60, 0.82),
        ([PAGES], 35.7, 66 * 60, 0.46),
        ([MOVES], 29.1, 51 * 60, 0.18),
        ([PAGES, MOVES], 23.6, 27 * 60, 0.069),
        ([PAGES, MOVES, TABLES], 8.15, 3.2, 0.0),
    ],
    ids=["everything", "no page file", "no defragmentation", "neither", "redo log only"],
)
def test_what_is_left_out_need_not_travel(
    overrides: list[tuple[str, str]], gigabytes: float, lag_s: float, beyond: float
) -> None:
    scenario = load(str(ROOT / "scenarios" / "know_your_data.yaml"), overrides)
    group = run(scenario).summary["groups"]["sql"]
    target = group["targets"]["vault"]
    assert group["written_bytes"] / 1e9 == pytest.approx(gigabytes, rel=5e-3)
    assert target["lag_max_s"] == pytest.approx(lag_s, rel=0.02)
    assert target["violation_fraction"] == pytest.approx(beyond, abs=6e-3)


@pytest.mark.parametrize("every_s", [5, 60])
def test_folding_saves_what_the_trace_says(every_s: int) -> None:
    trace = ROOT / "scenarios" / "samples" / "pgbench.csv.gz"
    opened = Opened(Replay((trace.name,), device="apart"), [trace], None)
    left = change_rate(opened.writes(), windows=(float(every_s),)).uniques[0].ratio
    scenario = load(
        str(ROOT / "scenarios" / "pgbench.yaml"),
        [("groups.database.mode", f"{{kind: cycle, every: {every_s} s}}")],
    )
    group = run(scenario).summary["groups"]["database"]
    sent = group["targets"]["vault"]["sent_bytes"]
    assert sent / group["written_bytes"] == pytest.approx(left, rel=0.01)


@pytest.mark.parametrize(
    "name",
    [
        *arrivals.KINDS,
        *access.KINDS,
        *calendars.KINDS,
        *sizes.KINDS,
        *apps.KINDS,
        *formats.KINDS,
    ],
)
def test_every_kind_is_documented(name: str) -> None:
    assert f"`{name}" in DOCS
