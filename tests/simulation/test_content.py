"""Images by content: every engine mode in random worlds, and faults that only a comparison of blocks finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drsim.scenario import loads
from drsim.simulation import run

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
    targets: {{b: {{rpo: 5 s, seed: {initial}}}, c: {{rpo: 5 s{via}}}}}
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
JOURNALS = (
    "{}",
    "{size: 300 KB, on_full: track}",
    "{size: 300 KB, on_full: block}",
    "{size: 400 KB, on_full: pace}",
)


@st.composite
def worlds(draw: st.DrawFn) -> str:
    """A scenario of two targets, side by side or in a row, with outages long enough to overflow."""
    return TEMPLATE.format(
        duration=draw(st.integers(12, 30)),
        seed=draw(st.integers(0, 10_000)),
        cut=draw(st.floats(1, 9)),
        gap=draw(st.floats(0.5, 8)),
        cut2=draw(st.floats(1, 9)),
        mode=draw(st.sampled_from(MODES)),
        journal=draw(st.sampled_from(JOURNALS)),
        protect=draw(st.sampled_from(("true", "false"))),
        initial=draw(st.sampled_from(("network", "in-sync"))),
        via=draw(st.sampled_from(("", ", via: b"))),
        size=draw(st.sampled_from(("4 KiB", "8 KiB", "1500 B", "32 KiB"))),
    )


@given(worlds())
def test_every_recoverable_image_is_the_source_of_some_moment(text: str) -> None:
    by_content, by_order = (run(loads(text, "world"), verify=how) for how in ("content", "order"))
    assert by_content.warnings == []
    assert by_content.summary == by_order.summary, "looking must change nothing"
