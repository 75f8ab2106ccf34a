"""Cascades whose parts would have to wait for each other are refused, with the circle named."""

from __future__ import annotations

import pytest

from drsim.scenario import loads
from drsim.scenario.problem import ScenarioError
from drsim.simulation.running import run

CROSSED = """
drsim: 1
duration: 1 min
sites: {a: {}, b: {disk: {write: 1 MB/s}}, c: {disk: {write: 1 MB/s}}, d: {}}
links:
  ab: {between: [a, b], rate: 8 Mb/s, efficiency: 100 %}
  bc: {between: [b, c], rate: 8 Mb/s, efficiency: 100 %}
  cd: {between: [c, d], rate: 8 Mb/s, efficiency: 100 %}
groups:
  east: {source: a, volumes: {v: 1 GB}, targets: {b: {}, c: {via: b}}}
  west: {source: d, volumes: {v: 1 GB}, targets: {c: {}, b: {via: c}}}
hosts:
  h: {site: a, writes: [{volume: east/v, rate: 1 /s}]}
  k: {site: d, writes: [{volume: west/v, rate: 1 /s}]}
"""


def test_disks_that_feed_each_other_are_refused() -> None:
    with pytest.raises(ScenarioError) as refused:
        run(loads(CROSSED, "crossed"))
    said = str(refused.value)
    assert "feed each other in a circle" in said
    for part in ("b.disk (volumes)", "link bc to c", "c.disk (volumes)", "link bc to b", " -> "):
        assert part in said


def test_crossed_cascades_without_disks_that_bind_them_run() -> None:
    free = CROSSED.replace("c: {disk: {write: 1 MB/s}}", "c: {}").replace(
        "b: {disk: {write: 1 MB/s}}", "b: {}"
    )
    groups = run(loads(free, "crossed")).summary["groups"]
    assert groups["east"]["targets"]["c"]["consistent"]
    assert groups["west"]["targets"]["b"]["consistent"]


def test_a_journal_on_the_disk_it_forwards_from_is_refused() -> None:
    one = CROSSED[: CROSSED.index("  west:")] + CROSSED[CROSSED.index("hosts:") :]
    one = one[: one.index("  k:")].replace("c: {via: b}", "c: {via: b, journal: {medium: disk}}")
    with pytest.raises(ScenarioError, match=r"b\.disk \(journal\)"):
        run(loads(one, "crossed"))
