"""Reads an agent's configuration: every problem at once, each at its line, those between the parts included."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from drsim.agent.config import Config
from drsim.agent.tls import is_loopback
from drsim.scenario.blame import complaints
from drsim.scenario.part import Part
from drsim.scenario.problem import Complaint, Problem, ScenarioError, near
from drsim.scenario.source import Source, read_source

_LARGEST_FILE = 1 << 20


def load(path: Path, site: str | None = None) -> Config:
    """Read and check a configuration; paths in it are relative to its folder.

    Args:
        site: in place of the file's ``site``.

    Raises:
        ScenarioError: with every problem, each at its line and column.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_FILE).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror or "cannot be read" if isinstance(error, OSError) else "not UTF-8 text"
        raise ScenarioError([Problem("error", str(path), 0, 0, "", said, "", "file")]) from None
    source = read_source(text, str(path))
    if site is not None:
        source.tree["site"] = site
    found = list(source.complaints)
    config = None
    try:
        config = Config.model_validate(source.tree)
    except ValidationError as error:
        found += complaints(error, source.tree, Config)
    if config is not None:
        found += _across(config)
    if found or config is None:
        raise ScenarioError(_sorted(source, found))
    return _rooted(config, path.parent)


def _sorted(source: Source, found: list[Complaint]) -> list[Problem]:
    return sorted((source.problem(c) for c in found), key=lambda p: (p.line, p.column))


def _across(config: Config) -> list[Complaint]:
    """Find what no part can see by itself: names that lead nowhere, addresses that need TLS."""
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


def _rooted(config: Config, folder: Path) -> Config:
    """Give the configuration with its paths made absolute, from the file's folder."""

    def walk(value: Any) -> Any:
        if isinstance(value, Part):
            return value.model_copy(update={n: walk(getattr(value, n)) for n in type(value).model_fields})
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return (folder / value).absolute() if isinstance(value, Path) else value

    return cast(Config, walk(config))
