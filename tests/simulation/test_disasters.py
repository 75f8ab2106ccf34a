"""Bad days against an independent recomputation: what is lost, how long it takes, and whom it leaves alone."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from drsim.scenario import ScenarioError, loads
from drsim.simulation import run
from tests.simulation.naive import NaivePair

PAIR = """
drsim: 1
seed: {seed}
duration: {duration} s
sites: {{a: {{}}, b: {{disk: {{write: {disk} B/s}}}}}}
links: {{ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, rtt: {rtt} s, outages: [{outages}]}}}}
groups:
  g:
    source: a
    volumes: {{v: 100 MB}}
    targets: {{b: {{rpo: 10 s, rto: {rto} s}}}}
    mode: {mode}
    journal: {{{journal}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: {load} /s, size: {size} B, {arrivals}}}]}}}}
runbooks:
  book:
    steps:
      {{detect: 60 s, decide: "lognormal(2 min, 0.5)", drain: 7 s, attach: 5 s, recover: "uniform(1 min, 2 min)",
        redirect: 3 s}}
{bad}
"""

STANDARD: dict[str, Any] = {
    "seed": 3,
    "duration": 2000,
    "disk": 50_000_000,
    "rate": 100_000,
    "rtt": 0.01,
    "outages": "",
    "rto": 3600,
    "mode": "journal",
    "journal": "",
    "load": 10,
    "size": 8192,
    "arrivals": "arrivals: constant",
    "bad": "",
}


def told(bad: str, **changed: Any) -> str:
    return PAIR.format(**(STANDARD | changed | {"bad": bad}))


def burn(at: float, more: str = "runbook: book") -> str:
    return f"disasters: [{{site: a, at: {at} s, {more}}}]"


def outcome(text: str, kind: str = "disasters", **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    summary = run(loads(text, "bad"), **options).summary
    return summary["groups"]["g"][kind][0], summary


class Lost(NaivePair):
    """The oracle, whose source stops dead: gives acknowledgements and recoveries up to that instant."""

    def until(self, at: float) -> tuple[list[float], list[float]]:
        self.env.process(self.hosts())
        self.env.process(self.link())
        self.env.process(self.weather())
        self.env.run(until=at)
        return self.out.acked, self.out.recovered


@given(
    rate=st.integers(40_000, 200_000),
    load=st.integers(3, 20),
    size=st.integers(512, 16_384),
    at=st.integers(100, 1500),
    outage=st.sampled_from([(), (60.5, 190.25), (300.0, 302.0)]),
)
@settings(max_examples=25)
def test_what_is_lost_is_what_the_naive_model_had_not_recovered(
    rate: int, load: int, size: int, at: int, outage: tuple[float, ...]
) -> None:
    instant = at + 0.0123
    down = f"{{at: {outage[0]} s, for: {outage[1] - outage[0]} s}}" if outage else ""
    found, _ = outcome(told(burn(instant), rate=rate, load=load, size=size, outages=down))
    writes = [(k / load, size) for k in range(1, int(instant * load) + 2)]
    naive = Lost(writes, rate, one_way=0.005, outages=[outage] if outage else [])
    acked, recovered = naive.until(instant)
    missing = acked[len(recovered) :]
    assert found["loss_writes"] == len(missing)
    assert found["loss_bytes"] == len(missing) * size
    assert found["loss_s"] == pytest.approx(instant - missing[0] if missing else 0.0, abs=1e-9)


def test_recovery_is_the_sum_of_its_steps_and_the_real_drain() -> None:
    # 100 writes of 8 KiB a second cross the link, the disk of b destages 12.2 of them a second.
    text = told(burn(500), rate=10_000_000, disk=100_000, load=100, duration=8000)
    found, summary = outcome(text)
    steps = found["steps"]
    assert list(steps) == ["detect", "decide", "drain", "attach", "recover", "redirect"]
    assert found["recovery_s"] == pytest.approx(sum(steps.values()), rel=1e-12)
    written = summary["groups"]["g"]["tenures"][0]["writes"] - found["loss_writes"]
    whole = written * 8192 / 100_000  # seconds of destaging, which the disk never pauses
    assert steps["drain"] == pytest.approx(whole + 7 - 500 - steps["detect"] - steps["decide"], abs=0.2)
    target = summary["groups"]["g"]["targets"]["b"]
    assert target["recovery_max_s"] == found["recovery_s"]
    assert found["rto_met"] is False
    assert summary["passed"] is False
    assert summary["expectations"][-1] == {
        "expect": "g.b.recovery_max <= rto",
        "value": found["recovery_s"],
        "passed": False,
    }


def test_an_objective_that_is_kept_passes_and_one_that_is_open_is_no_verdict() -> None:
    found, summary = outcome(told(burn(500)))
    assert found["rto_met"] is True
    assert summary["passed"] is True
    assert len(summary["expectations"]) == 1
    found, summary = outcome(told(burn(1990)))
    assert found["recovery_s"] is None
    assert found["rto_met"] is None
    assert summary["expectations"] == []
    found, summary = outcome(told(burn(1990), rto=5))
    assert found["rto_met"] is False
    assert summary["passed"] is False


def test_the_steps_have_streams_of_their_own() -> None:
    one, _ = outcome(told(burn(500)))
    two, _ = outcome(told(burn(700)))
    other, _ = outcome(told(burn(500), seed=4))
    for step in ("detect", "decide", "attach", "recover", "redirect"):
        assert one["steps"][step] == two["steps"][step]
    assert one["steps"]["decide"] != other["steps"]["decide"]


def test_the_window_of_a_lost_source_ends_with_it() -> None:
    """A run that is cut off at the loss measures the same."""
    lost = run(loads(told(burn(500), duration=2000), "bad")).summary["groups"]["g"]["targets"]["b"]
    short = run(loads(told("", duration=500), "bad")).summary["groups"]["g"]["targets"]["b"]
    same = {k for k in short if k not in ("recovery_max_s", "last_applied_s", "sent_bytes")}
    assert {k: lost[k] for k in same} == {k: short[k] for k in same}


RESYNC: dict[str, Any] = {
    "journal": "size: 1 MB, on_full: track",
    "outages": "{at: 100 s, for: 200 s}",
    "arrivals": "arrivals: constant, access: uniform",
    "rate": 100_000,
}


def test_a_failover_in_mid_resync_lands_on_the_protective_snapshot() -> None:
    # The journal of 1 MB is full 12 s into the outage; the copy begins at 300 s and has 16 MB to carry.
    found, summary = outcome(told(burn(340), **RESYNC))
    target = summary["groups"]["g"]["targets"]["b"]
    assert target["resyncs"] == 1
    assert target["exposure_s"] == 0
    assert target["consistent"] is True
    assert found["loss_s"] == pytest.approx(240, abs=0.5)
    assert found["loss_writes"] == pytest.approx(2400, abs=5)
    assert found["found"]["b"]["seq"] == pytest.approx(1000, abs=5)
    assert found["recovery_s"] is not None


def test_without_the_snapshot_nothing_is_left_to_fail_over_to() -> None:
    text = told(burn(340), **RESYNC).replace(
        "mode: journal\n", "mode: journal\n    resync: {protect: false}\n"
    )
    found, summary = outcome(text)
    assert found["target"] is None
    assert found["obstacle"] == "no consistent image is left"
    assert found["loss_writes"] is None
    assert found["rto_met"] is False
    assert summary["passed"] is False


def test_a_planned_failover_loses_nothing() -> None:
    # Writes come at 80 % of the link's rate, so some are under way when hosts stop.
    text = told("operations: [{at: 500 s, do: failover, group: g, to: b, runbook: book}]")
    found, summary = outcome(text, "operations")
    assert (found["loss_s"], found["loss_bytes"], found["loss_writes"]) == (0.0, 0, 0)
    assert found["steps"]["quiesce"] == pytest.approx(0.0819 + 0.005, abs=0.09)
    assert found["steps"]["quiesce"] > 0
    assert found["recovery_s"] == pytest.approx(sum(found["steps"].values()))
    assert summary["groups"]["g"]["tenures"][0]["writes"] == 5000
    assert found["found"]["b"]["seq"] == 5000


def test_a_planned_failover_waits_for_the_link() -> None:
    text = told("operations: [{at: 500 s, do: failover, group: g, to: b}]", outages="{at: 490 s, for: 100 s}")
    found, _ = outcome(text, "operations")
    assert found["loss_writes"] == 0
    # 10 s of writes waited for the link: 101 x 8192 B / 100 kB/s.
    assert found["steps"]["quiesce"] == pytest.approx(90 + 101 * 0.08192, abs=0.2)


def test_a_loss_after_the_group_has_moved_does_it_no_harm() -> None:
    moved = "operations: [{at: 500 s, do: failover, group: g, to: b}]\n"
    summary = run(loads(told(moved + burn(700)), "bad")).summary["groups"]["g"]
    assert summary["disasters"] == []
    assert summary["operations"][0]["loss_writes"] == 0


def test_a_rehearsal_leaves_replication_alone() -> None:
    drill = "operations: [{at: 500 s, do: rehearsal, group: g, to: b, for: 10 min}]"
    found, rehearsed = outcome(told(drill), "operations")
    alone = run(loads(told(""), "bad")).summary
    assert found["target"] == "b"
    assert found["obstacle"] == ""
    there, quiet = (each["groups"]["g"]["targets"]["b"] for each in (rehearsed, alone))
    assert there.pop("snapshot_space_peak_bytes") > quiet.pop("snapshot_space_peak_bytes") == 0
    assert there == quiet


def test_a_pause_is_an_outage_of_one_leg() -> None:
    paused = run(loads(told("operations: [{at: 500 s, do: pause, group: g, to: b, for: 60 s}]"), "bad"))
    cut = run(loads(told("", outages="{at: 500 s, for: 60 s}"), "bad"))
    one, two = (r.summary["groups"]["g"]["targets"]["b"] for r in (paused, cut))
    for key in ("lag_max_s", "lag_mean_s", "delay_mean_s", "loss_max_bytes", "backlog_peak_bytes"):
        assert one[key] == pytest.approx(two[key], rel=1e-9)


FAN = """
drsim: 1
seed: 5
duration: 3000 s
sites: {{a: {{disk: {{write: 9 MB/s}}}}, b: {{}}, c: {{disk: {{write: 5 MB/s}}}}, d: {{}}}}
links:
  ab: {{between: [a, b], rate: 70 kB/s, efficiency: 100 %, rtt: 20 ms}}
  ac: {{between: [a, c], rate: 90 kB/s, efficiency: 100 %, rtt: 8 ms}}
  cd: {{between: [c, d], rate: 1 MB/s, efficiency: 100 %}}
  db: {{between: [d, b], rate: 60 kB/s, efficiency: 100 %}}
groups:
  main: {{source: a, volumes: {{v: 1 GB}}, targets: {{b: {{rpo: 1 min}}, c: {{rpo: 1 min}}}}}}
  near: {{source: c, volumes: {{v: 1 GB}}, targets: {{a: {{rpo: 1 min}}}}}}
  apart: {{source: d, volumes: {{v: 1 GB}}, targets: {{b: {{rpo: 1 min}}}}}}
hosts:
  m: {{site: a, writes: [{{volume: main/v, rate: 10 /s, size: 8 KiB, arrivals: poisson}}]}}
  n: {{site: c, writes: [{{volume: near/v, rate: 5 /s, size: 8 KiB, arrivals: poisson}}]}}
  o: {{site: d, writes: [{{volume: apart/v, rate: 6 /s, size: 8 KiB, arrivals: poisson}}]}}
runbooks: {{book: {{steps: {{detect: 60 s, decide: 10 s}}}}}}
{bad}
"""
LOSS = "disasters: [{{site: a, at: 2000 s, runbook: book{more}}}]"


def test_groups_elsewhere_never_notice() -> None:
    calm = run(loads(FAN.format(bad=""), "fan"))
    lost = run(loads(FAN.format(bad=LOSS.format(more="")), "fan"))
    for name in ("targets", "writes", "written_bytes"):
        assert lost.summary["groups"]["apart"][name] == calm.summary["groups"]["apart"][name]
    for column, values in calm.tables["curve/apart/b"].items():
        assert np.array_equal(values, lost.tables["curve/apart/b"][column], equal_nan=True)


def test_the_newest_image_is_chosen_unless_the_scenario_says_where() -> None:
    summary = run(loads(FAN.format(bad=LOSS.format(more="")), "fan")).summary["groups"]["main"]
    found = summary["disasters"][0]
    assert found["target"] == "c"
    assert found["found"]["c"]["seq"] > found["found"]["b"]["seq"]
    assert found["loss_s"] == found["found"]["c"]["loss_s"]
    told_where = run(loads(FAN.format(bad=LOSS.format(more=", failover_to: b")), "fan")).summary
    asked = told_where["groups"]["main"]["disasters"][0]
    assert asked["target"] == "b"
    assert asked["loss_bytes"] == found["found"]["b"]["loss_bytes"] > found["loss_bytes"]


def test_a_lost_target_has_no_image_from_then_on() -> None:
    groups = run(loads(FAN.format(bad=LOSS.format(more="")), "fan")).summary["groups"]
    assert groups["near"]["targets"]["a"]["exposure_s"] == pytest.approx(1000)
    assert groups["near"]["targets"]["a"]["lag_final_s"] is None
    assert groups["near"]["disasters"] == []
    assert groups["near"]["writes"] > 14_000


def test_a_target_lost_before_the_operator_decides_is_not_chosen() -> None:
    two = """disasters:
  - {site: a, at: 2000 s, runbook: book}
  - {site: c, at: 2030 s}"""
    groups = run(loads(FAN.format(bad=two), "fan")).summary["groups"]
    assert groups["main"]["disasters"][0]["target"] == "b"
    assert groups["main"]["disasters"][0]["recovery_s"] == pytest.approx(70)
    assert groups["near"]["disasters"][0]["obstacle"] == "no consistent image is left"


def test_the_hour_before_is_told_minute_by_minute() -> None:
    whole = run(loads(told(burn(1500), rate=70_000), "bad"))
    table = whole.tables["disaster/g/0"]
    assert len(table["t"]) == 26
    assert table["t"][-1] == 1500
    assert (np.diff(table["t"]) == 60).all()
    for t, lag in list(zip(table["t"], table["lag_s"], strict=True))[5::5]:
        stopped = run(loads(told("", rate=70_000, duration=t), "bad")).summary["groups"]["g"]
        assert lag == stopped["targets"]["b"]["lag_final_s"]
    # Ten writes of 8 KiB a second: what is missing came after recoverable_to.
    assert table["missing_bytes"] == pytest.approx(8192 * (10 * table["lag_s"] + 1), abs=8192)
    assert (table["missing_bytes"] == 8192 * table["missing_writes"]).all()


@pytest.mark.parametrize(
    "bad",
    [
        burn(400.5),
        burn(400.5, "runbook: book, kind: crash, for: 300 s"),
        "operations: [{at: 500 s, do: failover, group: g, to: b, runbook: book}]",
        "operations: [{at: 500 s, do: pause, group: g, to: b, for: 60 s}]",
    ],
)
@pytest.mark.parametrize("changed", [{}, RESYNC, {"disk": 70_000, "arrivals": "arrivals: poisson"}])
def test_the_size_of_internal_batches_changes_nothing(bad: str, changed: dict[str, Any]) -> None:
    scenario = loads(told(bad, duration=900, **changed), "bad")
    whole = run(scenario)
    cut = run(scenario, writes_per_settle=3)
    assert cut.summary == whole.summary
    for name, table in whole.tables.items():
        if name.startswith("disaster/"):
            for column, values in table.items():
                assert list(values) == list(cut.tables[name][column]), column


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ("{after: 0, links: 0}", "the last stage is the loss itself"),
        ("{after: 0, links: 0, flap: {up: 1 s, down: 1 s}}, {after: 9 s}", "one stage does one thing"),
    ],
)
def test_stages_that_make_no_sense_are_refused(stages: str, message: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        loads(told(burn(10, f"stages: [{stages}]")), "bad")
    assert message in str(refused.value)


def test_stages_are_outages_and_slower_disks_before_the_loss() -> None:
    """A rolling disaster is the same as a loss after the same outages of the link."""
    stages = "stages: [{after: 5 s, links: 40 %}, {after: 60 s, links: 0}, {after: 90 s}, {after: 200 s}]"
    rolling, _ = outcome(told(burn(100, f"{stages}, runbook: book"), duration=700))
    told_apart = "{at: 105 s, for: 55 s, keeps: 40 %}, {at: 160 s, for: 30 s}"
    apart, _ = outcome(told(burn(300), outages=told_apart, duration=700))
    assert rolling == apart
    assert rolling["at_s"] == 300
    # 5 s to go at 100 kB/s, 55 s at 40, none for 30, the rest at 100 again: 81,920 B/s come all the time.
    backlog = 81_920 * 55 - 40_000 * 55 + 81_920 * 30 - (100_000 - 81_920) * 110
    # A write cut off on its way is sent again; one is on its way at the end, and one has just come.
    assert rolling["loss_bytes"] == pytest.approx(backlog, abs=3 * 8192)


def test_a_stage_slows_the_hosts_disk() -> None:
    slow = "stages: [{after: 0, disk: 1 %}, {after: 100 s}]"
    text = told(burn(100, f"{slow}, runbook: book"), duration=300, size=8000)
    whole = run(loads(text.replace("{a: {}", "{a: {disk: {write: 10 MB/s}}"), "slow")).summary
    # At 100 kB/s a write of 8000 B takes 80 ms, and one comes every 100 ms.
    assert whole["hosts"]["h"]["write_latency_max_s"] == pytest.approx(0.08, abs=1e-3)


def test_a_third_site_that_was_ahead_gives_up_its_image_and_is_copied_whole() -> None:
    """b is behind its slow link when a is lost; c has all. b takes over, and nobody knows what c has beyond b.

    The copy takes S / C, and what is written meanwhile follows in order: c has no image for S / C (1 + L / C) at
    least, and for S / (C - L), when all has followed, and the time between two writes at most.
    """
    size, link, load = 10_000_000, 1_000_000, 10 * 8192
    text = told("disasters: [{site: a, at: 100 s, failover_to: b}]", rate=50_000, rtt=0, duration=200)
    ways = "".join(f"{x}c: {{between: [{x}, c], rate: {link} B/s, efficiency: 100 %}}, " for x in "ab")
    for old, new in (("100 MB", f"{size} B"), ("b: {d", "c: {}, b: {d"), ("{b: {r", "{c: {rpo: 5 s}, b: {r")):
        text = text.replace(old, new)
    text = text.replace("links: {", "links: {" + ways)
    group = run(loads(text)).summary["groups"]["g"]
    (loss,) = group["disasters"]
    assert loss["loss_writes"] == 1000 - int(50_000 * 99.9) // 8192  # The first one comes at 0.1 s.
    assert loss["found"]["c"]["loss_writes"] <= 1
    c = group["tenures"][1]["targets"]["c"]
    assert c["resync_bytes"] == size
    assert size / link * (1 + load / link) - 1e-3 <= c["exposure_s"] <= size / (link - load) + 0.1
    assert c["violation_s"] >= c["exposure_s"]
    assert group["unprotected_s"] == c["exposure_s"]
