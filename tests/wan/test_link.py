"""A link's entry in a scenario: accepted, refused, and turned into steps, cuts and spans."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from drsim.wan import tcp
from drsim.wan.calendar import DAY
from drsim.wan.link import Link
from drsim.wan.timeline import Cut, Span

SEEDS = np.random.SeedSequence(7)


def _link(**entry):
    return Link.model_validate({"between": ["paris", "lyon"], **entry})


def _timeline(horizon=7 * DAY, name="paris-lyon", offset=0.0, **entry):
    return _link(**entry).timeline(name, horizon, SEEDS, offset)


def test_the_designs_example():
    line = _timeline(
        type="OC3",
        efficiency="70 %",
        rtt="9 ms",
        outages=[
            {"at": "1 d 03:00", "for": "2 h"},
            {"between_failures": "exponential(20 d)", "repair": "lognormal(45 min, 1.2)"},
        ],
        throttle=[{"days": "Mon-Fri", "from": "08:00", "to": "18:00", "to_rate": "60 Mb/s"}],
        background=[{"name": "voip", "rate": "4 Mb/s", "priority": 0}],
    )
    free = 0.7 * (155e6 - 4e6) / 8
    steps = dict(line.forward.steps)
    assert line.forward.steps == line.reverse.steps
    assert steps[0.0] == pytest.approx(free)
    assert steps[8 * 3600.0] == 7.5e6
    assert steps[27 * 3600.0] == 0.0
    assert steps[29 * 3600.0] == pytest.approx(free)
    assert Cut(27 * 3600.0, 29 * 3600.0, "outage") in line.cuts
    assert line.propagation_s == 0.0045
    assert {span.cause for span in line.spans} == {"outage", "throttle", "background"}
    assert line.charge(np.array([4096]), 40).tolist() == [4096]


def test_efficiency_is_a_share_of_the_papers_rate():
    for kind, mbps in {"T1": 1.536, "DS3": 43.2, "OC3": 155, "OC12": 622}.items():
        assert _timeline(type=kind, efficiency="70 %").forward.steps == ((0.0, 0.7 * (mbps * 1e6 / 8)),)
    assert _timeline(rate="3 Mb/s", efficiency="100 %").forward.steps == ((0.0, 375000.0),)


def test_bonded_and_asymmetric_links():
    assert _timeline(type="T1", n=4, efficiency="100 %").forward.steps == ((0.0, 768000.0),)
    line = _timeline(rate={"forward": "1 Mb/s", "reverse": "16 Mb/s"}, efficiency="50 %", n=2)
    assert line.direction(forward=True).steps == ((0.0, 125000.0),)
    assert line.direction(forward=False).steps == ((0.0, 2e6),)


def test_without_efficiency_wire_bytes_move_at_the_payload_rate():
    line = _timeline(type="OC3")
    assert line.forward.steps == ((0.0, 149.76e6 / 8),)
    mss, wire = 1448, 1510
    assert line.charge(np.array([mss * 10 - 40, 0]), 40).tolist() == [wire * 10, math.ceil(40 * wire / mss)]
    assert line.charge(np.array([100, 200]), np.array([4, 8])).tolist() == [
        math.ceil(104 * wire / mss),
        math.ceil(208 * wire / mss),
    ]


def test_a_real_stack_over_ethernet_moved_what_the_charge_says():
    """tbf at 43.2 Mb/s of frames without preamble and gap carried 41.32 Mb/s: 1448 of 1514 bytes."""
    link = _link(rate="43.2 Mb/s", encapsulation="ethernet")
    assert link.wire.mss / (link.wire.wire_bytes - 24) * 43.2 == pytest.approx(41.32, rel=5e-4)


def test_windows_and_loss_limit_a_link():
    small = _timeline(type="OC3", rtt="100 ms", tcp={"window": "64 KiB"}).forward.steps[0][1]
    assert small == pytest.approx(65536 / 0.1 * 1510 / 1448)
    four = _timeline(type="OC3", rtt="100 ms", tcp={"window": "64 KiB", "streams": 4}).forward.steps[0][1]
    assert four == pytest.approx(4 * small)
    lossy = _timeline(rate="43.2 Mb/s", rtt="40.7 ms", tcp={"loss": "0.1 %"}).forward.steps[0][1]
    assert lossy * 1448 / 1538 * 8 / 1e6 == pytest.approx(10.99, rel=0.04)


def test_distance_and_rtt():
    assert _link(type="T1", distance="200 km").propagation_s == pytest.approx(0.001)
    assert _link(type="T1", distance="60 km", us_per_km=8.333333333).rtt_s == pytest.approx(0.001)
    assert _link(type="T1").rtt_s == 0.0


HP = {200: 1, 600: 3, 1800: 9, 3600: 18, 7200: 36, 12000: 60, 20000: 100}


@pytest.mark.parametrize(("km", "ms"), HP.items())
def test_vendor_distances(km, ms):
    assert _link(type="T1", distance=f"{km} km").propagation_s == pytest.approx(ms / 1000)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"type": "OC3", "rate": "1 Mb/s"}, "either type or rate"),
        ({}, "either type or rate"),
        ({"type": "OC5"}, "did you mean"),
        ({"type": "T1", "efficiency": "70 %", "tcp": {}}, "not both"),
        ({"type": "T1", "efficiency": "70 %", "encapsulation": "ppp"}, "covers all overhead"),
        ({"type": "T1", "efficiency": 0}, "lets nothing pass"),
        ({"rate": 0}, "rate of 0 lets nothing pass"),
        ({"rate": {"forward": "1 Mb/s", "reverse": 0}}, "rate of 0 lets nothing pass"),
        ({"type": "T1", "rtt": "9 ms", "distance": "10 km"}, "either rtt or distance"),
        ({"type": "T1", "between": ["a", "a"]}, "two different sites"),
        ({"type": "T1", "mtu": "500 B"}, "at least 576"),
        ({"type": "T1", "encapsulation": "pigeon"}, "not an encapsulation"),
        (
            {"type": "T1", "efficiency": "70 %", "outages": [{"at": "1 h", "for": "1 h", "loss": "1 %"}]},
            "tcp",
        ),
        ({"type": "T1", "tcp": {"loss": "100 %"}}, "lets nothing pass"),
        ({"type": "T1", "tcp": {"window": 0}}, "lets nothing pass"),
        ({"type": "T1", "rat": "1 Mb/s"}, "Extra inputs"),
        ({"type": "T1", "background": [{"name": "v", "rate": "1 Mb/s", "on": "1 min"}]}, "belong together"),
        ({"type": "T1", "sharing": "unfair"}, "not a way to share"),
        ({"type": "T1", "sharing": {"kind": "fifo", "classes": {"a": {"weight": 2}}}}, "no use for weight"),
        (
            {"type": "T1", "sharing": {"kind": "priority", "classes": {"a": {"cap": "1 Mb/s"}}}},
            "no use for cap",
        ),
        (
            {
                "type": "T1",
                "sharing": {"kind": "weighted", "classes": {"a": {"cap": "1 Mb/s", "reserve": "2 Mb/s"}}},
            },
            "reserve is more than cap",
        ),
    ],
)
def test_refusals(entry, message):
    with pytest.raises(ValidationError, match=message):
        _link(**entry)


def test_a_link_survives_a_round_trip_through_its_own_text():
    link = _link(
        type="oc-3c",
        tcp={"window": "4 MiB", "loss": "0.01 %", "streams": 4},
        rtt="9 ms",
        outages=[{"at": "1 d", "for": "2 h", "keeps": "30 %"}],
        throttle=[{"days": "Mon-Fri", "from": "08:00", "to": "18:00", "to_rate": "60 Mb/s"}],
        background=[{"name": "video", "rate": "2 Mb/s", "on": "exponential(5 min)", "off": "10 min"}],
    )
    text = link.model_dump(mode="json", by_alias=True)
    assert text["type"] == "OC3"
    assert text["tcp"]["window"] == "4 MiB"
    assert Link.model_validate(text) == link
    assert Link.model_json_schema()["properties"]["between"]


def test_silence_after_an_outage_and_its_cure():
    outage = [{"at": "1 h", "for": "20 s"}]
    bare = _timeline(type="OC3", rtt="40 ms", tcp={"reconnect": 0}, outages=outage)
    timeout = tcp.first_timeout(0.04, "cubic")
    (cut,) = bare.cuts
    assert cut.up_at == pytest.approx(3620 + tcp.silence(20, timeout))
    cured = _timeline(type="OC3", rtt="40 ms", tcp={"reconnect": "3 s"}, outages=outage)
    assert cured.cuts[0].up_at == pytest.approx(3600 + 21 + 0.04)
    assert _timeline(type="OC3", rtt="40 ms", efficiency="70 %", outages=outage).cuts[0].up_at == 3620
    after = [step for step in cured.forward.steps if step[0] >= cured.cuts[0].up_at]
    full = cured.forward.steps[0][1]
    assert after[0][1] == pytest.approx(10 * 1510 / 0.04)
    assert [rate / after[0][1] for _, rate in after[:4]] == pytest.approx([1, 2, 4, 8])
    assert after[-1][1] == full
    assert "tcp" in {span.cause for span in cured.spans}


def test_brown_outs_and_loss_episodes():
    line = _timeline(type="T1", efficiency="100 %", outages=[{"at": "1 h", "for": "1 h", "keeps": "25 %"}])
    assert line.forward.steps == ((0.0, 192000.0), (3600.0, 48000.0), (7200.0, 192000.0))
    assert line.cuts == ()
    assert line.spans == (Span(3600, 7200, "brownout"),)
    line = _timeline(type="OC3", rtt="80 ms", outages=[{"at": "1 h", "for": "1 h", "loss": "1 %"}])
    (_, full), (_, low), (_, again) = line.forward.steps
    assert low < full / 10
    assert again == full


def test_a_throttle_of_nothing_and_of_one_direction():
    line = _timeline(
        type="T1",
        efficiency="100 %",
        throttle=[{"at": "1 h", "for": "1 h", "to_rate": 0, "direction": "forward"}],
    )
    assert line.forward.steps == ((0.0, 192000.0), (3600.0, 0.0), (7200.0, 192000.0))
    assert line.reverse.steps == ((0.0, 192000.0),)
    assert line.cuts == ()


def test_background_before_beside_and_after():
    def rate(**load):
        others = [{"name": "x", "rate": "600 kb/s", **load}]
        return _timeline(rate="1 Mb/s", efficiency="100 %", background=others).forward.steps[0][1] * 8

    assert rate() == pytest.approx(400e3)
    assert rate(priority=1) == pytest.approx(500e3)
    assert rate(priority=1, weight=0.25) == pytest.approx(800e3)
    assert rate(priority=2) == pytest.approx(1e6)
    nightly = {"rate": "2 Mb/s", "during": [{"days": "daily", "from": "01:00", "to": "02:00"}]}
    line = _timeline(DAY, rate="1 Mb/s", efficiency="100 %", background=[{"name": "backup", **nightly}])
    assert line.forward.steps == ((0.0, 125000.0), (3600.0, 0.0), (7200.0, 125000.0))


@pytest.mark.parametrize(
    ("others", "free"),
    [
        # Three that want all of 9: a third each, in whatever order they stand.
        ([(9, 1, 1), (9, 1, 1)], 3),
        ([(9, 1, 2), (9, 1, 6)], 1),
        ([(9, 1, 6), (9, 1, 2)], 1),
        # 1 is less than a third: the other two share what it leaves.
        ([(9, 1, 1), (1, 1, 1)], 4),
        ([(1, 1, 1), (9, 1, 1)], 4),
        # 4 are gone before, and what comes after replication takes nothing.
        ([(9, 1, 1), (4, 0, 1), (9, 2, 1)], 2.5),
        ([(5, 0, 1), (5, 0, 1)], 0),
    ],
)
def test_several_backgrounds_share_with_replication_as_if_it_were_one_of_them(others, free):
    loads = [
        {"name": f"x{i}", "rate": f"{rate} Mb/s", "priority": priority, "weight": weight}
        for i, (rate, priority, weight) in enumerate(others)
    ]
    line = _timeline(rate="9 Mb/s", efficiency="100 %", background=loads)
    assert line.forward.steps[0][1] * 8 == pytest.approx(free * 1e6)


def test_on_off_background_has_its_long_run_share():
    video = {"name": "video", "rate": "400 kb/s", "on": "exponential(5 min)", "off": "exponential(10 min)"}
    line = _timeline(100 * DAY, rate="1 Mb/s", efficiency="100 %", background=[video])
    mean = line.forward.capacity(100 * DAY).average(0.0, 100 * DAY)
    assert mean * 8 == pytest.approx(1e6 - 400e3 / 3, rel=0.01)


def test_adding_a_background_leaves_the_outages_alone():
    chance = [{"between_failures": "exponential(1 d)", "repair": "exponential(1 h)"}]
    plain = _timeline(60 * DAY, type="T1", efficiency="70 %", outages=chance)
    loaded = _timeline(
        60 * DAY,
        type="T1",
        efficiency="70 %",
        outages=chance,
        background=[{"name": "v", "rate": "64 kb/s", "on": "exponential(1 min)", "off": "exponential(1 h)"}],
    )
    assert plain.cuts == loaded.cuts
    assert plain.down_s == sum(up - down for down, up, _ in plain.cuts)
