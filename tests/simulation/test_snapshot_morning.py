"""The white paper's snapshot morning as shipped, minute by minute: what is seen at the DR site, and the trap in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from click.testing import CliRunner

from drsim.cli.main import cli
from drsim.scenario import load, loads, warnings
from drsim.simulation import intake
from drsim.simulation.comparer import Comparer
from drsim.simulation.running import Run, run

FILE = Path(__file__).parents[2] / "scenarios/snapshot_morning.yaml"
HALF = 1800
RATE = 1.536e6 * 0.7 / 8
FILES = {"8h18": (0, 200_000_000), "8h37": (200_000_000, 400_000_000)}


class Morning:
    """One run, every write of its hosts in order, and the images kept for the three looks."""

    def __init__(self) -> None:
        self.kept: dict[str, set[int]] = {}
        rows: list[tuple[float, int, int]] = []
        made, keep = intake.Feed.__init__, Comparer._keep

        def init(feed: Any, blocks: Any, *args: Any, **more: Any) -> None:
            made(feed, noted(blocks), *args, **more)

        def noted(blocks: Any) -> Any:
            for block in blocks:
                rows.extend(
                    zip(block.time.tolist(), block.offset.tolist(), block.length.tolist(), strict=True)
                )
                yield block

        def look(comparer: Comparer, action: Any) -> None:
            keep(comparer, action)
            known = comparer._names._number
            there = comparer._kept[action.name][0].read(np.fromiter(known.values(), np.int64))
            self.kept[action.name] = {
                key for key, writer in zip(known, there.tolist(), strict=True) if writer
            }

        with mock.patch.object(intake.Feed, "__init__", init), mock.patch.object(Comparer, "_keep", look):
            self.done: Run = run(load(FILE), verify="content")
        self.writes = sorted(row for row in rows if row[0] <= 7200)

    def blocks(self, begin: float, end: float) -> set[int]:
        """Blocks written in (begin, end]."""
        return {
            block
            for at, offset, length in self.writes
            if begin < at <= end
            for block in range(offset // 4096, (offset + length - 1) // 4096 + 1)
        }


@pytest.fixture(scope="module")
def morning() -> Morning:
    return Morning()


def test_what_is_seen_at_each_look_is_what_the_papers_reader_sees(morning: Morning, shared: Path) -> None:
    truth = json.loads((shared / "truth" / "worked_scenarios.json").read_text())["seed_snapshot_timeline"]
    points = morning.done.tables["snapshots/files/dr"]
    assert len(points["name"]) == len(truth["reads"])
    for name, taken, read in zip(points["name"], points["taken_at"], truth["reads"], strict=True):
        hour, minute = map(int, read["t"].split(":"))
        assert taken == (hour * 60 + minute - 450) * 60
        seen = morning.kept[name]
        for file, (start, stop) in FILES.items():
            whole = {b for b in morning.blocks(0, 7200) if -(-start // 4096) <= b < stop // 4096}
            assert len(whole) > 1000
            assert whole & seen == (whole if file in read["sees"] else set()), (read, file)
        assert seen == morning.blocks(0, taken - read["staleness_min"] * 60)


def test_each_minute_has_the_image_that_the_writes_alone_give_it(morning: Morning) -> None:
    """Update k is there d_k after k half hours: its changed blocks by the rate of the line, and half a round trip."""
    there = [0.0]
    for k in (1, 2, 3):
        changed = morning.blocks((k - 1) * HALF, k * HALF)
        there.append(k * HALF + len(changed) * 4096 / RATE + 0.01)
    assert all(3 * 60 < at - k * HALF < 5 * 60 for k, at in enumerate(there) if k)
    images, curve = morning.done.tables["images/files/dr"], morning.done.tables["curve/files/dr"]
    assert images["begin"].tolist() == pytest.approx(there, abs=0.02)
    for minute in range(1, 120):
        now = minute * 60.0
        newest = sum(at <= now for at in there) - 1
        row = int(np.searchsorted(images["begin"], now, side="right")) - 1
        assert images["taken"][row] == newest * HALF, minute
        assert images["seq"][row] == sum(at <= newest * HALF for at, _, _ in morning.writes)
        first = next(at for at, _, _ in morning.writes if at > newest * HALF)
        lag = np.interp(now, curve["t"], curve["lag_s"])
        assert lag == pytest.approx(now - first, abs=1e-6), minute


def test_an_interval_equal_to_the_rpo_breaks_it_for_as_long_as_each_transfer_takes(morning: Morning) -> None:
    target = morning.done.summary["groups"]["files"]["targets"]["dr"]
    begins = morning.done.tables["images/files/dr"]["begin"]
    late = [begins[k] - k * HALF for k in (1, 2, 3)]
    assert target["violations"] == 3
    assert target["violation_s"] == pytest.approx(
        sum(late), abs=3
    )  # the first write after an update is a bit younger
    (warning,) = warnings(load(FILE))
    assert warning.code == "interval-too-long"
    share = float(warning.message.split("for up to ")[1].split(" %")[0]) / 100
    assert max(late) / HALF < share < 1.25 * max(late) / HALF, "no more than if nothing were written twice"


def test_both_remedies_work() -> None:
    text = FILE.read_text()
    for remedy in (("groups.files.mode.every", "25 min"), ("groups.files.targets.dr.rpo", "35 min")):
        done = run(loads(text, "morning", overrides=[remedy]))
        assert done.summary["groups"]["files"]["targets"]["dr"]["violations"] == 0, remedy


def test_the_trap_is_told_by_validate_by_a_run_and_in_its_report(tmp_path: Path) -> None:
    words = "breaks an RPO of 30 min each time"
    assert words in CliRunner().invoke(cli, ["validate", str(FILE)]).output
    done = CliRunner().invoke(cli, ["run", str(FILE), "-o", str(tmp_path), "--no-pictures"])
    assert done.exit_code == 0
    assert words in done.output
    (kept,) = (tmp_path / "snapshot_morning").iterdir()
    CliRunner().invoke(cli, ["report", str(kept), "-o", str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text()
    assert words in page
    assert "or promise an RPO of" in page
    assert "Recovery points" in page
    assert 'id="points-files-dr"' in page
