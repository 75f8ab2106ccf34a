"""Every trace format is recognised and read to the same columns; what is wrong is counted and located."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from drsim.workload.columns import Writes, join
from drsim.workload.traces.cleaning import Cleaner, clean
from drsim.workload.traces.files import line_pieces, texts
from drsim.workload.traces.formats import KINDS, find, recognise
from drsim.workload.traces.parquet import import_trace
from drsim.workload.traces.report import Report, TraceError

# One read, then three writes on one device: (seconds from the first record, bytes, bytes).
COLUMNS = ("time", "op", "offset", "length", "place")
WRITES = [(0.5, 4096, 8192), (1.0, 1 << 20, 512), (2.25, 40_960, 65_536)]


def blktrace(order: str, more: bytes = b"", action: int = 1, queue: int = 1 << 4) -> bytes:
    def record(time: float, offset: int, length: int, flags: int, extra: bytes = b"") -> bytes:
        head = struct.pack(
            order + "IIQQIIIIIHH",
            0x65617407,
            1,
            int(time * 1e9) + 7_000_000_000,
            offset // 512,
            length,
            action | (flags | queue) << 16,
            12,
            (8 << 20) | 16,
            0,
            0,
            len(extra),
        )
        return head + extra

    note = (
        struct.pack(order + "IIQQIIIIIHH", 0x65617407, 0, 0, 0, 0, (1 << 10) << 16, 12, 0, 0, 0, 4) + b"name"
    )
    rows = [record(0, 0, 4096, 1, more)] + [record(t, o, n, 2, more) for t, o, n in WRITES]
    return note + b"".join(rows)


def vscsi(version: int) -> bytes:
    rows = [(0.0, 0, 4096, 0x28)] + [(t, o, n, 0x2A) for t, o, n in WRITES]
    out = b""
    for t, o, n, cmd in rows:
        us, lbn = int(t * 1e6) + 5_000_000, o // 512
        if version == 1:
            out += struct.pack("<IIIHHQQ", 1, n, 1, cmd, 1 << 8, lbn, us)
        else:
            out += struct.pack("<HHIIIQQQ", cmd, 2 << 8, 1, n, 1, lbn, us, 99)
    return out


def lines(
    form: str, read: str = "R", write: str = "W", tick: float = 1e6, start: int = 0, unit: int = 1
) -> bytes:
    rows = [(0.0, 0, 4096, read), *((t, o, n, write) for t, o, n in WRITES)]
    return "".join(
        form.format(t=int(t * tick) + start, s=t, o=o, n=n, op=op, lba=o // 512, sectors=n // 512) + "\n"
        for t, o, n, op in rows
    ).encode()


SAMPLES = {
    "canonical": b"t_us,dev,op,offset_bytes,length_bytes\n" + lines("{t},0,{op},{o},{n}"),
    "msr": lines("{t},usr,0,{op},{o},{n},1331", "Read", "Write", 1e7, 128166372003061629),
    "spc": lines("0,{lba},{n},{op},{s:.6f}", "r", "w"),
    "alibaba": lines("7,{op},{o},{n},{t}", start=1577808000000000),
    "tencent": lines("{t},{lba},{sectors},{op},1283", "0", "1", 1, 1538323200),
    "cydonia": lines("{t},{lba},{op},{n}", "r", "w", start=50),
    "disksim": lines("{t} 3 {lba} {sectors} {op}", "1", "0", 1e9, 938513000),
    "fio-v3": b"fio version 3 iolog\n0 /dev/sda add\n0 /dev/sda open\n"
    + lines("{t} /dev/sda {op} {o} {n}", "read", "write")
    + b"2300000 /dev/sda sync 0 0\n2400000 /dev/sda close\n",
    "fio-v2": b"fio version 2 iolog\nf add\nf open\nf read 0 4096\n"
    + b"".join(b"f wait %d 0\nf write %d %d\n" % (int(t * 1000), o, n) for t, o, n in WRITES)
    + b"f close\n",
    "blkparse": b"".join(
        b"  8,16   1 %5d %14.9f  4020  Q  %s %d + %d [postgres]\n" % (i, t, op, o // 512, n // 512)
        + b"  8,16   1 %5d %14.9f  4020  C  %s %d + %d [0]\n" % (i, t, op, o // 512, n // 512)
        for i, (t, o, n, op) in enumerate([(0.0, 0, 4096, b"R"), *((t, o, n, b"WS") for t, o, n in WRITES)])
    )
    + b"  8,16   1     9     2.300000000  4020  U   N [postgres] 1\nCPU1 (8,16):\n Reads Queued: 1, 4KiB\n",
    "blktrace": blktrace("<"),
    "vscsi-v1": vscsi(1),
    "vscsi-v2": vscsi(2),
}


def read(path: Path, name: str | None = None, **options: object) -> tuple[Writes, Report]:
    report = Report()
    reader = recognise([path], name)
    cleaner = Cleaner(path, report, own_zero=reader.OWN_ZERO, **options)
    return join(list(clean([path], reader, report, cleaner))), report


def put(folder: Path, data: bytes, name: str = "trace") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", SAMPLES)
def test_a_format_is_recognised_and_read(name: str, tmp_path: Path) -> None:
    writes, report = read(put(tmp_path, SAMPLES[name]))
    assert report.format == name
    seconds = [int(t) if name == "tencent" else t for t, _, _ in WRITES]
    assert writes.time.tolist() == pytest.approx(seconds, abs=1e-9)
    assert writes.offset.tolist() == [o for _, o, _ in WRITES]
    assert writes.length.tolist() == [n for _, _, n in WRITES]
    assert (report.reads, report.writes, report.bad) == (1, 3, 0)
    assert report.bytes_read == 4096
    assert len(report.devices) == 1


@pytest.mark.parametrize("packing", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
@pytest.mark.parametrize("name", ["canonical", "vscsi-v1", "blkparse"])
def test_packed_files_read_the_same(name: str, packing: object, tmp_path: Path) -> None:
    plain, _ = read(put(tmp_path, SAMPLES[name]))
    packed, _ = read(put(tmp_path, packing(SAMPLES[name]), "packed"))
    assert np.array_equal(plain.time, packed.time)
    assert np.array_equal(plain.offset, packed.offset)


@pytest.mark.parametrize("name", SAMPLES)
def test_an_imported_trace_replays_the_same(name: str, tmp_path: Path) -> None:
    path = put(tmp_path, SAMPLES[name])
    plain, report = read(path)
    target = tmp_path / "trace.parquet"
    imported = import_trace([path], recognise([path]), target)
    again, second = read(target)
    assert np.array_equal(plain.time, again.time)
    assert np.array_equal(plain.offset, again.offset)
    assert np.array_equal(plain.length, again.length)
    assert imported.writes == second.writes == report.writes
    assert second.reads == report.reads
    assert second.devices == report.devices
    assert [p.name for p in tmp_path.iterdir()].count("trace.parquet.part") == 0


def test_real_traces_have_the_counts_of_their_manifest(shared: Path) -> None:
    folder = shared / "traces"
    for entry in json.loads((folder / "manifest.json").read_text()):
        for names in ([entry["file"]], entry["raw"]):
            paths = [folder / name for name in names]
            reader, report = recognise(paths), Report()
            cleaner = Cleaner(paths[0], report, device="all", own_zero=reader.OWN_ZERO)
            blocks = list(clean(paths, reader, report, cleaner))
            assert report.bad == 0
            assert (report.reads, report.writes) == (entry["reads"], entry["writes"])
            assert (report.bytes_read, report.bytes_written) == (entry["bytes_read"], entry["bytes_written"])
            assert len(report.devices) == entry["devices"]
            # The raw files of one trace begin with trims, which its canonical form leaves out.
            assert report.span_s == pytest.approx(entry["span_s"], abs=2e-3)
            assert sum(len(block) for block in blocks) == report.writes + report.trims


def test_canonical_and_raw_forms_hold_the_same_writes(shared: Path) -> None:
    folder = shared / "traces"
    for entry in json.loads((folder / "manifest.json").read_text()):
        both = []
        for names in ([entry["file"]], entry["raw"]):
            paths = [folder / name for name in names]
            reader, report = recognise(paths), Report()
            cleaner = Cleaner(paths[0], report, device="all", own_zero=reader.OWN_ZERO)
            whole = join(list(clean(paths, reader, report, cleaner)))
            both.append(whole.take(np.flatnonzero(whole.kind == 0)))
        canonical, raw = both
        assert np.array_equal(canonical.offset, raw.offset)
        assert np.array_equal(canonical.length, raw.length)
        if len(raw):
            shift = raw.time[0] - canonical.time[0]
            assert np.abs(raw.time - shift - canonical.time).max() < 2e-6


def test_files_of_several_cpus_are_merged_by_time(tmp_path: Path) -> None:
    def cpu(times: list[int]) -> bytes:
        return b"".join(
            struct.pack("<IIQQIIIIIHH", 0x65617407, i, t, t, 512, 1 | 0x12 << 16, 1, 8 << 20, 0, 0, 0)
            for i, t in enumerate(times)
        )

    put(tmp_path, cpu([10, 30, 30, 90]), "sda.blktrace.0")
    put(tmp_path, cpu([5, 30, 95, 400]), "sda.blktrace.1")
    put(tmp_path, cpu([]), "sda.blktrace.2")
    paths = find(tmp_path, "sda.blktrace.*")
    assert len(paths) == 3
    report = Report()
    writes = join(list(clean(paths, KINDS["blktrace"](), report, Cleaner(paths[0], report))))
    assert (writes.offset // 512).tolist() == [5, 10, 30, 30, 30, 90, 95, 400]
    assert report.bad == 0


@pytest.mark.parametrize("order", ["<", ">"])
def test_blktrace_reads_either_byte_order_and_skips_extra_data(order: str, tmp_path: Path) -> None:
    looks_like_one = struct.pack(order + "I", 0x65617407) * 20
    writes, report = read(put(tmp_path, blktrace(order, looks_like_one)))
    assert writes.offset.tolist() == [o for _, o, _ in WRITES]
    assert report.devices == ["8,16"]


def test_blktrace_takes_issued_requests_where_none_was_queued(tmp_path: Path) -> None:
    writes, _ = read(put(tmp_path, blktrace("<", action=7, queue=1 << 6)))
    assert len(writes) == 3


def test_bad_lines_are_counted_and_located_and_the_rest_is_read(tmp_path: Path) -> None:
    good = [f"{i},0,W,{i * 4096},4096" for i in range(5000)]
    text = good.copy()
    text[100] = "not a line at all"
    text[200] = "200,0,W,819200"
    text[300] = "300,0,X,1228800,4096"
    text[400] = "400,0,W,1638400,0"
    text[500] = "500,0,W,-4096,4096"
    text[600] = "600,0,W,99999999999999999999999,4096"
    text[4000] = ""
    writes, report = read(put(tmp_path, ("\n".join(text) + "\n").encode()))
    assert len(writes) == 5000 - 7
    assert report.faults["not a canonical record"].count == 3
    assert [place.split(" (")[0] for place in report.faults["not a canonical record"].first] == [
        "line 101",
        "line 201",
        "line 601",
    ]
    assert report.faults["unknown operation"].first == ["line 301"]
    assert report.faults["zero length"].first == ["line 401"]
    assert report.faults["address out of range"].first == ["line 501"]
    assert report.lines == 4999


def test_one_bad_line_in_many_costs_little_more_than_none(tmp_path: Path) -> None:
    text = [f"{i},0,W,{i * 4096},4096" for i in range(50_000)]
    text[777] = "garbage"
    whole = ("\n".join(text) + "\n").encode()
    reader, report = KINDS["canonical"](), Report()
    records = list(reader.read([put(tmp_path, whole)], report))
    slow = [r for r in records if not isinstance(r.place, int)]
    assert sum(len(r) for r in records) == 49_999
    assert sum(len(r) for r in slow) < 1000


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"hello\nworld\n", "is in no format known"),
        (b"\x00\x01\x02" * 100, "is in no format known"),
        (gzip.compress(SAMPLES["canonical"] * 50)[:-9], "is cut off or damaged"),
        (zstandard.compress(SAMPLES["canonical"] * 5000)[:-9], "is cut off or damaged"),
        (blktrace("<") + blktrace(">"), r"byte \d+: byte order changes"),
        (blktrace("<") + b"\xff" * 200, r"byte 244: is not a blktrace record"),
        (vscsi(1) * 20 + vscsi(2) * 20, r"byte 2560: not a version 1 record"),
        (b"0,0,W,0,4096\n9000000,0,W,0,4096\n1000000,0,W,0,4096\n", "line 3: the clock goes back by 8 s"),
        (b"0,a,W,0,4096\n1,b,W,0,4096\n", "line 2: has writes of several devices"),
        (b"PAR1 and then nothing of the kind", "is not a whole Parquet file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_reason(
    data: bytes, says: str, tmp_path: Path
) -> None:
    path = put(tmp_path, data)
    with pytest.raises(TraceError, match=says) as caught:
        read(path)
    assert caught.value.path == path


@settings(max_examples=150)
@given(
    name=st.sampled_from(sorted(SAMPLES)),
    seed=st.integers(0, 2**32),
    cut=st.floats(0, 1),
    flips=st.integers(0, 6),
)
def test_a_damaged_file_is_read_with_a_count_or_refused_but_never_crashes(
    name: str, seed: int, cut: float, flips: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(SAMPLES[name] * 3)
    for at in rng.integers(0, len(data), flips):
        data[at] = rng.integers(256)
    data = data[: int(len(data) * cut)]
    path = put(tmp_path_factory.mktemp("damaged"), bytes(data))
    try:
        writes, _ = read(path, name, device="all", volume_size=1 << 30, fit="drop")
    except TraceError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert (np.diff(writes.time) >= 0).all()
        assert (writes.length > 0).all()
        assert (writes.offset >= 0).all()
        assert (writes.offset + writes.length <= 1 << 30).all()


@pytest.mark.parametrize(
    ("rest", "count", "says"),
    [
        (b"3000000,0,W,8192,4096", 3, {"last line has no end": ["line 3"]}),
        (b"3000000,0,W,81", 2, {"cut off record": ["line 3"]}),
        (b"30", 2, {"cut off record": ["line 3"]}),
        (b"3,0,W,8192,4096", 2, {"cut off record": ["line 3"]}),  # 3 of 3000000: the clock would go back
        (b"   ", 2, {}),
    ],
)
def test_a_last_line_without_an_end_is_told_of(
    rest: bytes, count: int, says: dict[str, list[str]], tmp_path: Path
) -> None:
    writes, report = read(put(tmp_path, b"0,0,W,0,4096\n2000000,0,W,4096,4096\n" + rest))
    assert len(writes) == count
    assert {kind: fault.first for kind, fault in report.faults.items()} == says


@pytest.mark.parametrize("packing", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize("size", [8, 30, 64, 10_000])
def test_pieces_hold_the_whole_file_however_it_is_packed(size: int, packing: object, tmp_path: Path) -> None:
    data = SAMPLES["canonical"] + b"1,without an end"
    found = list(texts(put(tmp_path, packing(data)), size))
    assert b"".join(found) == data
    assert all(piece.endswith(b"\n") for piece in found[:-1])


@settings(max_examples=40)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["12", "12.5", "1e3"]),
            st.sampled_from(["7", "007", "sda", "-1", "70000"]),
            st.sampled_from(["W", "R", "write", "READ", "T", "Discard", "X"]),
            st.sampled_from(["4096", " 8192", "99999999999999999999", "", "x"]),
            st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_bulk_and_line_by_line_say_the_same(
    rows: list[tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = "".join(f"{t},{d},{op},{o},512{end}" for t, d, op, o, end in rows)
    text += "" if text.endswith("\n") else "\n"
    path = put(tmp_path_factory.mktemp("same"), text.encode())
    found = []
    for bulk in (True, False):
        reader, report = KINDS["canonical"](), Report()
        if not bulk:
            reader._whole = lambda *_: None
        parts = [r.take(slice(None)) for r in reader.read([path], report)]
        columns = [np.concatenate([getattr(r, name) for r in parts]).tolist() for name in COLUMNS]
        labels = [report.devices[code] for code in np.concatenate([r.device for r in parts])]
        found.append((columns, labels, report.faults, report.lines))
    assert found[0] == found[1]


def test_a_missing_file_and_an_unknown_format_are_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="there is no such file"):
        find(tmp_path, "nothing.csv")
    with pytest.raises(TraceError, match="there is no trace format 'mrs'; did you mean 'msr'"):
        recognise([put(tmp_path, SAMPLES["msr"])], "mrs")


@pytest.mark.parametrize("name", ["blktrace", "vscsi-v1", "vscsi-v2"])
def test_a_binary_file_that_stops_within_a_record_says_so(name: str, tmp_path: Path) -> None:
    writes, report = read(put(tmp_path, SAMPLES[name][:-5]))
    assert len(writes) == 2
    assert report.faults["cut off record"].count == 1


def test_a_clock_that_steps_back_a_little_is_held(tmp_path: Path) -> None:
    writes, report = read(
        put(tmp_path, b"0,0,W,0,512\n900,0,W,512,512\n400,0,W,1024,512\n1000,0,W,1536,512\n")
    )
    assert writes.time.tolist() == [0, 900e-6, 900e-6, 1000e-6]
    assert writes.offset.tolist() == [0, 512, 1024, 1536]
    assert report.faults["clock steps back"].first == ["line 3"]


def test_devices_are_told_apart(tmp_path: Path) -> None:
    path = put(tmp_path, b"0,usr,0,Write,0,512,1\n10,usr,1,Write,512,512,1\n20,prn,0,Write,1024,512,1\n")
    one, report = read(path, "msr", device="usr.1")
    assert one.offset.tolist() == [512]
    assert sorted(report.devices) == ["prn.0", "usr.0", "usr.1"]
    assert len(read(path, "msr", device="all")[0]) == 3
    assert len(read(path, "msr", device="nobody")[0]) == 0


@pytest.mark.parametrize(("fit", "offsets"), [("drop", [0, 8192]), ("wrap", [0, 8192, 8192, 0])])
def test_writes_past_the_end_do_as_told(fit: str, offsets: list[int], tmp_path: Path) -> None:
    path = put(tmp_path, b"0,0,W,0,4096\n1,0,W,8192,4096\n2,0,W,20480,4096\n3,0,W,12288,4096\n")
    with pytest.raises(
        TraceError, match=r"line 3: a write reaches byte 24576, past the volume's end at 12288"
    ):
        read(path, volume_size=12_288)
    writes, report = read(path, volume_size=12_288, fit=fit)
    assert report.faults[f"past the volume's end ({fit})"].count == 2
    assert (writes.offset + writes.length <= 12_288).all()
    assert len(writes) == len(offsets)


@pytest.mark.parametrize("size", [1, 3, 7, 64, 10_000])
def test_pieces_end_at_lines_and_lose_nothing(size: int, tmp_path: Path) -> None:
    data = b"a\nbb\n\nccc\nlast without an end"
    path = put(tmp_path, data)
    found = list(line_pieces(path, max(size, 8)))
    assert b"".join(lines for lines, _, _ in found) == data + b"\n"
    assert all(lines.endswith(b"\n") for lines, _, _ in found)
    line = 1
    for lines, first, count in found:
        assert first == line
        assert lines.count(b"\n") == count
        line += count
