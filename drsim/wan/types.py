"""The catalogue of link types: what each is sold as, what runs on the line, what is left for frames.

Three rates, because three questions have three answers:

* ``nominal``: the rate a planner names. It is the paper's figure where the paper has one (T1 1.536,
  10Base-T 10, DS3 43.2, 100Base-T 100, OC3 155, OC12 622 Mb/s) and the line rate otherwise. ``efficiency``
  multiplies this one, so that a scenario of the paper's links gives the paper's numbers.
* ``line``: bits on the medium, framing included.
* ``payload``: what the medium's own framing leaves for layer-2 frames (for SONET: the synchronous payload
  envelope less path overhead and fixed stuff). A link without ``efficiency`` carries wire bytes at this one.

Sources: ITU-T G.704, G.751, ANSI T1.107, Telcordia GR-253 (90 columns x 9 rows x 64 kb/s a frame, 87 of
them envelope), RFC 6349 (DS3 payload 44.210), IEEE 802.3.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkType:
    """One kind of link; all rates are bits/s, the same in both directions.

    Attributes:
        name: canonical name.
        nominal: what it is sold as.
        line: bits on the medium.
        payload: bits left for layer-2 frames.
        encapsulation: name in `drsim.wan.encapsulation.KINDS` used unless the scenario says otherwise.
        aliases: other spellings (case, hyphens and blanks never matter).
        basis: where payload comes from.
        envelope: SONET synchronous payload envelope, 0 for others.
    """

    name: str
    nominal: int
    line: int
    payload: int
    encapsulation: str
    aliases: tuple[str, ...] = ()
    basis: str = ""
    envelope: int = 0

    @property
    def nominal_rate(self) -> float:
        """Nominal rate, bytes/s."""
        return self.nominal / 8

    @property
    def payload_rate(self) -> float:
        """Payload rate, bytes/s."""
        return self.payload / 8


def _sonet(level: int, nominal: int = 0) -> LinkType:
    line = level * 90 * 9 * 64_000
    envelope = level * 87 * 9 * 64_000
    stuff = 1 if level == 1 else level // 3
    user = envelope - stuff * 9 * 64_000
    if level == 1:
        aliases: tuple[str, ...] = ("STS1", "EC1")
    else:
        aliases = (f"OC{level}c", f"STS{level}c", f"STM{level // 3}")
    basis = "envelope less path overhead and fixed stuff"
    return LinkType(f"OC{level}", nominal or line, line, user, "pos", aliases, basis, envelope)


def _ethernet(name: str, rate: int, *aliases: str) -> LinkType:
    return LinkType(name, rate, rate, rate, "ethernet", aliases, "IEEE 802.3")


_ALL = (
    LinkType("DS0", 64_000, 64_000, 64_000, "ppp", (), "8000 x 8 bit"),
    LinkType("T1", 1_536_000, 1_544_000, 1_536_000, "ppp", ("DS1",), "24 x 64 kb/s of 193 x 8000"),
    LinkType("E1", 2_048_000, 2_048_000, 1_984_000, "ppp", (), "31 of 32 x 64 kb/s"),
    LinkType("T2", 6_312_000, 6_312_000, 6_176_000, "ppp", ("DS2",), "4 x DS1"),
    LinkType("E3", 34_368_000, 34_368_000, 33_792_000, "ppp", (), "4 x 8.448 Mb/s, G.751"),
    LinkType("DS3", 43_200_000, 44_736_000, 44_210_000, "ppp", ("T3",), "4704 of 4760 bits, RFC 6349"),
    _sonet(1),
    _sonet(3, nominal=155_000_000),
    _sonet(12, nominal=622_000_000),
    _sonet(48),
    _sonet(192),
    _ethernet("10Base-T", 10_000_000, "10Base", "10BaseT LAN", "Ethernet"),
    _ethernet("100Base-T", 100_000_000, "100Base", "100Base-TX", "100BaseT LAN", "Fast Ethernet"),
    _ethernet("1000Base-T", 1_000_000_000, "1000Base", "1GBase", "GbE", "Gigabit Ethernet"),
    _ethernet("10GBase-T", 10_000_000_000, "10GBase", "10GbE"),
)

KINDS: dict[str, LinkType] = {kind.name: kind for kind in _ALL}
"""Canonical name -> type, slowest first within each family."""

PAPER: tuple[str, ...] = ("T1", "10Base-T", "DS3", "100Base-T", "OC3", "OC12")
"""The six rows of the white paper's tables, in its order."""


def _key(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).upper()


_BY_KEY = {_key(word): kind for kind in _ALL for word in (kind.name, *kind.aliases)}
_WORDS = {_key(word): word for kind in _ALL for word in (kind.name, *kind.aliases)}


def find(name: str) -> LinkType:
    """Give the type a user means by ``OC3``, ``oc-3c``, ``T3``, ``100base-t`` …

    Raises ValueError with the nearest names where there is none.
    """
    kind = _BY_KEY.get(_key(name))
    if kind is not None:
        return kind
    raise ValueError(f"'{name}' is not a link type: did you mean {', '.join(_near(_key(name)))}?")


def _near(key: str) -> list[str]:
    """Up to three words for different types: of the same letters (``T4``: T1, T2, T3), else those spelt most alike."""
    kin = [known for known in _BY_KEY if _letters(known) == _letters(key) != ""]
    alike = {known: difflib.SequenceMatcher(None, key, known).ratio() for known in kin or _BY_KEY}
    found: dict[str, str] = {}
    for known in sorted(alike, key=lambda known: -alike[known]):
        if kin or alike[known] >= 0.5:
            found.setdefault(_BY_KEY[known].name, _WORDS[known])
    return list(found.values())[:3] or list(KINDS)


def _letters(key: str) -> str:
    return key.rstrip("0123456789")
