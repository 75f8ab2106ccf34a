"""What users write: texts accepted, texts refused with a hint, and the JSON Schema pattern that agrees."""

import pickle
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from drsim import units
from drsim.units import (
    DISTANCE,
    DURATION,
    FRACTION,
    FREQUENCY,
    MOMENT,
    RATE,
    SIZE,
    TIME_OF_DAY,
    Kind,
    parse_call,
    parse_days,
    parse_duration,
    parse_moment,
    parse_rate,
    parse_size,
)

KINDS = [DURATION, MOMENT, SIZE, RATE, FREQUENCY, FRACTION, DISTANCE, TIME_OF_DAY]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90 s", 90),
        ("9 ms", 0.009),
        ("250us", 250e-6),
        ("2 h", 7200),
        ("1 h 30 min", 5400),
        ("1h30min", 5400),
        ("1 d 03:00", 97200),
        ("2 w 1 d 00:00:30", 15 * 86400 + 30),
        ("1.5 d", 129600),
        (" 5  min ", 300),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert parse_moment(text) == seconds


def test_a_moment_may_be_a_clock_time() -> None:
    assert parse_moment("03:00") == 10800
    assert parse_moment("24:00") == 86400


@pytest.mark.parametrize(
    ("kind", "text", "problem", "hint"),
    [
        (DURATION, "30 m", "'m' is not a unit of duration", "min (minutes) or ms"),
        (DURATION, "22:30", "may be hours or minutes", "2 h 30 min"),
        (DURATION, "2 h 03:00", "may follow days only", "1 d 03:00"),
        (DURATION, "30 min 2 h", "not in order", "larger unit first"),
        (DURATION, "1 h 1 h", "not in order", "each once"),
        (DURATION, "-5 s", "may not be negative", "15 min"),
        (DURATION, "1 year", "'year' is not a unit", "365 d"),
        (DURATION, "", "'' is not a duration", "15 min"),
        (DURATION, "soon", "'soon' is not a duration", "15 min"),
        (DURATION, "1e999999999 s", "'1e999999999 s' is far out of range: two digits", "15 min"),
        (DURATION, "1e-400 h", "'1e-400 h' is far out of range", "15 min"),
        (DURATION, "1e99 h", "'1e99 h' is more than a million years", "15 min"),
        (MOMENT, "1e50 d 03:00", "more than a million years", "36 h"),
        (DURATION, "nan h", "a duration must be a finite number", "15 min"),
        (RATE, "Infinity MB/s", "a rate must be a finite number", "45 Mb/s"),
        (RATE, "1e20 b/s", "'1e20 b/s' is more than 1 PB/s", "45 Mb/s"),
        (FREQUENCY, "1e13 IOPS", "more than a million million a second", "500 /s"),
        (DISTANCE, "1e10 km", "more than a thousand million km", "640 km"),
        (FRACTION, "1e9 %", "more than a hundred million %", "70 %"),
        (DURATION, "1 s" * 40, "has more than 80 characters", "15 min"),
        (MOMENT, "1 d 25:00", "not a time of day", "08:00"),
        (SIZE, "64K", "'K' is not a unit of size", "KB (powers of 1000) or KiB (powers of 1024)"),
        (SIZE, "64 m", "'m' is not a unit of size", "MB (powers of 1000) or MiB"),
        (SIZE, "8 Gb", "'Gb' is not a unit of size", "did you mean GB?"),
        (SIZE, "8 gb", "'gb' is not a unit of size", "did you mean 'GB'?"),
        (SIZE, "5", "'5' has no unit", "200 GB or 64 KiB"),
        (SIZE, "1.5 B", "not a whole number of bytes", "200 GB"),
        (SIZE, "5 EB", "'EB' is not a unit of size", "did you mean"),
        (SIZE, "9000 PB", "more than 4 EiB", "200 GB"),
        (SIZE, "1 GB 2 MB", "is not one size", "200 GB"),
        (RATE, "5 Mbs", "'Mbs' is not a unit of rate", "did you mean 'Mbps'?"),
        (RATE, "45 Mb", "'Mb' is not a unit of rate", "did you mean Mb/s?"),
        (RATE, "45 M", "'M' is not a unit of rate", "Mb/s (bits) or MB/s (bytes)"),
        (RATE, "45 mb/s", "'mb/s' is not a unit of rate", "'MB/s' or 'Mb/s'"),
        (RATE, "1,5 MB/s", "has a comma", "with a point, like 1.5"),
        (SIZE, "1_000 GB", "'1_000 GB' has an underscore", "like 1500"),
        (SIZE, "1'000 GB", "has an apostrophe", "like 1500"),
        (FRACTION, "0.7", "'0.7' has no unit", "70 %"),
        (FREQUENCY, "500", "'500' has no unit", "500 /s"),
        (TIME_OF_DAY, "8 am", "not a time of day", "08:00"),
    ],
)
def test_refusals_name_the_problem_and_the_remedy(kind: Kind, text: str, problem: str, hint: str) -> None:
    with pytest.raises(units.UnitError) as caught:
        kind.parse(text)
    assert problem in caught.value.problem
    assert hint in caught.value.hint
    assert str(caught.value) == f"{caught.value.problem}; {caught.value.hint}"


@given(kind=st.sampled_from(KINDS), text=st.text(max_size=30))
@example(kind=SIZE, text="\u0663 GB")
@example(kind=RATE, text="1e5")
@example(kind=DURATION, text="5 ſ")
def test_no_text_crashes_a_parser(kind: Kind, text: str) -> None:
    value, error = _read(kind, text)
    assert value >= 0 if error is None else error.problem and error.hint


def _read(kind: Kind, text: str) -> tuple[float, units.UnitError | None]:
    try:
        return kind.parse(text), None
    except units.UnitError as error:
        return -1.0, error


def _written(kind: Kind) -> st.SearchStrategy[str]:
    number = st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,2})?|\.5|1e3", fullmatch=True)
    unit = st.sampled_from([*kind.units, "m", "K", "q", "Mb", "", "/s"])
    one = st.builds("{}{}{}".format, number, st.sampled_from(["", " "]), unit)
    clock = st.sampled_from([" 03:00", "03:00", " 1:5"])
    return st.one_of(one, st.builds("{} {}".format, one, one), st.builds("{}{}".format, one, clock), clock)


@given(kind=st.sampled_from(KINDS), data=st.data())
def test_whatever_parses_matches_the_schema_pattern(kind: Kind, data: st.DataObject) -> None:
    text = data.draw(_written(kind))
    pattern = f"^\\s*(?:{kind.pattern})\\s*$"
    _, error = _read(kind, text)
    only_the_parser_knows = ("in order", "whole number", "time of day", "is more than")
    if error is None:
        assert re.search(pattern, text)
    else:
        assert not re.search(pattern, text) or any(why in str(error) for why in only_the_parser_knows)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.noun)
def test_the_examples_shown_to_users_are_accepted(kind: Kind) -> None:
    for text in kind.like:
        kind.parse(text)
    assert kind.parse(kind.like[0]) > 0


class _Model(BaseModel):
    window: units.Duration
    volume: units.Size
    share: units.Fraction = 0.5
    growth: units.Ratio = 1.5
    days: units.Days = frozenset({0, 1})


def test_models_hold_si_values_and_write_back_what_the_user_wrote() -> None:
    model = _Model.model_validate({"window": "2 h", "volume": "1 GB", "days": "Sat, Sun"})
    assert (model.window, model.volume, model.days) == (7200.0, 10**9, frozenset({5, 6}))
    dumped = model.model_dump()
    assert dumped == {
        "window": "2 h",
        "volume": "1 GB",
        "share": "50 %",
        "growth": "150 %",
        "days": "Sat, Sun",
    }
    assert _Model.model_validate(dumped) == model
    assert _Model.model_validate(model.model_dump(mode="python")) == model
    assert pickle.loads(pickle.dumps(model)).model_dump() == dumped
    assert isinstance(model.volume, int)


@pytest.mark.parametrize("bad", [5, 1.5, True, None, [], {}, float("inf"), float("nan"), "120 %"])
def test_fields_refuse_bare_numbers_and_strange_types_with_a_hint(bad: object) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(units.Fraction).validate_python(bad)
    (error,) = caught.value.errors()
    assert error["ctx"]["hint"] == "write it like 70 %"


def test_zero_needs_no_unit_and_a_value_passes_through() -> None:
    duration = TypeAdapter(units.Duration)
    assert duration.validate_python(0) == 0.0
    kept = duration.validate_python("90 s")
    assert duration.validate_python(kept) is kept


def test_the_json_schema_carries_pattern_and_examples() -> None:
    schema = _Model.model_json_schema()["properties"]["window"]
    assert schema["anyOf"][1] == {"const": 0}
    assert "15 min" in schema["anyOf"][0]["examples"]
    assert re.search(schema["anyOf"][0]["pattern"], "1 d 03:00")


@given(st.floats(1e-9, 1e9))
def test_shown_durations_read_back_close_to_what_they_were(seconds: float) -> None:
    back = parse_duration(units.format_duration(seconds))
    assert back == pytest.approx(seconds, rel=0.025)


@given(st.floats(1e-9, 1e9))
def test_what_is_shown_as_enough_is_enough_and_not_much_more(seconds: float) -> None:
    back = parse_duration(units.format_enough(seconds))
    assert seconds * (1 - 1e-9) <= back <= seconds * 1.045
    assert seconds * (1 - 1e-9) <= units.rounded_up(seconds) <= seconds * 1.0101
    size = units.format_size(units.rounded_up(seconds + 1000))
    assert parse_size(size) >= (seconds + 1000) * (1 - 1e-9)


@given(st.integers(0, 2**60))
def test_shown_sizes_and_rates_read_back_to_three_digits(nbytes: int) -> None:
    text = units.format_size(nbytes)
    if not text.endswith("EB"):
        assert parse_size(text) == pytest.approx(nbytes, rel=0.006)
    rate = nbytes / 1200  # less than the most that may be said
    assert parse_rate(units.format_bits(rate)) == pytest.approx(rate, rel=0.006)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (units.format_duration(0), "0 s"),
        (units.format_duration(float("inf")), "never"),
        (units.format_duration(float("nan")), "undefined"),
        (units.format_duration(-90), "-1 min 30 s"),
        (units.format_duration(59.97), "1 min"),
        (units.format_duration(3599.7), "1 h"),
        (units.format_duration(97200), "1 d 3 h"),
        (units.format_duration(0.9996), "1 s"),
        (units.format_size(999.6), "1 kB"),
        (units.format_rate(5_625_000), "5.62 MB/s"),
        (units.format_bits(float("inf")), "unlimited b/s"),
        (units.format_size(-5), "-5 B"),
        (units.format_fraction(0.7), "70 %"),
    ],
)
def test_what_people_are_shown(shown: str, text: str) -> None:
    assert shown == text


def test_calls_and_days() -> None:
    assert parse_call("poisson") == ("poisson", [])
    assert parse_call(" zipf( 0.9 ) ") == ("zipf", ["0.9"])
    for bad in ("zipf(", "0.9", "a(b(c))", "x" * 500):
        with pytest.raises(units.UnitError):
            parse_call(bad)
    assert parse_days("Mon-Fri") == frozenset(range(5))
    assert parse_days("fri-mon, Wed") == frozenset({4, 5, 6, 0, 2})
    assert parse_days("daily") == frozenset(range(7))
    with pytest.raises(units.UnitError, match="'Funday' is not a day"):
        parse_days("Mon,Funday")
