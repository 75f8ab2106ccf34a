"""Each command's output: for people, for programs, and nothing where it does not belong."""

import gc
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from drsim.cli import brief
from drsim.cli.main import COMMANDS, cli
from drsim.scenario import ScenarioError, load
from drsim.scenario.source import read_source
from drsim.simulation import limits, run

Drsim = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]


def test_help_names_every_command_and_imports_none(drsim: Drsim) -> None:
    started = time.monotonic()
    done = drsim("--help")
    elapsed = time.monotonic() - started
    assert done.returncode == 0
    for name, (_, line) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", done.stdout, re.MULTILINE)
    assert elapsed < 1.0, "help should take a twentieth of a second; a heavy import has crept in"
    heavy = drsim_imports("drsim.cli.main")
    assert not heavy & {"numpy", "scipy", "pandas", "seaborn", "pyarrow", "pydantic", "matplotlib", "rich"}


def test_the_collector_rests_for_what_stays_and_works_while_a_world_runs() -> None:
    asked = []
    with brief.resting():
        assert not gc.isenabled()
        scenario = load(ROOT / "scenarios/outage.yaml", [("duration", "1 min")])
        run(scenario, progress=lambda *_: asked.append(gc.isenabled()))
        assert not gc.isenabled()
    assert gc.isenabled()
    assert asked
    assert all(asked)


def test_matplotlib_is_imported_without_property_lists_and_left_as_it_was() -> None:
    code = """
from drsim.cli import brief
brief.import_matplotlib()
from matplotlib.artist import kwdoc
from matplotlib.lines import Line2D
print("dash_capstyle" in Line2D.set.__doc__, "dash_capstyle" in kwdoc(Line2D))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False True\n"


def test_validation_imports_nothing_heavy() -> None:
    found = drsim_imports("drsim.cli.validate, drsim.simulation.limits")
    assert not found & {"scipy", "pandas", "seaborn", "pyarrow", "matplotlib", "simpy"}


def drsim_imports(module: str) -> set[str]:
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(drsim: Drsim, command: str) -> None:
    done = drsim(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: drsim {command} ")


def test_a_mistyped_command_is_told_the_nearest(drsim: Drsim) -> None:
    assert "did you mean 'validate'?" in drsim("vlidate").stderr


def test_validate_for_people(drsim: Drsim, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text((tmp_path / "tiny.yaml").read_text().replace("1 min", "1"))
    done = drsim("validate", "tiny.yaml", "bad.yaml")
    assert done.returncode == 2
    assert done.stdout.splitlines()[0] == "tiny.yaml: valid"
    assert "bad.yaml:6:64: error: groups.g.targets.b.rpo: '1' has no unit" in done.stdout
    assert done.stdout.splitlines()[-1] == "bad.yaml: 1 error"
    assert done.stderr == ""


def test_validate_tells_what_a_run_would_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(("groups", "g", "targets", "b", "rpo"), "an RPO", "leave it out")]
    monkeypatch.setattr(limits, "_found", lambda scenario: found)
    file = tmp_path / "tiny.yaml"
    file.write_text(
        "drsim: 1\n"
        "duration: 1 s\n"
        "sites: {a: {}, b: {}}\n"
        "links: {ab: {between: [a, b], type: T1}}\n"
        "groups: {g: {source: a, volumes: {v: 1 GB}, targets: {b: {rpo: 1 min}}}}\n"
    )
    for words in (
        "validate FILE",
        "run FILE --no-save",
        "sweep FILE",
        "size FILE --rpo g.b",
        "compare FILE FILE",
    ):
        done = CliRunner().invoke(cli, words.replace("FILE", str(file)).split())
        said = done.output + (done.exception.render() if isinstance(done.exception, ScenarioError) else "")
        assert f"{file}:5:64: error: groups.g.targets.b.rpo: not simulated: an RPO" in said, words
        assert " " * 67 + "^" in said
        assert "hint: leave it out" in said


def test_validate_for_programs_and_pull_requests(drsim: Drsim) -> None:
    bad = ["validate", "tiny.yaml", "--set", "groups.g.source=c"]
    done = drsim(*bad, "--format", "json")
    told = json.loads(done.stdout)
    assert told["schema_version"] == 1
    (problem,) = told["problems"]
    assert problem["path"] == "groups.g.source"
    assert problem["option"] == "groups.g.source=c"
    done = drsim(*bad, "--format", "github")
    assert done.stdout.startswith("::error file=tiny.yaml,line=6,col=")


def test_warnings_pass_unless_strict(drsim: Drsim) -> None:
    slow = ["validate", "tiny.yaml", "--set", "hosts.h.writes[0].rate=1 MB/s"]
    done = drsim(*slow)
    assert done.returncode == 0
    assert "warning: links.ab: g write 1 MB/s" in done.stdout
    assert drsim(*slow, "--strict").returncode == 2


def test_run_says_its_warnings_on_stderr(drsim: Drsim) -> None:
    slow = ["run", "tiny.yaml", "--no-save", "--set", "hosts.h.writes[0].rate=1 MB/s"]
    done = drsim(*slow)
    assert "warning: links.ab" in done.stderr
    assert "warning" not in done.stdout
    assert drsim(*slow, "--quiet").stderr == ""


def test_json_on_stdout_is_only_json(drsim: Drsim) -> None:
    done = drsim("run", "tiny.yaml", "--no-save", "--json", "-")
    summary = json.loads(done.stdout)
    assert summary["schema_version"] == 1
    assert summary["wall_s"] > 0
    assert summary["groups"]["g"]["targets"]["b"]["consistent"] is True


def test_json_and_junit_go_to_files(drsim: Drsim, tmp_path: Path) -> None:
    arguments = ["run", "tiny.yaml", "--no-save", "-q", "--json", "s.json", "--junit", "j.xml"]
    done = drsim(*arguments)
    assert (done.stdout, done.stderr) == ("", "")
    assert json.loads((tmp_path / "s.json").read_text())["passed"] is True
    assert 'name="g.b.lag.max &lt;= 10 s"' in (tmp_path / "j.xml").read_text()


def test_two_runs_leave_the_same_bytes_but_for_the_wall_clock(drsim: Drsim, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert drsim("run", "tiny.yaml", "-o", folder, "--no-pictures").returncode == 0
    ones = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file())
    twos = sorted(p.relative_to(tmp_path / "two") for p in (tmp_path / "two").rglob("*") if p.is_file())
    assert ones == twos
    for path in ones:
        a, b = ((tmp_path / folder / path).read_bytes() for folder in ("one", "two"))
        if path.name == "summary.json":
            a, b = (re.sub(rb'"(writes_per_)?wall_s": [0-9.e+-]+', b"", text) for text in (a, b))
        if path.name != "wall.json":
            assert a == b, path


def test_another_seed_or_override_has_another_place(drsim: Drsim, tmp_path: Path) -> None:
    for more in ([], ["--seed", "5"], ["--set", "links.ab.type=DS3"]):
        assert drsim("run", "tiny.yaml", "--no-pictures", "-q", *more).returncode == 0
    assert len(list((tmp_path / "results" / "tiny").iterdir())) == 3


def test_nothing_is_coloured_when_piped(drsim: Drsim) -> None:
    for environment in ({}, {"GITHUB_ACTIONS": "true"}, {"NO_COLOR": "1"}):
        done = drsim("run", "tiny.yaml", "--no-save", **environment)
        assert "\x1b" not in done.stdout + done.stderr
    assert "\x1b" not in drsim("run", "none.yaml").stderr


def test_the_schema_accepts_good_scenarios_only(drsim: Drsim, tmp_path: Path) -> None:
    schema = json.loads(drsim("schema").stdout)
    validator = jsonschema.Draft202012Validator(schema)
    tiny = read_source((tmp_path / "tiny.yaml").read_text(), "tiny.yaml").tree
    assert not list(validator.iter_errors(tiny))
    tiny["groups"]["g"]["mode"] = "jornal"
    assert list(validator.iter_errors(tiny))


def test_links_and_seed_time_print_the_white_papers_tables(drsim: Drsim, shared: Path) -> None:
    links = drsim("links").stdout
    assert re.search(r"^DS3 +43.2 +44.736 +44.21 +18.98 +13.29$", links, re.MULTILINE)
    assert "the paper prints T1 0.66 for 0.68, T1 0.46 for 0.47" in links
    hours = drsim("seed-time").stdout
    rows = (shared / "truth" / "seed_tables.csv").read_text().splitlines()
    cells = [row.split(",") for row in rows[1:]]
    for link in {cell[0] for cell in cells}:
        wanted = [cell[2] for cell in cells if cell[0] == link and cell[1].startswith("hours_")]
        line = next(line for line in hours.splitlines() if line.startswith(link + " "))
        assert line.replace("*", "").split()[1:] == wanted
    # 730 GB take a T1 1544.97 h, a courier 48: disks handed over on the 62nd day are still there first.
    assert re.search(r"^T1 +- +5.1 +8.6 +15.6 +24.5 +62.4$", hours, re.MULTILINE)


def test_seed_time_takes_sizes_links_and_change(drsim: Drsim) -> None:
    done = drsim("seed-time", "2 TB", "--link", "T3", "--change", "20 GB/d", "--json")
    (cell,) = json.loads(done.stdout)["cells"]
    # 2e12 B at 43.2 Mb/s x 70 % less 20e9 B a day
    assert cell["hours"] == pytest.approx(2e12 / (43.2e6 / 8 * 0.7 - 20e9 / 86400) / 3600)
    assert (cell["link"], cell["ship_disks"]) == ("DS3", False)
    assert cell["break_even_day"] == pytest.approx((cell["hours"] - cell["courier_hours"]) / 24)


def test_init_writes_a_scenario_that_is_valid_and_keeps_yours(drsim: Drsim, tmp_path: Path) -> None:
    names = [line.split()[0] for line in drsim("init").stdout.splitlines()]
    assert {"two-site", "t1-branch", "three-site", "hub-spoke"} <= set(names)
    for name in names:
        assert drsim("init", name).returncode == 0
    done = drsim("validate", "--strict", *(f"{name}.yaml" for name in names))
    assert done.returncode == 0, done.stdout
    (tmp_path / "two-site.yaml").write_text("mine")
    assert "did you mean 'two-site'?" in drsim("init", "twosite.yaml").stderr
    done = drsim("init", "two-site")
    assert (done.returncode, (tmp_path / "two-site.yaml").read_text()) == (2, "mine")
    assert drsim("init", "two-site", "--force").returncode == 0
    assert drsim("init", "two-site", "-o", "-").stdout == (tmp_path / "two-site.yaml").read_text()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(drsim: Drsim, shell: str) -> None:
    assert "_DRSIM_COMPLETE" in drsim("completion", shell).stdout
