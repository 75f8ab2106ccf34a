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


HOP = """
drsim: 1
duration: 30 s
sites: {a: {}, b: {}, c: {}}
links:
  ab: {between: [a, b], rate: 900 kB/s, efficiency: 100 %, outages: [{at: 2 s, for: 6 s}]}
  bc: {between: [b, c], rate: 2 MB/s, efficiency: 100 %}
groups:
  g: {source: a, volumes: {v: 60 MB}, targets: {b: {}, c: {via: b}}}
hosts: {h: {site: a, writes: [{volume: g/v, rate: 60 /s, size: 8 KiB}]}}
"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("journal: {size: 1 MB, on_full: track}", "whose journal may lose the order"),
        ("mode: {kind: cycle, every: 2 s}", "whose cycles are folded"),
    ],
)
def test_a_hop_behind_what_keeps_no_order_is_refused(change: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        run(loads(HOP.replace("source: a", f"source: a, {change}"), "hop"))


@pytest.mark.parametrize("change", ["journal: {size: 1 MB, on_full: block}", "mode: journal"])
def test_a_hop_behind_what_keeps_order_runs(change: str) -> None:
    targets = run(loads(HOP.replace("source: a", f"source: a, {change}"), "hop")).summary["groups"]["g"][
        "targets"
    ]
    assert targets["c"]["consistent"]
    assert targets["c"]["last_applied_s"] > 20
