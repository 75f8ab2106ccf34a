"""Traces that are not what they should be: whatever the bytes, they are read with a count or refused by name."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.workload.stream import Stream
from drsim.workload.traces.formats import KINDS
from drsim.workload.traces.replay import Opened
from drsim.workload.traces.report import TraceError
from tests.workload.test_replay import DISKSTATS, IOSTAT, PERFMON, SAR
from tests.workload.test_trace_readers import SAMPLES

COUNTERS = {"diskstats": DISKSTATS, "iostat": IOSTAT, "sar": SAR, "perfmon": PERFMON}
ALL = SAMPLES | {name: text.encode() for name, text in COUNTERS.items()}
ODD = [
    b"inf",
    b"nan",
    b"1e400",
    b"-1",
    b"-0",
    b"",
    b"\0",
    b'"',
    b",",
    b";",
    b"99999999999999999999",
    b"\xff\xfe",
    b" ",
    b"\n",
]


def use(folder: Path, data: bytes, name: str | None) -> None:
    """Read a file as a replay does; it must give sound writes or a TraceError that names the file."""
    path = folder / "trace"
    path.write_bytes(data)
    replay = Stream(volume="g/v", trace="trace", device="all", fit="drop", format=name).replay()
    try:
        blocks = list(Opened(replay, [path], 1 << 40).writes())
    except TraceError as error:
        assert str(path) in str(error)  # noqa: PT017
        return
    for block in blocks:
        assert (np.diff(block.time) >= 0).all()
        assert (block.length > 0).all()
        assert (block.offset >= 0).all()


@given(
    name=st.sampled_from(sorted(ALL)),
    swaps=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 30), st.sampled_from(ODD)), max_size=5),
)
def test_odd_values_anywhere(
    name: str, swaps: list[tuple[int, int, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A few stretches replaced by what programs write at their worst."""
    data = ALL[name]
    for where, length, odd in swaps:
        at = where * 7919 % len(data)
        data = data[:at] + odd + data[at + length :]
    use(tmp_path_factory.mktemp("odd"), data, name)


@given(
    name=st.sampled_from([None, *sorted(KINDS)]),
    start=st.sampled_from(
        [b"", *(data[:40] for data in ALL.values()), b"PAR1", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"]
    ),
    rest=st.binary(max_size=600),
)
def test_any_bytes_at_all(
    name: str | None, start: bytes, rest: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    use(tmp_path_factory.mktemp("any"), start + rest, name)


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_cut_of_a_file_is_survived(name: str, tmp_path: Path) -> None:
    for cut in range(0, len(ALL[name]), 3):
        use(tmp_path, ALL[name][:cut], name)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_format_refuses_a_file_of_another_kind(name: str, tmp_path: Path) -> None:
    for other, data in ALL.items():
        if other != name:
            use(tmp_path, data, name)


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("iostat", "34.133333", "inf", "value out of range"),
        ("iostat", "1.00     34.133333", "1.00     1e300", "value out of range"),
        ("iostat", "10:01:00 AM", "09:00:00 AM", "clock goes back"),
        ("sar", "34.133333", "-5", "value out of range"),
        ("sar", ";60;", ";-60;", "clock goes back"),
        ("sar", ";60;", ";nan;", "value out of range"),
        ("perfmon", "34952.53333", "nan", "value out of range"),
        ("perfmon", "10:01:00.000", "09:00:00.000", "clock goes back"),
        ("diskstats", " 6096 ", " 60960000000000000000000 ", "value out of range"),
        ("diskstats", "1700000060", "1600000060", "clock goes back"),
        ("diskstats", "1700000060", "99999999999", "value out of range"),
    ],
)
def test_counters_that_cannot_be_are_counted_and_located(
    name: str, old: str, new: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "log").write_text(COUNTERS[name].replace(old, new))
    replay = Stream(volume="g/v", trace="log", device="all", fit="drop").replay()
    opened = Opened(replay, [tmp_path / "log"], 1 << 40)
    list(opened.writes())
    assert opened.report.faults[says].first[0].startswith("line ")
