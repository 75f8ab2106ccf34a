"""The documented effects of choosing what to replicate, by simulation; and that every kind is documented."""

import os
from fractions import Fraction
from pathlib import Path

import pytest

from drsim.scenario import load
from drsim.simulation import run
from drsim.wan import paper
from drsim.workload import access, apps, arrivals, calendars, sizes
from drsim.workload.changerate import change_rate
from drsim.workload.traces import formats
from drsim.workload.traces.replay import Opened, Replay

DEEP = os.environ.get("DRSIM_HYPOTHESIS") == "deep"
ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "WORKLOADS.md").read_text()
PAGES = ("hosts.paging.writes[0].volume", "local/pages")
MOVES = ("hosts.defragmenter.writes[0].off", "true")
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


@pytest.mark.parametrize(
    ("allocated", "sent", "without_image_s"),
    [
        ("15 GB", 18.6, 4295),
        pytest.param("null", 53.6, 14_024, marks=pytest.mark.skipif(not DEEP, reason="long: make deep")),
        ("0", 3.58, 0),
    ],
    ids=["thin", "thick", "before the format"],
)
def test_a_thin_volume_is_copied_as_far_as_it_is_in_use(
    allocated: str, sent: float, without_image_s: float
) -> None:
    overrides = [("groups.files.volumes.data.allocated", allocated)]
    target = run(load(str(ROOT / "scenarios" / "thin_or_thick.yaml"), overrides)).summary["groups"]["files"][
        "targets"
    ]["vault"]
    assert target["sent_bytes"] / 1e9 == pytest.approx(sent, rel=5e-3)
    assert target["exposure_s"] == pytest.approx(without_image_s, rel=5e-3, abs=1.0)


@pytest.mark.parametrize(
    ("rpo", "hours", "printed"),
    [
        ("15 h", 15, "2.71"),
        ("4 h", 4, "5.00"),
        ("1 h", 1, "6.50"),
        ("15 min", 0.25, "7.03"),
        ("1 min", 1 / 60, "7.21"),
    ],
)
def test_twenty_gigabytes_a_day_need_what_the_closed_form_says(rpo: str, hours: float, printed: str) -> None:
    needed = paper.needed_mbps_for_rpo(Fraction(20), Fraction(9), Fraction(hours))
    assert paper.show(needed) == printed
    lags = []
    for share in (1.001, 0.99):
        rate = f"{float(needed) * 1e6 * share:.0f} b/s"
        scenario = load(str(ROOT / "scenarios" / "twenty_gigabytes.yaml"), [("links.line.rate", rate)])
        lags.append(run(scenario).summary["groups"]["files"]["targets"]["vault"]["lag_max_s"])
    assert lags[0] <= hours * 3600 < lags[1]


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
