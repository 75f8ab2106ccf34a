"""Published schemas: closed, valid themselves, and met by what every command really writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from drsim.cli.main import cli
from drsim.cli.schema import NAMES, schema_of
from drsim.report.schema import SCHEMAS
from drsim.report.schema.summary import SECTIONS
from drsim.scenario import keys, load
from drsim.simulation import run

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))

LATE = """drsim: 1
start: 2026-03-02 00:00
duration: 20 min
sites: {a: {}, b: {}}
links: {ab: {between: [a, b], type: T1, efficiency: 70 %, outages: [{at: 5 min, for: 5 min}]}}
groups:
  g: {source: a, volumes: {v: 1 GB}, targets: {b: {rpo: 1 min}}, journal: {size: 10 MB, on_full: track}}
hosts: {h: {site: a, writes: [{volume: g/v, rate: 50 kB/s, size: 8 KiB, arrivals: poisson}]}}
expect: [g.b.lag.max <= 10 s]
"""


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "late.yaml").write_text(LATE)
    (tmp_path / "trace.csv").write_text(
        "t_us,dev,op,offset_bytes,length_bytes\n"
        + "".join(f"{t * 100_000},d,W,{t % 7 * 8192},8192\n" for t in range(200))
    )
    return "late.yaml"


def call(*arguments: str) -> Any:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def meets(name: str, content: Any) -> None:
    validator = jsonschema.Draft202012Validator(schema_of(name))
    faults = [f"{list(e.path)}: {e.message}" for e in validator.iter_errors(content)]
    assert not faults, faults[:3]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid_and_has_its_name(name: str) -> None:
    schema = call("schema", name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema == schema_of(name)
    assert name == "scenario" or schema["$id"] == f"urn:drsim:{name}:1"


def test_every_schema_can_be_asked_for() -> None:
    assert list(NAMES) == ["scenario", *SCHEMAS]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_object_is_closed(name: str) -> None:
    def look(part: Any) -> None:
        if isinstance(part, dict):
            if part.get("type") == "object":
                assert part["additionalProperties"] is False or "properties" not in part, part
                assert "additionalProperties" in part
            for each in part.values():
                look(each)
        elif isinstance(part, list):
            for each in part:
                look(each)

    look(SCHEMAS[name]())


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_the_summary_of_every_shipped_scenario(file: Path) -> None:
    """Shortened: what happens to it happens in the first hour of two; one that ends by itself runs whole."""
    scenario = load(file)
    early = [(f"{kind}[{i}].at", "30 min") for kind in ("disasters", "operations") for i in range(9)]
    there = [pair for pair in early if int(pair[0][-5]) < len(getattr(scenario, pair[0].split("[")[0]))]
    whole = scenario.duration is None or scenario.duration <= 7200
    summary = run(scenario if whole else load(file, [("duration", "2 h"), *there])).summary
    meets("summary", json.loads(json.dumps(summary | {"wall_s": 1.0, "writes_per_wall_s": 2.0})))


def test_what_an_expectation_can_be_about_is_in_the_schema() -> None:
    sections = {"target": keys.TARGET, "group": keys.GROUP, "link": keys.LINK, "host": keys.HOST}
    for name, expected in sections.items():
        assert set(expected) <= {key.name for key in SECTIONS[name]}, name


def test_what_commands_write(late: str) -> None:
    set_type = ["--set", "links.ab.type=T1,E1"]
    until = ["--vary", "links.ab.rate", "--until", "g.b.lag.max <= 6 min", "--between", "1 Mb/s:4 Mb/s"]
    rpos = ["--set", "groups.g.targets.b.rpo=1 min,2 min"]
    to = ["-q", "-j", "1", "--json", "-"]
    meets("futures", call("run", late, "-n", "2", "--set", "expect=[]", *to))
    meets("sweep", call("sweep", late, *set_type, "--exit-zero", "--no-pictures", *to))
    meets("kept", call("size", late, "--rpo", "g.b", *set_type, *to))
    meets("size", call("size", late, *until, *to))
    meets("sizes", call("size", late, *until, *rpos, *to))
    meets("compare", call("compare", late, "links.ab.type=E1", "-n", "2", *to))
    meets("problems", call("validate", late, "--format", "json"))
    call("run", late, "--set", "expect=[]", "--no-pictures", "-q", "--json", "-")
    (place,) = Path("results/late").glob("*/tables")
    for at in ("0 s", "7 min", "10 min 5 s", "20 min"):
        meets("explain", call("explain", str(place.parent), "--at", at, "--json", "-"))


def test_what_planning_commands_write(late: str) -> None:
    meets("links", call("links", "--json"))
    meets("seed-time", call("seed-time", "2 TB", "--change", "10 MB/s", "--json"))
    meets(
        "trace",
        call("trace", "trace.csv", "--rpo", "1 s", "--link", "1 kb/s", "--outage", "1 min", "--json", "-"),
    )
