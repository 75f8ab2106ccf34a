"""Warnings: each on a scenario that deserves it, its number worked out here; none on one that does not."""

import pytest

from drsim.scenario import ScenarioError, examine, loads, warnings

GOOD = """
drsim: 1
duration: 7 d
sites: {a: {disk: {write: 100 MB/s}}, b: {disk: {write: 100 MB/s}}}
links: {ab: {between: [a, b], type: DS3, efficiency: 70 %}}
groups: {g: {source: a, volumes: {v: 100 GB}, targets: {b: {rpo: 15 min}}, journal: {size: 10 GB}}}
hosts: {h: {site: a, writes: [{volume: g/v, rate: 1 MB/s}]}}
"""


def test_a_sound_scenario_has_no_warnings() -> None:
    assert warnings(loads(GOOD)) == []


@pytest.mark.parametrize(
    ("overrides", "code", "number", "remedy"),
    [
        # DS3: 43.2 Mb/s x 70 % = 3.78 MB/s; 4 MB/s leave 0.22 MB/s x 86400 s = 19.0 GB a day
        ({"hosts.h.writes[0].rate": "4 MB/s"}, "link-too-slow", "19 GB a day", "OC1 is big enough"),
        # half of the time nothing: 8 MB/s are needed, and OC3 at 70 % gives 13.56 MB/s, half of it 6.8; OC12 27.2
        (
            {
                "links.ab.outages": "[{at: 0, for: 84 h}]",
                "hosts.h.writes[0].rate": "7 MB/s",
                "groups.g.journal": "{}",
            },
            "link-too-slow",
            "carries 1.89 MB/s",
            "OC12 is big enough",
        ),
        # reverse direction of the link, throttled to 0.5 MB/s all week
        (
            {
                "links.ab.between": "[b, a]",
                "links.ab.throttle": "[{from: 00:00, to: 00:00, to_rate: 500 kB/s}]",
            },
            "link-too-slow",
            "carries 500 kB/s",
            "no type is big enough",
        ),
        # 2 TB / (3.78 - 1) MB/s = 719424 s = 8 d 8 h
        (
            {"groups.g.targets.b.seed": "network", "groups.g.volumes.v": "2 TB"},
            "seed-too-long",
            "8 d 8 h",
            "ship disks",
        ),
        (
            {"groups.g.mode": "{kind: snapshot, every: 15 min}"},
            "interval-too-long",
            "every 15 min",
            "7 min 30 s",
        ),
        # 15 min x 1 MB/s = 900 MB at 3.78 MB/s: 3 min 58 s of each 15 min, as the white paper's trap says
        (
            {"groups.g.mode": "{kind: snapshot, every: 15 min}"},
            "interval-too-long",
            "for up to 26.5 % of the time",
            "at most 7 min 30 s, or promise an RPO of 18 min 58 s",
        ),
        (
            {"groups.g.targets.b.staging": "{size: 50 kB}", "links.ab.rtt": "100 ms"},
            "staging-too-small",
            "500 kB/s",
            "100 kB",
        ),
        ({"groups.g.mode": "{kind: cycle, every: 10 min}"}, "interval-too-long", "10 min", "7 min 30 s"),
        # 44.21 Mb/s x 100 ms = 552.6 kB; 64 KiB / 100 ms = 5.24 Mb/s of stream
        (
            {"links.ab": "{between: [a, b], type: DS3, rtt: 100 ms, tcp: {window: 64 KiB}}"},
            "window-too-small",
            "65.5 kB of windows over 100 ms",
            "553 kB",
        ),
        # 1 MB/s x 4 h = 14.4 GB > 10 GB, full after 2 h 47 min
        ({"links.ab.outages": "[{at: 1 d, for: 4 h}]"}, "journal-too-small", "2 h 47 min", "14.4 GB"),
        # the same 4 h in two that overlap, and in two that touch
        (
            {"links.ab.outages": "[{at: 26 h, for: 2 h}, {at: 1 d, for: 3 h}]"},
            "journal-too-small",
            "lasts 4 h",
            "14.4 GB",
        ),
        (
            {"links.ab.outages": "[{at: 1 d, for: 2 h}, {at: 26 h, for: 2 h}]"},
            "journal-too-small",
            "lasts 4 h",
            "14.4 GB",
        ),
        # a link that is never there: no type is big enough
        ({"links.ab.outages": "[{at: 0, for: 7 d}]"}, "link-too-slow", "carries 0 B/s", "no type is"),
        ({"sites.a.disk.write": "500 kB/s"}, "disk-too-slow", "takes 500 kB/s", "faster"),
        ({"disasters": "[{site: a, at: 8 d}]"}, "never", "the run ends after 7 d", "earlier"),
        ({"links.ab.outages": "[{at: 7 d, for: 2 h}]"}, "never", "the run ends after 7 d", "earlier"),
        ({"links.ab.throttle": "[{at: 8 d, for: 2 h, to_rate: 0}]"}, "never", "after 7 d", "earlier"),
        ({"hosts": "{}"}, "idle", "no host writes", "g/v"),
    ],
)
def test_each_warning(overrides: dict[str, str], code: str, number: str, remedy: str) -> None:
    found = [w for w in warnings(loads(GOOD, overrides=[*overrides.items()])) if w.code == code]
    assert len(found) == 1
    assert number in found[0].message
    assert remedy in found[0].hint


def test_chance_is_not_planned_and_a_folding_mode_may_keep_up() -> None:
    outages = "[{between_failures: exponential(2 d), repair: fixed(9 h)}]"
    assert warnings(loads(GOOD, overrides=[("links.ab.outages", outages)])) == []
    folding = [("hosts.h.writes[0].rate", "4 MB/s"), ("groups.g.mode", "{kind: cycle, every: 30 s}")]
    assert warnings(loads(GOOD, overrides=folding)) == []


def test_a_file_that_a_link_names_must_be_there() -> None:
    outages = "[{between_failures: exponential(2 d), repair: empirical(none.csv)}]"
    with pytest.raises(ScenarioError, match=r"none\.csv"):
        loads(GOOD, overrides=[("links.ab.outages", outages)])


def test_warnings_know_their_line(tmp_path: object) -> None:
    file = tmp_path / "slow.yaml"  # type: ignore[operator]
    file.write_text(GOOD.replace("1 MB/s", "4 MB/s"))
    (warning,) = examine(file).warnings
    assert (warning.severity, warning.line, warning.path) == ("warning", 5, "links.ab")


def test_each_direction_of_a_link_is_counted_for_itself() -> None:
    """2.5 MB/s one way and 2.5 MB/s back fit 3.78 MB/s each way; twice one way does not."""
    both = GOOD.replace(
        "rate: 1 MB/s}]}", "rate: 2.5 MB/s}]}, k: {site: b, writes: [{volume: r/v, rate: 2.5 MB/s}]}"
    )
    both = both.replace("groups: {", "groups: {r: {source: b, volumes: {v: 100 GB}, targets: {a: {}}}, ")
    assert warnings(loads(both)) == []
    again = both.replace("r: {source: b,", "r: {source: a,").replace("targets: {a: {}}", "targets: {b: {}}")
    again = again.replace("k: {site: b", "k: {site: a")
    assert [warning.code for warning in warnings(loads(again))] == ["link-too-slow"]


def test_how_much_a_thinking_host_writes_is_not_guessed() -> None:
    text = GOOD.replace("{site: a, writes", "{site: a, queue_depth: 4, think: 1 ms, writes").replace(
        "1 MB/s}", "9 MB/s}"
    )
    assert warnings(loads(text)) == []
