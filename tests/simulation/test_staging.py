"""Staging that fills up: the link waits, the journal grows; against an oracle that takes one event at a time."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, given, settings

from drsim.scenario import loads
from drsim.simulation import run
from tests.simulation.fleet import Fleet
from tests.simulation.naive_cycles import Cycling, NaiveCycles
from tests.simulation.naive_staging import Flow, NaiveStaging

FOUND = [Phase.explicit, Phase.reuse, Phase.generate]
TEXT = """
sites: {{a: {{}}, b: {{disk: {{write: {disk} B/s}}}}}}
links:
  ab:
    between: [a, b]
    rate: {rate} B/s
    efficiency: 100 %
    rtt: {rtt} s
    outages: [{outages}]
    throttle: [{throttle}]
    sharing: {{kind: priority, classes: {{g0: {{priority: 2}}, g1: {{priority: 1}}}}}}
groups:
  g0: {{source: a, volumes: {{v: 100 MB}}, targets: {{b: {{{staging}}}}}, journal: {{{journal}}}}}
  g1: {{source: a, volumes: {{v: 100 MB}}, targets: {{b: {{}}}}}}
hosts:
  h0: {{site: a, writes: [{{volume: g0/v, rate: 1 /s}}]}}
  h1: {{site: a, writes: [{{volume: g1/v, rate: 1 /s}}]}}
"""


def text(world: dict[str, Any], journal: str = "") -> str:
    begin, end, slow = world["throttle"]
    return TEXT.format(
        rate=world["rate"],
        disk=world["disk"],
        rtt=2 * world["one_way"],
        outages=", ".join(f"{{at: {a} s, for: {b - a} s}}" for a, b in world["outages"]),
        throttle=f"{{at: {begin} s, for: {end - begin} s, to_rate: {slow} B/s}}",
        staging=f"staging: {{size: {world['size']} B}}" if world["size"] else "",
        journal=journal,
    )


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    rate = draw(st.sampled_from([1 << 14, 100_003]))
    writes = []
    for k in range(2):
        gaps = draw(st.lists(st.integers(0, 12), min_size=1, max_size=20))
        sizes = draw(st.lists(st.integers(1, rate // 3), min_size=len(gaps), max_size=len(gaps)))
        rows, at = [], 0.0
        for i, (gap, size) in enumerate(zip(gaps, sizes, strict=True)):
            at += gap / 8 + 0.0013 * (1 + k) + 1e-5 * i
            rows.append((at, size))
        writes.append(rows)
    outages, begin = [], 0.0
    for _ in range(draw(st.integers(0, 2))):
        begin += draw(st.integers(1, 60)) / 8 + 0.0301
        outages.append((begin, begin + draw(st.integers(1, 40)) / 8 + 0.0107))
        begin = outages[-1][1]
    start = draw(st.integers(0, 60)) / 8 + 0.0703
    return {
        "rate": rate,
        "writes": writes,
        "outages": outages,
        "throttle": (start, start + draw(st.integers(1, 60)) / 8, rate // draw(st.integers(2, 9))),
        "one_way": draw(st.sampled_from([0.0, 0.0137, 0.4])),
        "disk": draw(st.sampled_from([rate // 2 + 1, rate // 7 + 1, 3 * rate])),
        "size": draw(st.sampled_from([None, rate // 3, rate])),
    }


def close(value: Any):
    return pytest.approx(value, rel=1e-9, abs=2e-9)


def agrees(fast: Fleet, site: str, flows: list[Any]) -> None:
    """Hold each group's target at a site against its flow in the naive model."""
    for k, flow in enumerate(flows):
        target = fast.summary["groups"][f"g{k}"]["targets"][site]
        assert fast.recovered[f"g{k}", site] == close(flow.recovered)
        assert target["staging_peak_bytes"] == flow.peak <= (flow.size or 1e9)
        assert target["last_applied_s"] == close(flow.applied[-1])
        assert target["consistent"] is True


@given(world=worlds())
@settings(max_examples=40)
def test_a_full_staging_holds_the_link_as_the_naive_model_says(world: dict[str, Any]) -> None:
    begin, end, slow = world["throttle"]
    rates = [(0.0, world["rate"]), (begin, slow), (end, world["rate"])]
    flows = [Flow(world["writes"][0], world["size"]), Flow(world["writes"][1])]
    NaiveStaging(flows, rates, world["outages"], world["one_way"], world["disk"], [1, 0]).run()
    fast = Fleet(text(world), world["writes"])
    agrees(fast, "b", flows)


@given(
    world=worlds(),
    journal=st.sampled_from(["", "size: 60 kB, on_full: track", "size: 99 kB, on_full: block"]),
)
@settings(max_examples=15)
def test_no_room_is_lost_and_batches_change_nothing(world: dict[str, Any], journal: str) -> None:
    world["size"] = world["size"] or world["rate"] // 2
    whole = Fleet(text(world, journal), world["writes"])
    leg = whole.built.legs["g0", "b"]
    leg.valve.settle(float("inf"))  # the last word of room may come after the run's end
    assert leg.valve.outstanding() == 0
    assert not leg.valve.holding
    assert leg.sink.staging.store.nbytes == 0
    cut = Fleet(text(world, journal), world["writes"], writes_per_settle=3)
    assert cut.summary == whole.summary


STEADY = """
drsim: 1
duration: 40 s
sites: {a: {}, b: {disk: {write: 600 kB/s}}}
links: {ab: {between: [a, b], rate: 1 MB/s, efficiency: 100 %, rtt: 20 ms}}
groups: {g: {source: a, volumes: {v: 1 GB}, targets: {b: {staging: {size: 3 MB}}}}}
hosts: {h: {site: a, writes: [{volume: g/v, rate: 800 kB/s, size: 20 kB}]}}
"""


def test_a_slow_volume_fills_the_staging_then_the_journal() -> None:
    """800 kB/s come, 600 kB/s are destaged: 3 MB last 15 s, then the journal grows by 200 kB/s."""
    target = run(loads(STEADY, "steady")).summary["groups"]["g"]["targets"]["b"]
    assert 2_950_000 < target["staging_peak_bytes"] <= 3_000_000
    assert target["journal_peak_bytes"] == pytest.approx(200_000 * 25, rel=0.03)
    assert target["lag_final_s"] == pytest.approx(200_000 * 25 / 800_000, rel=0.03)
    free = run(loads(STEADY.replace("{size: 3 MB}", "{}"), "steady")).summary["groups"]["g"]["targets"]["b"]
    assert free["staging_peak_bytes"] == pytest.approx(200_000 * 40, rel=0.02)
    assert free["lag_max_s"] < 0.1


CASCADE = """
sites: {{a: {{}}, b: {{disk: {{write: {disk} B/s}}}}, c: {{disk: {{write: {disk2} B/s}}}}}}
links:
  ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, rtt: {rtt} s, sharing: {sharing}}}
  bc:
    between: [b, c]
    rate: {rate2} B/s
    efficiency: 100 %
    rtt: {rtt2} s
    outages: [{outages}]
    sharing: {sharing}
groups:
  g0: {{source: a, volumes: {{v: 100 MB}}, targets: {{b: {{{near}}}, c: {{via: b, {far}}}}}}}
  g1: {{source: a, volumes: {{v: 100 MB}}, targets: {{b: {{}}, c: {{via: b}}}}}}
hosts:
  h0: {{site: a, writes: [{{volume: g0/v, rate: 1 /s}}]}}
  h1: {{site: a, writes: [{{volume: g1/v, rate: 1 /s}}]}}
"""


@given(first=worlds(), then=worlds())
@settings(max_examples=15, phases=FOUND)
def test_staging_fills_at_each_end_of_a_cascade(first: dict[str, Any], then: dict[str, Any]) -> None:
    """What is on the middle's volumes is written there as by a host: the hop is the naive model once more."""
    far = max(then["size"] or 0, first["rate"] // 3)
    near = [Flow(first["writes"][0], first["size"]), Flow(first["writes"][1])]
    NaiveStaging(near, [(0.0, first["rate"])], [], first["one_way"], first["disk"], [1, 0]).run()
    hop = [Flow([*zip(f.applied, f.held, strict=True)]) for f in near]
    hop[0].size = far
    NaiveStaging(hop, [(0.0, then["rate"])], then["outages"], then["one_way"], then["disk"], [1, 0]).run()
    chain = CASCADE.format(
        disk=first["disk"],
        disk2=then["disk"],
        rate=first["rate"],
        rate2=then["rate"],
        rtt=2 * first["one_way"],
        rtt2=2 * then["one_way"],
        outages=", ".join(f"{{at: {a} s, for: {b - a} s}}" for a, b in then["outages"]),
        sharing="{kind: priority, classes: {g0: {priority: 2}, g1: {priority: 1}}}",
        near=f"staging: {{size: {first['size']} B}}" if first["size"] else "",
        far=f"staging: {{size: {far} B}}",
    )
    fast = Fleet(chain, first["writes"])
    agrees(fast, "c", hop)
    assert Fleet(chain, first["writes"], writes_per_settle=3).summary == fast.summary


@given(world=worlds(), every=st.sampled_from([1.77, 5.3]))
@settings(max_examples=20, phases=FOUND)
def test_cycles_travel_in_parts_that_fit_as_the_naive_model_says(world: dict[str, Any], every: float) -> None:
    begin, end, slow = world["throttle"]
    rates = [(0.0, world["rate"]), (begin, slow), (end, world["rate"])]
    world["one_way"] = (
        world["one_way"] or 0.0021
    )  # who says hello first where that takes no time is not the matter
    cycles = Cycling(world["writes"][0], world["size"], every=every)
    flows = [cycles, Flow(world["writes"][1])]
    NaiveCycles(flows, rates, world["outages"], world["one_way"], world["disk"], [1, 0]).run()
    mode = f"mode: {{kind: cycle, every: {every} s, fold: none}}"
    fast = Fleet(text(world).replace("journal: {}", mode), world["writes"], duration=200.0)
    agrees(fast, "b", flows)
