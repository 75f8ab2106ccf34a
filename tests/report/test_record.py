"""Results directories: whole or not there, the same bytes for the same run, clear errors."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from drsim import record, whole
from drsim.record import RecordError

TABLES = {
    "curve/erp/lyon": {"t": np.arange(5.0), "lag_s": np.array([0, 1, np.nan, 2, 0.0]), "n": np.arange(5)},
    "spans": {"begin": np.array([1.0]), "kind": ["outage"]},
    "events": {"t": np.empty(0), "what": []},
}
MANIFEST = {"scenario": "drsim: 1\n", "seed": 7, "overrides": [], "exit_code": 0}
SUMMARY = {"schema_version": 1, "writes": np.int64(12), "groups": {"erp": {"lag_max_s": np.float64(1.5)}}}


def put(directory, **more):
    return record.write(directory, **{"summary": SUMMARY, "tables": TABLES, "manifest": MANIFEST, **more})


def tree(directory):
    return {
        str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()
    }


def test_what_is_written_is_read_back(tmp_path):
    directory = record.result_dir(tmp_path, "three_site", "ab" * 32)
    assert put(directory, wall={"wall_s": 3.5}) == tmp_path / "three_site" / "abababababab"
    found = record.read(directory)
    assert found.summary == {"schema_version": 1, "writes": 12, "groups": {"erp": {"lag_max_s": 1.5}}}
    assert list(found.summary) == list(SUMMARY)
    assert found.manifest["seed"] == 7
    assert found.manifest["versions"]["python"].startswith("3.")
    assert set(found.tables()) == set(TABLES)
    lag = found.table("curve/erp/lyon")
    assert np.array_equal(lag["lag_s"], TABLES["curve/erp/lyon"]["lag_s"], equal_nan=True)
    assert found.table("spans")["kind"].tolist() == ["outage"]
    assert len(found.table("events")["t"]) == 0
    assert sorted(p.name for p in directory.parent.iterdir()) == ["abababababab"]


def test_two_writes_give_the_same_bytes_but_for_the_wall(tmp_path):
    one, two = put(tmp_path / "a", wall={"wall_s": 1.0}), put(tmp_path / "b", wall={"wall_s": 2.0})
    files = tree(one)
    assert files.pop("wall.json") != tree(two)["wall.json"]
    assert files == {k: v for k, v in tree(two).items() if k != "wall.json"}
    assert str(tmp_path).encode() not in b"".join(files.values())


def test_complete_results_are_kept_unless_replaced(tmp_path):
    put(tmp_path / "r")
    (tmp_path / "r" / "mark").write_text("old")
    put(tmp_path / "r")
    assert (tmp_path / "r" / "mark").exists()
    put(tmp_path / "r", replace=True)
    assert not (tmp_path / "r" / "mark").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_a_foreign_directory_or_file_is_left_alone(tmp_path):
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "cat.jpg").write_bytes(b"x")
    for place in (foreign, foreign / "cat.jpg"):
        with pytest.raises(RecordError, match="in the way") as caught:
            put(place, replace=True)
        assert "-o" in caught.value.hint
    assert (foreign / "cat.jpg").read_bytes() == b"x"
    (tmp_path / "empty").mkdir()
    put(tmp_path / "empty")
    assert (tmp_path / "empty" / "summary.json").exists()


def test_a_file_where_a_directory_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="a file, not a directory"):
        put(tmp_path / "file" / "x" / "y")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_place(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RecordError, match="no permission"):
        put(tmp_path / "r")


def test_an_unwritable_place_even_for_root():
    with pytest.raises(RecordError, match="cannot write results to"):
        put(Path("/proc/drsim/r"))


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(path, columns):
        path.write_bytes(b"PAR1 half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(record, "write_parquet", full)
    with pytest.raises(RecordError, match="disk is full"):
        put(tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


def test_a_real_limit_on_files_leaves_nothing_behind(tmp_path):
    code = """
import resource, sys, pathlib, numpy as np
from drsim import record, whole
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
big = {"t": {"x": np.random.default_rng(1).random(100_000)}}
try:
    record.write(pathlib.Path(sys.argv[1]) / "r", summary={}, tables=big, manifest={})
except record.RecordError as error:
    sys.exit(str(error))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(record.__file__).parents[1],
        env={**os.environ, "PYTHONPATH": str(Path(record.__file__).parents[1])},
    )
    assert done.returncode == 1
    assert "larger than this system allows" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    def stop(path, columns):
        raise KeyboardInterrupt

    monkeypatch.setattr(record, "write_parquet", stop)
    with pytest.raises(KeyboardInterrupt):
        put(tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_at_any_line_leaves_the_old_results_or_the_new_ones_and_nothing_beside_them(tmp_path):
    hears, came, one = signal.getsignal(signal.SIGINT), set(), {"t": {"x": np.arange(3)}}
    for last in itertools.count():
        put(tmp_path / "r", replace=True, summary={"run": "old"}, tables=one)
        seen = 0

        def stop(frame, event, argument, last=last):
            nonlocal seen
            if frame.f_code.co_filename not in (record.__file__, whole.__file__):
                return None
            seen += event == "line"
            if seen > last:
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
            return stop

        sys.settrace(stop)
        try:
            put(tmp_path / "r", replace=True, summary={"run": "new"}, tables=one)
        except KeyboardInterrupt:
            came.add(record.read(tmp_path / "r").summary["run"])
            assert [path.name for path in tmp_path.iterdir()] == ["r"]
            assert signal.getsignal(signal.SIGINT) is hears
        else:
            break
        finally:
            sys.settrace(None)
    assert came == {"old", "new"}
    assert last > 40


def test_a_replacement_that_fails_brings_the_old_results_back(tmp_path, monkeypatch):
    put(tmp_path / "r")
    before = tree(tmp_path / "r")
    real = Path.replace

    def fail(self, target):
        if Path(target) == tmp_path / "r" and ".old." not in self.name:
            raise OSError(errno.EACCES, "Permission denied")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(RecordError, match="no permission"):
        put(tmp_path / "r", replace=True)
    monkeypatch.undo()
    assert tree(tmp_path / "r") == before


def test_reading_says_what_is_wrong(tmp_path):
    with pytest.raises(RecordError, match="no results in"):
        record.read(tmp_path)
    put(tmp_path / "r")
    with pytest.raises(RecordError, match=r"no table 'nope'.*it has: curve/erp/lyon"):
        record.read(tmp_path / "r").table("nope")
    (tmp_path / "r" / "tables" / "spans.parquet").write_bytes(b"rubbish")
    with pytest.raises(RecordError, match=r"cannot read .*spans\.parquet"):
        record.read(tmp_path / "r").table("spans")
    facts = json.loads((tmp_path / "r" / "manifest.json").read_text())
    (tmp_path / "r" / "manifest.json").write_text(json.dumps({**facts, "format": 99}))
    with pytest.raises(RecordError, match="another layout"):
        record.read(tmp_path / "r")
    (tmp_path / "r" / "manifest.json").write_text("{")
    with pytest.raises(RecordError, match="cannot read the results"):
        record.read(tmp_path / "r")


def test_nan_is_no_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        record.to_json({"a": float("nan")})
    with pytest.raises(TypeError, match="no place in a record"):
        record.to_json({"a": object()})


def test_the_key_changes_with_everything_that_can_change_a_result():
    base = {"scenario": {"a": 1, "b": [1.0]}, "seed": 7, "version": "1"}
    key = record.result_key(**base)
    assert len(key) == 64
    assert record.result_key(**{**base, "scenario": {"b": [1.0], "a": 1}}) == key
    others = [
        {**base, "scenario": {"a": 2, "b": [1.0]}},
        {**base, "seed": 8},
        {**base, "version": "2"},
        {**base, "overrides": ["a=2"]},
        {**base, "traces": {"t.csv": "00"}},
    ]
    assert len({key, *(record.result_key(**o) for o in others)}) == 6


def test_digest_of_a_file(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert record.file_digest(tmp_path / "f").startswith("ba7816bf")
    with pytest.raises(RecordError, match="cannot read"):
        record.file_digest(tmp_path / "g")


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "x" * 300, "Ärger", "con\n", "-rf"])
def test_any_name_is_one_safe_part_of_a_path(tmp_path, name):
    safe = record.safe_name(name)
    assert "/" not in safe
    assert safe not in {"", ".", ".."}
    assert len(safe) <= 100
    (tmp_path / safe).mkdir()
    directory = record.result_dir(tmp_path / "out", name, "0" * 64)
    tables = {f"curve/{name}/{name}": {"t": np.zeros(1)}}
    record.write(directory, summary={}, tables=tables, manifest={})
    assert record.read(directory).table(f"curve/{name}/{name}")["t"].tolist() == [0.0]
