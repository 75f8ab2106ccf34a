"""No internal batch shows in a result: halved or doubled, down to one write a settle, the tables are the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks.compiled import Choice, available, use
from drsim.replication.protect import Protect
from drsim.replication.resync import Copy
from drsim.scenario import loads
from drsim.simulation import group, intake, run
from drsim.simulation.world import World
from drsim.workload.columns import Writes

WORLD = """
drsim: 1
seed: {seed}
duration: 8 s
start: 2026-03-02 07:59:50
sites: {{a: {here}, b: {{disk: {{write: 2500 kB/s}}}}, c: {{disk: {{write: 1 MB/s}}}}}}
links:
  ab:
    between: [a, b]
    rate: 900 kB/s
    efficiency: 100 %
    rtt: {rtt}
    outages: [{{at: 2 s, for: 3 s}}, {{between_failures: exponential(6 s), repair: exponential(1 s)}}]
    throttle: [{{days: Mon-Fri, from: 08:00, to: 18:00, to_rate: 700 kB/s}}]
    sharing: {sharing}
  bc: {{between: [b, c], rate: 2 MB/s, efficiency: 100 %, rtt: 4 ms}}
  ac: {{between: [a, c], rate: 400 kB/s, efficiency: 100 %, rtt: 4 ms}}
groups:
  g: {{source: a, volumes: {{v: 60 MB}}, targets: {{b: {{rpo: 2 s{shelf}}}, {second}}},
       mode: {mode}, journal: {{{journal}}},
       resync: {{slice: 256 KiB, window: 1 MiB, row: 64 KiB, checksum: {checksum}}},
       snapshots: [{{every: 1300 ms, keep: 2}}], snapshot_store: {{kind: {store}}}}}
  k: {{source: a, volumes: {{v: 1 GB}}, targets: {{b: {{rpo: 2 s}}}}}}
hosts:
  h:
    site: a
    writes:
      - {{volume: g/v, rate: 60 /s, size: 8 KiB, arrivals: poisson, access: 'hot(10 %, 60 %)'}}
      - {{volume: k/v, rate: 20 /s, size: 16 KiB, arrivals: poisson}}
"""
SETTINGS = {
    "seed": st.integers(0, 999),
    "here": st.sampled_from(
        ["{disk: {write: 3 MB/s}}", "{}", "{disk: {kind: hdd, write: 60 MB/s, seek: 500 us, rpm: 60000}}"]
    ),
    "rtt": st.sampled_from(["0 ms", "30 ms"]),
    "sharing": st.sampled_from(["fifo", "{kind: priority, classes: {k: {priority: 0}}}", "weighted"]),
    "second": st.sampled_from(["c: {rpo: 2 s}"]),
    "mode": st.sampled_from(
        [
            "journal",
            "{kind: cycle, every: 2 s}",
            "{kind: snapshot, every: 3 s}",
            "{kind: snapshot, rpo: 3 s}",
            "{kind: journal, fold: checkpoint}",
        ]
    ),
    "journal": st.sampled_from(["", "size: 1 MB, on_full: track", "size: 1 MB, on_full: block"]),
    "shelf": st.sampled_from(
        [
            "",
            ", snapshots: [{every: 700 ms, keep: 3}, {every: 1 s, age: 2 s}], "
            "snapshot_store: {kind: copy-on-write, size: 600 kB}",
            ", history: {space: 300 kB}",
            ", history: {keep: 1500 ms}",
            ", delay: 700 ms, snapshots: [{every: 900 ms, keep: 2}], "
            "snapshot_store: {kind: copy-on-write, size: 600 kB}",
            ", staging: {size: 150 kB}",
            ", staging: {size: 400 kB}, history: {keep: 1500 ms}",
            ", history: {keep: 1500 ms, space: 250 kB}, snapshots: [{every: 1100 ms}]",
            ", snapshots: [{every: 900 ms}], snapshot_store: {grain: 64 KiB, size: 4 MB, on_full: lose-all}",
        ]
    ),
    "checksum": st.sampled_from(["false", "true"]),
    "store": st.sampled_from(["ideal", "copy-on-write"]),
}


CASCADE = SETTINGS | {
    "second": st.sampled_from(
        [
            "c: {rpo: 2 s, via: b, mode: journal, journal: {}}",
            "c: {rpo: 2 s, via: b, mode: journal, journal: {}, staging: {size: 150 kB}}",
            "c: {rpo: 2 s, via: b, mode: journal, journal: {size: 400 kB, on_full: track}}",
            "c: {rpo: 2 s, via: b, mode: journal, journal: {size: 300 kB, on_full: track}, staging: {size: 150 kB}}",
        ]
    ),
    "mode": st.sampled_from(["journal", "sync"]),
}


def chunked(blocks: Iterator[Writes], rows: int) -> Iterator[Writes]:
    """The same writes in blocks of other sizes."""
    for block in blocks:
        for begin in range(0, len(block), rows):
            yield block.slice(begin, begin + rows)


@contextmanager
def batches(rows: int, few: int, choice: Choice) -> Iterator[None]:
    """Internal batches of other sizes: what streams hand out, pieces of capacity, lookups, wide extents."""
    made = intake.Feed.__init__

    def init(self: Any, blocks: Iterator[Writes], *args: Any, **more: Any) -> None:
        made(self, chunked(blocks, rows), *args, **more)

    before = use(choice)
    try:
        with (
            mock.patch.object(intake.Feed, "__init__", init),
            mock.patch.multiple("drsim.wan.capacity", _FEW=few, _WORTH=few, PIECE=max(few, 1) * 16),
            mock.patch.multiple("drsim.wan.fifo", _FEW=few, _LOOKED_UP=few),
            mock.patch.multiple("drsim.columns", _GLANCE=max(few, 1), IN_MEMORY=few, LONG=few, _FILE=1 << 16),
            mock.patch.object(group, "_LOOK", max(few, 1)),
            mock.patch.multiple("drsim.wan.server", _MANY=max(few, 1), _SHORT=few, _FEW=few),
            mock.patch("drsim.wan.looped._MOST", max(few, 1)),
            mock.patch.multiple("drsim.blocks.bitmap", _WIDE=max(few, 1), _PUT_OFF=few),
        ):
            yield
    finally:
        use(before)


def told(text: str, size: int) -> tuple[str, dict[str, Any]]:
    """Summary and tables of a run, as text and bytes."""
    found = run(loads(text, "batches"), writes_per_settle=size)
    tables = {
        f"{name}.{column}": np.asarray(rows).tobytes()
        for name, table in found.tables.items()
        for column, rows in table.items()
        if np.asarray(rows).dtype != object
    }
    return repr(found.summary), tables


HELD = {"seed": 754, "rtt": "0 ms", "sharing": "fifo", "mode": "journal", "second": "c: {rpo: 2 s}"} | {
    "journal": "size: 1 MB, on_full: block",
    "checksum": "false",
    "shelf": "",
    "store": "ideal",
    "here": "{disk: {write: 3 MB/s}}",
}
"""One host writes to two groups, and one of them holds it: answers come in another order settled otherwise."""


def test_the_order_of_answers_changes_no_mean() -> None:
    text = WORLD.format(**HELD)
    assert told(text, 4)[0] == told(text, 1 << 16)[0]


@hypothesis.settings(max_examples=5)
@given(
    st.one_of(st.fixed_dictionaries(SETTINGS), st.fixed_dictionaries(CASCADE)),
    st.sampled_from([4, 60, 1 << 15, 1 << 17]),
    st.data(),
)
def test_halving_or_doubling_every_batch_changes_no_byte(
    settings: dict[str, Any], size: int, data: st.DataObject
) -> None:
    text = WORLD.format(**settings)
    as_usual = told(text, 1 << 16)
    rows = data.draw(st.sampled_from([1, 50, 1 << 13, 1 << 15]), label="rows of a stream's block")
    few = data.draw(st.sampled_from([0, 4, 16, 1 << 20]), label="items that count as few")
    loops: list[Choice] = ["never", "always"] if available() else ["never"]
    with batches(rows, few, data.draw(st.sampled_from(loops), label="compiled loops")):
        summary, tables = told(text, size)
    assert summary == as_usual[0]
    assert tables == as_usual[1]


STORM = """
drsim: 1
duration: 60 s
sites: {{a: {{}}, b: {{}}}}
links: {{ab: {{between: [a, b], rate: 8 MB/s, efficiency: 100 %, rtt: 20 ms, outages: [{{at: 1 s, for: 10 s}}]}}}}
groups:
  g: {{source: a, volumes: {{v: 1 GB}}, targets: {{b: {{rpo: 1 s}}}}, journal: {{size: 4 MB, on_full: track}},
       resync: {{slice: 1 MiB}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: {rate} /s, size: 4 KiB, arrivals: poisson, access: uniform}}]}}}}
"""


@pytest.mark.parametrize("rate", [500, 1000])
def test_a_resync_stops_by_the_slice_not_by_the_row(monkeypatch: pytest.MonkeyPatch, rate: int) -> None:
    calls = Counter[str]()

    def count(kind: type, name: str) -> None:
        body = getattr(kind, name)

        def counted(self: Any, *args: Any) -> Any:
            calls[name] += 1
            return body(self, *args)

        monkeypatch.setattr(kind, name, counted)

    count(World, "next_decision")
    count(Copy, "read")
    count(Protect, "resync")
    target = run(loads(STORM.format(rate=rate), "storm")).summary["groups"]["g"]["targets"]["b"]
    assert target["resyncs"] == 1
    rows = target["resync_bytes"] / 4096
    assert rows > 5000
    # Slices are 256 rows; those that pick up what was written meanwhile are smaller.
    assert calls["next_decision"] < rows / 16
    assert calls["resync"] <= calls["read"] + 10, "slices are cut on their way"
