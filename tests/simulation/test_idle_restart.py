"""Slow start after idle, in whole runs: each cycle after a pause is late by the closed form, and the cure cures."""

from __future__ import annotations

from typing import Any

import pytest

from drsim.scenario import loads
from drsim.simulation import run
from drsim.wan import tcp

WORLD = """
drsim: 1
duration: 10 min
sites: {{a: {{}}, b: {{}}}}
links:
  ab: {{between: [a, b], rate: 100 Mb/s, rtt: 100 ms,
       tcp: {{slow_start_after_idle: {after}, streams: {streams}}}{more}}}
groups:
  g: {{source: a, volumes: {{v: 10 GB}}, targets: {{b: {{rpo: 2 min}}}}, mode: {mode}}}
hosts:
  h: {{site: a, writes: [{{volume: g/v, rate: 1 MB/s, size: 8 KiB, arrivals: constant, access: sequential}}]}}
"""
CYCLE = "{kind: cycle, every: 1 min}"


def _target(*, after: bool, mode: str = CYCLE, streams: int = 1, more: str = "") -> dict[str, Any]:
    text = WORLD.format(after=str(after).lower(), mode=mode, streams=streams, more=more)
    found: dict[str, Any] = run(loads(text, "idle")).summary["groups"]["g"]["targets"]["b"]
    return found


@pytest.mark.parametrize("streams", [1, 4])
def test_a_cycle_after_a_pause_loses_what_slow_start_takes(streams: int) -> None:
    late = (
        _target(after=True, streams=streams)["delay_max_s"]
        - _target(after=False, streams=streams)["delay_max_s"]
    )
    link = loads(WORLD.format(after="true", mode=CYCLE, streams=streams, more=""), "idle").links["ab"]
    stream = link.payload[0] * link.wire.goodput
    expected = tcp.slow_start_loss(stream, link.rtt_s, link.wire.mss, streams)
    assert late == pytest.approx(expected, abs=9_000 / stream)


def test_a_steady_stream_never_idles() -> None:
    assert _target(after=True, mode="journal") == _target(after=False, mode="journal")


def test_a_connection_that_has_just_begun_anew_starts_slowly_once() -> None:
    more = ", outages: [{at: 5 min, for: 20 s}]"
    assert _target(after=True, mode="journal", more=more) == _target(after=False, mode="journal", more=more)


def test_a_planning_margin_covers_it() -> None:
    link = loads(WORLD.format(after="true", mode=CYCLE, streams=1, more=""), "idle").links["ab"]
    covered = link.model_copy(update={"efficiency": 0.7, "tcp": None})
    assert link.restart(forward=True) is not None
    assert covered.restart(forward=True) is None
