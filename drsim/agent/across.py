"""What no part of a configuration can see by itself: names that lead nowhere, addresses that need TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drsim.agent.tls import is_loopback
from drsim.scenario.problem import Complaint, near

if TYPE_CHECKING:
    from drsim.agent.config import Config


def across(config: Config) -> list[Complaint]:
    """Find what is wrong between the parts."""
    found = []
    known = config.sites
    if config.site not in known:
        found.append(
            Complaint(("site",), f"'{config.site}' is not one of the sites", near(config.site, known))
        )
    for name, group in config.groups.items():
        if group.source not in known:
            at = ("groups", name, "source")
            found.append(Complaint(at, f"there is no site '{group.source}'", near(group.source, known)))
        for target in group.targets:
            where = ("groups", name, "targets", target)
            if target not in known:
                found.append(Complaint(where, f"there is no site '{target}'", near(target, known), on="key"))
            elif target == group.source:
                found.append(
                    Complaint(where, "a group cannot be its own target", "name another site", on="key")
                )
    return found + _exposed(config)


def _exposed(config: Config) -> list[Complaint]:
    found = []
    hint = "give 'tls', or say 'insecure: true' if the network is protected by other means"
    if config.tls is None and not config.insecure:
        for name, site in config.sites.items():
            if not (is_loopback(site.address.host) and is_loopback(site.bind.host)):
                where = ("sites", name, "address")
                found.append(Complaint(where, "beyond loopback, agents need TLS with certificates", hint))
    nbd = config.nbd
    if (
        nbd.listen is not None
        and nbd.tls is None
        and not is_loopback(nbd.listen.host)
        and not config.insecure
    ):
        found.append(
            Complaint(("nbd", "listen"), "NBD in clear: beyond loopback give it 'tls', a socket or a tunnel")
        )
    return found
