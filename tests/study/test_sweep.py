"""Sweeps: nothing finished is repeated, every rerun has its reason, failures are kept and told."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from drsim.study.axes import parse_axis
from drsim.study.design import plan as lay_out
from drsim.study.lab import Lab
from drsim.study.point import Outcome, Point
from drsim.study.pool import CorePool, HerePool, Pool
from drsim.study.store import Store
from drsim.study.sweep import Folder, Rerun, Sweep, SweepResult, run_sweep
from tests.study.worlds import FluidWorld, Witness

ROOT = Path(__file__).parents[2]
RATES = "links.ab.rate=110 kB/s,150 kB/s,192 kB/s,1 MB/s"
VIOLATION = "groups.g.targets.b.violation_s"


class Interrupting(Witness):
    """Presses Ctrl-C when so many points have ended."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def finished(self, outcome: Outcome) -> None:
        super().finished(outcome)
        if len(self.outcomes) == self.after:
            raise KeyboardInterrupt


class Desk:
    """A results folder where the same sweep is asked for again and again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "log"
        self.plan: dict[str, int] = {}

    def sweep(
        self,
        *options: str,
        replications: int = 1,
        rerun: Rerun = "missing",
        listener: Witness | None = None,
        pool: Pool | None = None,
        **world: object,
    ) -> SweepResult:
        self.log.write_text("")
        self.world = FluidWorld(log=str(self.log), **world)  # type: ignore[arg-type]
        store = Store(self.root, self.world)
        lab = Lab(self.world, pool, store, listener)
        sweep = Sweep(lay_out([parse_axis(o) for o in options]), replications)
        self.folder = Folder(self.root / sweep.name(), lab, store)
        plan = self.folder.plan(sweep, rerun)
        self.plan = dict(plan.reasons())
        return run_sweep(lab, sweep, self.folder, plan)

    @property
    def runs(self) -> int:
        return len(self.log.read_text().splitlines())

    @property
    def rows(self) -> list[dict[str, object]]:
        return pq.read_table(self.folder.path / "points.parquet").to_pylist()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_sweep_meets_the_closed_form_at_every_point(desk: Desk, shared: Path) -> None:
    result = desk.sweep(RATES, "rpo=5 min,15 min")
    assert len(result.outcomes) == 8
    for row in desk.rows:
        rate, theta = row["links.ab.rate.si"], row["rpo.si"]
        assert row[VIOLATION] == min((3600 - theta) * rate / (rate - 100_000), 86400)
    # truth/analytic.csv, fluid_outage_viol_T1_100KBps_1h_rpo15m
    known = [r for r in desk.rows if r["links.ab.rate"] == "192 kB/s" and r["rpo"] == "15 min"]
    assert known[0][VIOLATION] == pytest.approx(5634.7826087)
    text = (shared / "truth" / "analytic.csv").read_text()
    assert "fluid_outage_viol_T1_100KBps_1h_rpo15m" in text
    assert "5634.7826087" in text


def test_the_table_is_tidy(desk: Desk) -> None:
    desk.sweep(RATES, "do=none,raise", replications=3, spread=0.3)
    rows = desk.rows
    assert len(rows) == 24
    assert [r["replication"] for r in rows[:4]] == [0, 1, 2, 0]
    assert {r["state"] for r in rows} == {"done", "failed"}
    failed = [r for r in rows if r["do"] == "raise"]
    assert {r["error"] for r in failed} == {"RuntimeError: the link melted"}
    assert {r[VIOLATION] for r in failed} == {None}
    assert len({r["key"] for r in rows}) == 24
    assert len({r["seed"] for r in rows}) == 3
    assert isinstance(rows[0]["expect g.b.violation_fraction <= 5 %"], bool)


def test_what_is_finished_is_never_run_again(desk: Desk) -> None:
    first = desk.sweep(RATES)
    assert (desk.runs, desk.plan) == (4, {"new": 4})
    again = desk.sweep(RATES)
    assert (desk.runs, desk.plan) == (0, {})
    assert all(o.cached for o in again.outcomes.values())
    assert [o.summary for o in first.outcomes.values()] == [o.summary for o in again.outcomes.values()]
    desk.sweep(RATES + ",2 MB/s", replications=2)
    assert (desk.runs, desk.plan) == (6, {"new": 6})


def test_a_rerun_says_why(desk: Desk) -> None:
    desk.sweep(RATES)
    desk.sweep(RATES, lam=90_000.0)
    assert desk.plan == {"changed: lam: 100000.0 -> 90000.0": 4}
    desk.sweep(RATES, lam=90_000.0, version="2", outage="2 h")
    assert desk.plan == {"changed: outage: 1 h -> 2 h, version: 1 -> 2": 4}
    desk.sweep(RATES, lam=90_000.0, version="2", outage="2 h", rerun="all")
    assert (desk.runs, desk.plan) == (4, {"asked for (--rerun all)": 4})
    desk.sweep(RATES)
    assert (desk.runs, desk.plan) == (0, {})  # the first answers are still there


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_loses_nothing_that_finished(desk: Desk, jobs: int) -> None:
    pool: Pool = HerePool() if jobs == 1 else CorePool(2)
    with pytest.raises(KeyboardInterrupt), pool:
        desk.sweep("links.ab.rate=110 kB/s:900 kB/s:lin30", listener=Interrupting(7), pool=pool)
    states = [row["state"] for row in desk.rows]
    assert len(states) == 30
    assert states.count("missing") >= 23
    assert sum(1 for _ in (desk.root / "points").iterdir()) >= 7
    result = desk.sweep("links.ab.rate=110 kB/s:900 kB/s:lin30")
    assert desk.plan["did not finish"] == desk.runs <= 23
    assert result.missing == 0
    assert [row["state"] for row in desk.rows] == ["done"] * 30


CRASHING = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.study.test_sweep import Desk, Interrupting

class Killing(Interrupting):
    def finished(self, outcome):
        self.outcomes.append(outcome)
        if len(self.outcomes) == self.after:
            os.kill(os.getpid(), signal.SIGKILL)

Desk(Path({desk!r})).sweep("links.ab.rate=110 kB/s:900 kB/s:lin30", listener=Killing(5))
"""


def test_a_crash_loses_nothing_that_finished(desk: Desk) -> None:
    script = CRASHING.format(root=str(ROOT), desk=str(desk.root))
    crashed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert crashed.returncode == -9
    desk.sweep("links.ab.rate=110 kB/s:900 kB/s:lin30")
    assert (desk.runs, desk.plan) == (25, {"did not finish": 25})


def test_failed_points_keep_their_error_and_rerun_alone(desk: Desk) -> None:
    result = desk.sweep(RATES, "do=none,raise")
    assert (len(result.failed), result.exit_code()) == (4, 4)
    kept = [json.loads(p.read_text()) for p in sorted((desk.root / "failed").iterdir())]
    assert len(kept) == 4
    assert all("the link melted" in k["traceback"] for k in kept)
    assert all("do=raise" in k["overrides"] and "--set 'do=raise'" in k["command"] for k in kept)
    left = desk.sweep(RATES, "do=none,raise")
    assert (desk.runs, len(left.failed), left.exit_code()) == (0, 4, 4)
    desk.sweep(RATES, "do=none,raise", rerun="failed")
    assert (desk.runs, desk.plan) == (4, {"failed before: RuntimeError: the link melted": 4})


def test_a_failure_that_is_mended_is_forgotten(desk: Desk) -> None:
    desk.sweep("do=none")
    failure = Outcome(Point.of([("rpo", "1 min")]), 7, "abc", 0.1, None, "boom", "trace")
    store = Store(desk.root, desk.world)
    store.keep(failure)
    assert store.failure("abc") is not None
    store.keep(Outcome(failure.point, 7, "abc", 0.1, {"passed": True}))
    assert store.failure("abc") is None
    assert store.find("abc") == {"passed": True}


def test_exit_codes(desk: Desk) -> None:
    assert desk.sweep("links.ab.rate=1 MB/s", "rpo=1 h").exit_code() == 0
    assert desk.sweep("links.ab.rate=1 MB/s,110 kB/s").exit_code() == 3
    assert desk.sweep("do=none,raise").exit_code() == 4


def test_a_damaged_result_is_run_again(desk: Desk) -> None:
    desk.sweep(RATES)
    one = next((desk.root / "points").iterdir())
    (one / "summary.json").write_text("{")
    desk.sweep(RATES)
    assert (desk.runs, desk.plan) == (1, {"did not finish": 1})
    assert json.loads((one / "summary.json").read_text())["scenario"] == "fluid"


def test_designs_carry_their_estimates(desk: Desk) -> None:
    result = desk.sweep(RATES, replications=5, spread=0.3)
    found = list(result.designs())
    assert [dict(overrides)["links.ab.rate"] for overrides, _ in found] == RATES.split("=")[1].split(",")
    assert all(r.estimates[VIOLATION].n == 5 for _, r in found)
