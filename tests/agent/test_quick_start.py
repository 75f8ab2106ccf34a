"""The quick start of docs/AGENT.md, as it is written there; folders, addresses and sizes are this test's own."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from drsim.agent.status import ask
from tests.agent.pair import LAUNCH, ROOT, die_with_parent, free_port, needs, run, until

PAGE = (ROOT / "docs/AGENT.md").read_text()
UNIT = (ROOT / "docs/drsim-agent.service").read_text()
YAML = re.search(r"```yaml\n(.*?)```", PAGE, re.S)[1]
KEYS = re.search(r"^ +(openssl req .*)$", PAGE, re.M)[1]
SITES = {"paris": "10.0.0.1:7010", "lyon": "10.0.1.1:7010"}


@pytest.fixture
def machines(tmp_path):
    """A folder for each machine with the file, its keys and both certificates, as the page has them made."""
    needs("openssl", "nbdcopy", "qemu-io")
    ports = {site: free_port() for site in SITES}
    for site in SITES:
        home = tmp_path / site
        for folder in ("etc", "run", "srv", "lib"):
            (home / folder).mkdir(parents=True)
        text = YAML.replace("/var/lib/drsim", f"{home}/lib").replace("/etc/drsim", f"{home}/etc")
        text = text.replace("/run/drsim", f"{home}/run").replace("/srv/erp", f"{home}/srv")
        for other, address in SITES.items():
            text = text.replace(address, f"127.0.0.1:{ports[other]}")
        text = re.sub(r"(20+) GiB", r"\1 MiB", text)
        text = text.replace("127.0.0.1:9100", f"127.0.0.1:{free_port()}")
        (home / "etc/agent.yaml").write_text(text)
        command = shlex.split(KEYS.replace("CN=paris", f"CN={site}"))
        subprocess.run(command, cwd=home / "etc", check=True, capture_output=True)
    both = "".join((tmp_path / site / "etc/site.crt").read_text() for site in SITES)
    processes = []
    for site in SITES:
        etc = tmp_path / site / "etc"
        (etc / "sites.crt").write_text(both)
        words = [
            sys.executable,
            str(LAUNCH),
            str(etc / "agent.yaml"),
            *(["--site", site] * (site != "paris")),
        ]
        with (tmp_path / f"{site}.log").open("wb") as log:
            processes.append(subprocess.Popen(words, cwd=ROOT, stderr=log, preexec_fn=die_with_parent))
    yield tmp_path
    for process in processes:
        process.terminate()
    assert [process.wait(20) for process in processes] == [0, 0]


def status(machines: Path, site: str) -> dict:
    return ask(machines / site / "lib/status.sock", {"ask": "status"})["groups"]["erp"]


def test_two_nodes_are_set_up_and_follow_each_other_as_the_page_says(machines):
    leg = lambda: status(machines, "paris")["targets"]["lyon"]  # noqa: E731
    until(lambda: leg()["state"] == "STREAMING", 40, lambda: (machines / "paris.log").read_text()[-2000:])
    socket = re.search(r"`(nbd\+unix:[^`]*)`", PAGE)[1].replace("/run/drsim", f"{machines}/paris/run")
    assert socket.startswith("nbd+unix:///erp/log?")
    for uri in (socket, socket.replace("/log?", "/tables?")):
        run("qemu-io", "-f", "raw", "-c", "write -P 7 1M 1M", "-c", "flush", uri)
    until(lambda: leg()["confirmed"] == status(machines, "paris")["last"] >= 2, 20, "confirmed")
    config = str(machines / "lyon/etc/agent.yaml")
    drsim = [sys.executable, "-m", "drsim"]
    done = run(*drsim, "rehearse", config, "erp", "--site", "lyon", cwd=ROOT)
    assert b"erp/tables@rehearsal" in done.stdout
    far = f"nbd+unix:///erp/tables@rehearsal?socket={machines}/lyon/run/nbd.sock"
    run("qemu-io", "-r", "-f", "raw", "-c", "read -P 7 1M 1M", "-c", "read -P 0 2M 1M", far)
    assert b"STREAMING" in run(*drsim, "status", str(machines / "paris/etc/agent.yaml"), cwd=ROOT).stdout


def test_the_unit_starts_what_the_page_says_and_may_write_only_where_the_file_says(tmp_path):
    facts = dict(line.split("=", 1) for line in UNIT.splitlines() if "=" in line and line[0] != "#")
    assert facts["ExecStart"].endswith("drsim serve /etc/drsim/agent.yaml")
    for folder in facts["ReadWritePaths"].split():
        assert f" {folder}" in YAML or f"{{socket: {folder}/" in YAML
    needs("systemd-analyze")
    exists = re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", UNIT)
    exists = re.sub(r"User=\w+", "User=root", exists)
    (tmp_path / "drsim-agent.service").write_text(exists)
    run("systemd-analyze", "verify", str(tmp_path / "drsim-agent.service"))
