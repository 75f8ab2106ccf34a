"""Groups that share a link, through whole runs, against an oracle that takes one event at a time."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tests.simulation.fleet import Fleet
from tests.simulation.fluid_link import NaiveShared

TEXT = """
sites: {{a: {{}}, b: {{}}}}
links:
  ab:
    between: [a, b]
    rate: {rate} B/s
    efficiency: 100 %
    rtt: {rtt} s
    outages: [{outages}]
    throttle: [{throttle}]
    sharing: {sharing}
groups:
  g0: {{source: a, volumes: {{v: 100 MB}}, targets: {{b: {{rpo: 1 s}}}}}}
  g1: {{source: a, volumes: {{v: 100 MB}}, targets: {{b: {{rpo: 30 s}}}}}}
hosts:
  h0: {{site: a, writes: [{{volume: g0/v, rate: 1 /s}}]}}
  h1: {{site: a, writes: [{{volume: g1/v, rate: 1 /s}}]}}
"""


def text(world: dict, sharing: str) -> str:
    begin, end, slow = world["throttle"]
    return TEXT.format(
        rate=world["rate"],
        rtt=2 * world["one_way"],
        outages=", ".join(f"{{at: {a} s, for: {b - a} s}}" for a, b in world["outages"]),
        throttle=f"{{at: {begin} s, for: {end - begin} s, to_rate: {slow} B/s}}",
        sharing=sharing,
    )


def naive(world: dict, share) -> list[list[float]]:
    begin, end, slow = world["throttle"]
    rates = [(0.0, world["rate"]), (begin, slow), (end, world["rate"])]
    return NaiveShared(world["writes"], rates, world["outages"], world["one_way"], share).run()


def first(*order: int):
    return lambda busy: {min(busy, key=order.index): 1.0}


def by(*weights: float):
    return lambda busy: {k: weights[k] / sum(weights[b] for b in busy) for k in busy}


@st.composite
def worlds(draw: st.DrawFn) -> dict:
    # Eighths of a second and whole bytes: instants that differ differ by far more than rounding does.
    rate = draw(st.sampled_from([1 << 12, 1 << 16, 100_000]))
    writes = []
    for _ in range(2):
        gaps = draw(st.lists(st.integers(0, 16), min_size=1, max_size=25))
        sizes = draw(st.lists(st.integers(1, rate), min_size=len(gaps), max_size=len(gaps)))
        rows, at = [], 0
        for gap, size in zip(gaps, sizes, strict=True):
            at += gap
            rows.append((at / 8, size))
        writes.append(rows)
    outages, begin = [], 0.0
    for _ in range(draw(st.integers(0, 3))):
        begin += draw(st.integers(1, 80)) / 8 + 0.03
        outages.append((begin, begin + draw(st.integers(1, 40)) / 8 + 0.01))
        begin = outages[-1][1]
    start = draw(st.integers(0, 80)) / 8 + 0.07
    return {
        "rate": rate,
        "writes": writes,
        "outages": outages,
        "throttle": (start, start + draw(st.integers(1, 80)) / 8, rate // draw(st.integers(2, 9))),
        "one_way": draw(st.sampled_from([0.0, 0.0137])),
    }


def close(value: list[float]):
    return pytest.approx(value, rel=1e-9, abs=2e-9)


def agree(world: dict, sharing: str, share) -> None:
    fast = Fleet(text(world, sharing), world["writes"])
    for k, recovered in enumerate(naive(world, share)):
        assert fast.recovered[f"g{k}", "b"] == close(recovered)
    targets = [group["targets"]["b"] for group in fast.summary["groups"].values()]
    assert all(target["consistent"] for target in targets)


@given(world=worlds())
@settings(max_examples=60, deadline=None)
def test_priority_interrupts_and_resumes(world: dict) -> None:
    agree(world, "{kind: priority, classes: {g0: {priority: 2}, g1: {priority: 1}}}", first(1, 0))


@given(world=worlds(), weight=st.sampled_from([1.0, 3.0, 0.2]))
@settings(max_examples=60, deadline=None)
def test_weights_share_as_a_fluid(world: dict, weight: float) -> None:
    agree(world, f"{{kind: weighted, classes: {{g0: {{weight: {weight}}}}}}}", by(weight, 1.0))


@given(world=worlds(), sharing=st.sampled_from(["fifo", "weighted", "earliest", "{kind: priority}"]))
@settings(max_examples=30, deadline=None)
def test_the_size_of_internal_batches_changes_nothing(world: dict, sharing: str) -> None:
    whole = Fleet(text(world, sharing), world["writes"])
    cut = Fleet(text(world, sharing), world["writes"], writes_per_settle=3)
    assert cut.summary == whole.summary
    assert cut.recovered == whole.recovered


CALM = {"rate": 1000, "outages": [], "throttle": (900.0, 901.0, 500), "one_way": 0.0}


def test_earliest_takes_what_is_due_first_from_the_targets_rpo() -> None:
    # Ready at 0, 10 s each on the line; g1 (rpo 30 s) is due at 30, g0 (rpo 1 s) at 5 + 1: it interrupts.
    world = CALM | {"writes": [[(5.0, 10_000)], [(0.0, 10_000)]]}
    fast = Fleet(text(world, "earliest"), world["writes"])
    assert fast.recovered["g0", "b"] == close([15.0])
    assert fast.recovered["g1", "b"] == close([20.0])
    given_ = "{kind: earliest, classes: {g0: {within: 60 s}}}"
    fast = Fleet(text(world, given_), world["writes"])
    assert fast.recovered["g1", "b"] == close([10.0])
    assert fast.recovered["g0", "b"] == close([20.0])


def test_a_resync_in_a_class_of_its_own_gives_way_to_other_groups() -> None:
    journal = "journal: {size: 20 kB, on_full: track}"
    head, _, tail = TEXT.partition("g0: {{source: a,")
    small = head + "g0: {{source: a, " + journal.replace("{", "{{").replace("}", "}}") + "," + tail
    writes = [[(t / 4, 4096) for t in range(200)], [(t / 2, 1000) for t in range(200)]]
    world = CALM | {"rate": 40_000, "outages": [(10.0, 20.0)], "writes": writes}
    begin, end, slow = world["throttle"]

    def lag(sharing: str) -> tuple[float, float]:
        filled = small.format(
            rate=world["rate"], rtt=0.0, outages="{at: 10 s, for: 10 s}", sharing=sharing,
            throttle=f"{{at: {begin} s, for: {end - begin} s, to_rate: {slow} B/s}}",
        )  # fmt: skip
        fast = Fleet(filled, writes)
        groups = fast.summary["groups"]
        assert groups["g0"]["targets"]["b"]["resyncs"] == 1
        assert groups["g0"]["targets"]["b"]["consistent"]
        after = [
            r - a for a, r in zip(fast.acked["g1", "b"], fast.recovered["g1", "b"], strict=True) if a > 20
        ]
        return max(after), groups["g0"]["targets"]["b"]["resync_bytes"]

    together, copied = lag("fifo")
    apart, also = lag("{kind: priority, classes: {g0/resync: {priority: 5}}}")
    assert copied == also > 0
    # Alone against g0's and its own foreground a write waits for one write of each at most.
    assert apart <= (4096 + 1000) / 40_000 + 1e-9
    assert together > apart
