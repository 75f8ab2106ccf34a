"""What a TCP byte stream costs on the wire: segments, IP and TCP headers, and the link's own framing.

`charge` uses the bulk rule: a TCP stream fills its segments across frame borders, so a frame of L stream
bytes costs its share of full segments, ``ceil(L x wire(MSS) / MSS)``. The rule looks at one frame alone, so
it cannot depend on how frames were batched; it is exact for a busy stream to less than a byte a frame and
too kind to a lone small frame, which really leaves in a short segment (`alone` gives that cost).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

IP_TCP = 40
"""Bytes of IPv4 and TCP headers without options."""

TIMESTAMPS = 12
"""Bytes of the TCP timestamp option, padded (RFC 7323)."""

SMALLEST_MTU = 576


@dataclass(frozen=True, slots=True)
class Encapsulation(ABC):
    """How a link wraps an IP packet.

    Attributes:
        name: as written in scenarios.
        title: what it is.
    """

    name: str
    title: str

    @abstractmethod
    def wire(self, packet: Ints) -> Ints:
        """Bytes on the wire for IP packets of ``packet`` bytes (int64[n])."""

    def wire_of(self, packet: int) -> int:
        """`wire` of one packet."""
        return int(self.wire(np.array([packet], np.int64))[0])


@dataclass(frozen=True, slots=True)
class Framed(Encapsulation):
    """A fixed number of bytes around each packet, which is padded up to ``least``."""

    around: int
    least: int = 0

    def wire(self, packet: Ints) -> Ints:
        return np.maximum(packet, self.least) + self.around


@dataclass(frozen=True, slots=True)
class Cells(Encapsulation):
    """ATM adaptation layer 5: header and 8-byte trailer, then whole 53-byte cells of 48."""

    header: int

    def wire(self, packet: Ints) -> Ints:
        return -(-(packet + self.header + 8) // 48) * 53


_ALL: tuple[Encapsulation, ...] = (
    Framed("ip", "bare IP", 0),
    Framed("ethernet", "Ethernet II with preamble 8, FCS 4 and gap 12", 38, 46),
    Framed("ethernet-vlan", "Ethernet with an 802.1Q tag", 42, 42),
    Framed("ppp", "PPP in HDLC framing (RFC 1662)", 8),
    Framed("pos", "PPP with a 32-bit FCS over SONET (RFC 2615)", 10),
    Framed("cisco-hdlc", "Cisco HDLC", 8),
    Framed("frame-relay", "Frame relay (RFC 2427)", 8),
    Cells("aal5", "ATM AAL5, VC multiplexed", 0),
    Cells("aal5-snap", "ATM AAL5 with LLC/SNAP", 8),
)

KINDS: dict[str, Encapsulation] = {kind.name: kind for kind in _ALL}


@dataclass(frozen=True, slots=True)
class Wire:
    """A TCP stream over one encapsulation.

    Attributes:
        encapsulation: the link's framing.
        mtu: largest IP packet, bytes.
        timestamps: whether TCP carries timestamps (most do; a full segment is then 1448 bytes, not 1460).
    """

    encapsulation: Encapsulation
    mtu: int = 1500
    timestamps: bool = True

    def __post_init__(self) -> None:
        if self.mtu < SMALLEST_MTU:
            raise ValueError(f"an MTU of {self.mtu} B is less than the {SMALLEST_MTU} B every host accepts")

    @property
    def headers(self) -> int:
        """Bytes of IP and TCP header in each segment."""
        return IP_TCP + (TIMESTAMPS if self.timestamps else 0)

    @property
    def mss(self) -> int:
        """Stream bytes in a full segment."""
        return self.mtu - self.headers

    @property
    def wire_bytes(self) -> int:
        """Wire bytes of a full segment."""
        return self.encapsulation.wire_of(self.mtu)

    @property
    def goodput(self) -> float:
        """Share of the wire that is stream bytes in full segments."""
        return self.mss / self.wire_bytes

    def charge(self, stream: Ints) -> Ints:
        """Wire bytes for frames of ``stream`` bytes each (int64[n]) in a busy stream, rounded up each."""
        return -(-stream * self.wire_bytes // self.mss)

    def alone(self, stream: Ints) -> Ints:
        """Wire bytes for frames that each leave at once, in segments of their own."""
        full, rest = np.divmod(stream, self.mss)
        tail = self.encapsulation.wire(rest + self.headers)
        return full * self.wire_bytes + np.where((rest > 0) | (stream == 0), tail, 0)
