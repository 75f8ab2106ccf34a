"""Expectations: what they may be about, what is refused and where, and how they are judged."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.scenario.expect import ExpectError, Names, parse
from drsim.scenario.keys import GROUP, HOST, LINK, TARGET, find, spoken

NAMES = Names({"erp": ["lyon", "nice"], "x": ["a"]}, ["paris-lyon", "x"], ["erp-db", "x"])

SUMMARY: dict[str, Any] = {
    "groups": {
        "erp": {
            "writes": 10,
            "written_bytes": 5 * 10**9,
            "targets": {
                "lyon": {
                    "rpo_s": 900.0,
                    "lag_p99_s": 600.0,
                    "lag_p999_s": 950.0,
                    "lag_max_s": None,
                    "exposure_s": 0.0,
                    "violations": 2,
                    "violation_fraction": 0.001,
                    "violation_s": 3.0,
                    "consistent": True,
                    "journal_peak_bytes": 10**9,
                },
                "nice": {"lag_p99_s": math.nan, "consistent": False},
            },
        }
    },
    "links": {"paris-lyon": {"utilisation": 0.8}},
    "hosts": {"erp-db": {"write_latency_p99_s": 0.004}},
}


@pytest.mark.parametrize(
    ("text", "value", "passed"),
    [
        ("erp.lyon.lag.p99 <= 15 min", 600.0, True),
        ("erp.lyon.lag.p99 <= rpo", 600.0, True),
        ("erp.lyon.lag.p99.9 <= rpo", 950.0, False),
        ("erp.lyon.lag.p999 > erp.lyon.lag.p99", 950.0, True),
        ("  groups.erp.targets.lyon.lag_p99_s<9 min  ", 600.0, False),
        ("groups.erp.lyon.lag_p99 < 11 min", 600.0, True),
        ("erp.lyon.exposure == 0 s", 0.0, True),
        ("erp.lyon.exposure == 0", 0.0, True),
        ("erp.lyon.violations <= 2", 2, True),
        ("erp.lyon.violations != 2", 2, False),
        ("erp.lyon.violation.fraction <= 0.1 %", 0.001, True),
        ("erp.lyon.violation < 3 s", 3.0, False),
        ("erp.lyon.consistent == true", True, True),
        ("erp.nice.consistent == true", False, False),
        ("erp.lyon.journal_peak <= 1 GB", 10**9, True),
        ("erp.written >= 5 GB", 5 * 10**9, True),
        ("erp.writes > 9", 10, True),
        ("paris-lyon.utilisation < 80 %", 0.8, False),
        ("erp-db.write_latency.p99 <= 5 ms", 0.004, True),
        ("erp.lyon.lag.max <= 1 h", None, False),
        ("erp.nice.lag.p99 <= 1 h", None, False),
        ("erp.lyon.lag.p99 <= erp.nice.lag.p99", 600.0, False),
    ],
)
def test_judgements(text: str, value: object, passed: bool) -> None:
    verdict = parse(text, NAMES).judge(SUMMARY)
    assert verdict == (text.strip(), value, passed)


@pytest.mark.parametrize(
    ("text", "at", "problem", "hint"),
    [
        ("erp.lion.lag.p99 <= 1 s", 4, "'lion' is not a target of 'erp'", "did you mean 'lyon'?"),
        ("erp.lyon.lag.p98 <= 15 min", 9, "'lag.p98' is not a measure", "did you mean 'lag.p99'?"),
        ("erp.lyon <= 3", 0, "says nothing about it", "exposure"),
        ("erp < 3", 0, "says nothing about it", "lyon"),
        ("foo.bar < 3", 0, "names no group, target, link or host", "erp.lyon"),
        ("erp.lyon.lag.p99 <= 15", 20, "has no unit", "15 min"),
        ("erp.lyon.lag.p99 <= -15 s", 20, "may not be negative", "15 min"),
        ("erp.lyon.lag.p99 <= 15 MB", 20, "'MB' is not a unit of duration", "min"),
        ("erp.lyon.lag.p99 <=", 19, "'' is not a duration", "15 min"),
        ("erp.lyon.lag.p99 = 15 s", 17, "'=' is not a comparison", "write =="),
        ("erp.lyon.lag.p99", 0, "not a comparison", "<= 15 min"),
        ("erp.lyon.lag.p99 <= erp.lyon.violations", 20, "can't be compared", "a duration"),
        ("erp.lyon.violations <= rpo", 23, "can't be compared", "a count"),
        ("erp.lyon.violations <= 3 s", 23, "is not a number", "no unit"),
        ("erp.lyon.violations <= nan", 23, "names no group", "known"),
        ("erp.lyon.violations <= -1", 23, "is not a count", "3"),
        ("erp.lyon.consistent == 1", 23, "neither true nor false", "true"),
        ("erp.writes <= rpo", 14, "names no group", "did you mean"),
        ("x.writes > 0", 0, "more than one meaning", "hosts.x.writes or groups.x.writes"),
        ("paris-lyon.utilization < 3 %", 11, "is not a measure", "did you mean 'utilisation'?"),
        ("__import__('os').system('x') < 3", 0, "names no group", "known"),
        ("1 < erp.lyon.violations", 0, "names no group", "known"),
        ("erp.lyon.lag.p99 <= 1 s" + " " * 400, 0, "not a comparison", "write it like"),
    ],
)
def test_refusals_point_at_the_wrong_part(text: str, at: int, problem: str, hint: str) -> None:
    with pytest.raises(ExpectError) as caught:
        parse(text, NAMES)
    assert problem in caught.value.problem
    assert hint in caught.value.hint
    assert caught.value.at == at


@given(st.text(max_size=60))
def test_no_text_crashes_the_reader(text: str) -> None:
    with pytest.raises(ExpectError):
        parse(text, NAMES)


@pytest.mark.parametrize("keys", [TARGET, GROUP, LINK, HOST])
def test_each_key_is_found_by_the_name_users_are_shown(keys: dict[str, Any]) -> None:
    for key in keys:
        assert find(spoken(key), keys) == key
        assert find(key, keys) == key


def test_an_expectation_knows_its_subject() -> None:
    assert parse("erp.lyon.lag.max <= rpo", NAMES).subject == "erp.lyon"
    assert parse("paris-lyon.utilisation < 1 %", NAMES).subject == "paris-lyon"
