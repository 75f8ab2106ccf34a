"""Hosts that wait for their writes, in a group that moves: they write on elsewhere with all their places."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, given, settings

from drsim.measure.lag import LagMeter
from drsim.scenario import loads
from drsim.simulation import run, waits
from drsim.simulation.build import build
from drsim.simulation.built import Built
from drsim.simulation.stories import schedule
from drsim.simulation.summary import summarise
from tests.simulation.naive_loop import NaiveLoops, Person

TEXT = """
drsim: 1
duration: 25 s
sites:
  a: {{disk: {{write: {disk} B/s, latency: {latency} s}}}}
  b: {{disk: {{write: {disk} B/s, latency: {latency} s}}}}
links: {{ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, rtt: {rtt} s}}}}
groups: {{g: {{source: a, volumes: {{v: 100 MB}}, targets: {{b: {{rpo: 1 s}}}}, mode: {mode}, journal: {{{journal}}}}}}}
hosts:
  h:
    site: a
    queue_depth: {depth}
    {think}
    writes: [{{volume: g/v, rate: {load} /s, size: {size} B, arrivals: constant}}]
runbooks: {{book: {{steps: {{detect: 2 s, recover: 3 s}}}}}}
{bad}
"""
LOSS = "disasters: [{{site: a, at: {at} s, {more}}}]"
PLAN = "operations: [{{at: {at} s, do: failover, group: g, to: b, runbook: book}}]"
WORLD = {
    "disk": st.integers(40_000, 400_000),
    "latency": st.sampled_from([0.0, 0.003]),
    "rate": st.integers(30_000, 400_000),
    "rtt": st.sampled_from([0.01, 0.08]),
    "depth": st.integers(1, 4),
    "load": st.integers(10, 60),
    "size": st.integers(512, 6000),
}


def go(text: str, **options: Any) -> tuple[dict[str, Any], Built, dict[int, list[float]]]:
    """The group's summary, the world, and when hosts were told of each write, by meter."""
    told: dict[int, list[float]] = {}
    real = LagMeter.arrive

    def arrive(meter: LagMeter, at: Any, nbytes: Any) -> None:
        told.setdefault(id(meter), []).extend(at.tolist())
        real(meter, at, nbytes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LagMeter, "arrive", arrive)
        scenario = loads(text, "moving")
        built = build(scenario, 25.0, content=True, writes_per_settle=65_536, **options)
        schedule(built)
        built.world.open(built.connect)
        built.world.run(25.0)
    return summarise(built, 25.0)["groups"]["g"], built, told


@given(
    st.fixed_dictionaries(WORLD),
    st.sampled_from(["", "think: 30 ms"]),
    st.sampled_from(["journal", "sync"]),
    st.sampled_from(["", "size: 30 kB, on_full: block"]),
    st.sampled_from([LOSS, PLAN]),
)
@settings(max_examples=5, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_hosts_write_on_at_the_other_site_as_the_naive_model_says(
    world: dict[str, Any], think: str, mode: str, journal: str, bad: str
) -> None:
    bad = bad.format(at=6.0123, more="for: 1 h, runbook: book")
    group, built, told = go(TEXT.format(**world, think=think, mode=mode, journal=journal, bad=bad))
    (story,) = [*group["disasters"], *group["operations"]]
    assert story["target"] == "b"
    resumed = story["at_s"] + story["recovery_s"]
    here, there = (t.legs[target].probe for t, target in zip(built.tenures["g"], "ba", strict=True))
    size = world["size"]
    times = [k / world["load"] for k in range(1, 25 * world["load"] + 1)]
    for probe, begin, end in ((here, 0.0, story["at_s"]), (there, resumed, 25.0)):
        away = probe is there and "disasters" in bad  # Nobody waits for a target that is not there.
        writes = [(t - begin, size) for t in times if t > begin]
        person = Person(writes, world["depth"])
        if think:  # Then arrivals do not matter.
            person = Person([(0.0, size)] * 99_999, world["depth"], [0.03] * 99_999)
        naive = NaiveLoops(
            [person],
            rate=world["rate"],
            one_way=world["rtt"] / 2,
            disk=world["disk"],
            latency=world["latency"],
            sync=mode == "sync" and not away,
            journal=30_000 if journal and not away else None,
        )
        naive.run(end - begin)
        got = [t + probe.since - begin for t in told[id(probe.lag)]]
        wanted = naive.acked
        if (
            probe is here and "operations" in bad
        ):  # Those that were under way when hosts stopped are told as well.
            got = [t for t in got if t <= end]
        assert abs(len(got) - len(wanted)) <= 1
        shared = min(len(got), len(wanted))
        assert got[:shared] == pytest.approx(wanted[:shared], abs=1e-8)


CALM = {"disk": 90_000, "latency": 0.001, "rate": 60_000, "rtt": 0.02, "depth": 3, "load": 25, "size": 3000}
CRASH = "kind: crash, for: 6 s"
BAD = [
    LOSS.format(at=6.0123, more=CRASH),
    LOSS.format(at=6.0123, more=f"{CRASH}, runbook: book"),
    PLAN.format(at=6),
]


@pytest.mark.parametrize(
    ("mode", "think"), [("journal", ""), ("journal", "think: exponential(30 ms)"), ("sync", "think: 30 ms")]
)
@pytest.mark.parametrize("bad", BAD)
def test_neither_batches_nor_rounds_change_a_result(bad: str, mode: str, think: str) -> None:
    scenario = loads(TEXT.format(**CALM, journal="", mode=mode, think=think, bad=bad), "moving")
    whole = run(scenario, verify="content")
    assert whole.warnings == []
    assert run(scenario, writes_per_settle=3).summary == whole.summary
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waits, "waits_for_disk_alone", lambda *_: False)
        assert run(scenario).summary == whole.summary


TWO = """
drsim: 1
duration: 80 s
sites: {{a: {{disk: {{write: 1 MB/s, latency: 10 ms}}}}, b: {{disk: {{write: 1 MB/s, latency: 10 ms}}}}}}
links: {{ab: {{between: [a, b], rate: 400 kB/s, efficiency: 100 %, rtt: 20 ms}}}}
groups:
  g: {{source: a, volumes: {{v: 100 MB}}, targets: {{b: {{rpo: 9 s}}}}, mode: {mode}}}
  k: {{source: a, volumes: {{v: 100 MB}}, targets: {{b: {{rpo: 9 s}}}}}}
hosts:
  h:
    site: a
    queue_depth: {depth}
    {think}
    writes:
      - {{volume: g/v, rate: 10 /s, size: 4 kB, arrivals: constant}}
      - {{volume: k/v, rate: 5 /s, size: 4 kB, arrivals: constant}}
runbooks: {{book: {{steps: {{detect: 4 s, recover: 7 s}}}}}}
{bad}
"""
ONE, OTHER = (
    f"{{at: {at} s, do: failover, group: {group}, to: b}}" for at, group in ((20.05, "g"), (32.05, "k"))
)
AGAIN = "{at: 50.05 s, do: failback, group: g}"


@pytest.mark.parametrize(
    ("bad", "stands_still"),
    [
        (f"operations: [{ONE}, {OTHER}]", (20, 32)),
        (f"operations: [{ONE}]", (20, 80)),
        (f"operations: [{ONE}, {AGAIN}]", (20, 50)),
        ("disasters: [{site: a, at: 20.05 s, runbook: book}]", (20, 31)),
        ("disasters: [{site: a, at: 20.05 s, kind: crash, for: 10 s}]", (20, 30)),
        (f"operations: [{ONE}]\ndisasters: [{{site: a, at: 24 s, runbook: book}}]", (20, 35)),
    ],
)
@pytest.mark.parametrize("think", ["", "think: 200 ms"])
def test_an_application_over_two_groups_stands_still_until_both_are_in_one_place(
    bad: str, stands_still: tuple[int, int], think: str
) -> None:
    """Its writes come ten and five a second, or, where it thinks, as fast as three places allow, two to one."""
    text = TWO.format(mode="journal", depth=3, think=think, bad=bad)
    scenario = loads(text, "two")
    summary = run(scenario, verify="content").summary
    begin, end = stands_still
    spell = 0.2 + 0.01 + 0.004  # thought, latency, transfer; places seldom meet at the disk
    busy = 80.05 - (end - begin) if end < 80 else 20.05
    each = [busy * 3 / spell * share for share in (2 / 3, 1 / 3)] if think else [10 * busy, 5 * busy]
    got = [summary["groups"][name]["writes"] for name in "gk"]
    assert got == pytest.approx(each, rel=0.02 if think else 0, abs=0 if think else 12)
    assert all(summary["groups"][name]["targets"]["b"]["consistent"] for name in "gk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waits, "waits_for_disk_alone", lambda *_: bool(think))
        assert run(scenario, writes_per_settle=9).summary == summary
