"""The shipped topologies, shortened where they are long: they run, stay consistent, and meet paper arithmetic."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from drsim.scenario import load
from drsim.simulation.build import build
from drsim.simulation.running import run

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def summary(name: str, **changes: str) -> dict[str, Any]:
    return run(load(SCENARIOS / f"{name}.yaml", [*changes.items()])).summary


def target(found: dict[str, Any], group: str, site: str) -> dict[str, Any]:
    at: dict[str, Any] = found["groups"][group]["targets"][site]
    assert at["consistent"]
    return at


def test_fan_out_lets_no_slow_target_delay_another() -> None:
    found = summary("fan_out")
    assert found["passed"]
    assert target(found, "app", "near")["lag_max_s"] == pytest.approx(65536 / 10e6 + 0.001, abs=1e-9)
    assert target(found, "app", "mid")["lag_max_s"] == pytest.approx(65536 / 3.78e6 + 0.010, abs=1e-9)
    far = target(found, "app", "far")
    assert far["lag_max_s"] == pytest.approx(1800, abs=1)


def test_fan_in_shares_the_disk_and_a_backup_slows_only_the_destaging() -> None:
    found = summary("fan_in")
    assert found["passed"]
    for group in ("n", "s", "w"):
        assert target(found, group, "centre")["lag_max_s"] < 1
    assert staged_bytes(hours=6) == pytest.approx(3.6e9, rel=0.01)
    assert staged_bytes(hours=8.1) < 1e8


def staged_bytes(hours: float) -> int:
    """What waits at the data centre for its disk after so many hours of `fan_in`."""
    built = build(load(SCENARIOS / "fan_in.yaml"), hours * 3600, content=False, writes_per_settle=65_536)
    built.world.open(built.connect)
    built.world.run(hours * 3600)
    return sum(leg.sink.staged - leg.sink.written for leg in built.legs.values()) * 16384


def test_a_cascade_keeps_at_the_middle_what_the_end_lacks() -> None:
    found = summary("cascade")
    assert found["passed"]
    b, c = target(found, "app", "b"), target(found, "app", "c")
    assert b["backlog_peak_bytes"] == pytest.approx(500e3 * 600, rel=1e-3)
    assert c["backlog_peak_bytes"] == pytest.approx(500e3 * 3600, rel=1e-3)
    assert c["lag_max_s"] == pytest.approx(3600, abs=1)


def test_a_mesh_uses_both_directions_of_each_line_apart() -> None:
    found = summary("full_mesh", duration="3 h")
    assert found["links"]["oslo-bern"]["utilisation"] == pytest.approx(0.5, abs=0.01)
    assert found["links"]["oslo-bern"]["carried_bytes"] == pytest.approx(2 * 600e3 * 10800, rel=0.01)
    assert target(found, "r", "oslo")["backlog_peak_bytes"] == pytest.approx(2.16e9, rel=0.01)
    assert target(found, "r", "bern")["lag_max_s"] < 1


def test_hosts_pay_for_the_synchronous_site_alone() -> None:
    found = summary("sync_near_async_far", duration="10 min", **{"links.home-near.outages": "[]"})
    # 32 KiB come every 16.4 ms, so none waits for another.
    expected = 32768 / 100e6 + 0.001
    assert found["hosts"]["database"]["write_latency_max_s"] == pytest.approx(expected, abs=1e-9)
    assert target(found, "ledger", "near")["lag_max_s"] == 0
    assert target(found, "ledger", "far")["lag_max_s"] > 0.025


SHARED_VOLUME = """
drsim: 1
duration: 60 s
sites: {{a: {{disk: {{write: 1 MB/s}}}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: 600 kB/s, efficiency: 100 %, rtt: 8 ms, outages: [{{at: 20 s, for: 9 s}}]}}}}
groups: {{g: {{source: a, volumes: {{v: 1 GB}}, targets: {{b: {{rpo: 2 s}}}}}}}}
hosts:
{hosts}
"""


def _trace(path: Path, rows: list[tuple[int, int]]) -> str:
    lines = [f"{at},0,W,{8192 * block},8192" for at, block in rows]
    path.write_text("\n".join(["t_us,dev,op,offset_bytes,length_bytes", *lines]) + "\n")
    return path.name


def test_a_cluster_that_shares_a_volume_writes_like_one_host(tmp_path: Path) -> None:
    """Three nodes take turns as chance will: the group's order, and so every measure, is that of merged writes."""
    chance = random.Random(5)
    at, rows = 0.0, []
    for block in range(4_000):
        at += chance.expovariate(70)
        rows.append((round(at * 1e6), block))
    nodes: list[list[tuple[int, int]]] = [[], [], []]
    for row in rows:
        chance.choice(nodes).append(row)
    found = []
    for name, parts in (("one", [rows]), ("three", nodes)):
        hosts = "".join(
            f"  h{k}: {{site: a, writes: [{{trace: {_trace(tmp_path / f'{name}{k}.csv', part)}, volume: g/v}}]}}\n"
            for k, part in enumerate(parts)
        )
        path = tmp_path / f"{name}.yaml"
        path.write_text(SHARED_VOLUME.format(hosts=hosts))
        found.append(run(load(path, [])).summary)
    one, three = found
    assert three["groups"]["g"]["writes"] == sum(rows[k][0] <= 60e6 for k in range(len(rows)))
    assert three["groups"] == one["groups"]
    assert sum(host["writes"] for host in three["hosts"].values()) == one["hosts"]["h0"]["writes"]
