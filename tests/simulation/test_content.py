"""Images by content: every engine mode in random worlds, and faults that only a comparison of blocks finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from drsim.replication import actions as do
from drsim.replication.overflow import KINDS
from drsim.scenario import loads
from drsim.simulation import run
from drsim.simulation.content import Writers
from drsim.simulation.ports import TargetPort

TEMPLATE = """
drsim: 1
duration: {duration} s
seed: {seed}
sites: {{a: {{disk: {{write: 3 MB/s}}}}, b: {{disk: {{write: 2 MB/s}}}}, c: {{}}}}
links:
  ab: {{between: [a, b], rate: 400 KB/s, efficiency: 100 %, rtt: 20 ms, outages: [{{at: {cut} s, for: {gap} s}}]}}
  bc: {{between: [b, c], rate: 300 KB/s, efficiency: 100 %, rtt: 40 ms, outages: [{{at: {cut2} s, for: 3 s}}]}}
  ac: {{between: [a, c], rate: 500 KB/s, efficiency: 100 %, rtt: 4 ms}}
groups:
  g:
    source: a
    volumes: {{v: 2 MB, w: 1 MB}}
    mode: {mode}
    journal: {journal}
    resync: {{protect: {protect}}}
    snapshots: [{{every: 4 s}}]
    targets: {{b: {{rpo: 5 s, seed: {initial}{kept}}}, c: {{rpo: 5 s{via}, snapshots: [{{every: 2700 ms, keep: 2}}]}}}}
hosts:
  h:
    site: a
    writes:
      - {{volume: g/v, rate: 25 /s, size: {size}, access: uniform}}
      - {{volume: g/w, rate: 5 /s, size: 4 KiB, access: zipf(0.9)}}
"""
MODES = (
    "journal",
    "sync",
    "{kind: cycle, every: 2 s}",
    "{kind: snapshot, every: 3 s}",
    "{kind: journal, fold: checkpoint}",
)
KEPT = (
    "",
    ", snapshots: [{every: 1900 ms, keep: 3}, {every: 3 s}], snapshot_store: {kind: copy-on-write}",
    ", history: {keep: 4 s, space: 100 KB}, snapshots: [{every: 2300 ms}]",
    ", snapshots: [{every: 1300 ms}], snapshot_store: {size: 400 KB, grain: 16 KiB}",
)
JOURNALS = (
    "{}",
    "{size: 300 KB, on_full: track}",
    "{size: 300 KB, on_full: block}",
    "{size: 400 KB, on_full: pace}",
)


@st.composite
def worlds(draw: st.DrawFn) -> str:
    """A scenario of two targets, side by side or in a row, with outages long enough to overflow."""
    cascade = draw(st.booleans())
    return TEMPLATE.format(
        duration=draw(st.integers(12, 30)),
        seed=draw(st.integers(0, 10_000)),
        cut=draw(st.floats(1, 9)),
        gap=draw(st.floats(0.5, 8)),
        cut2=draw(st.floats(1, 9)),
        mode=draw(st.sampled_from(MODES[:1] if cascade else MODES)),
        journal=draw(st.sampled_from(JOURNALS[:2] if cascade else JOURNALS)),
        protect=draw(st.sampled_from(("true", "false"))),
        kept=draw(st.sampled_from(KEPT)),
        initial=draw(st.sampled_from(("network", "in-sync"))),
        via=", via: b" if cascade else "",
        size=draw(st.sampled_from(("4 KiB", "8 KiB", "1500 B", "32 KiB"))),
    )


@settings(
    max_examples=1000 if settings.default.max_examples > 1000 else 20,
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # A world of a dozen seconds is small enough to read.
)  # type: ignore[union-attr]
@given(worlds())
def test_every_recoverable_image_is_the_source_of_some_moment(text: str) -> None:
    by_content = run(loads(text, "world"), verify="content")
    by_order = run(loads(text, "world"), writes_per_settle=20)
    assert by_content.warnings == []
    assert by_content.summary == by_order.summary, (
        "neither looking nor the size of batches may change anything"
    )


BARE = """
drsim: 1
seed: 3
duration: 20 s
sites: {{a: {{}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: 1 MB/s, efficiency: 100 %, outages: [{{at: 3 s, for: 8 s}}]}}}}
groups:
  g: {{source: a, volumes: {{v: 1 GB}}, targets: {{b: {{rpo: 1 s}}}}, journal: {{size: 1 MB, on_full: {policy}}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: 300 kB/s, size: 8 KiB, access: zipf(0.9)}}]}}}}
"""
"""Nothing here asks for addresses but what becomes of a full journal."""


@pytest.mark.parametrize(
    "policy",
    [
        *(kind for kind in KINDS if kind != "spill"),
        "{kind: spill, size: 200 kB}",
        *(f"{{kind: spill, size: 200 kB, then: {{kind: {kind}}}}}" for kind in KINDS if kind != "spill"),
    ],
)
def test_looking_at_contents_changes_no_number_whatever_a_full_journal_does(policy: str) -> None:
    text = BARE.format(policy=policy)
    assert run(loads(text, "bare")).summary == run(loads(text, "bare"), verify="content").summary


OVERFLOWING = TEMPLATE.format(
    duration=25,
    seed=1,
    cut=2,
    gap=6,
    cut2=3,
    mode="journal",
    journal="{size: 300 KB, on_full: track}",
    protect="true",
    initial="in-sync",
    kept="",
    via=", via: b",
    size="8 KiB",
)


def _misplaced(action: do.Action) -> do.Action:
    if isinstance(action, do.WriteBlocks) and action.batch.last > 100:
        batch = action.batch
        return replace(action, batch=replace(batch, offset=batch.offset ^ 4096, _spent=None))
    return action


def _reversed(action: do.Action) -> do.Action:
    if isinstance(action, do.AppendStaging) and len(action.batch) > 1:
        batch = action.batch
        return replace(action, batch=replace(batch, offset=batch.offset[::-1], _spent=None))
    return action


def _stale_copy(action: do.Action) -> do.Action:
    if isinstance(action, do.WriteBlocks) and isinstance(action.batch.payload, Writers):
        old = Writers([np.zeros_like(row) for row in action.batch.payload.rows])
        return replace(action, batch=replace(action.batch, payload=old, _spent=None))
    return action


@pytest.mark.parametrize("harm", [_misplaced, _reversed, _stale_copy])
def test_an_image_that_is_wrong_only_in_content_is_found(
    harm: Callable[[do.Action], do.Action], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = TargetPort.perform
    monkeypatch.setattr(TargetPort, "perform", lambda port, action: real(port, harm(action)))
    assert run(loads(OVERFLOWING, "world"), verify="order").warnings == []
    found = run(loads(OVERFLOWING, "world"), verify="content")
    assert any("differs from the source" in problem for problem in found.warnings)
    assert not found.summary["groups"]["g"]["targets"]["b"]["consistent"]


def test_a_cascade_survives_a_copy_in_its_middle_and_lags_behind_the_hosts() -> None:
    """While a-b is down for six seconds, c cannot be newer than b; then b is copied to, and c after it."""
    summary = run(loads(OVERFLOWING, "world"), verify="content").summary
    near, far = (summary["groups"]["g"]["targets"][t] for t in "bc")
    assert near["resyncs"] == far["resyncs"] == 1
    assert near["consistent"]
    assert far["consistent"]
    assert far["lag_max_s"] > near["lag_max_s"] > 6
    assert far["resync_bytes"] >= near["resync_bytes"] > 0


CRASHED = """
drsim: 1
duration: 20 s
seed: {seed}
sites: {{a: {{journal_disk: {{write: 200 kB/s, latency: 400 ms}}}}, b: {{journal_disk: {{write: 9 MB/s}}}}}}
links: {{ab: {{between: [a, b], rate: 200 kB/s, efficiency: 100 %, rtt: 20 ms}}}}
groups:
  g:
    source: a
    volumes: {{v: 400 kB}}
    targets: {{b: {{rpo: 5 s, seed: network}}}}
    journal: {{medium: journal_disk}}
    resync: {{slice: 16 KiB, window: 32 KiB}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: 20 /s, size: 6 KiB, access: uniform, arrivals: poisson}}]}}}}
disasters: [{{site: a, at: 1.2345 s, kind: crash, for: 2 s}}]
"""


@pytest.mark.parametrize("seed", range(8))
def test_what_a_crash_forgets_was_never_copied(seed: int) -> None:
    """Writes whose place in the journal was not on its medium yet are in no order and in no copy."""
    found = run(loads(CRASHED.format(seed=seed), "world"), verify="content")
    assert found.warnings == []
    assert found.summary["groups"]["g"]["targets"]["b"]["resyncs"] == 2


def test_what_a_hop_waits_for_while_its_feeder_is_copied_to_is_the_copy() -> None:
    """Of a-b the journal is full; b-c never lacks room, and waits for the copy a-b, then makes its own."""
    done = run(loads(OVERFLOWING, "world"))
    spans = done.tables["spans"]
    rows = zip(spans["subject"], spans["kind"], spans["cause"], strict=True)
    blamed = {(subject, kind): cause for subject, kind, cause in rows if kind in ("tracking", "resyncing")}
    assert blamed == {
        ("g/b", "tracking"): "journal-full",
        ("g/b", "resyncing"): "resync",
        ("g/c", "tracking"): "resync",
        ("g/c", "resyncing"): "resync",
    }
    far = done.summary["groups"]["g"]["targets"]["c"]
    assert "journal-full" not in far["violation_s_by_cause"]
    assert sum(far["violation_s_by_cause"].values()) == pytest.approx(far["violation_s"], abs=1e-9)
