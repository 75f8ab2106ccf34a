"""Hosts that wait for their writes: against a program that takes one event at a time, and against closed forms."""

from __future__ import annotations

import itertools
import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from drsim.scenario import ScenarioError, loads
from drsim.simulation import run, waits
from drsim.simulation.intake import _before
from drsim.workload.columns import Writes
from tests.simulation.fleet import Fleet
from tests.simulation.naive_loop import NaiveLoops, Person

TEXT = """
sites: {{a: {{{disk}}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, rtt: {rtt} s}}}}
groups:
  g: {{source: a, volumes: {{v: 100 MB}}, targets: {{b: {{rpo: 1 s}}}}, mode: {mode}, journal: {{{journal}}}}}
hosts: {{{hosts}}}
"""


def close(value: Any):
    return pytest.approx(value, rel=1e-9, abs=2e-9)


class Closed(Fleet):
    """drsim with the writes and think times of each host given, and what became of each write."""

    def __init__(self, people: list[Person], text: str, **settings: Any) -> None:
        self.people = people
        self.issued: list[list[float]] = [[] for _ in people]
        self.answered: list[list[float]] = [[] for _ in people]
        super().__init__(text, **settings)

    def prepare(self) -> None:
        (intake,) = self.built.world.intakes
        for k, (loop, person) in enumerate(zip(intake.loops, self.people, strict=True)):
            table = np.array(person.writes, float).reshape(-1, 2)
            n, zeros = len(table), np.zeros(len(table), np.int64)
            block = Writes(table[:, 0].copy(), zeros, table[:, 1].astype(np.int64), np.zeros(n, np.uint8))
            loop.feeds[0]._blocks = iter([block])
            if person.thoughts is not None:
                loop._think = iter([np.array(person.thoughts)])
                loop._thoughts = np.empty(0)
                loop._free = np.sort(loop._draw(person.depth))
            self._listen(k, loop)

    def _listen(self, k: int, loop: Any) -> None:
        take, answered = loop.take, loop._probe.answered

        def taken(until: float) -> Any:
            rows = take(until)
            self.issued[k] += [] if rows is None else rows[0].tolist()
            return rows

        def told(at: Any) -> None:
            self.answered[k] += at.tolist()
            answered(at)

        loop.take, loop._probe.answered = taken, told


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    # Where a full journal lets several hosts go on at one instant, who goes first is a matter of taste.
    journal = draw(st.one_of(st.none(), st.integers(20_000, 60_000)))
    people = []
    for k in range(draw(st.integers(1, 3)) if journal is None else 1):
        n = draw(st.integers(1, 25))
        gaps = draw(st.lists(st.sampled_from([1e-5, 0.011, 0.3, 1.7]), min_size=n, max_size=n))
        gaps = [gap * (1 + 0.137 * k + 0.013 * i) for i, gap in enumerate(gaps)]
        sizes = draw(st.lists(st.integers(1, 20_000), min_size=n, max_size=n))
        depth = draw(st.integers(1, 5))
        think = draw(st.booleans())
        thoughts = draw(st.lists(st.floats(1e-4, 0.5), min_size=n + depth, max_size=n + depth))
        thoughts = [thought * (1 + 0.117 * k + 0.0017 * i) for i, thought in enumerate(thoughts)]
        writes = list(zip(itertools.accumulate(gaps), sizes, strict=True))
        people.append(Person(writes, depth, thoughts if think else None))
    return {
        "people": people,
        "rate": draw(st.integers(10_000, 400_000)),
        "one_way": draw(st.sampled_from([0.0, 0.003, 0.04])),
        "disk": draw(st.sampled_from([None, 60_001, 1_000_003])),
        "latency": draw(st.sampled_from([0.0, 0.0007])),
        "sync": draw(st.booleans()),
        "journal": journal,
    }


def text(world: dict[str, Any]) -> str:
    disk, journal = world["disk"], world["journal"]
    hosts = [
        f"h{k}: {{site: a, queue_depth: {p.depth}, {'think: 1 s, ' if p.thoughts else ''}"
        "writes: [{volume: g/v, rate: 1 /s}]}"
        for k, p in enumerate(world["people"])
    ]
    return TEXT.format(
        disk=f"disk: {{write: {disk} B/s, latency: {world['latency']} s}}" if disk else "",
        rate=world["rate"],
        rtt=2 * world["one_way"],
        mode="sync" if world["sync"] else "journal",
        journal=f"size: {journal} B, on_full: block" if journal else "",
        hosts=", ".join(hosts),
    )


@settings(max_examples=40)
@given(world=worlds())
def test_every_write_is_issued_and_answered_when_the_naive_model_says(world: dict[str, Any]) -> None:
    naive = NaiveLoops(**world)
    naive.run()
    fast = Closed(world["people"], text(world))
    for k, person in enumerate(world["people"]):
        assert fast.issued[k] == close(person.issued)
        assert fast.answered[k] == close(person.answered)
    # A synchronous write counts from its acknowledgement on, which comes after it is recoverable.
    wanted = [max(pair) for pair in zip(naive.recovered, naive.acked, strict=True)]
    assert fast.recovered["g", "b"] == close(wanted)


@settings(max_examples=10)
@given(world=worlds())
def test_the_size_of_internal_batches_changes_nothing(world: dict[str, Any]) -> None:
    whole = Closed(world["people"], text(world))
    cut = Closed(world["people"], text(world), writes_per_settle=3)
    assert cut.summary == whole.summary


WHOLE = """
drsim: 1
seed: {seed}
duration: {duration} s
sites: {{a: {{disk: {{write: 1 MB/s, latency: {latency} s}}}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, rtt: {rtt} s}}}}
groups: {{g: {{source: a, volumes: {{v: 1 TB}}, targets: {{b: {{}}}}, mode: {mode}, journal: {{{journal}}}}}}}
hosts:
  h: {{site: a, queue_depth: {depth}, {think}writes: [{{volume: g/v, rate: {load} /s, size: {size}}}]}}
"""
CALM = {
    "seed": 1,
    "duration": 20,
    "latency": 0,
    "rate": 10_000_000,
    "rtt": 0,
    "mode": "journal",
    "journal": "",
    "think": "",
    "load": 1,
    "size": "10 kB",
}


def whole(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Host and target of a run."""
    summary = run(loads(WHOLE.format(**{**CALM, **changes}), "closed")).summary
    return summary["hosts"]["h"], summary["groups"]["g"]["targets"]["b"]


@pytest.mark.parametrize(("depth", "think"), [(1, 0.0), (1, 0.02), (4, 0.05), (16, 0.05), (3, 0.0)])
def test_constant_service_gives_the_asymptotes_of_a_closed_network(depth: int, think: float) -> None:
    """X = min(N / (Z + S + L), 1 / S), one class of N customers and one station (Lazowska et al., 1984, 5.2)."""
    service, latency = 0.01, 0.004
    host, _ = whole(depth=depth, think=f"think: {think} s, ", latency=latency, duration=10)
    rate = min(depth / (think + service + latency), 1 / service)
    assert host["writes"] == pytest.approx(10 * rate, abs=depth + 1)
    # The interactive response-time law, with the start's transient as the only slack.
    assert host["write_latency_mean_s"] == pytest.approx(depth / rate - think, rel=0.04)


def test_machines_that_break_are_repaired_as_theory_says() -> None:
    """M/M/1//N: utilisation from the truncated Poisson, response from the interactive law."""
    depth, think, service = 6, 0.05, 0.01
    ratio = service / think
    idle = 1 / sum(math.perm(depth, n) * ratio**n for n in range(depth + 1))
    throughput = (1 - idle) / service
    rates, waits = [], []
    for seed in range(6):
        text = {"think": f"think: exponential({think} s), ", "size": "exponential(10 kB)"}
        host, _ = whole(depth=depth, seed=seed, duration=8, **text)
        rates.append(host["writes"] / 8)
        waits.append(host["write_latency_mean_s"])
    for found, wanted in ((rates, throughput), (waits, depth / throughput - think)):
        error = float(np.std(found, ddof=1)) / math.sqrt(len(found))
        assert abs(float(np.mean(found)) - wanted) < 4 * error + 5e-3 * wanted


def test_sync_slows_a_host_by_the_round_trip() -> None:
    fast, _ = whole(depth=1, load=1000)
    slow, target = whole(depth=1, load=1000, mode="sync", rtt=0.03)
    # disk 10 ms; sync: and 1 ms on the link, and the round trip.
    assert fast["writes"] == pytest.approx(20 / 0.010, abs=1)
    assert slow["writes"] == pytest.approx(20 / 0.041, abs=1)
    assert slow["write_latency_p50_s"] == pytest.approx(0.041, rel=1e-6)
    assert slow["queue_wait_max_s"] > 19
    assert target["lag_max_s"] <= 0.0151


def test_a_full_journal_slows_a_closed_loop_to_the_link() -> None:
    host, target = whole(depth=4, load=1000, rate=400_000, journal="size: 500 kB, on_full: block")
    # 100 writes/s until 500 kB wait, then 40 a second.
    assert host["writes"] == pytest.approx(40 * 20 + 500_000 / 10_000, rel=0.01)
    assert host["write_latency_max_s"] == pytest.approx(4 / 40, rel=0.01)
    assert target["journal_peak_bytes"] <= 500_000


def test_pace_slows_a_closed_loop_before_its_journal_is_full() -> None:
    pace = "size: 500 kB, on_full: {kind: pace, delay: 50 ms}"
    host, target = whole(depth=4, load=1000, rate=400_000, journal=pace)
    assert target["journal_overflows"] == 0
    assert host["writes"] == pytest.approx(40 * 20, rel=0.06)
    assert 1 / 40 < host["write_latency_max_s"] < 0.3


def test_pace_slows_an_open_loop_to_the_link_as_well() -> None:
    pace = "size: 200 kB, on_full: {kind: pace, delay: 50 ms}"
    text = WHOLE.format(**{**CALM, "depth": 1, "load": 60, "rate": 400_000, "journal": pace})
    summary = run(loads(text.replace("queue_depth: 1, ", ""), "open")).summary
    target = summary["groups"]["g"]["targets"]["b"]
    assert target["journal_overflows"] == 0
    assert 100_000 < target["journal_peak_bytes"] < 200_000
    # 60 a second come, 40 a second are taken: the last of 20 s waits for a third of them.
    assert summary["hosts"]["h"]["write_latency_max_s"] == pytest.approx(20 / 3, rel=0.06)


def test_places_enough_are_an_open_loop() -> None:
    _, closed = whole(depth=4096, load=20)
    text = WHOLE.format(**{**CALM, "depth": 1, "load": 20}).replace("queue_depth: 1, ", "")
    opened = run(loads(text, "open")).summary
    assert closed == opened["groups"]["g"]["targets"]["b"]


def test_thinking_needs_places() -> None:
    with pytest.raises(ScenarioError, match="'think' needs 'queue_depth'"):
        loads(WHOLE.format(**CALM, depth=1).replace("queue_depth: 1, ", "think: 1 s, "), "closed")


def test_a_loop_in_which_nothing_takes_time_is_refused() -> None:
    text = WHOLE.format(**{**CALM, "depth": 1, "think": "think: 0 s, "})
    text = text.replace("a: {disk: {write: 1 MB/s, latency: 0 s}}", "a: {}")
    with pytest.raises(ScenarioError, match="writes without end at one instant"):
        run(loads(text, "closed"))


MIXED = """
drsim: 1
seed: {seed}
duration: 5 s
sites: {{a: {{{disk}}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: 300 kB/s, efficiency: 100 %, rtt: 30 ms, outages: [{{at: 1 s, for: 2 s}}]}}}}
groups:
  g: {{source: a, volumes: {{v: 8 MB}}, targets: {{b: {{rpo: 1 s}}}}, mode: {mode}, journal: {{{journal}}}}}
  k: {{source: a, volumes: {{v: 8 MB}}, targets: {{b: {{rpo: 1 s}}}}}}
hosts:
  one: {{site: a, queue_depth: {depth}, {think}writes: [{{volume: g/v, rate: 40 /s, size: exponential(6 kB)}},
         {{volume: k/v, rate: 11 /s, size: 3 kB, arrivals: poisson}}]}}
  two: {{site: a, queue_depth: 2, think: exponential(90 ms), writes: [{{volume: g/v, rate: 9 /s, size: 5 kB}}]}}
  open: {{site: a, writes: [{{volume: k/v, rate: 13 /s, size: 2 kB, arrivals: poisson}}]}}
"""
BACKUP = "backup: [{days: daily, from: 00:00, to: 01:00, read: 9 kB/s}]"
SSD = "disk: {kind: ssd, write: 4 MB/s, iops: 300}"


@settings(max_examples=4)
@given(
    st.fixed_dictionaries(
        {
            "seed": st.integers(0, 99),
            "disk": st.sampled_from(["", f"disk: {{write: 290 kB/s, latency: 1 ms}}, {BACKUP}", SSD]),
            "mode": st.sampled_from(["journal", "{kind: cycle, every: 2 s}"]),
            "journal": st.sampled_from(["", "size: 90 kB, on_full: track"]),
            "depth": st.integers(1, 4),
            "think": st.sampled_from(["", "think: exponential(40 ms), "]),
        }
    )
)
def test_rounds_of_the_disk_alone_are_those_taken_answer_by_answer(world: dict[str, Any]) -> None:
    """Hosts that wait only for their disk are not stepped through the world; it must not show, to the last bit."""
    scenario = loads(MIXED.format(**world), "mixed")
    at_once, cut = run(scenario), run(scenario, writes_per_settle=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waits, "waits_for_disk_alone", lambda *_: False)
        stepped = run(scenario)
    for other in (cut, stepped):
        assert other.summary == at_once.summary
        for name, table in at_once.tables.items():
            for column, rows in table.items():
                assert np.asarray(rows).tobytes() == np.asarray(other.tables[name][column]).tobytes(), (
                    name,
                    column,
                )


@given(st.floats(1e-3, 1e6), st.sampled_from([0.0, 1e-3, 2e-4, 0.0007, 1e-12, 0.3]))
def test_the_last_instant_before_a_latency_is_the_last_one(until: float, latency: float) -> None:
    """In a few steps, even where the two are equal: then it lies among the smallest numbers there are."""
    for at in (until, max(until, latency), latency or until):
        before = _before(at, latency)
        assert before + latency <= at
        assert before == at or math.nextafter(before, math.inf) + latency > at
