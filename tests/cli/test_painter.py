"""Pictures drawn beside a run: the same bytes, the same errors, and no process left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Drsim

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a run draws by itself")

RUN = """
import sys
from drsim.cli import main, painter
painter.cores = lambda: {cores}
try:
    main.main(["run", "tiny.yaml", "-q", "-o", "{folder}", *sys.argv[1:]])
finally:
    print("drew" if "matplotlib" in sys.modules else "did not draw")
"""

BESIDE = """
import os, signal, sys
from pathlib import Path
from drsim.cli import painter
painter.cores = lambda: 2
painter._PATIENCE_S = 1000
def draw(name, by):
    Path(name).write_text("the run" if os.getpid() == by else "another")
with painter.beside(draw, lambda: {ready}) as drawing:
    {body}
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("no process is left")
"""


def python(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own: a fork wants one without threads."""
    return subprocess.run(
        [sys.executable, "-c", text, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_pictures_drawn_beside_a_run_have_the_bytes_of_those_it_draws(drsim: Drsim, tmp_path: Path) -> None:
    del drsim  # for its folder and scenario
    pictures = []
    for cores, who in ((1, "drew"), (2, "did not draw")):
        done = python(tmp_path, RUN.format(cores=cores, folder=who))
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{who}\n", "")
        files = (path for path in (tmp_path / who).rglob("*") if path.suffix in {".png", ".svg"})
        pictures.append({path.name: path.read_bytes() for path in files})
    assert sorted(pictures[0]) == ["lag-g.png", "lag-g.svg"]
    assert pictures[0] == pictures[1]


def test_a_picture_that_cannot_be_drawn_is_told(drsim: Drsim, tmp_path: Path) -> None:
    assert drsim("run", "tiny.yaml", "-q", "-o", "out", "--no-pictures").returncode == 0
    (results,) = (tmp_path / "out" / "tiny").iterdir()
    (results / "pictures").write_text("in the way")
    for cores in (1, 2):
        done = python(tmp_path, RUN.format(cores=cores, folder="out"))
        assert done.returncode == 2
        assert done.stderr == f"drsim: File exists: {(results / 'pictures').relative_to(tmp_path)}\n"


@pytest.mark.parametrize(
    ("ready", "drawn"),
    [
        ("None", "another"),
        ("1 / 0", "the run"),
        ("sys.exit(0)", "the run"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "the run"),
        ("signal.raise_signal(signal.SIGINT)", "another"),
        ("signal.raise_signal(signal.SIGALRM)", "the run"),
    ],
)
def test_the_run_draws_what_the_other_process_did_not(tmp_path: Path, ready: str, drawn: str) -> None:
    done = python(tmp_path, BESIDE.format(ready=ready, body="drawing('picture', os.getpid())"))
    assert (done.stdout, done.stderr) == ("no process is left\n", "")
    assert (tmp_path / "picture").read_text() == drawn


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("pass", 0, "no process is left\n"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
        ("signal.raise_signal(signal.SIGINT)", -signal.SIGINT, ""),
    ],
)
def test_the_other_process_ends_with_a_run_that_draws_nothing(
    tmp_path: Path, body: str, code: int, said: str
) -> None:
    # It has the run's stdout, which is read to the end here: were it left over, this would wait for it.
    done = python(tmp_path, BESIDE.format(ready="None", body=body))
    assert (done.returncode, done.stdout) == (code, said)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_forked_beside_threads(tmp_path: Path) -> None:
    thread = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    text = f"{thread}\n{BESIDE.format(ready='None', body='drawing(chr(97), os.getpid())')}"
    assert python(tmp_path, text).stdout == "no process is left\n"
    assert (tmp_path / "a").read_text() == "the run"
