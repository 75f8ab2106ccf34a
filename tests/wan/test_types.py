"""The catalogue and the encapsulations against outside truth."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.wan import encapsulation, types


def _rows(shared, name):
    with (shared / "truth" / name).open() as file:
        return list(csv.DictReader(file))


def test_catalogue_matches_the_telecom_rates(shared):
    for row in _rows(shared, "telecom_rates.csv"):
        name = row["name"].split("/")[0].split(" (")[0].removesuffix(" SPE").removesuffix(" user")
        kind = types.find(name)
        assert kind.line == round(float(row["line_Mbps"]) * 1e6)
        payload = kind.envelope if row["name"].endswith("SPE") else kind.payload
        assert payload == round(float(row["payload_Mbps"]) * 1e6)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("OC3", "OC3"), ("oc-3c", "OC3"), ("STM-1", "OC3"), ("OC-192c", "OC192"), ("T3", "DS3"),
        ("ds-3", "DS3"),
        ("DS1", "T1"), ("100Base-T", "100Base-T"), ("100baset", "100Base-T"), ("10Base-T LAN", "10Base-T"),
        ("1000Base-T", "1000Base-T"), ("10GbE", "10GBase-T"), ("DS0", "DS0"), ("e1", "E1"), ("OC1", "OC1"),
    ],
)  # fmt: skip
def test_aliases(alias, name):
    assert types.find(alias) is types.KINDS[name]


def test_unknown_types_are_refused_with_the_nearest():
    for name, near in {
        "OC4": "OC48, OC1, OC3",
        "T4": "T1, T2, T3",
        "ds-5": "DS0, DS1, DS2",
        "OCx12": "OC12, ",
    }.items():
        with pytest.raises(ValueError, match=f"did you mean {near}"):
            types.find(name)
    with pytest.raises(ValueError, match="DS0, T1"):
        types.find("carrier pigeon")


@pytest.mark.parametrize("kind", types.KINDS.values(), ids=lambda kind: kind.name)
def test_no_type_carries_more_than_its_line(kind):
    assert 0 < kind.payload <= max(kind.envelope, kind.payload) <= kind.line
    assert kind.nominal <= kind.line
    assert kind.encapsulation in encapsulation.KINDS
    assert kind.payload_rate == kind.payload / 8
    assert kind.nominal_rate == kind.nominal / 8


TITLES = {
    "Ethernet II incl. preamble 8, FCS 4, IFG 12": "ethernet",
    "Ethernet + 802.1Q": "ethernet-vlan",
    "PPP in HDLC framing (RFC1662) 8 B": "ppp",
    "PPP FCS-32 (POS RFC2615) 10 B": "pos",
    "Cisco HDLC 8 B": "cisco-hdlc",
    "Frame relay RFC2427 8 B": "frame-relay",
    "ATM AAL5 VC-mux": "aal5",
    "ATM AAL5 LLC/SNAP": "aal5-snap",
    "bare IP": "ip",
}


def test_encapsulations_match_the_outside_table(shared):
    rows = _rows(shared, "encap_overheads.csv")
    assert {TITLES[row["encap"]] for row in rows} == set(encapsulation.KINDS)
    for row in rows:
        kind = encapsulation.KINDS[TITLES[row["encap"]]]
        assert kind.wire_of(1500) == int(row["wire_bytes_for_1500B_IP"])
        plain = encapsulation.Wire(kind, timestamps=False)
        stamped = encapsulation.Wire(kind)
        assert (plain.mss, stamped.mss) == (1460, 1448)
        assert plain.goodput == pytest.approx(float(row["tcp_1460_eff"]), abs=5e-7)
        assert stamped.goodput == pytest.approx(float(row["tcp_1448_eff"]), abs=5e-7)


def test_short_packets_are_padded_and_cells_are_whole():
    ethernet, cells = encapsulation.KINDS["ethernet"], encapsulation.KINDS["aal5"]
    assert ethernet.wire(np.array([40, 46, 47])).tolist() == [84, 84, 85]
    assert cells.wire(np.array([40, 41, 88])).tolist() == [53, 106, 106]


def test_a_small_mtu_is_refused():
    with pytest.raises(ValueError, match="576"):
        encapsulation.Wire(encapsulation.KINDS["ip"], mtu=500)


kinds = st.sampled_from(list(encapsulation.KINDS.values()))
frames = st.lists(st.integers(1, 2**30), min_size=1, max_size=20)


@given(kinds, st.integers(576, 9000), frames)
def test_charge_is_per_frame_and_at_least_the_stream(kind, mtu, sizes):
    wire = encapsulation.Wire(kind, mtu)
    stream = np.array(sizes, np.int64)
    charged = wire.charge(stream)
    assert charged.tolist() == [int(wire.charge(np.array([s]))[0]) for s in sizes]
    assert (charged > stream).all()
    exact = stream * (wire.wire_bytes / wire.mss)
    assert (np.abs(charged - exact) < 1 + exact * 1e-12).all()
    assert (wire.alone(stream) + 1 >= charged).all() or kind.name.startswith("aal5")


def test_a_lone_frame_costs_a_segment_of_its_own():
    wire = encapsulation.Wire(encapsulation.KINDS["ethernet"], timestamps=False)
    assert wire.alone(np.array([1460, 1461, 1, 2920])).tolist() == [1538, 1538 + 84, 84, 3076]
