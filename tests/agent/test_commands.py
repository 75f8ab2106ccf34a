"""The agent's commands: what they print, and with which code they end."""

import json
import os
import signal
import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

from tests.agent.host import Host
from tests.agent.pair import BLOCK, ROOT, free_port, libnbd, pair, until

BLOCKS = 256


def drsim(*arguments: str, code: int = 0) -> str:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "drsim", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=env,
        check=False,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_an_invalid_configuration_is_refused_with_its_line(tmp_path):
    (tmp_path / "a.yaml").write_text("drsim_agent: 1\nsite: x\nstat: here\n")
    said = drsim("serve", str(tmp_path / "a.yaml"), code=2)
    assert f"{tmp_path}/a.yaml:3:1: error: stat: unknown key 'stat'" in said


def test_without_an_agent_there_is_no_status(tmp_path):
    with pair(tmp_path, size=BLOCKS * BLOCK):
        assert "no agent answers" in drsim("status", str(tmp_path / "paris.yaml"), code=2)


def test_an_operator_s_day(tmp_path):
    """Status, rehearsal, planned failover, refusals, logs, metrics."""
    libnbd()
    port = free_port()
    with pair(tmp_path, size=BLOCKS * BLOCK, top=f"metrics: 127.0.0.1:{port}") as two:
        lyon = (tmp_path / "lyon.yaml").read_text().replace(str(port), str(free_port()))
        (tmp_path / "lyon.yaml").write_text(lyon)
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        host = Host(BLOCKS, 1)
        host.start(two.uri())
        until(lambda: host.acknowledged > 50, what="load")
        host.stop()
        two.settle()
        files = {site: str(tmp_path / f"{site}.yaml") for site in ("paris", "lyon")}
        assert "STREAMING" in drsim("status", files["paris"])
        told = json.loads(drsim("status", files["paris"], "--json"))
        assert told["groups"]["erp"]["targets"]["lyon"]["lag_s"] == 0
        check_metrics(port, told["groups"]["erp"])
        assert "erp/v@drill" in drsim("rehearse", files["lyon"], "erp", "--name", "drill")
        assert "drill is gone" in drsim("rehearse", files["lyon"], "erp", "--name", "drill", "--end")
        assert "no copy of 'erp'" in drsim("rehearse", files["paris"], "erp", code=2)
        assert "may differ from its successor in 0" in drsim("role", files["paris"], "erp", "target")
        last = told["groups"]["erp"]["last"]
        assert f"goes on after write {last}" in drsim("role", files["lyon"], "erp", "source")
        until(lambda: two.status("lyon")["targets"]["paris"]["state"] == "STREAMING", what="paris follows")
        two.kill("paris")
        host.start(two.uri("lyon"))
        until(lambda: host.acknowledged > len(host.history) - 20 > 60, what="load at lyon")
        until(lambda: two.status("lyon")["targets"]["paris"]["lag_s"] > 0, what="lag")
        host.stop()
        assert "down" in drsim("status", files["lyon"])
        process = two.processes["lyon"]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        del two.processes["lyon"]
        two.logs.pop("lyon").close()
        lines = [json.loads(line) for line in (tmp_path / "lyon.log").read_text().splitlines()]
        assert {"ready", "link up", "role changed", "stopping", "stopped"} <= {
            line["message"] for line in lines
        }
        assert all({"time", "level", "message"} <= set(line) for line in lines)


def check_metrics(port: int, status: dict) -> None:
    """Prometheus reads what the agent says, under the summary's names."""
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        text = page.read().decode()
    found = {
        (sample.name, sample.labels.get("target")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    leg = status["targets"]["lyon"]
    assert found["drsim_written_bytes", None] == status["written_bytes"]
    for name in ("rpo_s", "lag_max_s", "backlog_peak_bytes", "resyncs", "resync_bytes", "violations"):
        assert found[f"drsim_target_{name}", "lyon"] == leg[name]
    assert found["drsim_target_state_streaming", "lyon"] == 1
