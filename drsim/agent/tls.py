"""Who may talk to whom: TLS 1.3 with certificates on both sides, and the name in a peer's certificate."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Keys:
    """A site's own certificate and key, and whom it believes.

    ``authority`` holds the certificates that may sign a peer's; a peer's own self-signed one does as well,
    and then only that very key is believed, as with a shared secret.
    """

    certificate: Path
    key: Path
    authority: Path

    def context(self, *, server: bool) -> ssl.SSLContext:
        """Make a context that demands TLS 1.3 and a certificate from the other side.

        Raises:
            OSError, ssl.SSLError: a file is absent or not what it should be.
        """
        side = ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT
        context = ssl.SSLContext(side)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # sites are known by the name in their certificate, not by address
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.certificate, self.key)
        context.load_verify_locations(self.authority)
        return context


def common_name(certificate: dict[str, Any] | None) -> str | None:
    """Give the common name of a verified peer certificate."""
    for part in (certificate or {}).get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return None


def is_loopback(host: str) -> bool:
    """Say whether an address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
