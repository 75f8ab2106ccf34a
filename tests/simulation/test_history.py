"""A history bounded by room, by age or by both: when each write leaves it, against a naive model, write by write."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from drsim.measure.snapshots import WINDOW, HistoryMeter
from drsim.scenario import loads
from drsim.simulation import run
from drsim.simulation.world import World
from tests.simulation.naive import NaivePair
from tests.simulation.test_oracle import close, worlds
from tests.simulation.worlds import Pair

DISK = 100_000


def naive_leaves(
    made: list[float],
    sizes: list[int],
    arrived: list[float],
    room: float,
    keep: float,
) -> list[float]:
    """When each write goes to the volumes (inf: never): one that is too old, or the oldest when room is exceeded."""
    kept: deque[int] = deque()
    leaves = [math.inf] * len(made)
    held = 0

    def go(at: float) -> None:
        nonlocal held
        write = kept.popleft()
        held -= sizes[write]
        leaves[write] = at

    for write, at in enumerate(arrived):
        while kept and made[kept[0]] + keep <= at:
            go(max(made[kept[0]] + keep, arrived[kept[0]]))
        kept.append(write)
        held += sizes[write]
        while kept and (held > room or made[kept[0]] + keep <= at):
            go(at)
    while kept and keep < math.inf:
        go(max(made[kept[0]] + keep, arrived[kept[0]]))
    return leaves


@settings(max_examples=1000 if settings.default.max_examples > 1000 else 40)  # type: ignore[union-attr]
@given(
    world=worlds(),
    room=st.sampled_from([None, 1000, 70_000, 200_000, 1_000_000]),
    share=st.sampled_from([None, 0.01, 0.1, 0.4, 3.0]),
    size=st.sampled_from([3, 65_536]),
)
def test_each_write_leaves_when_a_naive_model_lets_it_go(
    world: dict[str, Any], room: int | None, share: float | None, size: int
) -> None:
    naive = NaivePair(**world).run()
    span = naive.recovered[-1] + 1.0
    keep = round(span * share, 3) if share is not None else None
    if room is None and keep is None:
        keep = 0.5
    parts = [f"keep: {keep!r} s"] * (keep is not None) + [f"space: {room} B"] * (room is not None)
    until = round(span * 1.5 + 20.0, 3)
    sizes = [w[1] for w in world["writes"]]
    wanted = naive_leaves(naive.acked, sizes, naive.recovered, room or math.inf, keep or math.inf)
    left: list[float] = []
    listen = HistoryMeter.left

    def heard(meter: HistoryMeter, made: Any, at: Any) -> None:
        left.extend(at.tolist())
        listen(meter, made, at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HistoryMeter, "left", heard)
        history = f"history: {{{', '.join(parts)}}}"
        fast = Pair(**world, destage_rate=DISK, duration=until, target=history, writes_per_settle=size)
    gone = [at for at in wanted if at <= until]
    assert left == close(gone)
    ages = [at - made for at, made in zip(gone, naive.acked, strict=False)]
    target = fast.target
    mean = (sum(ages) / len(ages), min(ages)) if ages else (None, None)
    for value, expected in zip((target["history_mean_s"], target["history_min_s"]), mean, strict=True):
        assert value == (expected if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-8))
    if keep is not None:
        assert target["history_cut_writes"] == sum(age < keep - 1e-7 for age in ages)
    assert target["lag_max_s"] == close(naive.lag_max())
    assert target["consistent"] is True
    free = 0.0
    for at, nbytes in zip(gone, sizes, strict=False):
        free = max(free, at) + nbytes / DISK
    if gone and free <= until:
        assert target["last_applied_s"] == close(free)


SITE = """
drsim: 1
duration: 30 min
sites: {{a: {{}}, b: {{}}, c: {{}}}}
links:
  ab: {{between: [a, b], rate: 1 MB/s, efficiency: 100 %, outages: [{outage}]}}
  bc: {{between: [b, c], rate: 1 MB/s, efficiency: 100 %}}
groups:
  g:
    source: a
    volumes: {{v: 40 MB}}
    targets: {{b: {{rpo: 1 h, {target}}}}}
    journal: {{{journal}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: 1 /s, size: 40 KiB, access: sequential}}]}}}}
"""


def told(target: str, outage: str = "", journal: str = "") -> dict[str, Any]:
    done = run(loads(SITE.format(target=target, outage=outage, journal=journal), "history"), verify="content")
    assert done.warnings == []
    target_: dict[str, Any] = done.summary["groups"]["g"]["targets"]["b"]
    return target_


def test_room_for_ten_minutes_keeps_ten_minutes_of_an_hour_wanted() -> None:
    got = told("history: {keep: 1 h, space: 24576 kB}")  # 600 writes of 40 KiB, one a second
    assert got["history_min_s"] == pytest.approx(600, abs=1.1)
    assert got["history_mean_s"] == pytest.approx(600, abs=1.1)
    assert got["history_cut_writes"] == pytest.approx(1200, abs=2)
    assert told("history: {keep: 5 min, space: 24576 kB}")["history_cut_writes"] == 0
    assert told("history: {space: 1 GB}")["history_mean_s"] is None, "nothing had to go"
    assert told("rto: 1 h")["history_cut_writes"] is None


def test_a_resync_takes_the_history_with_it() -> None:
    """The copy begins at 1,000 s: what was kept of the five minutes before goes to the volumes, and can't be undone."""
    cut = {"outage": "{at: 940 s, for: 60 s}", "journal": "size: 1 MB, on_full: track"}
    got = told("history: {keep: 5 min}", **cut)
    assert got["resyncs"] == 1
    assert got["history_cut_writes"] == pytest.approx(300 - 60, abs=2)
    assert got["history_min_s"] == pytest.approx(60, abs=1.5)
    assert told("history: {keep: 5 min}")["history_cut_writes"] == 0


@pytest.mark.parametrize("target", ["history: {keep: 5 min}", "delay: 5 min"])
def test_what_only_grows_old_ends_no_settle(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,500 of 1,800 writes leave b for its volumes, and for c; what waits for time is looked for much less often."""
    looked = []
    real = World.next_decision
    monkeypatch.setattr(World, "next_decision", lambda world: looked.append(1) or real(world))
    text = SITE.format(target=f"{target}}}, c: {{via: b, rpo: 2 h", outage="", journal="")
    done = run(loads(text, "history")).summary["groups"]["g"]["targets"]
    assert done["b"]["history_mean_s"] == pytest.approx(300)
    assert done["c"]["lag_max_s"] == pytest.approx(300 + 0.04096, abs=1e-6)
    assert len(looked) < 200


@pytest.mark.parametrize(
    "bad", ["disasters: [{site: a, at: 20 min}]", "operations: [{at: 20 min, do: failover, group: g, to: b}]"]
)
@pytest.mark.parametrize("mode", ["journal", "{kind: cycle, every: 10 s}"])
def test_what_a_takeover_empties_the_history_of_has_not_left_early(mode: str, bad: str) -> None:
    """b tells of its history what a run tells that ends where the group moves, though all of it goes to the volumes."""

    def b(more: str, minutes: int) -> list[Any]:
        text = SITE.format(target=f"history: {{keep: 5 min}}, mode: {mode}", outage="", journal="") + more
        done = run(loads(text.replace("30 min", f"{minutes} min"), "history")).summary["groups"]["g"]
        assert done["moves"] == bool(more)
        return [done["targets"]["b"][key] for key in WINDOW]

    moved, cut_off = b(bad, 30), b("", 20)
    assert moved == pytest.approx(cut_off, rel=1e-3)
    assert moved[2] == cut_off[2] == 0


@pytest.mark.parametrize(
    ("keep", "mean", "least", "early"),
    [
        ("keep: 60 s", 64.5, 60.0, 0),
        # Five cycles of ten blocks fit: one leaves as the sixth after it arrives, 40,960 B / (1 MB/s) after it closed.
        ("space: 200 KiB", 54.5 + 0.04096, 50.04096, 0),
        # Two fit: each leaves with the second one after it, the 37th with the 39th at 390 s.
        ("keep: 60 s, space: 100 KiB", 24.5 + 0.04096, 20.04096, 370),
    ],
)
@pytest.mark.parametrize("kind", ["cycle", "snapshot"])
def test_whole_cycles_leave_a_history_when_their_newest_write_is_old_enough(
    kind: str, keep: str, mean: float, least: float, early: int
) -> None:
    """Cycles of ten writes, one a second: all of a cycle leaves at once, so its older writes could be undone longer."""
    text = SITE.format(
        target=f"mode: {{kind: {kind}, every: 10 s}}, history: {{{keep}}}", outage="", journal=""
    )
    text = text.replace("duration: 30 min", "duration: 400 s").replace("40 KiB", "4 KiB")
    got = run(loads(text, "cycles")).summary["groups"]["g"]["targets"]["b"]
    assert got["history_mean_s"] == pytest.approx(mean, rel=1e-6)
    assert got["history_min_s"] == pytest.approx(least, rel=1e-6)
    assert got["history_cut_writes"] == early
