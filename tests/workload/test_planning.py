"""How links cope with loads: exact arithmetic on real traces, plain loops on random ones."""

import itertools
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.workload.changerate import change_rate
from drsim.workload.columns import Writes
from drsim.workload.lastseen import LastSeen, Uniques
from drsim.workload.load import Gather, Load, gather, serve
from drsim.workload.periodic import periodic
from drsim.workload.planning import bandwidth_for, cope, journal_for, rpo_kept, violation_share
from drsim.workload.traces.cleaning import Cleaner, clean
from drsim.workload.traces.formats import recognise
from drsim.workload.traces.replay import Opened, Replay
from drsim.workload.traces.report import Report


def trace(shared: Path, name: str, device: str):
    path = shared / "traces" / f"{name}.csv.gz"
    reader, report = recognise([path]), Report()
    return clean([path], reader, report, Cleaner(path, report, device=device, own_zero=True))


@pytest.mark.parametrize("name", ["cloudphysics_sample_2h", "spc_financial1_260s"])
def test_a_fifo_link_copes_as_exact_arithmetic_says(name: str, shared: Path) -> None:
    oracle = json.loads((shared / "truth" / "trace_oracles.json").read_text())[name]
    load = gather(trace(shared, name, "all"))
    assert (len(load), load.nbytes) == (oracle["writes"], oracle["bytes"])
    assert oracle["fifo"]
    for case in oracle["fifo"]:
        rpos = [float(rpo) for rpo in case["viol_s"]]
        got = cope(load, case["C_Bps"], [tuple(o) for o in case["outages"]], rpos)
        for key, value in case.items():
            if key not in ("C_Bps", "outages", "viol_s"):
                assert getattr(got, key) == pytest.approx(value, rel=1e-9), key
        for rpo, value in case["viol_s"].items():
            assert got.violation_s[float(rpo)] == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["cloudphysics_sample_2h", "spc_financial1_260s"])
def test_periodic_replication_does_as_exact_arithmetic_says(name: str, shared: Path) -> None:
    oracle = json.loads((shared / "truth" / "trace_oracles.json").read_text())[name]
    assert oracle["batch"]
    distinct: dict[tuple[int, int], np.ndarray] = {}
    for case in oracle["batch"]:
        key = case["P_s"], case["grain"]
        if key not in distinct:
            seen, unique = LastSeen(case["grain"]), Uniques(case["P_s"])
            for block in trace(shared, name, "apart"):
                unique.feed(seen.touch(block))
            distinct[key] = unique.by_window
        blocks = distinct[key]
        assert blocks[:5].tolist() == case["first5_unique_blocks"]
        got = periodic(blocks, case["P_s"], case["C_Bps"], case["grain"], [float(r) for r in case["viol_s"]])
        for name_, value in case.items():
            if name_ not in ("P_s", "C_Bps", "grain", "viol_s", "first5_unique_blocks"):
                assert getattr(got, name_) == pytest.approx(value, rel=1e-9), name_
        for rpo, value in case["viol_s"].items():
            assert got.violation_s[float(rpo)] == pytest.approx(value, rel=1e-9, abs=1e-9)


def test_unique_rates_of_real_traces_are_those_of_their_manifest(shared: Path) -> None:
    for entry in json.loads((shared / "traces" / "manifest.json").read_text()):
        if not entry["writes"]:
            continue
        windows = [float(w) for w in entry["unique_over_written_4KiB"]]
        found = change_rate(trace(shared, entry["name"], "apart"), windows=windows, span_s=entry["span_s"])
        assert found.nbytes == entry["bytes_written"]
        for unique in found.uniques:
            width = str(int(unique.window_s))
            assert round(unique.ratio, 5) == entry["unique_over_written_4KiB"][width]
            # The manifest divides by the time to the last write or, with reads after it, to the last record.
            assert unique.bytes_per_s == pytest.approx(entry["unique_bytes_per_s_4KiB"][width], rel=4e-3)


def load_of(gaps: list[int], sizes: list[int]) -> Load:
    time = np.cumsum(np.array(gaps, np.float64)) / 8
    return Load(time, np.array(sizes[: len(gaps)], np.int64))


loads = st.integers(1, 30).flatmap(
    lambda n: st.builds(
        load_of,
        st.lists(st.integers(0, 40), min_size=n, max_size=n),
        st.lists(st.integers(1, 5000), min_size=n, max_size=n),
    )
)


def plainly(load: Load, rate: Fraction, outages: list[tuple[int, int]]) -> list[Fraction]:
    """Finish instants by a loop, in fractions: the clock stops in an outage."""

    def after(t: Fraction, work: Fraction) -> Fraction:
        for begin, end in outages:
            if t < begin:
                if t + work <= begin:
                    return t + work
                work -= begin - t
                t = Fraction(end)
            elif t < end:
                t = Fraction(end)
        return t + work

    free, out = Fraction(0), []
    for a, n in zip(load.time, load.length, strict=True):
        free = after(max(Fraction(float(a)), free), Fraction(int(n)) / rate)
        out.append(free)
    return out


@given(load=loads, rate=st.integers(50, 5000), down=st.lists(st.integers(1, 30), max_size=6))
def test_serving_is_the_plain_recursion(load: Load, rate: int, down: list[int]) -> None:
    edges = np.cumsum(down).tolist()
    outages = list(zip(edges[::2], edges[1::2], strict=False))
    want = [float(f) for f in plainly(load, Fraction(rate), outages)]
    got = np.concatenate([piece.finish for piece in serve(load, rate, outages)])
    assert got == pytest.approx(want, abs=1e-6)


@given(load=loads, rpo=st.integers(1, 60), share=st.sampled_from([1.0, 0.99, 0.9]))
def test_the_bandwidth_given_keeps_the_rpo_and_no_less_does(load: Load, rpo: int, share: float) -> None:
    rate = bandwidth_for(load, rpo, share)
    assert violation_share(load, rate, rpo) <= 1 - share + 1e-12
    if rate > 1e-6:
        assert violation_share(load, rate * (1 - 1e-6), rpo) > 1 - share


@given(load=loads, rate=st.integers(50, 5000), share=st.sampled_from([1.0, 0.99, 0.9, 0.5]))
def test_the_rpo_given_is_kept_and_no_shorter_one_is(load: Load, rate: int, share: float) -> None:
    rpo = rpo_kept(load, rate, share)
    assert violation_share(load, rate, rpo) <= 1 - share + 1e-9
    if rpo > 1e-6:
        assert violation_share(load, rate, rpo * (1 - 1e-6)) > 1 - share


@given(load=loads)
def test_full_bandwidth_is_the_steepest_slope_between_writes(load: Load) -> None:
    rpo = 3.0
    total = np.concatenate([[0], np.cumsum(load.length)])
    n = len(load)
    steepest = max(
        (total[i + 1] - total[j]) / (load.time[i] - load.time[j] + rpo)
        for i in range(n)
        for j in range(i + 1)
    )
    assert bandwidth_for(load, rpo) == pytest.approx(steepest, rel=1e-8)


@given(load=loads, outage=st.integers(1, 20), rate=st.integers(50, 5000))
def test_the_journal_outlives_an_outage_at_any_instant(load: Load, outage: int, rate: int) -> None:
    want = journal_for(load, outage, rate)
    # The worst outages end with a write; others are tried as well.
    ends = [t for t in load.time.tolist() if t >= outage] + np.linspace(
        outage, load.end_s + outage, 7
    ).tolist()
    # At its end the outage must still be on when the write comes.
    peaks = [cope(load, rate, [(max(e - outage, 0.0), e + 1e-9)]).peak_backlog_bytes for e in ends]
    early = cope(load, rate, [(0.0, outage)]).peak_backlog_bytes if load.end_s else 0.0
    assert want >= max([*peaks, early]) - 1e-4 * rate
    if all(t >= outage for t in load.time):
        assert want == pytest.approx(max(peaks), abs=1e-4 * rate)


def test_a_journal_on_a_link_without_limit_holds_the_busiest_window() -> None:
    load = Load(np.array([0.0, 10.0, 11.0, 12.0, 30.0]), np.array([5, 7, 11, 13, 17]))
    assert journal_for(load, 2.0) == 31
    assert journal_for(load, 100.0) == 53
    assert journal_for(load, 2.0, rate=1e12) == pytest.approx(31, abs=1e-3)


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 40), st.integers(1, 9000)), min_size=1, max_size=60
    ),
    cuts=st.lists(st.integers(0, 60), max_size=4),
    window=st.integers(1, 12),
)
def test_distinct_blocks_are_counted_exactly_whatever_the_cut(
    rows: list[tuple[int, int, int]], cuts: list[int], window: int
) -> None:
    gap, place, length = (np.array(c) for c in zip(*rows, strict=True))
    time, offset = np.cumsum(gap).astype(np.float64), place * 2048
    want: dict[int, set[int]] = {}
    total = 0
    counts: dict[int, int] = {}
    for t, o, n in zip(time, offset, length, strict=True):
        blocks = range(o // 4096, (o + n - 1) // 4096 + 1)
        want.setdefault(int(t // window), set()).update(blocks)
        for b in blocks:
            counts[b] = counts.get(b, 0) + 1
        total += len(blocks)
    seen, unique, touched = LastSeen(4096), Uniques(window), 0
    edges = sorted({0, len(rows), *(c for c in cuts if c <= len(rows))})
    for begin, end in itertools.pairwise(edges):
        part = slice(begin, end)
        touches = seen.touch(Writes(time[part], offset[part], length[part], np.zeros(end - begin, np.uint8)))
        touched += len(touches.now)
        unique.feed(touches)
    assert touched == total
    assert {i: n for i, n in enumerate(unique.by_window.tolist()) if n} == {
        i: len(s) for i, s in want.items()
    }
    assert sorted(seen.counts.tolist()) == sorted(counts.values())


def test_many_writes_go_to_a_file_and_come_back_the_same() -> None:
    rng = np.random.default_rng(3)
    time, length = np.sort(rng.random(5000)) * 100, rng.integers(1, 9999, 5000)
    collected = Gather(in_memory=700)
    for i in range(0, 5000, 311):
        part = slice(i, i + 311)
        collected.feed(Writes(time[part], length[part], length[part], np.zeros(len(time[part]), np.uint8)))
    load = collected.load()
    assert isinstance(load.time, np.memmap)
    assert np.array_equal(load.time, time)
    assert np.array_equal(load.length, length)
    assert cope(load, 250_000.0) == cope(Load(time, length), 250_000.0)


def test_change_rate_by_hand() -> None:
    time = np.array([0.2, 0.4, 5.0, 61.0, 61.5, 7199.0])
    length = np.array([4096, 4096, 8192, 512, 4096, 4096])
    offset = np.array([0, 0, 0, 4096, 1 << 20, 0])
    kind = np.array([0, 0, 0, 0, 1, 0], np.uint8)
    found = change_rate(
        [Writes(time, offset, length, kind)], windows=(1.0, 60.0, 3600.0), week_offset_s=3600.0 * 167
    )
    assert (found.writes, found.nbytes, found.trims, found.trimmed_bytes) == (5, 20_992, 1, 4096)
    assert found.mean_bytes_per_s == pytest.approx(20_992 / 7199)
    minute = next(r for r in found.rates if r.window_s == 60)
    assert (minute.windows, minute.peak, minute.peak_at_s) == (119, 16_384 / 60, 0.0)
    assert minute.p95 == 0.0
    hour = next(r for r in found.rates if r.window_s == 3600)
    assert (hour.windows, hour.peak) == (1, 16_896 / 3600)
    assert [u.ratio for u in found.uniques] == [5 / 6, 4 / 6, 3 / 6]
    assert found.block_writes == 6
    assert found.working_set_bytes == 8192
    assert found.sizes == [(4096, 3), (512, 1), (8192, 1)]
    assert found.heat[167] == pytest.approx(16_896 / 3600)
    assert found.heat[0] == pytest.approx(4096 / 3599)
    assert np.isnan(found.heat[1])
    json.dumps(found.as_dict())


def test_windows_begin_with_the_trace_and_not_with_its_first_write(tmp_path: Path) -> None:
    """Reads come first and last: block 0 is written in second 0 and in second 1, and the trace spans 8 s."""
    file = tmp_path / "reads.csv"
    rows = ["0,d,R,0,4096", "700000,d,W,0,4096", "1200000,d,W,0,4096", "8000000,d,R,0,4096"]
    file.write_text("\n".join(["t_us,dev,op,offset_bytes,length_bytes", *rows]) + "\n")
    opened = Opened(Replay(("",), None, None), [file], None)
    found = change_rate(opened.writes(), windows=(1.0, 2.0), span_s=lambda: opened.report.span_s)
    assert [u.ratio for u in found.uniques] == [1.0, 0.5]
    assert found.span_s == 8.0
    assert found.mean_bytes_per_s == 1024


def test_nothing_written_is_no_trouble() -> None:
    found = change_rate([], span_s=10.0)
    assert found.writes == 0
    assert found.mean_bytes_per_s == 0
    assert bandwidth_for(found.load, 60.0) == 0
    assert rpo_kept(found.load, 1000.0) == 0
    assert journal_for(found.load, 60.0) == 0
    assert cope(found.load, 1000.0).max_lag_s == 0
    assert not math.isnan(found.hot_share)


def test_no_link_keeps_an_rpo_of_nothing() -> None:
    with pytest.raises(ValueError, match="without limit"):
        bandwidth_for(Load(np.zeros(1), np.ones(1, np.int64)), 0.0)
    with pytest.raises(ValueError, match="above zero"):
        cope(Load(np.zeros(1), np.ones(1, np.int64)), 0.0)
