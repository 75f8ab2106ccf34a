"""Which image was usable when, against closed forms and against the lag that another meter found."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings

from drsim.measure.images import IMAGES
from drsim.replication.frames import Dirt
from drsim.scenario import loads
from drsim.simulation import run

TEXT = """drsim: 1
duration: {duration}
sites: {{a: {{}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: {link}, efficiency: 100 %, outages: [{outages}]}}}}
groups: {{g: {{source: a, volumes: {{v: {volume}}}, targets: {{b: {{rpo: 30 min, {target}}}}}, {group}}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: {writes}, size: 10 kB, arrivals: {arrivals}}}]}}}}
"""


def made(group: str, outages: str = "", target: str = "", **more: str):
    usual = {
        "duration": "3 h",
        "arrivals": "constant",
        "link": "3 Mb/s",
        "writes": "100 kB/s",
        "volume": "100 MB",
    }
    text = TEXT.format(group=group, outages=outages, target=target, **{**usual, **more})
    done = run(loads(text))
    return done.tables["images/g/b"], done


def test_snapshots_are_usable_when_their_transfer_ends() -> None:
    """Each 20 min all 100 MB of the volume change, and the line takes 375 kB/s; it is cut from 70 to 110 min."""
    images, _ = made("mode: {kind: snapshot, every: 20 min}", "{at: 70 min, for: 40 min}")
    assert set(images["image"]) == {"point"}
    taken = [0, 1200, 2400, 3600, 6600, 7200, 8400, 9600]
    changed = [0, 1e8, 1e8, 1e8, 1e8, 6e7, 1e8, 1e8]
    assert images["taken"] == pytest.approx(taken)
    assert list(images["seq"]) == [10 * t for t in taken]
    assert images["sent_to"][1:] == pytest.approx(
        [t + b / 375e3 for t, b in zip(taken, changed, strict=True)][1:], abs=0.03
    )
    assert (images["sent_from"][1:] == images["taken"][1:]).all()
    assert (images["begin"][1:] == images["sent_to"][1:]).all()
    # the next image is late by the outage: an image ages until the next one can be used
    assert images["age_max_s"] == pytest.approx(images["end"] - images["taken"], abs=0.11)


@pytest.mark.parametrize(
    ("link", "rtt", "period"), [("1.6 Mb/s", 4, 8), ("8 Mb/s", 4, 40 / 9), ("1.6 Mb/s", 0.2, 2)]
)
def test_a_slow_or_far_link_lengthens_the_cycle(link: str, rtt: float, period: float) -> None:
    """A cycle closes every 2 s, if the one before is applied: what p seconds bring takes rho p to send, and one rtt.

    So p = rtt / (1 - rho), or 2 s where that is longer.
    """
    group = "mode: {kind: cycle, every: 2 s, fold: none}"
    images, _ = made(group, link=f"{link}, rtt: {rtt} s", duration="10 min")
    taken = images["taken"][images["taken"] > 100]
    assert np.diff(taken).mean() == pytest.approx(period, rel=0.02)


def test_the_last_image_in_order_then_the_snapshot_then_following_again() -> None:
    images, done = made("journal: {size: 30 MB, on_full: track}", "{at: 10 min, for: 20 min}", duration="1 h")
    assert list(images["image"]) == ["following", "held", "snapshot", "following"]
    # full after 300 s of the outage; what the target has is of its begin
    assert images["begin"][1] == pytest.approx(900, abs=0.2)
    assert images["taken"][1:3] == pytest.approx([600, 600], abs=0.2)
    assert images["begin"][2] == pytest.approx(1800, abs=0.2)
    assert images["age_max_s"][2] == pytest.approx(done.summary["groups"]["g"]["targets"]["b"]["lag_max_s"])
    assert math.isnan(images["taken"][0])


def test_without_a_protective_snapshot_there_is_no_image_while_copying() -> None:
    bare = "journal: {size: 30 MB, on_full: track}, resync: {protect: false}"
    images, done = made(bare, "{at: 10 min, for: 20 min}", duration="1 h")
    none = [k for k, image in enumerate(images["image"]) if image == "none"]
    seconds = sum(images["end"][k] - images["begin"][k] for k in none)
    assert seconds == pytest.approx(done.summary["groups"]["g"]["targets"]["b"]["exposure_s"])
    assert seconds > 60
    assert np.isnan(images["age_max_s"][none]).all()


_GROUPS = [
    "mode: journal",
    "mode: {kind: cycle, every: 1 min}",
    "mode: {kind: snapshot, every: 90 s}",
    "journal: {size: 500 kB, on_full: track}",
    "journal: {size: 500 kB, on_full: track}, resync: {protect: false}",
]


@settings(max_examples=20)
@given(
    group=st.sampled_from(_GROUPS),
    seed=st.sampled_from(["", "seed: network"]),
    at=st.floats(10, 500),
    lasts=st.floats(1, 400),
)
@example(
    "mode: {kind: snapshot, every: 90 s}", "seed: network", 59.95, 1.9
)  # Cut after the copy, before its image.
def test_rows_divide_the_window_and_agree_with_the_lag(
    group: str, seed: str, at: float, lasts: float
) -> None:
    outage = f"{{at: {at:.3f} s, for: {lasts:.3f} s}}"
    images, done = made(
        group,
        outage,
        seed,
        duration="20 min",
        arrivals="poisson",
        link="300 kb/s",
        writes="10 kB/s",
        volume="2 MB",
    )
    begin, end = images["begin"], images["end"]
    assert begin[0] == 0
    assert end[-1] == 1200
    assert (begin[1:] == end[:-1]).all()
    assert (begin < end).all()
    assert set(images["image"]) <= set(IMAGES)
    assert (np.diff(images["seq"]) >= 0).all()
    numbers, curve = done.summary["groups"]["g"]["targets"]["b"], done.tables["curve/g/b"]
    none = np.array([image == "none" for image in images["image"]])
    assert float((end - begin)[none].sum()) == pytest.approx(numbers["exposure_s"], abs=1e-9)
    if numbers["lag_max_s"] is not None and not none.all():
        assert np.nanmax(images["age_max_s"]) == pytest.approx(numbers["lag_max_s"])
    for row in np.flatnonzero(~np.isnan(images["taken"])):
        inside = (curve["t"] > begin[row]) & (curve["t"] < end[row]) & (curve["lag_s"] > 0)
        # everything acknowledged before ``taken`` is in the image: no lag can be longer than since then
        assert (curve["lag_s"][inside] <= curve["t"][inside] - images["taken"][row] + 1e-6).all()


def test_ends_that_never_agree_are_told_as_a_bug_of_ours_and_not_tried_for_ever(monkeypatch) -> None:
    monkeypatch.setattr("drsim.replication.source.outside", lambda frame, volumes: isinstance(frame, Dirt))
    with pytest.raises(RuntimeError, match=r"g.*one end has dropped the connection 1000 times"):
        made(
            "mode: journal",
            "{at: 60 s, for: 2 s}",
            "seed: network",
            duration="5 min",
            link="300 kb/s",
            writes="10 kB/s",
        )
