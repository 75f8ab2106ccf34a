"""Exit codes are an interface: each has its test, with what is said where."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drsim.cli import exits, main

Drsim = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]


def test_the_numbers_never_change() -> None:
    codes = (exits.PASSED, exits.INTERNAL, exits.REFUSED, exits.MISSED, exits.INCOMPLETE, exits.INTERRUPTED)
    assert codes == (0, 1, 2, 3, 4, 130)


def test_0_where_every_expectation_is_met(drsim: Drsim, tmp_path: Path) -> None:
    done = drsim("run", "tiny.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PASSED Tiny")
    assert done.stderr == ""
    (summary,) = tmp_path.glob("results/tiny/*/summary.json")
    assert json.loads(summary.read_text())["passed"] is True
    assert {path.name for path in (summary.parent / "pictures").iterdir()} == {"lag-g.png", "lag-g.svg"}


def test_3_where_an_expectation_is_missed(drsim: Drsim) -> None:
    done = drsim("run", "tiny.yaml", "--no-save", "--set", "expect=[g.b.lag.max <= 1 us]")
    assert done.returncode == 3
    assert done.stdout.startswith("FAILED Tiny")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "none.yaml"],
        ["run", "tiny.yaml", "--set", "links.ab.type=T9"],
        ["run", "tiny.yaml", "--set", "nothing"],
        ["run", "tiny.yaml", "--no-such-option"],
        ["run"],
        ["no-such-command"],
        ["validate", "none.yaml"],
        ["run", "tiny.yaml", "-o", "tiny.yaml/results"],
        ["run", "tiny.yaml", "--no-save", "--json", "no/such/folder/x.json"],
        ["run", "tiny.yaml", "--seed", "-1"],
        ["seed-time", "2 T"],
        ["links", "--efficiency", "0"],
        ["init", "no-such-template"],
    ],
)
def test_2_for_wrong_usage_and_input(drsim: Drsim, arguments: list[str]) -> None:
    done = drsim(*arguments)
    assert done.returncode == 2
    assert done.stderr or arguments[0] == "validate"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "option", ["--confidence=0%", "--confidence=100%", "--precision=0%", "--tolerance=0%", "--tolerance=101%"]
)
def test_2_for_a_share_that_means_nothing(drsim: Drsim, option: str) -> None:
    command = ("size", "--vary", "x", "--until", "y") if "tolerance" in option else ("run",)
    done = drsim(*command, "tiny.yaml", option)
    assert done.returncode == 2
    assert "is not more than 0 %" in done.stderr


def test_2_where_results_cannot_be_written(drsim: Drsim) -> None:
    done = drsim("run", "tiny.yaml", "-o", "/proc/none")
    assert done.returncode == 2
    assert "/proc/none" in done.stderr
    assert "Traceback" not in done.stderr


def test_1_for_a_fault_of_ours_with_one_line_and_the_way_to_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(name: str) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("drsim.cli.schema.schema_of", broken)
    monkeypatch.delenv("DRSIM_TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as ended:
        main.main(["schema"])
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("drsim: internal error: ZeroDivisionError: division by zero\n")
    assert "DRSIM_TRACEBACK=1" in said.err
    monkeypatch.setenv("DRSIM_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main.main(["schema"])


def test_130_when_interrupted_while_a_class_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Field:
        def __set_name__(self, owner: type, name: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr("drsim.cli.schema.schema_of", lambda name: type(name, (), {"field": Field()}))
    with pytest.raises(SystemExit) as ended:
        main.main(["schema"])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "drsim: interrupted\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_130_when_interrupted_and_nothing_half_written_stays(
    drsim: Drsim, tmp_path: Path, number: signal.Signals
) -> None:
    del drsim  # for its folder and scenario
    arguments = ["run", "tiny.yaml", "--set", "duration=3650 d"]
    process = subprocess.Popen(
        [sys.executable, "-m", "drsim", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while "drsim/simulation" not in _files_open_or_loaded(process.pid) and time.monotonic() < deadline:
        pass
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.strip() == "drsim: interrupted"
    assert not [path for path in tmp_path.rglob("*") if path.name != "tiny.yaml"]


def _files_open_or_loaded(pid: int) -> str:
    """The libraries a process has mapped: once scipy's or simpy's are there, the run has begun."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return "drsim/simulation" if "numpy" in maps else ""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("schema | true", 141),
        ("run tiny.yaml --no-save | true", 141),
        ("run tiny.yaml --no-save >&-", 0),
    ],
)
def test_the_reader_may_close_the_pipe(drsim: Drsim, tmp_path: Path, command: str, code: int) -> None:
    del drsim
    command = f"{sys.executable} -m drsim {command}; echo ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.endswith(f"{code}\n")
    assert done.stderr == ""
