"""Objectives that are met exactly: what instants are rounded by breaks none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drsim.scenario import ScenarioError, loads
from drsim.simulation import run

PAIR = """
drsim: 1
{duration}
sites: {{a: {{}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: 1 MB/s, efficiency: 100 %}}}}
groups: {{g: {{source: a, volumes: {{v: 1 GB}}, targets: {{b: {{{objective}}}}}}}}}
hosts: {{h: {{site: a, writes: [{{trace: {trace}, volume: g/v}}]}}}}
{rest}
"""


def _run(tmp_path: Path, rows: list[tuple[int, int]], **parts: str) -> dict[str, Any]:
    """Run writes of (microseconds, bytes)."""
    file = tmp_path / "t.csv"
    lines = (f"{at},d,W,{index << 20},{size}" for index, (at, size) in enumerate(rows))
    file.write_text("\n".join(["t_us,dev,op,offset_bytes,length_bytes", *lines]) + "\n")
    return run(loads(PAIR.format(trace=file, **parts), "equal")).summary


@pytest.mark.parametrize("start_us", [0, 700_000, 86_400_700_000, 31_536_000_700_000])
def test_a_lag_that_just_reaches_the_rpo_is_within_it(tmp_path: Path, start_us: int) -> None:
    """100 kB at 1 MB/s take 0.1 s, at any second of a day or a year; a microsecond more is too much."""
    expect = [
        "lag.max <= rpo",
        "lag.max == 100 ms",
        "violations == 0",
        "violation == 0 s",
        "lag.max < 100 ms",
    ]
    rest = f"expect: [{', '.join(f'g.b.{each}' for each in expect)}]"
    rows = [(0, 1), (start_us + 2, 100_000)]
    got = _run(tmp_path, rows, duration="", objective="rpo: 100 ms", rest=rest)
    assert [each["passed"] for each in got["expectations"]] == [True, True, True, True, False]
    rows = [(0, 1), (start_us + 2, 100_001)]
    got = _run(tmp_path, rows, duration="", objective="rpo: 100 ms", rest=rest)
    assert [each["passed"] for each in got["expectations"]] == [False] * 5
    target = got["groups"]["g"]["targets"]["b"]
    assert target["violations"] == 1
    assert target["violation_s"] == pytest.approx(1e-6, abs=2e-8)


@pytest.mark.parametrize("at", ["0.7 s", "1900.313 s", "100000.1 s"])
def test_a_recovery_as_long_as_the_rto_keeps_it(tmp_path: Path, at: str) -> None:
    """10.1 + 5.2 + 7.7 + 10.2 + 0.1 s are 33.3 s, whatever the sum of floats says."""
    steps = "detect: 10.1 s, decide: 5.2 s, attach: 7.7 s, recover: 10.2 s, redirect: 0.1 s"
    rest = f"runbooks: {{r: {{steps: {{{steps}}}}}}}\ndisasters: [{{site: a, at: {at}, runbook: r}}]"
    for rto, met in (("33.3 s", True), ("33.299 s", False)):
        got = _run(tmp_path, [(0, 4096)], duration="duration: 2 d", objective=f"rto: {rto}", rest=rest)
        assert [each["passed"] for each in got["expectations"]] == [met]
        assert got["groups"]["g"]["disasters"][0]["rto_met"] is met


def test_a_run_without_duration_lasts_until_its_last_write(tmp_path: Path) -> None:
    """The second write comes after the only other site is lost: nobody has to recover it, yet it belongs to the run."""
    rows = [(0, 4096), (9_000_000, 4096)]
    got = _run(tmp_path, rows, duration="", objective="", rest="disasters: [{site: a, at: 5 s}]")
    assert (got["writes"], got["duration_s"]) == (2, 9.0)


def test_a_run_that_would_last_for_ever_is_refused(tmp_path: Path) -> None:
    """The calendar's story is told for three years; nothing may be sent because it ends."""
    _run(tmp_path, [(0, 4096)], duration="", objective="", rest="")
    text = PAIR.format(trace=tmp_path / "t.csv", duration="", objective="", rest="")
    closed = [("links.ab.throttle", "[{from: 00:00, to: 24:00, to_rate: 0}]")]
    with pytest.raises(ScenarioError, match="within three years"):
        run(loads(text, "never", overrides=closed))


SCHEDULE = """
drsim: 1
duration: 60 s
sites: {a: {}, b: {}}
links: {ab: {between: [a, b], rate: 1 MB/s, efficiency: 100 %}}
groups:
  g: {source: a, volumes: {v: 1 GB}, targets: {b: {rpo: 5 s}}, mode: {kind: snapshot, rpo: 5 s}}
hosts: {h: {site: a, writes: [{volume: g/v, rate: 10 /s, size: 4 KiB}]}}
"""


@pytest.mark.parametrize("batch", [3, 131_072])
def test_snapshots_that_start_by_an_rpo_keep_it(batch: int) -> None:
    """Ten writes a second: a snapshot at t holds 10 t of them, whatever was told to the engine at once."""
    got = run(loads(SCHEDULE, "schedule"), writes_per_settle=batch)
    assert got.summary["groups"]["g"]["targets"]["b"]["violations"] == 0
    images = got.tables["images/g/b"]
    assert len(images["seq"]) > 10
    assert all(seq == int(10 * at + 1e-6) for seq, at in zip(images["seq"], images["taken"], strict=True))
