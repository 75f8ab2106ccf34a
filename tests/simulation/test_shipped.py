"""A seed shipped on media, against closed forms, and against the same seed over the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drsim.scenario import loads
from drsim.simulation import run
from tests.simulation.contents import Bytes

PAIR = """
drsim: 1
duration: 3000 s
sites: {{a: {{}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %}}}}
groups:
  g:
    source: a
    volumes: {{v: {size} B}}
    targets: {{b: {{{seed}}}}}
    mode: journal
    journal: {{{journal}}}
hosts:
  h: {{site: a, writes: [{{volume: g/v, rate: {load} /s, size: 4 KiB, arrivals: constant, access: sequential}}]}}
{bad}
"""
JOURNEY, LOAD, RATE, SIZE = 400, 5, 50_000, 4096 * 10_000


def at_b(seed: str, **changed: Any) -> tuple[dict[str, Any], Any]:
    values = {"rate": RATE, "size": SIZE, "load": LOAD, "journal": "", "seed": seed, "bad": ""} | changed
    whole = run(loads(PAIR.format(**values), "seed"))
    return whole.summary["groups"]["g"]["targets"]["b"], whole.tables["curve/g/b"]


SHIPPED = f"seed: shipped, shipping: {JOURNEY} s"


@pytest.mark.parametrize("journal", ["", "size: 100 kB, on_full: track"])
def test_only_what_was_written_on_the_way_crosses_the_link(journal: str) -> None:
    b, curve = at_b(SHIPPED, journal=journal)
    written = LOAD * 4096  # bytes a second, never the same block twice in this time
    assert b["exposure_s"] == JOURNEY
    assert b["consistent"]
    assert b["lag_max_s"] == pytest.approx(JOURNEY - 1 / LOAD, abs=1 if not journal else 400)
    # The delta waits at the load and goes at what the writes leave of the link.
    in_step = JOURNEY + written * JOURNEY / (RATE - written)
    level = np.array(curve["backlog_bytes"])
    t = np.array(curve["t"])[(level < 2 * 4096) & (np.array(curve["t"]) > JOURNEY)]
    assert t[0] == pytest.approx(in_step, rel=0.01)
    assert b["sent_bytes"] == pytest.approx(written * 3000, rel=1e-3)
    # Marked blocks are copied while others are written: a geometric series, but for the little journalled at its end.
    copied = written * JOURNEY / (1 - written / RATE)
    assert b["resync_bytes"] == pytest.approx(copied if journal else 0, rel=0.02)
    assert b["lag_final_s"] == 0


def test_media_beat_a_link_that_needs_longer() -> None:
    network, _ = at_b("seed: network")
    shipped, _ = at_b(SHIPPED)
    # 41 MB at 50 kB/s, and then what was journalled meanwhile: from there on there is an image.
    assert network["exposure_s"] == pytest.approx(SIZE / RATE * (1 + LOAD * 4096 / RATE), rel=1e-3)
    assert shipped["exposure_s"] == JOURNEY < network["exposure_s"]
    assert shipped["sent_bytes"] < network["sent_bytes"] - 0.9 * SIZE


def test_blocks_written_again_and_again_are_copied_once() -> None:
    small = 4096 * 100  # written over and over: twenty rounds in a journey
    b, _ = at_b(SHIPPED, size=small, journal="size: 40 kB, on_full: track")
    assert b["resync_bytes"] == pytest.approx(small / (1 - LOAD * 4096 / RATE), rel=0.03)


def test_a_site_that_is_lost_when_the_media_arrive_gets_everything_by_network() -> None:
    bad = "disasters: [{site: b, at: 300 s, for: 200 s}]"
    b, _ = at_b(SHIPPED, bad=bad)
    assert b["resync_bytes"] >= SIZE
    assert b["consistent"]
    assert b["exposure_s"] > 500 + SIZE / RATE


def test_the_image_is_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 4096 * 50
    values = {"rate": RATE, "size": size, "load": LOAD, "journal": "size: 40 kB, on_full: track", "bad": ""}
    world = Bytes(monkeypatch, size)
    world.run(loads(PAIR.format(**values, seed=SHIPPED), "seed"))
    assert world.built is not None
    leg = world.built.legs["g", "b"]
    expected = world.after([leg.sink.written])
    assert np.array_equal(world.image("b"), expected)
