"""Traces as streams: speed, scale, repetition, splicing; coarse counters spread by their rule."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from drsim.workload.columns import Writes, join
from drsim.workload.stream import Stream
from drsim.workload.traces.counters import Interval, spread
from drsim.workload.traces.formats import KINDS
from drsim.workload.traces.report import TraceError

TRACE = "".join(f"{i * 100_000},0,W,{i * 8192},4096\n" for i in range(20))
SIZE = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text(TRACE)
    (tmp_path / "b.csv").write_text("0,0,W,0,512\n500000,0,T,4096,8192\n")
    return tmp_path


def replay(folder: Path, count: int | None = None, seed: int = 1, size: int = SIZE, **spec: object) -> Writes:
    source = Stream(volume="g/v", **spec).blocks(np.random.SeedSequence(seed), size, folder)
    blocks, total = [], 0
    for block in source:
        blocks.append(block)
        total += len(block)
        if count is not None and total >= count:
            break
    return join(blocks).slice(0, count if count is not None else total)


def test_a_trace_is_replayed_as_it_was(folder: Path) -> None:
    writes = replay(folder, trace="a.csv")
    assert writes.time == pytest.approx(np.arange(20) * 0.1)
    assert writes.offset.tolist() == [i * 8192 for i in range(20)]
    assert writes.nbytes == 20 * 4096


def test_trims_keep_their_kind(folder: Path) -> None:
    assert replay(folder, trace="b.csv").kind.tolist() == [0, 1]


def test_speed_shortens_time(folder: Path) -> None:
    assert replay(folder, trace="a.csv", speed="200 %").time[-1] == pytest.approx(0.95)


def test_repetition_goes_on_from_the_end_or_by_the_period(folder: Path) -> None:
    thrice = replay(folder, trace="a.csv", repeat=3)
    assert len(thrice) == 60
    assert thrice.time[20] == pytest.approx(1.9)
    forever = replay(folder, 50, trace="a.csv", repeat="forever", period="10 s")
    assert forever.time[20] == pytest.approx(10.0)
    assert forever.time[40] == pytest.approx(20.0)
    with pytest.raises(TraceError, match="longer than its period"):
        replay(folder, trace="a.csv", repeat=2, period="1 s")


def test_traces_are_spliced_end_to_end(folder: Path) -> None:
    both = replay(folder, trace=["a.csv", "b.csv", "a.csv"], repeat=2)
    assert len(both) == 84
    assert both.time[20:22] == pytest.approx([1.9, 2.4])
    assert both.time[22] == pytest.approx(2.4)
    assert both.time[42] == pytest.approx(4.3)
    assert (np.diff(both.time) >= 0).all()


@pytest.mark.parametrize("scale", ["250 %", "40 %", "300 %"])
def test_scale_copies_by_chance_but_reproducibly(folder: Path, scale: str) -> None:
    spec = {"trace": "a.csv", "repeat": 200, "scale": scale}
    one, same, other = (replay(folder, seed=s, **spec) for s in (1, 1, 2))
    factor = float(scale[:-2]) / 100
    assert len(one) == pytest.approx(4000 * factor, abs=4 * np.sqrt(4000) / 2)
    assert np.array_equal(one.offset, same.offset)
    assert np.array_equal(one.time, same.time)
    if factor % 1:
        assert not (len(one) == len(other) and np.array_equal(one.time, other.time))
    assert (np.diff(one.time) >= 0).all()
    assert (one.offset >= 0).all()
    assert (one.offset + one.length <= SIZE).all()


def test_copies_write_elsewhere(folder: Path) -> None:
    writes = replay(folder, trace="a.csv", scale="200 %")
    assert len(np.unique(writes.offset)) > 20


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"trace": "a.csv", "rate": "1 MB/s"}, "'rate' means nothing beside a trace"),
        ({"trace": "a.csv", "app": "oltp"}, "'app' means nothing beside a trace"),
        ({"rate": "1 MB/s", "speed": "200 %"}, "'speed' means nothing without a trace"),
        ({"trace": "a.csv", "speed": "0 %"}, "above zero"),
        ({"trace": "a.csv", "repeat": 0}, "greater than or equal to 1"),
        ({"trace": []}, "at least 1"),
    ],
)
def test_bad_entries_say_what_is_wrong(spec: dict, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Stream(volume="g/v", **spec)


def test_a_record_that_cannot_be_used_is_never_left_out_unknown(folder: Path) -> None:
    (folder / "bad.csv").write_text(TRACE + "rubbish\n2000000,0,W,0,4096\n")
    with pytest.raises(TraceError, match=r"bad.csv: line 21 .*: not a canonical record; write bad: skip"):
        replay(folder, trace="bad.csv")
    assert len(replay(folder, trace="bad.csv", bad="skip")) == 21
    (folder / "held.csv").write_text("0,0,W,0,512\n900,0,W,0,512\n400,0,W,0,512\n")
    assert len(replay(folder, trace="held.csv")) == 3


def test_a_device_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(TraceError, match="there is no device 'sdz' in it; it has 0"):
        replay(folder, trace="a.csv", device="sdz")
    assert len(replay(folder, trace="a.csv", device=0)) == 20


def test_streams_know_whether_they_end(folder: Path) -> None:
    assert Stream(volume="g/v", trace="a.csv").finite
    assert not Stream(volume="g/v", trace="a.csv", repeat="forever").finite
    assert not Stream(volume="g/v", rate="1 /s").finite
    assert Stream(volume="g/v", trace="a.csv").mean_rate is None
    assert Stream(volume="g/v", trace="a.csv", device=3).device == "3"


@pytest.mark.parametrize("nbytes", [0, 300, 512, 100_000, 7_654_321])
@pytest.mark.parametrize("writes", [None, 0, 1, 3, 999_999])
def test_spreading_keeps_the_bytes_and_the_interval(nbytes: int, writes: int | None) -> None:
    at, length = spread(Interval(1, "d", 10.0, 20.0, nbytes, writes))
    assert sum(length) == round(nbytes / 512) * 512
    assert all(0 < n <= 1 << 20 for n in length)
    assert all(10e9 < t < 20e9 for t in at)
    assert at == sorted(at)
    if writes and nbytes >= writes * 512 and nbytes / writes < 1 << 20:
        assert len(at) == writes


DISKSTATS = """1700000000
 8 0 sda 1 0 8 0 100 0 2000 0 0 0 0 0 0 0 0 0 0
 8 16 sdb 1 0 8 0 7 0 70 0 0 0 0 0 0 0 0 0 0
1700000060
 8 0 sda 1 0 8 0 160 0 6096 0 0 0 0 0 0 0 0 0 0
 8 16 sdb 1 0 8 0 7 0 70 0 0 0 0 0 0 0 0 0 0
rubbish
1700000120
 8 0 sda 1 0 8 0 170 0 6116 0 0 0 0 0 0 0 0 0 0
 8 16 sdb 1 0 8 0 3 0 10 0 0 0 0 0 0 0 0 0 0
"""
IOSTAT = """Linux 6.1 (host)  11/24/2026  _x86_64_ (2 CPU)

11/24/2026 10:00:00 AM
Device            r/s     rkB/s   w/s     wkB/s   %util
sda              1.00      8.00  99.00   9999.00   1.00

11/24/2026 10:01:00 AM
Device            r/s     rkB/s   w/s     wkB/s   %util
sda              1.00      8.00   1.00     34.133333   1.00
"""
SAR = """# hostname;interval;timestamp;DEV;tps;rkB/s;wkB/s;dkB/s;areq-sz;aqu-sz;await;%util
host;60;2026-11-24 10:01:00 UTC;sda;10.00;0.00;34.133333;0.00;4.00;0.00;0.00;0.00
host;60;2026-11-24 10:02:00 UTC;sda;10.00;0.00;0.00;0.00;4.00;0.00;0.00;0.00
host;60;oops;sda;10.00;0.00;0.00;0.00;4.00;0.00;0.00;0.00
"""
DISK = r"\\H\PhysicalDisk(0 C:)\Disk "
PERFMON = f'''"(PDH-CSV 4.0) (GMT)(0)","{DISK}Write Bytes/sec","{DISK}Writes/sec"
"11/24/2026 10:00:00.000"," "," "
"11/24/2026 10:01:00.000","34952.53333","1.0"
"11/24/2026 10:02:00.000"," "," "
'''


@pytest.mark.parametrize(
    ("name", "text", "writes", "nbytes", "bad"),
    [
        ("diskstats", DISKSTATS, 70, (4096 + 20) * 512, 2),
        ("iostat", IOSTAT, 60, 4096 * 512, 0),
        ("sar", SAR, 32, 4096 * 512, 1),
        ("perfmon", PERFMON, 60, 4096 * 512, 1),
    ],
)
def test_counters_become_writes(
    name: str, text: str, writes: int, nbytes: int, bad: int, tmp_path: Path
) -> None:
    (tmp_path / "log").write_text(text)
    source = Stream(volume="g/v", trace="log", device="all").replay()
    from drsim.workload.traces.replay import Opened

    opened = Opened(source, [tmp_path / "log"], SIZE)
    whole = join(list(opened.writes()))
    assert opened.report.format == name
    assert len(whole) == writes
    assert whole.nbytes == nbytes
    assert opened.report.bad == bad
    assert whole.time[0] == 0
    assert (np.diff(whole.time) >= 0).all()
    assert (whole.offset + whole.length <= SIZE).all()


def test_every_format_has_a_name_of_its_own() -> None:
    assert len(KINDS) == 18
