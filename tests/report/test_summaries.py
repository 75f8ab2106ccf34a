"""The printed summary, JUnit XML, the words numbers are written in, and the explanation of an instant."""

from __future__ import annotations

import copy
import io
import shutil
from pathlib import Path

import junitparser
import numpy as np
import pytest
from rich.console import Console

from drsim import record
from drsim.report import values
from drsim.report.assumptions import assumptions
from drsim.report.directory import answer as answer_of
from drsim.report.directory import plot
from drsim.report.directory import report as report_of
from drsim.report.explain import clock, explain, tell
from drsim.report.findings import share, verdict, worst
from drsim.report.html import html
from drsim.report.junit import junit
from drsim.report.source import Source
from drsim.report.tables import tables
from drsim.report.terminal import show
from drsim.scenario import loads
from drsim.simulation import run

DAY = 86400.0


def printed(source, width=140, **more):
    out = io.StringIO()
    show(source, Console(file=out, width=width, **more))
    return out.getvalue()


def test_the_verdict_comes_first_then_what_failed(week):
    lines = printed(week).splitlines()
    assert lines[0].startswith("FAILED Three business-continuity sites")
    assert lines[0].endswith("2 of 3 expectations failed")
    assert lines[1].startswith("mail: nice misses its 30 min RPO")
    assert lines[2].startswith("  ✗ erp.lyon.lag.p99 <= 15 min   is ")
    assert "  ✓ links.paris-lyon.utilisation <= 90 %" in printed(week)
    assert any(line.startswith("files & <shares> → paris") and "never" in line for line in lines)
    assert lines[-1].endswith("simulated in 3.21 s")


def test_piped_output_has_no_colour_and_a_terminal_has(week, monkeypatch):
    assert "\x1b" not in printed(week)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in printed(week, force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    coloured = printed(week, force_terminal=True)
    assert "\x1b[31m" not in coloured
    assert "\x1b[1;31m" not in coloured


@pytest.mark.parametrize("width", [40, 60, 76, 80, 100, 200])
def test_nothing_is_lost_in_a_narrow_terminal(week, width):
    wide, narrow = printed(week, 500), printed(week, width)
    assert sorted(set(narrow.split())) == sorted(set(wide.split()))
    lines = [line for line in narrow.splitlines() if not line.startswith(("  ✓", "  ✗"))]
    for start in ("erp → lyon ", "mail → nice ", "files & <shares> → paris "):
        assert any(start.strip() in line for line in lines)
    assert all(len(line) <= width for line in lines if "→" in line)
    assert any("loss p99" in line for line in lines)


def test_names_are_not_markup(tiny):
    text = printed(tiny(name="[red]x[/red]", target="[/]"))
    assert "[red]x[/red] → [/]" in text


@pytest.mark.parametrize("odd", [{}, {"rpo": None}, {"exposed": [(0.0, 100.0)]}, {"duration": 0.0}])
def test_odd_runs_are_printed(tiny, odd):
    text = printed(tiny(**odd))
    assert text.startswith("DONE tiny: No expectations stated.")
    assert "None" not in text
    assert "nan" not in text


MEANT = """
drsim: 1
duration: 6 min
sites: {a: {}, b: {}}
links: {ab: {between: [a, b], rate: 8 Mb/s, efficiency: 100 %}}
groups: {g: {source: a, volumes: {v: 1 GB}, targets: {b: {rpo: 1 min, snapshots: [{every: 1 min, keep: 9}]}}}}
hosts: {h: {site: a, writes: [{volume: g/v, rate: 20 kB/s, size: 4 KiB}]}}
disasters: [{site: a, at: 5 min, before: 2 min}]
"""


def test_what_was_given_up_on_purpose_is_told_wherever_an_rpo_is_said_to_be_kept():
    done = run(loads(MEANT))
    source = Source(done.summary, done.tables)
    said = "Every stated RPO was kept; the takeover of g at b gave up 3 min on purpose."
    assert said in printed(source).splitlines()[0]
    assert said in html(source)
    assert said in junit([("meant", done.summary, "")]).decode()
    newest = run(loads(MEANT.replace(", before: 2 min", "")))
    assert verdict(Source(newest.summary))[1] == "No expectations stated. Every stated RPO was kept."


def test_a_target_without_an_image_after_a_move_keeps_no_rpo():
    """c was ahead of b, so b copies all of it (1 GB over 1 MB/s): that counts like any other target's time."""
    moved = MEANT.replace("{a: {}, b: {}}", "{a: {}, b: {}, c: {}}").replace("5 min, before: 2 min", "5 min")
    more = "links: {ac: {between: [a, c], rate: 8 Mb/s}, bc: {between: [b, c], rate: 8 Mb/s}, "
    moved = (
        moved.replace("8 Mb/s", "160 kb/s")
        .replace("links: {", more)
        .replace("targets: {", "targets: {c: {rpo: 30 s}, ")
    )
    moved = moved.replace("at: 5 min}", "at: 5 min, failover_to: b}")
    source = Source(run(loads(moved)).summary)
    said = "RPO violated: g at c (while b was source)."
    assert verdict(source) == (None, f"No expectations stated. {said}")
    assert worst(source) == "g (while b was source): c never has a consistent image"
    assert said in printed(source)
    assert any(
        line.startswith("g at b ") and line.endswith("c 1 min") for line in printed(source).splitlines()
    )


def test_a_link_that_starts_slowly_is_not_said_to_have_no_tcp():
    """Without `tcp` a link with a round trip has slow start; one without has none, and one with `efficiency` no TCP."""
    links = {"far": {"type": "T1", "rtt": "30 ms"}, "near": {"type": "T1"}, "flat": {"efficiency": "70 %"}}
    far, near, flat = (
        assumptions(Source({}, {}, {"scenario_data": {"links": {name: link}}}))[0]
        for name, link in links.items()
    )
    assert "starts slowly" in far
    assert "no limit" in near
    assert "no TCP model" in flat


def test_verdicts(week, tiny):
    good = [{"expect": "a < 1 s", "value": 0.5, "passed": True}]
    assert verdict(Source({**week.summary, "expectations": good})) == (True, "the expectation is met")
    assert verdict(Source({**week.summary, "expectations": good * 2})) == (True, "all 2 expectations met")
    assert verdict(week) == (False, "2 of 3 expectations failed")
    assert verdict(tiny()) == (None, "No expectations stated. Every stated RPO was kept.")
    late = tiny(writes=[(1.0, 99.0)])
    assert verdict(late) == (None, "No expectations stated. RPO violated: g at t.")
    assert worst(late) == "g: t misses its 1 min RPO for 38 s (38 % of the time)"
    assert worst(Source({"duration_s": 1.0})) == ""
    assert worst(tiny(exposed=[(0.0, 100.0)])) == "g: t never has a consistent image"
    assert worst(tiny(rpo=None, writes=[(1.0, 3.0)])) == "g: t is at most 2 s behind"


@pytest.mark.parametrize(
    ("expect", "value", "text"),
    [
        ("erp.lyon.lag.p99 <= 15 min", 1020.0, "17 min"),
        ("erp.lyon.loss.max < 3 GB", 4_000_000_000, "4 GB"),
        ("links.l.utilisation <= 90 %", 0.954, "95.4 %"),
        ("erp.lyon.lag.p99.9 <= rpo", 60.0, "1 min"),
        ("erp.lyon.violation <= 0.5 h", 90.0, "1 min 30 s"),
        ("l.down == 0 s", 5.0, "5 s"),
        # Three digits would make a miss look like a hit.
        ("erp.lyon.lag.max <= 15 min", 900.004, "15 min (900.004 s)"),
        ("erp.lyon.lag.max <= 15 min", 900.0, "15 min"),
        ("erp.lyon.loss.max < 3 GB", 3_000_000_512, "3 GB (3000000512 B)"),
        ("links.l.utilisation <= 90 %", 0.90004, "90 % (90.004 %)"),
        ("something.else < 3", 2.5, "2.5"),
        ("erp.lyon.violations == 0", 3, "3"),
        ("erp.lyon.consistent == true", True, "true"),
        ("erp.lyon.delay.p99 <= 1 s", None, "undefined"),
    ],
)
def test_values_are_written_in_the_expectations_unit(expect, value, text):
    assert values.expected(expect, value) == text


def test_small_and_large_shares():
    assert [share(v) for v in (0.0, 0.00004, 0.0234, 0.0999, 0.48, 1.0)] == [
        "0 %",
        "0.004 %",
        "2.3 %",
        "10 %",
        "48 %",
        "100 %",
    ]


def test_junit_is_read_back_by_another_reader(week):
    text = junit(
        [
            ("three_site", week.summary, ""),
            ("rate=1\x00 <b>", None, "Traceback\nMemoryError: \x1b[31mno room"),
            ("plain", {**week.summary, "expectations": []}, ""),
        ]
    )
    suites = list(junitparser.JUnitXml.fromstring(text))
    assert [(s.name, s.tests, s.failures, s.errors) for s in suites] == [
        ("three_site", 3, 2, 0),
        ("rate=1? <b>", 1, 0, 1),
        ("plain", 1, 0, 0),
    ]
    cases = list(suites[0])
    assert [c.name for c in cases] == [e["expect"] for e in week.summary["expectations"]]
    assert {c.classname for c in cases} == {"three_site"}
    assert "but it is 4 h 48 min" in cases[1].result[0].message or "but it is" in cases[0].result[0].message
    assert cases[2].is_passed
    (broken,) = list(suites[1])
    assert broken.result[0].message == "MemoryError: ?[31mno room"
    assert junit([("three_site", week.summary, "")]) == junit([("three_site", week.summary, "")])


def answer(source, at, group):
    (each,) = explain(source, at, group)
    return each, tell(each, source.start)


def test_an_outage_is_named_while_it_lasts_and_while_it_is_caught_up(week):
    each, lines = answer(week, DAY + 4.9 * 3600, "erp")
    assert each.cause == "outage"
    assert each.violated
    assert lines[0].startswith(
        "erp at lyon, 1 d 04:54:00 (Tue 2026-03-03 04:54:00): lag is 1 h 54 min, beyond the RPO"
    )
    assert "because the link was down" in lines[0]
    assert any(
        line.startswith("  now: outage at paris-lyon, since 1 h 54 min, for 6 min more") for line in lines
    )
    each, lines = answer(week, DAY + 5.05 * 3600, "erp")
    assert each.cause == "outage"
    assert lines[0].endswith("because the link was down, and that is not caught up yet")
    assert sum(each.shares.values()) == pytest.approx(each.lag_s)


def test_exposure_and_events_around_it(week):
    each, lines = answer(week, 3.0 * DAY, "mail")
    assert each.lag_s is None
    assert each.violated
    assert "no consistent image exists there" in lines[0]
    assert "  2 h 24 min before: mail: resync begins" in lines
    assert "  2 h 24 min after: mail: resync ends (order regained)" in lines
    assert any("journal holds" in line for line in lines)


def test_a_quiet_instant_and_a_cycle(week):
    _each, lines = answer(week, 0.0, "erp")
    assert lines[0].endswith("nothing is missing, lag is 0")
    found = explain(week, 2 * DAY)
    assert [(e.group, e.target) for e in found] == [(g, t) for g, t, _ in week.targets()]
    assert not any(e.violated for e in found)
    said = tell(found[0])[0]
    assert "on their way" in said or "lag is 0" in said


def test_causes_of_the_explanation_agree_with_the_summary(week):
    numbers = week.groups()["erp"]["targets"]["lyon"]
    assert set(numbers["violation_s_by_cause"]) == {"outage"}
    table = week.tables["spans"]
    begun = [
        b
        for b, k, s in zip(table["begin"], table["kind"], table["subject"], strict=True)
        if k == "violation" and s == "erp/lyon"
    ]
    for begin in begun:
        assert explain(week, begin + 1.0, "erp")[0].cause == "outage"


def test_bad_questions_are_answered(week):
    with pytest.raises(ValueError, match="lies outside the run, which is from 0 s to 4 d"):
        explain(week, 5 * DAY)
    with pytest.raises(ValueError, match=r"no group 'crm' .*there are: erp, mail"):
        explain(week, 1.0, "crm")
    with pytest.raises(ValueError, match="no lag curves"):
        explain(Source(week.summary), 1.0)


def test_clock():
    assert clock(0.0, None) == "00:00:00"
    assert clock(93_599.9999999, None) == "1 d 02:00:00"
    assert clock(1.25, None) == "00:00:01.250"


def test_results_survive_the_disk(week, tmp_path):
    directory = record.result_dir(tmp_path, week.name, "ab" * 32)
    record.write(directory, summary=week.summary, tables=week.tables, manifest=dict(week.facts))
    again = Source.of(record.read(directory))
    assert [tell(e, again.start) for e in explain(again, 3 * DAY)] == [
        tell(e, week.start) for e in explain(week, 3 * DAY)
    ]
    assert printed(again) == printed(week)
    assert again.links("erp") == ["paris-lyon"]
    assert np.array_equal(again.curve("erp", "lyon")["t"], week.curve("erp", "lyon")["t"])


@pytest.fixture(scope="module")
def kept(week, tmp_path_factory):
    directory = tmp_path_factory.mktemp("results") / "abc"
    return record.write(directory, summary=week.summary, tables=week.tables, manifest=dict(week.facts))


@pytest.mark.parametrize("at", ["1 d 04:54", "28.9 h", "2026-03-03 04:54"])
def test_a_directory_answers_for_a_time_in_any_form(kept, at):
    lines = answer_of(kept, at, "erp").lines()
    assert lines[0].startswith("erp at lyon, 1 d 04:54:00 (Tue 2026-03-03 04:54:00): lag is 1 h 54 min")


def test_a_directory_refuses_what_it_cannot_answer(kept, tmp_path):
    with pytest.raises(ValueError, match="36 h"):
        answer_of(kept, "yesterday")
    with pytest.raises(ValueError, match="outside the run"):
        answer_of(kept, "2027-01-01")
    with pytest.raises(record.RecordError, match="no results in"):
        answer_of(tmp_path, "1 h")
    record.write(tmp_path / "s" / "points" / "p", summary={}, tables={}, manifest={})
    with pytest.raises(record.RecordError, match="give a directory that drsim run has written"):
        answer_of(tmp_path / "s", "1 h")
    shutil.copytree(kept, tmp_path / "s" / "key")
    for folder in (tmp_path, tmp_path / "s"):
        with pytest.raises(record.RecordError, match=f"the newest below it are in {tmp_path}/s/key"):
            answer_of(folder, "1 h")
    bare = record.write(tmp_path / "b", summary=dict(record.read(kept).summary), tables={}, manifest={})
    with pytest.raises(ValueError, match="has no start"):
        answer_of(bare, "2026-03-03 04:54")


def test_results_that_are_not_what_they_should_be_are_refused_by_name(kept, tmp_path):
    def spoilt(name, file, text):
        place = Path(shutil.copytree(kept, tmp_path / name))
        if isinstance(text, dict):
            record.write_parquet(place / file, text)
        else:
            (place / file).write_text(text)
        with pytest.raises(record.RecordError) as refused:
            answer_of(place, "1 h")
        return str(refused.value)

    assert "another layout" in spoilt("a", "summary.json", "[]")
    assert "another layout" in spoilt("b", "manifest.json", '{"format": 1}')
    assert "another layout" in spoilt("c", "manifest.json", '{"format": 2}')
    assert "lack schema_version: run the scenario again" in spoilt("d", "summary.json", "{}")
    assert "lack begin of spans" in spoilt("e", "tables/spans.parquet", {"x": [1.0]})
    assert "spans.parquet" in spoilt("f", "tables/spans.parquet", "broken")
    assert "cannot read the results" in spoilt("g", "summary.json", "{")


def test_a_directory_gives_pictures_and_a_report(kept, tmp_path):
    assert report_of(kept, tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    with pytest.raises(record.RecordError, match="cannot write the report"):
        report_of(kept, tmp_path / "r.html" / "x.html")
    with pytest.raises(record.RecordError, match="cannot write pictures"):
        plot(kept, tmp_path / "r.html")
    assert {p.suffix for p in plot(kept, tmp_path / "pictures")} == {".png", ".svg"}


def test_the_share_beyond_the_rpo_is_the_summarys_own(week):
    """Where a target's window ends before the run, as at a site's loss, it is a share of that window."""
    summary = copy.deepcopy(dict(week.summary))
    numbers = next(facts for _, _, facts in Source(summary).targets() if facts.get("violation_s"))
    numbers["violation_fraction"] = 0.4321
    cut = Source(summary, week.tables, week.facts)
    for text in (printed(cut), " ".join(cell for t in tables(cut) for row in t.rows for cell in row)):
        assert text.count("(43 %)") == 1
    assert any(
        "43 %" in worst(Source({**summary, "groups": {name: group}}))
        for name, group in summary["groups"].items()
    )
