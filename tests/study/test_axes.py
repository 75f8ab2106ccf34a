"""Axes: what --set understands, and what it says when it does not."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.study.axes import parse_axis
from drsim.study.design import plan
from drsim.study.text import StudyError, split_outside
from drsim.units import parse_duration, parse_rate, parse_size


def values(option: str) -> tuple[str, ...]:
    return parse_axis(option).values


def test_a_list_is_cut_at_commas_outside_brackets_and_quotes() -> None:
    assert values("links.ab.type=T1,DS3, OC3") == ("T1", "DS3", "OC3")
    assert values("a.repair=lognormal(45 min, 1.2),exponential(20 d)") == (
        "lognormal(45 min, 1.2)",
        "exponential(20 d)",
    )
    assert values("title='a, b',\"c:d:log5\"") == ("'a, b'", '"c:d:log5"')
    assert values("x=[1, 2],{a: 1, b: 2}") == ("[1, 2]", "{a: 1, b: 2}")
    assert values("at=1 d 03:00,08:00") == ("1 d 03:00", "08:00")


@given(st.lists(st.text("abc =()0", min_size=1).filter(lambda s: s.strip() == s and s), min_size=1))
def test_what_is_joined_by_commas_is_cut_at_them(parts: list[str]) -> None:
    balanced = [f"f({p.replace('(', '').replace(')', '')}, 1)" for p in parts]
    assert split_outside(",".join(balanced), ",") == balanced


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ("s=10 GB:100 GB:log5", ("10 GB", "17.78 GB", "31.62 GB", "56.23 GB", "100 GB")),
        ("n=1:10:lin4", ("1", "4", "7", "10")),
        ("n=1:100:log3", ("1", "10", "100")),
        ("n=0.5:1.5:lin3", ("0.5", "1", "1.5")),
        ("r=0:45 Mb/s:lin4", ("0", "15 Mb/s", "30 Mb/s", "45 Mb/s")),
        ("f=10 %:150 %:lin3", ("10 %", "80 %", "150 %")),
        ("t=1 h 30 min:2 h 30 min:lin3", ("1 h 30 min", "7200 s", "2 h 30 min")),
        ("t=08:00:18:00:lin3", ("08:00", "13:00", "18:00")),
        ("s=1 KiB:3 KiB:log3", ("1 KiB", "1774 B", "3 KiB")),
        ("s=5 GB,10 GB:40 GB:log3", ("5 GB", "10 GB", "20 GB", "40 GB")),
    ],
)
def test_ranges(option: str, wanted: tuple[str, ...]) -> None:
    assert values(option) == wanted


@given(st.integers(1, 10**6), st.integers(2, 1000), st.integers(2, 30))
def test_a_log_range_has_equal_ratios_and_a_linear_one_equal_steps(low: int, ratio: int, count: int) -> None:
    option = f"r={low} kb/s:{low * ratio} kb/s"
    rates = np.array([parse_rate(v) for v in values(f"{option}:log{count}")])
    np.testing.assert_allclose(np.diff(np.log(rates)), np.log(ratio) / (count - 1), atol=2e-3)
    steps = np.array([parse_rate(v) for v in values(f"{option}:lin{count}")])
    np.testing.assert_allclose(steps, np.linspace(steps[0], steps[-1], count), rtol=1e-3)
    assert rates[0] == steps[0] == low * 125


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("rate", "'rate' has no path; write PATH=VALUE, like links.paris-lyon.rate=45 Mb/s"),
        ("a=", "a: there is no value"),
        ("a=1,,2", "a: a value is missing; write PATH=V1,V2 without a comma at the end"),
        ("a=f(1,2", "'f(1,2': ')' is missing; quote the whole option for the shell"),
        ("a=f)1", "'f)1': ')' at character 2 closes nothing"),
        ("a=10 GB:100 GB", "a: '10 GB:100 GB' does not say how to fill the range; write 10 GB:100 GB:log5"),
        ("a=100 GB:10 GB:log5", "a: '100 GB:10 GB:log5' does not rise; write 10 GB:100 GB:log5"),
        ("a=0:10 GB:log5", "a: a log range can't begin at 0; write 0:10 GB:lin5"),
        ("a=10 GB:5 min:lin5", "'10 GB' and '5 min' are not quantities of one kind"),
        ("a=1 d:2 d 03:00:lin3", "can't tell where the range is cut; write both ends in the same form"),
        ("a=1 GB:2 GB:log1", "a: a range of 1 values; write from 2 to 10000, like log5"),
        ("a=1:3:lin9", "a: '1:3:lin9' gives the same value twice; ask for fewer values"),
        ("a=1 GB,2 GB:3 GB:log", "a: a range without a count can't share a list; write 2 GB:3 GB:log5"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_a_hint(option: str, said: str) -> None:
    with pytest.raises(StudyError) as refused:
        parse_axis(option)
    assert said in str(refused.value)


def test_a_grid_crosses_its_axes_the_last_one_fastest() -> None:
    design = plan([parse_axis("a=1,2"), parse_axis("mode=sync"), parse_axis("b=x,y,z")])
    assert design.fixed == (("mode", "sync"),)
    assert design.paths == ("a", "b")
    assert design.rows == tuple(itertools.product("12", "xyz"))
    assert design.overrides(design.rows[1]) == (("mode", "sync"), ("a", "1"), ("b", "y"))


def test_zipped_axes_step_together_and_cross_the_others() -> None:
    design = plan([parse_axis("a=1,2")], [parse_axis("l=T1,DS3"), parse_axis("j=10 GB,20 GB")])
    assert design.rows == (
        ("1", "T1", "10 GB"),
        ("1", "DS3", "20 GB"),
        ("2", "T1", "10 GB"),
        ("2", "DS3", "20 GB"),
    )
    assert plan([], [parse_axis("l=T1,T1,DS3"), parse_axis("j=1,2,1")]).rows == (
        ("T1", "1"),
        ("T1", "2"),
        ("DS3", "1"),
    )


def test_without_axes_there_is_one_point() -> None:
    assert plan([]).rows == ((),)
    assert plan([parse_axis("a=1")]).rows == ((),)


def test_few_trials_hold_every_value() -> None:
    design = plan([parse_axis("a=1:20:lin20"), parse_axis("b=1:30:lin30"), parse_axis("c=x,y")])
    trials = design.trials()
    assert len(trials) < 60
    assert {pair for trial in trials for pair in trial} == {
        pair for row in design.rows for pair in design.overrides(row)
    }


def test_a_latin_hypercube_has_one_point_in_each_slice_of_each_range() -> None:
    axes = [parse_axis("s=1 GB:1 TB:log"), parse_axis("t=0:64 s:lin"), parse_axis("m=a,b")]
    design = plan(axes, kind="lhs", samples=64, rng=np.random.default_rng(1))
    sizes = np.array([parse_size(row[0]) for row in design.rows])
    times = np.array([parse_duration(row[1]) for row in design.rows])
    # The texts keep four digits, so a point may lie on the edge of its slice: hence the small shift.
    slices = np.floor(np.log(sizes / 1e9) / np.log(1000) * 64 + 1e-9).astype(int)
    assert len(set(slices)) >= 62
    assert len(set(np.floor(times).astype(int))) >= 62
    assert [row[2] for row in design.rows].count("a") == 32


def test_a_sobol_design_is_balanced_and_repeats_with_its_stream() -> None:
    axes = [parse_axis("x=0.0:1:lin"), parse_axis("y=0.0:1:lin")]
    zips = [parse_axis("l=T1,DS3"), parse_axis("j=1,2")]
    one, two = (plan(axes, zips, "sobol", 64, np.random.default_rng(5)) for _ in range(2))
    assert one == two
    assert one.paths == ("x", "y", "l", "j")
    assert [row[2] for row in one.rows].count("T1") == 32
    quarters = {(float(r[0]) < 0.5, float(r[1]) < 0.5): 0 for r in one.rows}
    for row in one.rows:
        quarters[float(row[0]) < 0.5, float(row[1]) < 0.5] += 1
    assert set(quarters.values()) == {16}


@pytest.mark.parametrize(
    ("sets", "zips", "options", "said"),
    [
        (["a=1,1"], [], {}, "a: '1' is given twice; each point runs once; see --replications"),
        (["a=1", "a=2"], [], {}, "a is set 2 times; give all its values at once: a=V1,V2"),
        (["a=1 s:9 s:log"], [], {}, "a: a grid needs to know how many values; write log5 or lin5"),
        (["a=1,2"], [], {"samples": 4}, "--samples goes with --design lhs or sobol"),
        (["a=1,2"], [], {"kind": "lhs"}, "how many points shall lhs draw?; add --samples 64"),
        (["a=1,2"], [], {"kind": "sobol", "samples": 100}, "write --samples 64 or 128"),
        (["a=1 s:9 s:log3"], [], {"kind": "lhs", "samples": 8}, "write lin or log without a number"),
        (["a=1"], [], {"kind": "lhs", "samples": 8}, "nothing to draw lhs points from"),
        ([], ["a=1,2", "b=1,2,3"], {}, "a has 2, b has 3; use --set to cross them"),
        ([], ["a=1 s:9 s:log"], {"kind": "lhs", "samples": 8}, "a zipped axis needs to know how many values"),
        (["a=1:10000:lin10000", "b=1:10000:lin10000"], [], {}, "a grid of 100000000 points"),
    ],
)
def test_designs_that_can_not_be_meant(sets: list[str], zips: list[str], options: dict, said: str) -> None:
    with pytest.raises(StudyError) as refused:
        plan([parse_axis(s) for s in sets], [parse_axis(z) for z in zips], **options)
    assert said in str(refused.value)
