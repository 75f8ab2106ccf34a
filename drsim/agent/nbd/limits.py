"""How much a host may have going on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one host's connection may hold.

    Attributes:
        requests: in flight; beyond it the socket is not read, so the host waits.
        nbytes: of requests in flight (what is to be written or was asked to be read); likewise.
        handshake_s: a peer that has chosen no export by then is disconnected.
    """

    requests: int = 512
    nbytes: int = 64 << 20
    handshake_s: float = 10.0
