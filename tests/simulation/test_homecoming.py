"""Sites that come back and groups that go home, in bytes: whatever happens, every image is what was written."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from drsim.scenario import loads
from drsim.simulation.tenure import Tenure
from tests.simulation.contents import Bytes

SIZE = 65_536
THREE = """
drsim: 1
seed: {seed}
duration: 500 s
sites: {{a: {{}}, b: {{disk: {{write: 60 kB/s}}}}, c: {{}}}}
links:
  ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, rtt: 10 ms, outages: [{outages}]}}
  ac: {{between: [a, c], rate: 20 kB/s, efficiency: 100 %, rtt: 40 ms}}
  bc: {{between: [b, c], rate: 30 kB/s, efficiency: 100 %, rtt: 50 ms}}
groups:
  g:
    source: a
    volumes: {{v: 64 KiB}}
    targets: {{{targets}}}
    mode: {mode}
    journal: {{{journal}}}
    resync: {{protect: {protect}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: 6 /s, size: 2 KiB, arrivals: poisson}}]}}}}
runbooks:
  book:
    steps: {{detect: 10 s, decide: {decide} s, drain: 1 s, recover: 5 s}}
    {failback}
{bad}
"""


@st.composite
def stories(draw: st.DrawFn) -> str:
    bad = []
    for site in draw(st.sampled_from(["a", "a", "ab", "ba", "aa", "ac", ""])):
        at = draw(st.integers(60, 330)) + 0.0123
        kind = draw(st.sampled_from(["crash", "loss", "loss, data: kept"]))
        back = draw(st.sampled_from(["", ", for: 5 s", ", for: 40 s", ", for: 90 s"]))
        book = draw(st.sampled_from(["", ", runbook: book", ", runbook: book"]))
        bad.append(f"  - {{site: {site}, at: {at} s, kind: {kind}{back}{book}}}")
    plans = [
        f"  - {{at: {draw(st.integers(50, 400))} s, do: {do}, group: g{to}, runbook: book}}"
        for do, to in draw(st.lists(st.sampled_from(PLANS), max_size=2))
    ]
    text = ("disasters:\n" + "\n".join(bad) + "\n" if bad else "") + (
        "operations:\n" + "\n".join(plans) if plans else ""
    )
    outage = (draw(st.integers(20, 400)), draw(st.sampled_from([3, 60])))
    return THREE.format(
        seed=draw(st.integers(0, 99)),
        rate=draw(st.sampled_from([14_000, 50_000])),
        outages=draw(st.sampled_from(["", f"{{at: {outage[0]} s, for: {outage[1]} s}}"])),
        targets=draw(st.sampled_from(["b: {rpo: 1 min}", "b: {rpo: 1 min}, c: {rpo: 2 min}"])),
        mode=draw(st.sampled_from(["journal", "{kind: cycle, every: 7 s}", "{kind: sync}"])),
        journal=draw(st.sampled_from(["", "size: 60 kB, on_full: track"])),
        protect=draw(st.sampled_from(["true", "false"])),
        decide=draw(st.sampled_from([2, 30])),
        failback=draw(st.sampled_from(["", "failback: {after: 10 s}"])),
        bad=text,
    )


PLANS = [("failover", ", to: b"), ("failover", ", to: c"), ("failback", "")]


@given(stories())
@settings(max_examples=40)
def test_every_image_is_a_prefix_of_what_was_written(text: str) -> None:
    if ", to: c" in text and "c: {rpo" not in text:
        return
    with pytest.MonkeyPatch.context() as patch:
        world = Bytes(patch, SIZE)
        world.run(loads(text, "story"))
        judge(world)


def judge(world: Bytes) -> list[tuple[str, int]]:
    """Hold each image against the writes kept; gives the sites that were judged and how far each was."""
    assert world.built is not None
    tenures: list[Tenure] = world.built.tenures["g"]
    world.order += [[] for _ in range(len(tenures) - len(world.order))]
    kept: list[int | None] = [b.group.after - a.group.after for a, b in itertools.pairwise(tenures)]
    last, judged = tenures[-1], []
    assert (
        last.end is not None
        or last.down
        or np.array_equal(world.image(last.source), world.after([*kept, None]))
    )
    for site, leg in last.legs.items():
        assert leg.there.checker.holds, leg.there.checker.problems
        written = leg.sink.written - last.group.after
        folded = leg.engine.shipper.__class__.__name__ == "Cycles"  # In mid-cycle volumes follow no order.
        still = not folded or leg.sink.written == leg.sink.leg.held
        if leg.sink.state.value == "FOLLOWING" and written >= 0 and leg.known and still:
            assert np.array_equal(world.image(site), world.after([*kept, written])), site
            judged.append((site, written))
    return judged
