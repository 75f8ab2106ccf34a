"""The one door: valid scenarios become models with SI values, overrides get the same checks."""

import json
import pickle
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest

from drsim.scenario import ScenarioError, load, loads, schema
from drsim.scenario.disaster import Disaster, Operation
from drsim.scenario.source import read_source

PAIR = """
drsim: 1
duration: 1 d
sites: {a: {}, b: {}, c: {}}
links:
  ab: {between: [a, b], type: DS3, efficiency: 70 %, rtt: 9 ms}
  bc: {between: [b, c], type: T1, efficiency: 70 %}
groups:
  g:
    source: a
    volumes: {v: 1 TB, w: {size: 2 TB, allocated: 500 GB}}
    targets: {b: {rpo: 15 min, rto: 4 h}, c: {via: b}}
hosts:
  h: {site: a, writes: [{volume: g/v, rate: 2 MB/s}, {volume: g/w, rate: 500 /s}]}
"""


def test_values_are_si_and_the_rest_is_ideal() -> None:
    scenario = loads(PAIR, "folder/pair.yaml")
    group = scenario.groups["g"]
    assert scenario.duration == 86400.0
    assert scenario.start == datetime(2026, 3, 2)  # noqa: DTZ001
    assert scenario.week_offset == 0.0
    assert scenario.sites["a"].disk is None
    assert group.volumes["v"].size == 10**12
    assert group.volumes["w"].in_use == 500 * 10**9
    assert group.nbytes == 3 * 10**12
    assert group.targets["b"].rpo == 900.0
    assert group.mode.kind == "journal"
    assert group.journal.size is None
    assert scenario.hosts["h"].queue_depth is None
    assert scenario.links["ab"].rtt_s == 0.009
    assert (scenario.name, scenario.text) == ("pair", PAIR)


def test_routes_follow_links_and_cascades() -> None:
    scenario = loads(PAIR)
    assert scenario.groups["g"].feeder("c") == "b"
    assert scenario.route("g", "b") == "ab"
    assert scenario.route("g", "c") == "bc"


def test_a_scenario_survives_its_own_plain_form_and_pickling() -> None:
    scenario = loads(PAIR)
    again = loads(json.dumps(scenario.plain()))
    assert again.came_from(scenario.folder, scenario._source) == scenario
    assert pickle.loads(pickle.dumps(scenario)) == scenario
    assert pickle.loads(pickle.dumps(scenario)).text == PAIR


def test_overrides_come_before_the_checks_and_the_last_one_holds() -> None:
    changed = loads(
        PAIR,
        overrides=[
            ("links.ab.type", "T1"),
            ("links.ab.type", "OC3"),
            ("groups.g.targets.b.rpo", "5min"),
            ("hosts.h.writes[1].rate", "5 MB/s"),
            ("hosts.h.writes.0.size", "64 KiB"),
            ("groups.g.journal.size", "10 GB"),
            ("links.ab.outages", "[{at: 1 h, for: 2 min}]"),
            ("title", "'a: b'"),
        ],
        seed=9,
    )
    assert changed.links["ab"].type == "OC3"
    assert changed.groups["g"].targets["b"].rpo == 300.0
    assert changed.groups["g"].journal.size == 10**10
    assert len(changed.links["ab"].outages) == 1
    assert (changed.title, changed.seed) == ("a: b", 9)


@pytest.mark.parametrize(
    ("path", "value", "message", "hint"),
    [
        ("links.ab.type", "DS33", "'DS33' is not a link type", "DS3"),
        ("links.xy.type", "DS3", "no 'xy' in links", "known: ab, bc"),
        ("links.xy", "{between: [a, q], type: T1}", "there is no site 'q'", "known: a, b, c"),
        ("groups.g.targets.b.rpo", "15", "'15' has no unit", "15 min"),
        ("groups.g.targts", "{}", "unknown key 'targts'", "did you mean 'targets'?"),
        ("hosts.h.writes[2].rate", "1 MB/s", "hosts.h.writes has no item '2'", "it has 2"),
        ("groups.g.volumes.v.size", "1 GB", "is the plain value '1 TB'", "set it whole"),
        ("a..b", "1", "'a..b' is not a path", "write it like"),
        ("title", "[", "the value is not YAML", "quote it"),
        ("title", "!!python/name:x y", "tags (!name) are not used", "remove it"),
        ("seed", "-1", "must be at least 0", ""),
        ("duration", "", "'duration' is missing", "add duration"),
    ],
)
def test_a_bad_override_is_named_in_place_of_a_line(path: str, value: str, message: str, hint: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(PAIR, "pair.yaml", overrides=[(path, value)])
    (problem,) = caught.value.problems
    assert message in problem.message
    assert hint in problem.hint
    if path != "duration":
        assert problem.render().startswith(f"--set {path}={value}: error: ")


def test_many_bad_overrides_are_told_together() -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(PAIR, overrides=[("links.xy.type", "T1"), ("x", "["), ("hosts.h.writes.9", "1")])
    assert len(caught.value.problems) == 3


def test_the_paths_in_a_scenario_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(PAIR)
    scenario = load(tmp_path / "pair.yaml")
    assert scenario.folder == tmp_path


def test_disasters_and_operations_are_sorted_into_faults() -> None:
    scenario = loads(
        PAIR
        + """
runbooks:
  standard:
    steps: {detect: 5 min, decide: lognormal(10 min, 0.5), recover: uniform(10 min, 1 h)}
    failback: {after: 1 d, steps: {redirect: 5 min}}
disasters:
  - {site: a, at: 12 h, for: exponential(2 d), data: kept, runbook: standard, failover_to: b}
  - {site: a, at: 1 h, stages: [{after: 0, links: 50 %}, {after: 10 min, links: 0, disk: 10 %}, {after: 20 min}]}
operations:
  - {at: 6 h, do: rehearsal, group: g, to: b, for: 4 h, runbook: standard}
"""
    )
    first, second, third = scenario.faults
    assert isinstance(first, Disaster)
    assert first.lost_at == 3600 + 1200
    assert not first.keeps_data
    assert isinstance(second, Operation)
    assert second.lasts == 4 * 3600
    assert isinstance(third, Disaster)
    assert third.keeps_data
    assert third.lasts is not None
    assert third.lasts.mean() == 2 * 86400
    steps = scenario.runbooks["standard"].steps
    assert steps.decide.text == "lognormal(10 min, 0.5)"
    assert steps.attach.mean() == 0


def test_the_week_offset_counts_from_monday() -> None:
    scenario = loads(PAIR, overrides=[("start", "2026-03-04 06:30")])
    assert scenario.week_offset == 2 * 86400 + 6.5 * 3600


def test_a_link_is_chosen_where_several_join_two_sites() -> None:
    second = ("links.second", "{between: [b, a], type: T1}")
    with pytest.raises(ScenarioError, match="2 links join a and b"):
        loads(PAIR, overrides=[second])
    scenario = loads(PAIR, overrides=[second, ("groups.g.targets.b.link", "second")])
    assert scenario.route("g", "b") == "second"


def test_errors_in_one_part_hide_none_in_another() -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(PAIR.replace("rpo: 15 min", "rpo: 15").replace("g/w", "g/x").replace("[b, c]", "[b, d]"))
    assert [p.path for p in caught.value.problems] == [
        "links.bc.between[1]",
        "groups.g.targets.b.rpo",
        "hosts.h.writes[1].volume",
    ]


def test_the_json_schema_accepts_what_the_loader_accepts() -> None:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    validator = jsonschema.Draft202012Validator(made)
    tree = read_source(PAIR, "x").tree
    assert not list(validator.iter_errors(tree))
    tree["groups"]["g"]["targets"]["b"]["rpo"] = "15 m"
    tree["sitez"] = {}
    assert len(list(validator.iter_errors(tree))) == 2


def test_an_override_takes_the_place_of_what_it_can_not_stand_beside() -> None:
    faster = loads(PAIR, overrides=[("links.ab.rate", "3 Mb/s"), ("links.ab.distance", "900 km")]).links["ab"]
    assert (faster.type, faster.rtt) == (None, None)
    assert faster.nominal[0] == 375_000.0
    back = loads(PAIR, overrides=[("links.ab.rate", "3 Mb/s"), ("links.ab.rate", "null")])
    assert back.links["ab"].type is not None
    real = loads(PAIR, overrides=[("links.ab.tcp.window", "1 MiB")]).links["ab"]
    assert real.efficiency is None
    assert real.tcp is not None
    with pytest.raises(ScenarioError, match="give either type or rate"):
        loads(PAIR, overrides=[("links.ab.rate", "3 Mb/s"), ("links.ab.type", "T1")])


def test_a_file_that_is_not_there_is_looked_for_under_names_like_it(tmp_path: Path) -> None:
    for name, hint in (("two-site.yml", "did you mean"), ("other.yaml", "")):
        (tmp_path / "two-site.yaml").write_text(PAIR)
        with pytest.raises(ScenarioError) as caught:
            load(tmp_path / name)
        assert caught.value.problems[0].message == "No such file or directory"
        assert caught.value.problems[0].hint == (f"{hint} {tmp_path / 'two-site.yaml'}?" if hint else "")
