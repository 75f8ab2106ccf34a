"""Cascades on bad days: any of their sites is lost, comes back, takes over; in bytes, in numbers, and on paper."""

from __future__ import annotations

import os
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import Phase, given, settings

from drsim.measure.lag import LagMeter
from drsim.scenario import loads
from drsim.simulation import run
from drsim.simulation.build import build
from drsim.simulation.stories import schedule
from drsim.simulation.summary import summarise
from tests.simulation.contents import Bytes
from tests.simulation.naive_cascade import NaiveCascade
from tests.simulation.test_homecoming import bad_days, judge

SIZE = 65_536
DEEP = os.environ.get("DRSIM_HYPOTHESIS") == "deep"
CHAIN = """
drsim: 1
seed: {seed}
duration: 500 s
sites: {{a: {{}}, b: {{disk: {{write: {disk} kB/s}}}}, c: {{}}, d: {{}}}}
links:
  ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, rtt: 10 ms, outages: [{outages}]}}
  bc: {{between: [b, c], rate: 30 kB/s, efficiency: 100 %, rtt: 50 ms, outages: [{outages2}]}}
  {more}
groups:
  g:
    source: a
    volumes: {{v: 64 KiB}}
    targets: {{b: {{rpo: 1 min{room}}}, c: {{rpo: 2 min, via: b{last}}}{fourth}}}
    journal: {{{journal}}}
    resync: {{protect: {protect}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: 6 /s, size: 2 KiB, arrivals: poisson}}]}}}}
runbooks:
  book:
    steps: {{detect: 10 s, decide: {decide} s, drain: 1 s, recover: {recover} s}}
    {failback}
{bad}
"""
OTHERS = {
    "": "",
    "  ac: {between: [a, c], rate: 20 kB/s, efficiency: 100 %, rtt: 40 ms}": "",
    "  cd: {between: [c, d], rate: 40 kB/s, efficiency: 100 %, rtt: 4 ms}": ", d: {via: c}",
    "  ad: {between: [a, d], rate: 40 kB/s, efficiency: 100 %, rtt: 4 ms}": ", d: {}",
}


LAST = ["", "", ", mode: {kind: cycle, every: 7 s}", ", staging: {size: 9 kB}"]
LAST += [", staging: {size: 20 kB}, mode: {kind: cycle, every: 7 s}"]


@st.composite
def stories(draw: st.DrawFn) -> str:
    sites = ["a", "b", "c", "ab", "ba", "aa", "bb", "ac", "bab", "cb", ""]
    books = ["", ", runbook: book", ", runbook: book, failover_to: c", ", runbook: book, before: 150 s"]
    text = bad_days(draw, sites, books, 3)
    outages = [(draw(st.integers(20, 400)), draw(st.sampled_from([3, 60]))) for _ in "ab"]
    cuts = [draw(st.sampled_from(["", f"{{at: {at} s, for: {gap} s}}"])) for at, gap in outages]
    more = draw(st.sampled_from([*OTHERS]))
    return CHAIN.format(
        seed=draw(st.integers(0, 99)),
        disk=draw(st.sampled_from([16, 60])),
        rate=draw(st.sampled_from([14_000, 50_000])),
        outages=cuts[0],
        outages2=cuts[1],
        more=more.strip(),
        fourth=OTHERS[more],
        last=draw(st.sampled_from(LAST)) if "d:" not in OTHERS[more] else "",
        room=draw(st.sampled_from(["", "", ", staging: {size: 10 kB}"]))
        + (", snapshots: [{every: 40 s, keep: 6}]" if "before" in text or draw(st.booleans()) else ""),
        journal=draw(st.sampled_from(["", "size: 60 kB, on_full: track"])),
        protect=draw(st.sampled_from(["true", "false"])),
        decide=draw(st.sampled_from([0, 2, 30])),
        recover=draw(st.sampled_from([0, 5])),
        failback=draw(st.sampled_from(["", "failback: {after: 10 s}"])),
        bad=text,
    )


@given(stories())
@settings(max_examples=400 if DEEP else 8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_every_image_is_a_prefix_of_what_was_written(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = Bytes(patch, SIZE)
        world.run(loads(text, "story"))
        judge(world)


NUMBERS = """
drsim: 1
duration: {duration} s
sites: {{a: {{}}, b: {{disk: {{write: {disk} B/s}}}}, c: {{}}}}
links:
  ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, rtt: {rtt} s}}
  bc: {{between: [b, c], rate: {rate2} B/s, efficiency: 100 %, rtt: {rtt2} s}}
groups:
  g: {{source: a, volumes: {{v: {volume}}}, targets: {{b: {{rpo: 10 s}}, c: {{rpo: 60 s, via: b}}}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: {load} /s, size: {size} B, arrivals: constant}}]}}}}
runbooks: {{book: {{steps: {{decide: 20 s, recover: 9 s}}}}}}
{bad}
"""
PATHS = {
    "load": st.integers(3, 20),
    "size": st.integers(512, 9000),
    "disk": st.sampled_from([90_000, 500_000]),
    "rate": st.integers(40_000, 200_000),
    "rate2": st.integers(30_000, 200_000),
    "rtt": st.sampled_from([0.01, 0.3]),
    "rtt2": st.sampled_from([0.05, 0.4]),
    "at": st.integers(40, 160),
}


class Watched:
    """A run whose pairs of (acknowledged, recovered) are kept, for each leg of each tenure."""

    def __init__(self, text: str) -> None:
        pairs: dict[int, tuple[list[float], list[float]]] = {}
        real = LagMeter.feed

        def feed(meter: LagMeter, acked: Any, nbytes: Any, found: Any) -> None:
            kept = pairs.setdefault(id(meter), ([], []))
            kept[0].extend(acked.tolist())
            kept[1].extend(np.maximum(found, acked).tolist())
            real(meter, acked, nbytes, found)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LagMeter, "feed", feed)
            scenario = loads(text, "cascade")
            self.built = build(scenario, scenario.duration or 0.0, content=True, writes_per_settle=65_536)
            schedule(self.built)
            self.built.world.open(self.built.connect)
            self.built.world.run(scenario.duration or 0.0)
        self.summary = summarise(self.built, scenario.duration or 0.0)["groups"]["g"]
        self._pairs = pairs

    def recovered(self, tenure: int, target: str) -> list[float]:
        probe = self.built.tenures["g"][tenure].legs[target].probe
        return [t + probe.since for t in self._pairs.get(id(probe.lag), ([], []))[1]]


def naive(path: dict[str, Any], duration: float) -> NaiveCascade:
    times = [k / path["load"] for k in range(1, int(duration * path["load"]) + 1)]
    rates, one_way = (path["rate"], path["rate2"]), (path["rtt"] / 2, path["rtt2"] / 2)
    return NaiveCascade(times, path["size"], rates=rates, one_way=one_way, disk=path["disk"])


def told(path: dict[str, Any], bad: str) -> str:
    return NUMBERS.format(**path, volume="100 MB", duration=300, bad=f"disasters: [{bad}]")


def loss(missing: list[float], at: float, size: int) -> tuple[Any, int, int]:
    seconds = at - missing[0] if missing else 0.0
    return pytest.approx(seconds, abs=1e-8), len(missing) * size, len(missing)


@given(st.fixed_dictionaries(PATHS))
@settings(max_examples=5)
def test_the_first_site_is_lost_the_middle_takes_over_and_goes_on_to_the_last(path: dict[str, Any]) -> None:
    at, size = path["at"] + 0.0123, path["size"]
    fast = Watched(told(path, f"{{site: a, at: {at} s, runbook: book}}"))
    (bad,) = fast.summary["disasters"]
    resumed = at + bad["recovery_s"]
    slow = naive(path, 300)
    slow.env.process(slow.lose_first(at, resumed))
    slow.env.run(until=300)
    # What a failover to either would have found at the instant of the loss.
    for site, held in (("b", slow.here.at_b), ("c", slow.here.at_c)):
        missing = slow.here.acked[len([t for t in held if t <= at]) :]
        found = bad["found"][site]
        assert (found["loss_s"], found["loss_bytes"], found["loss_writes"]) == loss(missing, at, size)
    assert bad["target"] == "b"
    assert bad["steps"]["drain"] == pytest.approx(max(slow.drained_at - at - 20, 0), abs=1e-6)
    assert bad["recovery_s"] == pytest.approx(29 + bad["steps"]["drain"], abs=1e-9)
    # Afterwards: in order, nothing is copied, and every write is at c when the naive model says.
    c = fast.summary["tenures"][1]["targets"]["c"]
    assert (c["resyncs"], c["resync_bytes"], c["consistent"]) == (0, 0, True)
    wanted = slow.there.at_c
    got = fast.recovered(1, "c")
    assert abs(len(got) - len(wanted)) <= 1 < len(wanted)
    shared = min(len(got), len(wanted))
    assert got[:shared] == pytest.approx(wanted[:shared], abs=1e-8)


@given(st.fixed_dictionaries(PATHS), st.sampled_from([7.0, 60.0]))
@settings(max_examples=5)
def test_the_middle_site_is_away_and_the_last_falls_behind_until_it_is_back(
    path: dict[str, Any], gone: float
) -> None:
    at = path["at"] + 0.0123
    fast = Watched(told(path, f"{{site: b, at: {at} s, kind: crash, for: {gone} s}}"))
    slow = naive(path, 300)
    slow.env.process(slow.lose_middle(at, at + gone))
    slow.env.run(until=300)
    assert fast.summary["disasters"] == []
    assert fast.summary["targets"]["c"]["resyncs"] == 0
    got, wanted = fast.recovered(0, "c"), slow.here.at_c
    assert abs(len(got) - len(wanted)) <= 1
    shared = min(len(got), len(wanted))
    assert got[:shared] == pytest.approx(wanted[:shared], abs=1e-8)
    before = len([t for t in wanted if t <= at])
    assert fast.summary["targets"]["c"]["lag_max_s"] >= at + gone - slow.here.acked[before]


CALM = {
    "load": 10,
    "size": 4096,
    "disk": 500_000,
    "rate": 100_000,
    "rate2": 80_000,
    "rtt": 0.01,
    "rtt2": 0.05,
    "volume": "100 MB",
}


def group(bad: str, **changed: Any) -> dict[str, Any]:
    text = NUMBERS.format(**(CALM | {"duration": 900} | changed), bad=bad)
    summary = run(loads(text, "cascade"), verify="content").summary
    found: dict[str, Any] = summary["groups"]["g"]
    return found


def test_a_middle_that_never_returns_leaves_the_last_site_where_it_was() -> None:
    found = group("disasters: [{site: b, at: 300 s}]")
    b, c = found["targets"]["b"], found["targets"]["c"]
    assert found["disasters"] == []
    assert b["exposure_s"] == 600
    # The oldest write c lacks came 0.1 s before the loss, at most.
    assert c["exposure_s"] == 0
    assert c["lag_final_s"] == pytest.approx(600, abs=0.2)
    assert c["backlog_peak_bytes"] == pytest.approx(6000 * 4096, abs=3 * 4096)


def test_a_middle_that_returns_empty_is_copied_to_and_then_copies() -> None:
    found = group("disasters: [{site: b, at: 300 s, for: 100 s}]", size=2048, volume="2 MB")
    b, c = found["targets"]["b"], found["targets"]["c"]
    assert (b["consistent"], c["consistent"]) == (True, True)
    assert b["resync_bytes"] >= 2_000_000
    assert c["resync_bytes"] >= 2_000_000
    assert b["exposure_s"] > 100 + 2_000_000 / 100_000
    assert c["lag_final_s"] < 1


def test_the_last_site_returns_and_gets_what_the_middle_kept() -> None:
    found = group("disasters: [{site: c, at: 300 s, kind: crash, for: 100 s}]")
    b, c = found["targets"]["b"], found["targets"]["c"]
    assert b["lag_max_s"] < 0.2
    assert (c["resyncs"], c["exposure_s"]) == (0, 100)
    assert c["journal_peak_bytes"] == pytest.approx(100 * 40_960, rel=0.02)


def test_the_last_site_takes_over_and_the_group_comes_home_through_the_middle() -> None:
    plans = "operations: [{at: 200 s, do: failover, group: g, to: c}, {at: 500 s, do: failback, group: g}]"
    found = group(plans)
    assert [t["source"] for t in found["tenures"]] == ["a", "c", "a"]
    assert (found["lost_writes"], found["unprotected_s"]) == (0, 0)
    for tenure in found["tenures"][1:]:
        for target in tenure["targets"].values():
            assert (target["resyncs"], target["exposure_s"], target["consistent"]) == (0, 0, True)
    assert set(found["tenures"][1]["targets"]) == {"a", "b"}
    # From c a write passes two links on its way to a, as it does from a to c.
    away = found["tenures"][1]["targets"]
    assert away["a"]["delay_p50_s"] > away["b"]["delay_p50_s"]


def test_the_last_site_takes_over_when_both_others_are_lost() -> None:
    bad = """disasters:
  - {site: a, at: 300 s, runbook: book}
  - {site: b, at: 310 s, kind: crash, for: 100 s}"""
    found = group(bad, rate2=30_000)  # c is behind by a quarter of what is written
    first = found["disasters"][0]
    assert first["target"] == "c"
    assert first["loss_bytes"] == pytest.approx(300 * (40_960 - 30_000) - 10 * 30_000, rel=0.02)
    b = found["tenures"][1]["targets"]["b"]
    assert b["consistent"]
    # b names what it had not passed on; with what was written meanwhile, that is all that is copied.
    written = (410 - first["at_s"] - first["recovery_s"]) * 40_960
    assert b["resync_bytes"] == pytest.approx(first["loss_bytes"] + written, rel=0.1)


@pytest.mark.parametrize(
    "bad",
    [
        "disasters: [{site: a, at: 100.01 s, runbook: book}]",
        "disasters: [{site: a, at: 100.01 s, kind: crash, for: 90 s, runbook: book}]",
        "disasters: [{site: b, at: 100.01 s, kind: crash, for: 50 s}]",
        "disasters: [{site: b, at: 100.01 s, for: 50 s}]",
        "operations: [{at: 100 s, do: failover, group: g, to: c}, {at: 200 s, do: failback, group: g}]",
    ],
)
def test_the_size_of_internal_batches_changes_nothing(bad: str) -> None:
    text = NUMBERS.format(**CALM | {"volume": "300 kB", "size": 2048}, duration=320, bad=bad)
    scenario = loads(text, "cascade")
    whole = run(scenario)
    assert run(scenario, writes_per_settle=3).summary == whole.summary
    assert run(scenario, verify="content").summary == whole.summary
