"""TCP laws against RFC tables, computed references and measurements on a real stack."""

import csv
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.wan import tcp
from drsim.wan.types import find


def _rows(shared):
    with (shared / "truth/tcp_reference.csv").open() as file:
        return list(csv.DictReader(file))


LAWS = {
    "TCP_W": lambda p, _: tcp.reno_window(p),
    "HSTCP_W": lambda p, _: tcp.highspeed_window(p),
    "CUBIC_0.04": lambda p, rtt: tcp.cubic_window(p, rtt, 0.04),
    "CUBIC_0.4": lambda p, rtt: tcp.cubic_window(p, rtt, 0.4),
    "CUBIC_4": lambda p, rtt: tcp.cubic_window(p, rtt, 4.0),
}


def test_windows_match_the_rfc_tables(shared):
    rows = [row for row in _rows(shared) if row["id"].startswith("RFC8312")]
    assert len(rows) >= 35
    for row in rows:
        law = LAWS[row["id"].split("_", 3)[3]]
        given_ = json.loads(row["params"])
        assert law(given_["p"], given_["RTT"]) == pytest.approx(float(row["value"]), rel=5e-5, abs=0.5)


def test_throughput_equations_match(shared):
    rows = [row for row in _rows(shared) if row["id"].startswith("PFTK")]
    assert len(rows) == 40
    for row in rows:
        law = tcp.pftk if row["id"].startswith("PFTK_RFC5348") else tcp.pftk_delayed
        given_ = json.loads(row["params"])
        assert law(1460, given_["R"], given_["p"]) == pytest.approx(float(row["value"]), rel=1e-12)


def test_window_limits_and_products_match(shared):
    rows = [row for row in _rows(shared) if row["id"].split("_")[0] in ("WINLIM", "BDP")]
    assert len(rows) == 36
    for row in rows:
        given_ = json.loads(row["params"])
        if "W" in given_:
            assert tcp.window_limit(given_["W"], given_["R"]) == pytest.approx(float(row["value"]), rel=1e-14)
            continue
        kind = find(row["id"].split("_")[1])
        assert kind.payload == given_["bps"]
        assert tcp.product(kind.payload_rate, given_["R"]) == pytest.approx(float(row["value"]), rel=1e-14)


def test_every_row_of_the_reference_was_used(shared):
    known = ("RFC8312", "PFTK", "WINLIM", "BDP")
    assert all(row["id"].startswith(known) for row in _rows(shared))


def test_vendor_windows_are_the_next_power_of_two_of_the_product(shared):
    with (shared / "truth/vendor_examples.csv").open() as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    printed = {"100": 512, "50": 256, "25": 128, "20": 128, "10": 64, "5": 32}
    computed = json.loads(rows["QLogic_windows"]["computed"])
    for ms, kib in printed.items():
        need = tcp.product(45e6 / 8, float(ms) / 1000)
        assert need == pytest.approx(computed[ms])
        assert need <= kib * 1024 * 1.1
    drbd = json.loads(rows["DRBD_BDP"]["computed"])
    assert tcp.product(120e6, 200e-6) == pytest.approx(drbd["lan"])
    assert tcp.product(12e6, 0.2) / 1e6 == pytest.approx(drbd["wan_MB"])


def test_mathis_is_the_limit_of_the_fuller_law():
    assert tcp.mathis(1460, 0.1, 1e-6) == pytest.approx(tcp.pftk(1460, 0.1, 1e-6), rel=1e-4)


def test_loss_matches_what_a_real_stack_did():
    """DS3 at 43.2 Mb/s, 20 ms each way, 0.1 % loss: CUBIC 10.99 Mb/s, BBR 40.04 Mb/s were measured."""
    rate = 43.2e6 / 8 * 1448 / 1514
    common = {"window": math.inf, "loss": 1e-3, "streams": 1}
    cubic = tcp.limit(rate, 1448, 0.0407, congestion="cubic", **common) * 8 / 1e6
    bbr = tcp.limit(rate, 1448, 0.0405, congestion="bbr", **common) * 8 / 1e6
    assert cubic == pytest.approx(10.99, rel=0.04)
    assert bbr == pytest.approx(40.04, rel=0.04)


MEASURED = {
    "cubic": {2: 2.16, 5: 3.59, 10: 11.24, 20: 14.11},
    "bbr": {2: 1.39, 5: 1.91, 10: 4.74, 20: 9.26},
}


@pytest.mark.parametrize("congestion", MEASURED)
def test_silence_after_an_outage_matches_measurements(congestion):
    """Cut to first byte: seven of eight single runs within 4 %; the other had a longer first timeout."""
    timeout = tcp.first_timeout(0.0, congestion)
    off = []
    for outage, silent in MEASURED[congestion].items():
        if outage + tcp.silence(outage, timeout) != pytest.approx(outage + silent, rel=0.04):
            off.append(outage)
            assert outage + tcp.silence(outage, 0.322) == pytest.approx(outage + silent, rel=0.05)
    assert off == ([10] if congestion == "cubic" else [])


@given(st.floats(1e-3, 1e5), st.floats(0.2, 2.0))
def test_silence_is_at_most_the_outage_or_the_ceiling(outage, timeout):
    silent = tcp.silence(outage, timeout)
    assert 0 <= silent <= max(timeout, min(outage + timeout, tcp.LARGEST_RTO))


@given(st.floats(0.1, 1e5), st.floats(0.5, 30.0), st.floats(0.0, 0.3))
def test_reconnecting_cures_the_silence(outage, every, rtt):
    cured = tcp.silence_with_reconnect(outage, 0.3, every, rtt)
    assert 0 <= cured <= min(tcp.silence(outage, 0.3), every + rtt) + 1e-6


def test_slow_start_doubles_up_to_the_rate():
    steps = tcp.slow_start(1e6, 0.1, 1000)
    assert [round(rate) for _, rate in steps] == [100000, 200000, 400000, 800000, 1000000]
    assert [at for at, _ in steps] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert tcp.slow_start_loss(1e6, 0.1, 1000) == pytest.approx(0.1 * (0.9 + 0.8 + 0.6 + 0.2))
    assert tcp.slow_start(1e6, 0.0, 1000) == [(0.0, 1e6)]


@given(
    st.floats(1e4, 1e9), st.floats(0, 0.5), st.sampled_from(sorted(tcp.RESPONSES)), st.floats(0, 0.5),
    st.integers(1, 16), st.floats(1e4, 1e8),
)  # fmt: skip
def test_tcp_never_exceeds_link_and_more_streams_never_hurt(rate, rtt, congestion, loss, streams, window):
    given_ = {"window": window, "loss": loss, "congestion": congestion}
    got = tcp.limit(rate, 1448, rtt, streams=streams, **given_)
    assert 0 < got <= rate
    assert tcp.limit(rate, 1448, rtt, streams=streams + 1, **given_) >= got
    assert tcp.limit(rate, 1448, rtt, streams=streams, **{**given_, "loss": loss / 2}) >= got * 0.999
