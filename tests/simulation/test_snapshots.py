"""Snapshots by timetable: what each holds, when it goes, the room it takes, against a naive model, write by write."""

from __future__ import annotations

import itertools
import math
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, given, settings

from drsim.scenario import loads
from drsim.simulation import run
from drsim.simulation.snapshots import Snapshots
from tests.simulation.naive import NaivePair
from tests.simulation.naive_snapshots import NaiveShelf, Point, destaged
from tests.simulation.test_oracle import close
from tests.simulation.test_oracle import worlds as traffic
from tests.simulation.worlds import Pair

DISK = 100_000


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """Writes over a few hundred blocks, two timetables, and room that may run out."""
    world = draw(traffic())
    n = len(world["writes"])
    offsets = draw(st.lists(st.integers(0, 1 << 18), min_size=n, max_size=n))
    world["writes"] = [(*w, offset) for w, offset in zip(world["writes"], offsets, strict=True)]
    return {
        "world": world,
        "parts": (draw(st.integers(2, 12)), draw(st.integers(2, 20))),
        "keep": draw(st.sampled_from([None, 1, 3])),
        "age": draw(st.sampled_from([None, 0.5, 2.5])),
        "grain": draw(st.sampled_from([4096, 65536])),
        "size": draw(st.sampled_from([None, 200_000, 1_000_000])),
        "lose_all": draw(st.booleans()),
    }


def keys(case: dict[str, Any], span: float, kind: str = "ideal") -> tuple[list[str], NaiveShelf]:
    """The same snapshots as a scenario's text and as the naive model."""
    every = [round(span / part, 3) + 0.001 for part in case["parts"]]
    age = None if case["age"] is None else round(every[1] * case["age"], 3)
    first = f"every: {every[0]!r} s" + (f", keep: {case['keep']}" if case["keep"] else "")
    second = f"every: {every[1]!r} s" + (f", age: {age!r} s" if age else "")
    store = f"kind: {kind}, grain: {case['grain']} B"
    if case["size"] is not None:
        store += f", size: {case['size']} B"
    if case["lose_all"]:
        store += ", on_full: lose-all"
    text = [f"snapshots: [{{{first}}}, {{{second}}}]", f"snapshot_store: {{{store}}}"]
    tables = [(every[0], case["keep"], None), (every[1], None, age)]
    return text, NaiveShelf(tables, case["grain"], case["size"], case["lose_all"])


def agree(found: dict[str, Any], room: Snapshots, naive: NaiveShelf) -> None:
    """The points, and what is saved for those still there."""
    assert found["name"] == [point.name for point in naive.taken]
    assert found["taken_at"].tolist() == close([point.at for point in naive.taken])
    assert found["seq"].tolist() == [point.seq for point in naive.taken]
    assert found["end"] == [point.end for point in naive.taken]
    gone = [point.gone_at if point.gone_at < math.inf else math.nan for point in naive.taken]
    assert found["gone_at"].tolist() == pytest.approx(gone, rel=1e-9, abs=2e-9, nan_ok=True)
    assert room.names == [point.name for point in naive.chain]
    assert [saved(each.saved) for each in room.chain] == [set(point.saved) for point in naive.chain]
    assert room.used == naive.used()
    assert room.peak == naive.peak
    for point in naive.chain:
        assert naive.seen(point) == point.image


def saved(bitmap: Any) -> set[int]:
    grain = bitmap.granularity
    return {b for _, start, stop in bitmap.extents().rows() for b in range(start // grain, stop // grain)}


def lags(points: list[Point], acked: list[float], end: float) -> tuple[float | None, float | None, float]:
    """Mean and greatest age of the newest point, and the time without any, from each stretch by itself."""
    edges = sorted({0.0, end, *(t for p in points for t in (p.at, p.gone_at) if t < end)})
    area = covered = 0.0
    worst = None
    for low, high in itertools.pairwise(edges):
        there = [p for p in points if p.at <= low < p.gone_at]
        if not there:
            continue
        newest = there[-1].seq
        lacks = acked[newest] if newest < len(acked) else math.inf
        grows = max(high - max(low, lacks), 0.0)
        area += grows * (max(low - lacks, 0.0) + max(high - lacks, 0.0)) / 2
        covered += high - low
        worst = max(worst or 0.0, high - lacks, 0.0)
    return (area / covered if covered else None), worst, end - covered


@settings(max_examples=1000 if settings.default.max_examples > 1000 else 40)  # type: ignore[union-attr]
@given(worlds())
def test_points_at_the_target_hold_what_a_naive_model_holds(case: dict[str, Any]) -> None:
    world = case["world"]
    arrived = NaivePair(**world | {"writes": [w[:2] for w in world["writes"]]}).run()
    busy = sum(w[1] + 65536 * 2 * 20 for w in world["writes"]) / DISK
    until = round(arrived.recovered[-1] + min(busy, 60.0) + 1.0, 3)
    text, naive = keys(case, until, "copy-on-write")
    rows = [(at, w[1], w[2]) for at, w in zip(arrived.recovered, world["writes"], strict=True)]
    destaged(naive, rows, until, lambda nbytes, n: (nbytes + n * 2 * case["grain"]) / DISK)
    fast = Pair(**world, destage_rate=DISK, duration=until, target=", ".join(text))
    leg = fast.built.legs["g", "b"]
    assert leg.probe.kept is not None
    agree(leg.probe.kept.columns(until), leg.there.snapshots, naive)
    mean, worst, none = lags(naive.taken, arrived.acked, until)
    assert fast.target["snapshot_age_mean_s"] == pytest.approx(mean, rel=1e-6, abs=1e-6)
    assert fast.target["snapshot_age_max_s"] == pytest.approx(worst, rel=1e-9, abs=1e-8)
    assert fast.target["snapshot_none_s"] == pytest.approx(none, rel=1e-9, abs=1e-8)
    assert fast.target["consistent"] is True
    assert leg.there.comparer is not None
    assert leg.there.comparer.compared >= len(naive.taken)


@settings(max_examples=1000 if settings.default.max_examples > 1000 else 40)  # type: ignore[union-attr]
@given(worlds())
def test_points_at_the_source_hold_what_was_handed_over(case: dict[str, Any]) -> None:
    world = case["world"]
    writes = world["writes"]
    until = round(writes[-1][0] + 1.0, 3)
    text, naive = keys(case, until)
    destaged(naive, writes, until, lambda nbytes, n: 0.0)
    fast = Pair(**world, duration=until, group="\n    ".join(text))
    kept = fast.built.groups["g"].kept
    assert kept is not None
    agree(kept.log.columns(until), kept.kept, naive)
    _, worst, none = lags(naive.taken, [w[0] for w in writes], until)
    told = fast.summary["groups"]["g"]
    assert told["snapshot_age_max_s"] == pytest.approx(worst, rel=1e-9, abs=1e-8)
    assert told["snapshot_none_s"] == pytest.approx(none, rel=1e-9, abs=1e-8)
    assert told["snapshots_kept"] == len(naive.chain)


@settings(max_examples=20, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(worlds(), st.sampled_from([3, 65_536]))
def test_hosts_wait_for_what_is_copied_before_their_writes(case: dict[str, Any], size: int) -> None:
    """A write is saved for as it is issued, and the disk it goes to reads and writes each block of that first."""
    world = case["world"]
    writes = world["writes"]
    until = round(writes[-1][0] + 1.0, 3)
    text, naive = keys(case, until, "copy-on-write")
    coming = [(at, 0, "", seq) for seq, (at, *_) in enumerate(writes, 1)]
    coming += [(at, 1, name, 0) for at, name in naive.dues(until)]
    free, issued, done = 0.0, 0, []
    for at, kind, name, seq in sorted(coming):
        if kind:
            naive.take(name, at, at, issued)
            continue
        _, nbytes, offset = writes[seq - 1]
        free = max(free, at) + (nbytes + naive.write(seq, offset, nbytes, at) * 2 * case["grain"]) / DISK
        issued = seq
        done.append(free)
    fast = Pair(**world, duration=until, group="\n    ".join(text), own_rate=DISK, writes_per_settle=size)
    kept = fast.built.groups["g"].kept
    assert kept is not None
    agree(kept.log.columns(until), kept.kept, naive)
    told = [there for there in done if there <= until]
    assert fast.built.groups["g"].taken == len(told)
    if told:
        latency = max(there - at for there, (at, *_) in zip(told, writes, strict=False))
        assert fast.summary["hosts"]["h"]["write_latency_max_s"] == close(latency)


SITE = """
drsim: 1
duration: {duration}
sites: {{a: {{}}, b: {{{site}}}}}
links: {{ab: {{between: [a, b], rate: 1 MB/s, efficiency: 100 %, outages: [{outage}]}}}}
groups:
  g: {{source: a, volumes: {{v: 4 MB}}, targets: {{b: {{rpo: 1 h, {target}}}}}, journal: {{{journal}}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: 10 /s, size: 4 KiB, access: sequential}}]}}}}
operations: [{operation}]
"""


def told(
    target: str,
    *,
    duration: str = "10 min",
    site: str = "",
    outage: str = "",
    journal: str = "",
    operation: str = "",
) -> tuple[dict[str, Any], Any]:
    text = SITE.format(
        duration=duration, site=site, outage=outage, journal=journal, target=target, operation=operation
    )
    done = run(loads(text, "site"), verify="content")
    assert done.warnings == []
    return done.summary["groups"]["g"]["targets"]["b"], done


def test_copying_before_writing_costs_what_it_moves() -> None:
    """Ten writes of 4 KiB a second, all of them first overwrites: 3 x 40,960 B/s is more than the disk's 100 kB/s."""
    plain, _ = told("snapshots: [{every: 30 s}]", site="disk: {write: 100 kB/s}", duration="95 s")
    assert plain["last_applied_s"] == pytest.approx(95, abs=0.2)
    dear = "snapshots: [{every: 30 s}], snapshot_store: {kind: copy-on-write}"
    slow, done = told(dear, site="disk: {write: 100 kB/s}", duration="95 s")
    # From 30 s on the disk owes 22,880 B more each second: the snapshot of 60 s waits 30 x 22,880 / 100,000 s.
    taken = done.tables["snapshots/g/b"]["taken_at"]
    assert taken[1] == pytest.approx(60 + 30 * 0.2288, abs=0.2)
    assert slow["snapshot_space_peak_bytes"] < plain["snapshot_space_peak_bytes"]
    assert slow["lag_max_s"] == plain["lag_max_s"], "what is staged is safe, however slow the volumes are"


def test_a_backup_of_the_night_slows_destaging_and_snapshots_wait() -> None:
    backup = "disk: {write: 100 kB/s}, backup: [{days: daily, from: 03:00, to: 03:10, read: 80 kB/s}]"
    got, done = told("snapshots: [{at: [03:05], keep: 7}]", site=backup, duration="4 h")
    # 40,960 B/s come, 20,000 are left: after 5 min 300 x 20,960 B wait, which take 314.4 s by day and more by night.
    behind = 300 * 20_960
    by_night = 300 * 20_000
    wanted = 3 * 3600 + 600 + (behind - by_night) / 100_000
    assert done.tables["snapshots/g/b"]["taken_at"].tolist() == [pytest.approx(wanted, abs=0.5)]
    assert got["snapshot_age_max_s"] == pytest.approx(4 * 3600 - (3 * 3600 + 300), abs=0.2)


def test_without_room_for_what_a_copy_overwrites_the_protective_snapshot_is_lost() -> None:
    """An outage overflows the journal; the copy overwrites 1.3 MB, and there is room for 0.5 MB of it."""
    cut = {"outage": "{at: 100 s, for: 60 s}", "journal": "size: 1 MB, on_full: track"}
    safe, _ = told("snapshot_store: {size: 3 MB}", **cut)
    assert (safe["resyncs"], safe["exposure_s"]) == (1, 0)
    assert safe["snapshot_space_peak_bytes"] > 1_000_000
    assert safe["snapshot_space_final_bytes"] == 0
    bare, _ = told("snapshot_store: {size: 500 kB}", **cut)
    assert bare["resyncs"] == 1
    assert bare["exposure_s"] > 0
    assert bare["lag_final_s"] == safe["lag_final_s"]


def test_a_rehearsal_takes_the_room_of_what_is_overwritten_meanwhile() -> None:
    rehearsal = "{at: 1 min, do: rehearsal, group: g, to: b, for: 50 s}"
    got, _ = told("rto: 1 h", operation=rehearsal)
    assert got["snapshot_space_peak_bytes"] == pytest.approx(50 * 10 * 4096, abs=8192)
    assert got["snapshot_space_final_bytes"] == 0
    assert got["snapshots_taken"] is None


def test_an_image_that_stands_still_in_an_outage_is_kept_again_and_again() -> None:
    cut = {"outage": "{at: 100 s, for: 200 s}", "journal": "size: 1 MB, on_full: track"}
    got, done = told("snapshots: [{every: 1 min}]", **cut)
    points = done.tables["snapshots/g/b"]
    assert points["taken_at"].tolist() == [60.0 * (i + 1) for i in range(10)]
    assert points["lacks_from"].tolist() == [60, 100, 100, 100, 100, *(60.0 * i for i in range(6, 11))]
    assert got["snapshots_missed"] == 0
    assert got["snapshot_age_max_s"] == 360 - 100, (
        "the copy is done, and the newest point is still the one of 300 s"
    )


def test_a_snapshot_that_falls_into_a_copy_is_left_out_and_counted() -> None:
    cut = {"outage": "{at: 100 s, for: 200 s}", "journal": "size: 1 MB, on_full: track"}
    got, done = told("snapshots: [{every: 50 s, first: 301 s}]", **cut)
    assert done.tables["snapshots/g/b"]["taken_at"].tolist() == [351, 401, 451, 501, 551]
    assert (got["snapshots_taken"], got["snapshots_missed"]) == (5, 1)


@pytest.mark.parametrize(
    ("data", "taken", "lost", "none_s"),
    [
        # 60, 120, 180, at once on its return (that of 300), 360 ... 600; nothing usable before 60 and while it is away
        ("kept", [60, 120, 180, 300, *range(360, 601, 60)], 0, 160),
        # that of 300 falls into the copy of all there is
        ("lost", [60, 120, 180, *range(360, 601, 60)], 3, 220),
    ],
)
def test_what_a_lost_site_kept_is_there_again_or_is_not(
    data: str, taken: list[float], lost: int, none_s: float
) -> None:
    every = "snapshots: [{every: 1 min, keep: 20}]"
    text = SITE.format(duration="10 min", site="", outage="", journal="", target=every, operation="")
    text += f"disasters: [{{site: b, at: 200 s, for: 100 s, kind: loss, data: {data}}}]\n"
    done = run(loads(text, "lost"))
    got = done.summary["groups"]["g"]["targets"]["b"]
    assert done.tables["snapshots/g/b"]["taken_at"].tolist() == taken
    assert got["snapshots_lost"] == lost
    assert got["snapshot_none_s"] == none_s
    assert got["snapshots_kept"] == len(taken) - lost
