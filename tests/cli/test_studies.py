"""sweep, size and compare as users run them: exit codes, what stands on stdout, resume, refusals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from drsim.cli.main import main
from drsim.cli.studies import Watcher
from drsim.study.point import Outcome
from drsim.units import parse_rate
from tests.cli.conftest import ROOT, TINY, Drsim

RATES = "links.ab.rate=400 kb/s,700 kb/s"
UNTYPED = "links.ab.type=null"


def sweep(drsim: Drsim, *more: str) -> subprocess.CompletedProcess[str]:
    return drsim("sweep", "tiny.yaml", "--set", UNTYPED, "-j", "1", *more)


def test_a_sweep_tells_every_point_and_misses_with_3(drsim: Drsim, tmp_path: Path) -> None:
    done = sweep(drsim, "--set", "links.ab.rate=400 kb/s,700 kb/s")
    assert done.returncode == 3, done.stderr
    assert "400 kb/s" in done.stdout
    assert "FAILED: 1 of 2 points missed an objective" in done.stdout
    assert "2 to run: new" in done.stderr
    (table,) = (tmp_path / "results" / "tiny").glob("sweep-*/points.parquet")
    rows = pq.read_table(table).to_pylist()
    assert [row["expect g.b.lag.max <= 10 s"] for row in rows] == [False, True]
    assert rows[0]["links.ab.rate.si"] == 50_000
    assert list(table.parent.glob("overview.*"))
    assert sweep(drsim, "--set", RATES, "--exit-zero", "--no-pictures").returncode == 0


def test_a_sweep_that_passes_is_0_and_its_second_time_runs_nothing(drsim: Drsim) -> None:
    options = ("--set", "links.ab.rate=700 kb/s,1 Mb/s", "--no-pictures")
    assert sweep(drsim, *options).returncode == 0
    again = sweep(drsim, *options)
    assert again.returncode == 0
    assert "0 to run, 2 cached" in again.stderr
    dry = sweep(drsim, *options, "--rerun", "all", "--dry-run")
    assert "2 to run: asked for (--rerun all)" in dry.stderr
    assert dry.stdout == ""


def test_a_changed_scenario_is_run_again_and_told_why(drsim: Drsim, tmp_path: Path) -> None:
    options = ("--set", "links.ab.rate=700 kb/s,1 Mb/s", "--no-pictures")
    sweep(drsim, *options)
    (tmp_path / "tiny.yaml").write_text(TINY.replace("50 kB/s", "40 kB/s"))
    again = sweep(drsim, *options)
    assert "changed: hosts.h.writes[0].rate: 50 kB/s -> 40 kB/s" in again.stderr


def test_json_alone_stands_on_stdout(drsim: Drsim) -> None:
    done = sweep(drsim, "--set", RATES, "-n", "2", "--json", "-", "--no-pictures")
    found = json.loads(done.stdout)
    assert found["counts"] == {"done": 4, "failed": 0, "missing": 0}
    assert [p["replication"] for p in found["points"]] == [0, 1, 0, 1]
    assert found["designs"][0]["estimates"]["groups.g.targets.b.lag_max_s"]["n"] == 2
    assert found["points"][0]["summary"]["groups"]["g"]["writes"] > 1000


def test_a_point_is_what_drsim_run_shows(drsim: Drsim) -> None:
    """The command in a point's manifest gives the same summary, but for the wall clock."""
    found = json.loads(sweep(drsim, "--set", RATES, "-n", "2", "--json", "-", "--no-pictures").stdout)
    point = found["points"][3]
    sets = [word for path, text in point["overrides"].items() for word in ("--set", f"{path}={text}")]
    run = drsim("run", "tiny.yaml", *sets, "--seed", str(point["seed"]), "--json", "-", "--no-save")
    one, two = json.loads(run.stdout), point["summary"]
    assert one["seed"] == two["seed"] == point["seed"]
    assert one["groups"]["g"]["targets"]["b"].items() <= two["groups"]["g"]["targets"]["b"].items()


def test_junit_has_a_suite_a_point(drsim: Drsim, tmp_path: Path) -> None:
    sweep(drsim, "--set", RATES, "--junit", "out.xml", "--no-pictures")
    assert (tmp_path / "out.xml").read_text().count("<testsuite ") == 2


def test_points_that_break_make_4_and_can_be_run_alone(drsim: Drsim, tmp_path: Path) -> None:
    # Each of these values is right, and so is every pair but the last: only that point can't be run.
    options = ("--set", "links.ab.rtt=null,5 ms", "--set", "links.ab.distance=null,100 km", "--no-pictures")
    done = drsim("sweep", "tiny.yaml", "-j", "1", *options)
    assert done.returncode == 4, done.stderr
    assert "INCOMPLETE: 1 point failed, 0 are missing, 3 ran" in done.stdout
    assert "give either rtt or distance" in done.stdout
    (kept,) = (tmp_path / "results" / "tiny" / "failed").glob("*.json")
    assert "--set 'links.ab.distance=100 km'" in json.loads(kept.read_text())["command"]
    again = drsim("sweep", "tiny.yaml", "-j", "1", *options)
    assert again.returncode == 4
    assert "0 to run, 3 cached, 1 failed before" in again.stderr
    assert "--rerun failed runs them again" in again.stderr
    alone = drsim("sweep", "tiny.yaml", "-j", "1", *options, "--rerun", "failed")
    assert "1 to run, 3 cached" in alone.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "links.ab.rate=1 Mb/s,"), "a value is missing"),
        (("--set", "links.ab.rate=1 Mb/s,2 kk/s"), "'kk/s' is not a unit of rate"),
        (("--set", "links.zz.rate=1 Mb/s,2 Mb/s"), "no 'zz' in links"),
        (("--set", "links.ab.rate=1 Mb/s,2 Mb/s", "--resume"), "nothing to resume"),
        (("--set", "links.ab.rate=1 Mb/s:2 Mb/s:log", "--design", "sobol"), "--samples 64"),
        (("--zip", "a=1,2", "--zip", "b=1"), "a has 2, b has 1"),
    ],
)
def test_a_sweep_that_can_not_be_meant_is_2(drsim: Drsim, arguments: tuple[str, ...], said: str) -> None:
    done = sweep(drsim, *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stdout == ""


def test_ctrl_c_is_130_and_the_rest_runs_later(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    command = [sys.executable, "-m", "drsim", "sweep", "tiny.yaml", "--set", UNTYPED, "--no-pictures"]
    options = ["--set", "links.ab.rate=700 kb/s:9 Mb/s:log40", "-j", "2"]
    clean = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, *options],
        cwd=tmp_path,
        env=clean,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        while "to run: new" not in running.stderr.readline():
            pass
        running.send_signal(signal.SIGINT)
        said = running.stderr.read()
    assert running.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    done = subprocess.run(
        [*command, *options, "--resume"], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "did not finish" in done.stderr


@pytest.mark.parametrize(
    ("command", "kept", "told"),
    [
        (
            ["run", "tiny.yaml", "-n", "5"],
            3,
            "3 of 5 runs are done and kept in results/tiny; the same command",
        ),
        (
            ["run", "tiny.yaml", "-n", "5", "--no-save"],
            0,
            "3 of 5 runs are done, and not kept, as --no-save asks",
        ),
        (["run", "tiny.yaml", "--precision", "1 %"], 3, "3 runs are done and kept in results/tiny; the same"),
        (
            ["sweep", "tiny.yaml", "--set", "seed=1,2,3,4,5"],
            3,
            "3 of 5 runs are done and kept in results/tiny;",
        ),
        (["compare", "tiny.yaml", "seed=5", "-n", "3"], 3, "3 of 6 runs are done and kept in results;"),
    ],
)
def test_who_interrupts_a_study_hears_what_is_kept_and_how_to_go_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    kept: int,
    told: str,
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    finished = Watcher.finished

    def third(watcher: Watcher, outcome: Outcome) -> None:
        finished(watcher, outcome)
        if watcher.told.startswith("3 run"):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Watcher, "finished", third)
    with pytest.raises(SystemExit) as ended:
        main([*command, "-j", "1"])
    assert ended.value.code == 130
    assert f"drsim: interrupted: {told}" in capsys.readouterr().err
    assert len(list(tmp_path.glob("results/tiny/points/*"))) == kept
    assert not list(tmp_path.rglob(".*"))


def test_an_interrupted_run_of_several_futures_goes_on_where_it_was(drsim: Drsim, tmp_path: Path) -> None:
    whole = drsim("run", "tiny.yaml", "-n", "3", "-j", "1", "-o", "whole")
    drsim("run", "tiny.yaml", "-n", "2", "-j", "1")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/tiny/points/*")}
    again = drsim("run", "tiny.yaml", "-n", "3", "-j", "1")
    assert len(before) == 2
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())
    assert again.stdout.replace("results/", "whole/") == whole.stdout
    assert "each kept in results/tiny/points" in again.stdout
    assert "kept" not in drsim("run", "tiny.yaml", "-n", "2", "-j", "1", "--no-save").stdout


CHANCE = TINY.replace("rate: 50 kB/s, size: 8 KiB", "rate: 90 kB/s, size: 8 KiB, arrivals: poisson")


def test_a_run_in_several_futures_has_intervals_and_odds(drsim: Drsim, tmp_path: Path) -> None:
    (tmp_path / "chance.yaml").write_text(CHANCE.replace("lag.max <= 10 s", "lag.max <= 500 ms"))
    done = drsim("run", "chance.yaml", "-n", "6", "-j", "1")
    assert done.returncode in (0, 3), done.stderr
    assert "lag max" in done.stdout
    assert " .. " in done.stdout
    assert "of 6 (" in done.stdout
    found = json.loads(drsim("run", "chance.yaml", "-n", "6", "-j", "1", "--json", "-").stdout)
    assert found["futures"] == 6
    assert len(set(found["seeds"])) == 6
    lag = found["estimates"]["groups.g.targets.b.lag_max_s"]
    assert lag["low"] < lag["mean"] < lag["high"]
    assert found["passed"] == (done.returncode == 0)


def test_a_run_goes_on_until_it_is_precise_or_gives_up(drsim: Drsim, tmp_path: Path) -> None:
    (tmp_path / "chance.yaml").write_text(CHANCE)
    done = drsim("run", "chance.yaml", "--precision", "50 %", "--json", "-", "-j", "1")
    assert json.loads(done.stdout)["precise"] is True
    done = drsim("run", "chance.yaml", "--precision", "0.001 %", "--most", "11", "--json", "-", "-j", "1")
    assert json.loads(done.stdout)["precise"] is False
    assert "the asked precision was not reached in 11 futures" in done.stderr


def test_size_answers_in_text_and_json(drsim: Drsim) -> None:
    asked = ("size", "tiny.yaml", "--vary", "links.ab.rate", "--until", "g.b.lag.max <= 1 s", "-j", "1")
    done = drsim(*asked)
    assert done.returncode == 0, done.stderr
    assert "is the least links.ab.rate for g.b.lag.max <= 1 s" in done.stdout
    assert "the closed form says" in done.stdout
    assert "next standard link: T1" in done.stdout
    found = json.loads(drsim(*asked, "--json", "-").stdout)
    assert found["closed_form"]["ratio"] == pytest.approx(1, abs=0.02)
    assert [row["enough"] for row in found["links"]] == [False, True]
    assert found["simulations"] == 0  # all of it was kept


def test_size_along_an_axis_is_a_frontier(drsim: Drsim, tmp_path: Path) -> None:
    along = ("--set", "groups.g.targets.b.rpo=300 ms,1 s,3 s", "--picture", "frontier.png", "-j", "1")
    done = drsim("size", "tiny.yaml", "--vary", "links.ab.rate", "--until", "g.b.lag.max <= rpo", *along)
    assert done.returncode == 0, done.stderr
    rows = [line.split("  ") for line in done.stdout.splitlines()[4:]]
    assert [row[0] for row in rows] == ["300 ms", "1 s", "3 s"]
    assert {path.name for path in tmp_path.glob("frontier.*")} == {"frontier.png", "frontier.svg"}
    asked = ("--vary", "links.ab.rate", "--until", "g.b.lag.max <= rpo", "-j", "1", "--json", "-")
    found = json.loads(drsim("size", "tiny.yaml", *asked, *along[:2]).stdout)
    rates = [parse_rate(row["answer"]) for row in found["rows"]]
    assert rates[0] > rates[1] > rates[2]
    done = drsim(
        "size",
        "tiny.yaml",
        *asked,
        "--set",
        "links.ab.rtt=1 ms,2 ms",
        "--set",
        "links.ab.efficiency=60 %,70 %",
    )
    assert done.returncode == 2


def test_size_without_an_answer_is_3(drsim: Drsim) -> None:
    asked = ("--vary", "links.ab.rate", "--until", "g.b.lag.max <= 1 s", "--between", "10 kb/s:100 kb/s")
    done = drsim("size", "tiny.yaml", *asked, "-j", "1")
    assert done.returncode == 3, done.stderr
    assert "NO ANSWER" in done.stdout
    assert "even 100 kb/s is not enough" in done.stdout


def test_the_rpo_that_links_can_keep(drsim: Drsim) -> None:
    done = drsim("size", "tiny.yaml", "--rpo", "g.b", "--set", "links.ab.type=T1,DS3", "-j", "1")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[-2:]] == ["T1", "DS3"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give either --vary PATH --until EXPECTATION, or --rpo GROUP.TARGET"),
        (("--vary", "links.ab.rate"), "--vary and --until need each other"),
        (("--vary", "links.ab.rate", "--until", "g.b.lagg.max <= 1 s"), "is not a measure"),
        (
            ("--vary", "links.ab.rate", "--until", "g.b.lag.max <= 1 s", "--between", "4 Mb/s"),
            "is not LOW:HIGH",
        ),
        (("--rpo", "g.c"), "known: g.b"),
    ],
)
def test_a_sizing_that_can_not_be_meant_is_2(drsim: Drsim, arguments: tuple[str, ...], said: str) -> None:
    done = drsim("size", "tiny.yaml", *arguments, "-j", "1")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr


def test_compare_tells_differences_and_draws_one_picture(drsim: Drsim, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(TINY.replace("T1", "DS3"))
    designs = ("slow: links.ab.type=null; links.ab.rate=400 kb/s", "other.yaml")
    done = drsim("compare", "tiny.yaml", *designs, "-n", "2", "-j", "1", "--picture", "shown.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split()[:4] == ["tiny", "slow", "difference", "verdict"]
    assert "worse" in done.stdout
    assert "beware" not in done.stderr
    assert {p.name for p in tmp_path.glob("shown.*")} == {"shown.png", "shown.svg"}
    found = json.loads(drsim("compare", "tiny.yaml", *designs, "-n", "2", "-j", "1", "--json", "-").stdout)
    assert found["futures"] == 2
    assert set(found["measures"][0]["designs"]) == {"slow", "other"}


def test_compare_notices_another_workload(drsim: Drsim, tmp_path: Path) -> None:
    (tmp_path / "busy.yaml").write_text(TINY.replace("50 kB/s", "60 kB/s"))
    done = drsim("compare", "tiny.yaml", "busy.yaml", "-j", "1")
    assert "written_bytes differs between tiny and busy: not the same workload" in done.stderr


def test_compare_refuses_what_is_no_design(drsim: Drsim) -> None:
    done = drsim("compare", "tiny.yaml", "x: links.ab.type", "-j", "1")
    assert done.returncode == 2
    done = drsim("compare", "tiny.yaml", "x: links.ab.typ=DS3", "-j", "1")
    assert done.returncode == 2
    assert "unknown key" in done.stderr
