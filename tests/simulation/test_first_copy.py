"""The first copy over the network takes the link's time, leaves no image meanwhile, and copies what is in use."""

import pytest

from drsim.scenario import ScenarioError, loads
from drsim.simulation import run

SCENARIO = """
drsim: 1
duration: 2 h
sites: {{a: {{}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: 1 MB/s, efficiency: 100 %}}}}
groups: {{g: {{source: a, volumes: {{v: {volume}}}, targets: {{b: {{rpo: 1 min, seed: network}}}}}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: 100 kB/s}}]}}}}
"""


@pytest.mark.parametrize(
    ("volume", "nbytes"),
    [
        ("1 GB", 1e9),
        ("{size: 1 GB, allocated: 300 MB}", 3e8),
        ("{size: 1 GB, allocated: 0}", 0.0),
    ],
)
def test_a_first_copy_takes_its_time_and_leaves_no_image_meanwhile(volume: str, nbytes: float) -> None:
    group = run(loads(SCENARIO.format(volume=volume), "seed")).summary["groups"]["g"]
    target = group["targets"]["b"]
    copying = nbytes / 1e6
    # What is written while the blocks are copied follows them; with it the image is consistent.
    redo = copying * 1e5 / 1e6
    assert target["resync_bytes"] == pytest.approx(nbytes, abs=4096)
    assert target["sent_bytes"] == pytest.approx(nbytes + group["written_bytes"], abs=2e4)
    assert target["exposure_s"] == pytest.approx(copying + redo, abs=0.05)
    # The image is then as old as that redo took, and what it lacks is sent at ten times the pace it came.
    assert target["lag_max_s"] == pytest.approx(redo, abs=0.05)
    beyond = (redo - 60) / 9 if redo > 60 else 0.0
    assert target["violation_s"] == pytest.approx(copying + redo + beyond, abs=0.1)
    assert target["consistent"]


LONG = """
drsim: 1
duration: 60 s
sites: {{a: {{}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: 1 MB/s, efficiency: 100 %}}}}
groups:
  g: {{source: a, volumes: {{v: {size}}}, targets: {{b: {{seed: {seed}}}}}, resync: {{granularity: {grain}}}, {more}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: 10 /s, access: uniform}}]}}}}
"""


@pytest.mark.parametrize(
    ("size", "seed", "grain", "more", "good"),
    [
        ("17 TiB", "network", "4 KiB", "", False),
        ("16 TiB", "in-sync", "4 KiB", "journal: {size: 100 kB, on_full: track}", True),
        ("17 TiB", "in-sync", "8 KiB", "journal: {size: 100 kB, on_full: track}", True),
        ("17 TiB", "in-sync", "4 KiB", "journal: {size: 100 kB, on_full: track}", False),
        ("17 TiB", "in-sync", "4 KiB", "journal: {size: 100 kB, on_full: {kind: spill, size: 1 GB}}", False),
        ("17 TiB", "in-sync", "4 KiB", "journal: {size: 100 kB, on_full: block}", True),
        ("17 TiB", "in-sync", "4 KiB", "", True),
    ],
)
def test_a_volume_longer_than_a_bitmap_is_refused_where_one_is_kept(
    size: str, seed: str, grain: str, more: str, good: bool
) -> None:
    """A bitmap names 2^32 places; the last block of 16 TiB is the last of them at 4 KiB."""
    scenario = loads(LONG.format(size=size, seed=seed, grain=grain, more=more), "long")
    if good:
        run(scenario)
        return
    with pytest.raises(ScenarioError, match="granularity: 8 KiB"):
        run(scenario)
