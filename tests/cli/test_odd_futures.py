"""Futures that have no lag, or no verdict: they are counted, and told of, not passed over."""

from __future__ import annotations

import json
from pathlib import Path

from drsim.study.point import verdicts
from tests.cli.conftest import TINY, Drsim

SEEDED = TINY.replace(
    "{between: [a, b], type: T1, efficiency: 70 %}",
    "{between: [a, b], rate: 4 Mb/s, efficiency: 100 %,"
    " outages: [{between_failures: exponential(3 min), repair: exponential(3 min)}]}",
).replace("{v: 1 GB}", "{v: {size: 1 GB, allocated: 150 MB}}")
"""A first copy of five minutes over a link that is up for half of ten: some futures see an image, some do not."""

LOST = (
    TINY.replace("rpo: 1 min", "rpo: 1 min, rto: 5 min")
    + "runbooks: {r: {steps: {recover: lognormal(2 min, 0.8)}}}\n"
    + "disasters: [{site: a, at: 8 min, runbook: r}]\n"
)
"""A recovery that ends within the run in some futures, and never misses its objective before the run ends."""


def test_a_mean_says_in_how_many_futures_it_is_defined(drsim: Drsim, tmp_path: Path) -> None:
    (tmp_path / "seeded.yaml").write_text(SEEDED.replace("rpo: 1 min", "rpo: 1 min, seed: network"))
    shown = drsim("run", "seeded.yaml", "-n", "8", "-j", "1")
    assert shown.returncode == 3, shown.stderr
    found = json.loads(drsim("run", "seeded.yaml", "-n", "8", "-j", "1", "--json", "-").stdout)
    lag = found["estimates"]["groups.g.targets.b.lag_max_s"]
    assert 0 < lag["n"] < 8
    told = f"in {lag['n']} of 8"
    (row,) = (line for line in shown.stdout.splitlines() if line.startswith("lag max"))
    assert told in row
    assert " of 8" not in next(line for line in shown.stdout.splitlines() if line.startswith("no image"))
    compared = drsim("compare", "seeded.yaml", "faster: links.ab.rate=5 Mb/s", "-n", "8", "-j", "1")
    (row,) = (line for line in compared.stdout.splitlines() if line.startswith("lag max"))
    assert row.count(told) >= 2  # the base, and the pairs of which both have it
    swept = drsim(
        "sweep", "seeded.yaml", "--no-pictures", "--set", "links.ab.rate=4 Mb/s", "-n", "8", "-j", "1"
    )
    assert swept.stdout.count(told) == 2  # lag p99 and lag max


def test_an_objective_is_judged_in_the_futures_that_have_a_verdict(drsim: Drsim, tmp_path: Path) -> None:
    (tmp_path / "lost.yaml").write_text(LOST)
    done = drsim("run", "lost.yaml", "-n", "8", "-j", "1", "--json", "-")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    recovered = found["estimates"]["groups.g.targets.b.recovery_max_s"]["n"]
    assert 0 < recovered < 8
    (rto,) = (each for each in found["expectations"] if each["expect"].endswith("<= rto"))
    assert (rto["held"], rto["futures"]) == (recovered, recovered)
    text = drsim("run", "lost.yaml", "-n", "8", "-j", "1").stdout
    assert f"held in {recovered} of {recovered} that could judge it, of 8" in text


def test_an_objective_of_several_recoveries_must_hold_in_each() -> None:
    told = [("x <= rto", False), ("y > 0", True), ("x <= rto", True)]
    summary = {"expectations": [{"expect": text, "passed": passed} for text, passed in told]}
    assert verdicts(summary) == {"x <= rto": False, "y > 0": True}
