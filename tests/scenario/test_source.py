"""Located YAML: marks, scalars of YAML 1.2, limits, and calls whose commas YAML would split at."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.scenario import ScenarioError, load, loads
from drsim.scenario.source import LARGEST_FILE, Mark, plain_value, read_source


def test_scalars_are_those_of_yaml_1_2() -> None:
    text = (
        "a: 22:30\nb: off\nc: 1_000\nd: 010\ne: 0x10\nf: 5e9\ng: ~\nh:\ni: 'null'\n"
        "j: 2026-03-02\nk: true\nl: .5\nm: .inf\n"
    )
    tree = read_source(text, "x").tree
    assert tree == {
        "a": "22:30",
        "b": "off",
        "c": "1_000",
        "d": 10,
        "e": "0x10",
        "f": 5e9,
        "g": None,
        "h": None,
        "i": "null",
        "j": "2026-03-02",
        "k": True,
        "l": 0.5,
        "m": ".inf",
    }


def test_a_number_that_no_float_comes_near_stays_a_text() -> None:
    tree = read_source("a: 1e400\nb: -1e400\nc: 1e-400\nd: 0e-400\ne: 0.0\nf: 5e-324\ng: 1e99\n", "x").tree
    assert tree == {"a": "1e400", "b": "-1e400", "c": "1e-400", "d": 0, "e": 0, "f": 5e-324, "g": 1e99}


def test_every_key_and_value_knows_its_place() -> None:
    source = read_source("a:\n  - {b: 1,   c: two}\n  - x\n1: y\n", "x")
    assert source.values[("a", 0, "c")] == Mark(2, 17)
    assert source.keys[("a", 0, "c")] == Mark(2, 14)
    assert source.values[("a", 1)] == Mark(3, 5)
    assert source.tree["1"] == "y"


def test_calls_in_flow_mappings_and_lists_are_put_together_again() -> None:
    text = "a: {b: f(1 d, 2, 3), c: 4, d: [g(1, 2), 5, h(6)], e: plain}"
    tree = read_source(text, "x").tree["a"]
    assert tree == {"b": "f(1 d, 2, 3)", "c": 4, "d": ["g(1, 2)", 5, "h(6)"], "e": "plain"}
    assert plain_value("{repair: lognormal(45 min, 1.2)}") == {"repair": "lognormal(45 min, 1.2)"}


def test_an_open_parenthesis_swallows_no_other_key() -> None:
    assert read_source("a: {b: f(1, c: 2}", "x").tree == {"a": {"b": "f(1", "c": 2}}


@given(st.text(max_size=200))
def test_no_text_crashes_the_loader(text: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(f"drsim: 1\n{text}")
    assert caught.value.render()


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_loader(data: bytes) -> None:
    path = Path("/dev/shm/drsim-test-bytes.yaml")
    path.write_bytes(data)
    with pytest.raises(ScenarioError):
        load(path)


def test_files_that_cannot_be_scenarios(tmp_path: Path) -> None:
    cases = {
        "missing.yaml": (None, "No such file or directory"),
        "binary.yaml": (b"drsim: 1\n\xff\xfe\x00", "not UTF-8 text (byte 9)"),
        "large.yaml": (b"#" * (LARGEST_FILE + 1), "larger than 10 MiB"),
        "zero.yaml": (b"drsim: 1\n\0", "unacceptable character"),
        "marked.yaml": (b"\xef\xbb\xbfdrsim: 2\n", "format version 2"),
    }
    for name, (data, message) in cases.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(ScenarioError, match=name) as caught:
            load(tmp_path / name)
        assert message in caught.value.render()
    with pytest.raises(ScenarioError, match="Is a directory"):
        load(tmp_path)


def test_an_endless_file_is_refused_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(ScenarioError, match="larger than 10 MiB"):
        load("/dev/zero")
    assert time.monotonic() - started < 5


def test_a_sparse_file_of_ten_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    huge = tmp_path / "huge.yaml"
    with huge.open("wb") as file:
        file.truncate(10 * 10**9)
    started = time.monotonic()
    with pytest.raises(ScenarioError, match="larger than 10 MiB"):
        load(huge)
    assert time.monotonic() - started < 5


def test_long_lines_and_terminal_escapes_are_shown_safely() -> None:
    with pytest.raises(ScenarioError) as caught:
        loads("drsim: 1\ntitle: 'é\tx'\nrubbish: " + "x" * 500 + "\n")
    shown = caught.value.render().splitlines()
    assert max(map(len, shown)) < 130
    assert "\t" not in "".join(shown)
