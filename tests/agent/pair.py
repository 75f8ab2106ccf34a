"""Two real agents in processes of their own, on loopback, for tests that treat them badly."""

import contextlib
import ctypes
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drsim.agent.status import ask

PYTHON = sys.executable
ROOT = Path(__file__).parents[2]
LAUNCH = Path(__file__).with_name("launch.py")
BLOCK = 4096
SIZE = 16 << 20


def needs(*programs: str) -> None:
    """Skip the test where a program it needs is not installed."""
    for program in programs:
        if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            pytest.skip(f"{program} is not installed")


def libnbd():
    """Give libnbd's Python module, wherever the system keeps it; skip where it is absent."""
    here = "/usr/lib/python3/dist-packages"
    if here not in sys.path:
        sys.path.append(here)
    return pytest.importorskip("nbd", reason="python3-libnbd is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition: Callable[[], object], seconds: float = 20.0, what: object = "") -> object:
    """Wait until a condition holds; give what it gave. DRSIM_PATIENCE stretches it on a busy machine."""
    seconds *= float(os.environ.get("DRSIM_PATIENCE", "1"))
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, KeyError, json.JSONDecodeError):
            if found := condition():
                return found
        if time.monotonic() > end:
            raise AssertionError(
                f"not within {seconds:g} s: {what() if callable(what) else what or condition}"
            )
        time.sleep(0.01)


def die_with_parent() -> None:
    """A test that dies takes its agents with it (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Pair:
    """Sites ``paris`` (source) and ``lyon`` (target) of one group ``erp`` with one volume ``v``.

    Args:
        folder: everything is below it.
        group: entries of the group beside the usual ones, as YAML flow text.
        between: port that paris is to dial instead of lyon's own (a proxy's).
        states: other folders for a site's state.
        top: more lines of the file, ``link``, ``target`` and ``nbd`` entries of those parts.
        hosts: other addresses of the sites; prefix: words to run a site's agent by.
    """

    def __init__(
        self,
        folder: Path,
        group: str = "",
        *,
        between: int | None = None,
        states=None,
        top="",
        size=SIZE,
        hosts=None,
        prefix=None,
        link="retry: 300 ms, heartbeat: 500 ms, dead: 2 s",
        target="rpo: 5 s",
        nbd="",
    ):
        hosts = {"paris": "127.0.0.1", "lyon": "127.0.0.1"} | (hosts or {})
        self.prefix = prefix or {}
        self.folder = folder
        self.size = size
        self.ports = {"paris": free_port(), "lyon": free_port()}
        self.states = {site: folder / site for site in self.ports} | (states or {})
        self.processes: dict[str, subprocess.Popen] = {}
        self.logs = {}
        for site in self.ports:
            ports = dict(self.ports)
            if site == "paris" and between is not None:
                ports["lyon"] = between
            (folder / f"{site}.yaml").write_text(
                f"""
drsim_agent: 1
site: {site}
state: {self.states[site]}
sites:
  paris: {{address: {hosts["paris"]}:{ports["paris"]}}}
  lyon: {{address: {hosts["lyon"]}:{ports["lyon"]}}}
nbd: {{socket: {self.socket(site)}{nbd}}}
link: {{{link}}}
{top}
groups:
  erp:
    source: paris
    volumes: {{v: {size} B}}
    targets: {{lyon: {{{target}}}}}
    {group}
"""
            )

    def socket(self, site: str) -> Path:
        return self.folder / f"{site}.sock"

    def uri(self, site: str = "paris", export: str = "erp/v") -> str:
        return f"nbd+unix:///{export}?socket={self.socket(site)}"

    def start(self, *sites: str, env: dict[str, str] | None = None, ready: bool = True) -> None:
        """Start agents and wait until they answer."""
        for site in sites or self.ports:
            self.logs[site] = (self.folder / f"{site}.log").open("ab")
            self.processes[site] = subprocess.Popen(
                [*self.prefix.get(site, []), PYTHON, str(LAUNCH), str(self.folder / f"{site}.yaml")],
                env=os.environ | {"PYTHONPATH": str(ROOT)} | (env or {}),
                stderr=self.logs[site],
                preexec_fn=die_with_parent,
            )
        for site in sites or self.ports:
            if ready:
                until(lambda s=site: self.status(s), what=lambda s=site: f"{s} is up; {self.tail(s)}")

    def kill(self, *sites: str) -> None:
        """kill -9."""
        for site in sites or self.ports:
            self.processes[site].kill()
        for site in sites or self.ports:
            self.processes.pop(site).wait()
            self.logs.pop(site).close()

    def stop(self, *sites: str) -> None:
        """Ask agents to end, and see that they do."""
        for site in sites or list(self.processes):
            self.processes[site].terminate()
        for site in sites or list(self.processes):
            assert self.processes.pop(site).wait(20) == 0, self.tail(site)
            self.logs.pop(site).close()

    def status(self, site: str) -> dict:
        return ask(self.states[site] / "status.sock", {"ask": "status"}, 5)["groups"]["erp"]

    def ask(self, site: str, verb: str, **more) -> dict:
        return ask(self.states[site] / "status.sock", {"ask": verb, "group": "erp", **more}, 30)

    def leg(self) -> dict:
        return self.status("paris")["targets"]["lyon"]

    def settled(self) -> bool:
        """The target confirmed everything the source ever took, in order."""
        status = self.status("paris")
        leg = status["targets"]["lyon"]
        return leg["state"] == "STREAMING" and leg["confirmed"] == status["last"]

    def settle(self, seconds: float = 20.0) -> None:
        until(self.settled, seconds, "the target has caught up")

    def image(self, site: str) -> bytes:
        """The volume's file; the agent must have been stopped, or killed and its files replayed."""
        return (self.states[site] / "erp/volumes/v.img").read_bytes()

    def log(self, site: str) -> str:
        path = self.folder / f"{site}.log"
        return path.read_text() if path.exists() else ""

    def tail(self, site: str) -> str:
        return self.log(site)[-2000:]


@contextlib.contextmanager
def pair(folder: Path, group: str = "", made: Pair | None = None, **more):
    """Make a pair, or take one; whatever becomes of the test, its processes end."""
    made = made or Pair(folder, group, **more)
    try:
        yield made
    finally:
        for site in list(made.processes):
            made.kill(site)


def run(*command: str, seconds: float = 60, **more) -> subprocess.CompletedProcess:
    """Run a program that must succeed."""
    env = os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    done = subprocess.run(command, timeout=seconds, capture_output=True, env=env, check=False, **more)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done


def copied(uri: str, to: Path) -> str:
    """Copy an export with nbdcopy and give the SHA-256 of what came."""
    run("nbdcopy", uri, str(to))
    return hashlib.sha256(to.read_bytes()).hexdigest()
