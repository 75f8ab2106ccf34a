"""drsim trace: what it tells people and programs of good traces and of bad ones."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Drsim = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
SAMPLE = str(ROOT / "scenarios" / "samples" / "pgbench.csv.gz")
# 1 MB/s for ten seconds, then nothing until a last write at 100 s.
PLAIN = (
    "".join(f"{i * 100_000},0,W,{i % 50 * 100_000 // 4096 * 4096},100000\n" for i in range(100))
    + "100000000,0,W,0,4096\n"
)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    (tmp_path / "plain.csv").write_text(PLAIN)
    return tmp_path


def test_a_trace_is_told_in_tables(drsim: Drsim) -> None:
    done = drsim("trace", SAMPLE, "--link", "45 Mb/s")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "canonical, 2 devices" in done.stdout
    for said in (
        "22792 writes",
        "nominal bandwidth to keep an RPO at 70 % efficiency",
        "RPO a link keeps",
        "99.9 %",
        "8 KiB",
    ):
        assert said in done.stdout
    assert "\x1b" not in done.stdout


def test_the_numbers_are_those_of_a_load_made_by_hand(drsim: Drsim, plain: Path) -> None:
    options = ("--rpo", "10 s", "--outage", "2 s", "--link", "4 Mb/s", "--efficiency", "100 %", "--json", "-")
    done = drsim("trace", "plain.csv", *options)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["writes"] == 101
    assert told["written_bytes"] == 10_004_096
    assert told["found"]["bad"] == 0
    need = {b["share"]: b["nominal_bytes_per_s"] for b in told["bandwidth"]}
    # All 100 writes, of which the last comes at 9.9 s, must be there by 19.9 s.
    assert need[1.0] == pytest.approx(10_000_000 / 19.9, rel=1e-6)
    assert need[0.9] < need[0.99] < need[1.0]
    # At 500 kB/s the hundredth write is there at 20 s, 10.1 s after it was written.
    kept = {k["share"]: k["rpo_s"] for k in told["rpo_kept"]}
    assert kept[1.0] == pytest.approx(10.1, rel=1e-9)
    journal = {j["link_bytes_per_s"]: j["bytes"] for j in told["journal"]}
    # Two seconds, both ends included, hold 21 writes.
    assert journal[None] == 2_100_000
    # With the link: backlog at 7.9 s is 80 writes less 3.95 MB, then 20 more come.
    assert journal[500_000.0] == pytest.approx(10_000_000 - 7.9 * 500_000, rel=1e-6)
    second = next(r for r in told["rates"] if r["window_s"] == 1)
    assert second["peak_bytes_per_s"] == 1_000_000


def test_what_planning_is_told_is_enough(drsim: Drsim, plain: Path) -> None:
    """Three digits are rounded up: 4.02 Mb/s and 10 MB, which are nearer, would be too little."""
    options = ("--rpo", "10 s", "--outage", "100 s", "--link", "4.0033 Mb/s", "--efficiency", "100 %")
    said = drsim("trace", "plain.csv", *options).stdout
    assert "100 s" not in said
    assert "4.03 Mb/s" in said, "4.0201 Mb/s are needed"
    assert "10.1 s" in said
    assert "10.1 MB" in said, "10,004,096 B are written while the link is away"
    assert "4.0033 Mb/s" in said.rpartition("journal")[0]


def test_json_and_pictures_go_to_files(drsim: Drsim, plain: Path) -> None:
    done = drsim("trace", "plain.csv", "--json", "out.json", "--picture", "out")
    assert done.returncode == 0, done.stderr
    assert "change rate" in done.stdout
    assert json.loads((plain / "out.json").read_text())["schema_version"] == 1
    assert (plain / "out.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (plain / "out.svg").read_text()


def test_an_imported_trace_tells_the_same(drsim: Drsim, plain: Path) -> None:
    first = drsim("trace", "plain.csv", "--import", "plain.parquet", "--json", "-")
    again = drsim("trace", "plain.parquet", "--json", "-")
    one, other = json.loads(first.stdout), json.loads(again.stdout)
    assert one.pop("trace") == "plain.csv"
    assert other.pop("trace") == "plain.parquet"
    assert (one["found"].pop("format"), other["found"].pop("format")) == ("canonical", "parquet")
    assert one == other


def test_one_device_of_several(drsim: Drsim) -> None:
    done = drsim("trace", SAMPLE, "--device", "log", "--json", "-")
    assert 0 < json.loads(done.stdout)["writes"] < 22_792
    done = drsim("trace", SAMPLE, "--device", "lgo")
    assert done.returncode == 2
    assert "there is no device 'lgo' in it; it has tables, log" in done.stderr


def test_bad_lines_are_warned_of_and_the_rest_is_told(drsim: Drsim, plain: Path) -> None:
    (plain / "bad.csv").write_text(PLAIN + "what is this\n100000001,0,W,5,0\n")
    done = drsim("trace", "bad.csv")
    assert done.returncode == 0
    assert "2 bad records" in done.stdout
    assert "warning: 1 x not a canonical record: line 102" in done.stderr
    assert "warning: 1 x zero length: line 103" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing.csv",), "nothing.csv: there is no such file"),
        (("tiny.yaml",), "tiny.yaml: is in no format known"),
        (("plain.csv", "--format", "mrs"), "did you mean 'msr'?"),
        (("plain.csv", "--rpo", "10"), "has no unit"),
        (("plain.csv", "--rpo", "0"), "must be above zero"),
    ],
)
def test_what_cannot_be_used_is_refused(
    drsim: Drsim, plain: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = drsim("trace", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_trace_without_writes_is_no_error(drsim: Drsim, plain: Path) -> None:
    (plain / "reads.csv").write_text("0,0,R,0,4096\n5000000,0,R,0,4096\n")
    done = drsim("trace", "reads.csv", "--picture", "out")
    assert done.returncode == 0, done.stderr
    assert "0 writes" in done.stdout


def test_hours_of_the_day_are_those_of_the_trace_or_of_its_start(drsim: Drsim, plain: Path) -> None:
    # Two hours from Tuesday, 31 December 2019, 09:00 UTC; 1 MB in the first, 2 MB in the second.
    start = 1_577_782_800_000_000
    rows = [(0, 1_000_000), (3_600_000_001, 2_000_000), (7_200_000_000, 4096)]
    text = "".join(f"7,W,0,{n},{start + t}\n" for t, n in rows)
    (plain / "dated.csv").write_text(text)
    told = json.loads(drsim("trace", "dated.csv", "--json", "-").stdout)
    heat = told["heat_bytes_per_s"]
    assert told["hours_of"] == "UTC"
    assert heat[24 + 9 : 24 + 11] == pytest.approx([1e6 / 3600, 2e6 / 3600])
    assert sum(value is not None for value in heat) in (2, 3)
    given = json.loads(drsim("trace", "dated.csv", "--start", "2026-03-01 22:00", "--json", "-").stdout)
    assert given["heat_bytes_per_s"][6 * 24 + 22] == pytest.approx(1e6 / 3600)
    assert "written by hour of the day, by UTC" in drsim("trace", "dated.csv").stdout
    assert drsim("trace", "dated.csv", "--import", "dated.parquet").returncode == 0
    imported = json.loads(drsim("trace", "dated.parquet", "--json", "-").stdout)
    assert (imported["hours_of"], imported["heat_bytes_per_s"]) == ("UTC", heat)


def test_a_long_trace_is_drawn_with_its_week(drsim: Drsim, plain: Path) -> None:
    (plain / "long.csv").write_text("".join(f"{h * 3_600_000_000},0,W,{h * 4096},4096\n" for h in range(30)))
    done = drsim("trace", "long.csv", "--picture", "long")
    assert done.returncode == 0, done.stderr
    assert "by the trace's start" in done.stdout
    assert (plain / "long.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_that_may_have_been_cut_off_is_noted(drsim: Drsim, plain: Path) -> None:
    (plain / "cut.csv").write_text(PLAIN + "100000001,0,W,4096,40")
    done = drsim("trace", "cut.csv")
    assert done.returncode == 0
    assert "note: 1 x last line has no end: line 102" in done.stderr
