"""What must hold between the parts of a scenario: routes, cascades, who writes where, that runs end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from drsim.scenario.disaster import Disaster, Operation, Runbook
from drsim.scenario.expect import Expectation, Value
from drsim.scenario.group import Group
from drsim.scenario.host import Host, traces
from drsim.scenario.problem import Complaint, near
from drsim.scenario.problem import Path as Where
from drsim.scenario.site import Site
from drsim.wan.distribution import Distribution, Fixed
from drsim.wan.link import Link
from drsim.workload.traces import TraceError


@dataclass(frozen=True, slots=True)
class Parts:
    """The entries of a scenario that are right by themselves; what is wrong with others is told elsewhere.

    ``whole`` are the sections in which every entry is right.
    """

    tree: dict[str, Any]
    folder: Path
    sites: dict[str, Site]
    links: dict[str, Link]
    groups: dict[str, Group]
    hosts: dict[str, Host]
    runbooks: dict[str, Runbook]
    disasters: dict[int, Disaster]
    operations: dict[int, Operation]
    expect: dict[int, Expectation]
    whole: frozenset[str]


def check(parts: Parts) -> list[Complaint]:
    """Every complaint of every check."""
    return [complaint for one in _CHECKS for complaint in one(parts)]


def _links_join_two_sites(parts: Parts) -> Iterator[Complaint]:
    for name, link in parts.links.items():
        if len(set(link.between)) < 2:
            yield Complaint(
                ("links", name, "between"), "joins a site to itself", "name two sites", "topology"
            )


def _source_is_no_target(parts: Parts) -> Iterator[Complaint]:
    for name, group in parts.groups.items():
        if group.source in group.targets:
            where = ("groups", name, "targets", group.source)
            message = f"'{group.source}' is this group's source and can't be its target"
            yield Complaint(where, message, "remove it, or choose another source", "topology", "key")


def _cascades_start_at_the_source(parts: Parts) -> Iterator[Complaint]:
    for name, group in parts.groups.items():
        for target, wanted in group.targets.items():
            seen = [target]
            while (via := group.targets[seen[-1]].via) in group.targets and via not in seen:
                assert via is not None
                seen.append(via)
            if via is not None and via == target and wanted.via is not None:
                circle = " -> ".join([*reversed(seen), seen[-1]])
                where = ("groups", name, "targets", target, "via")
                hint = "leave out 'via' where the source itself sends"
                yield Complaint(where, f"a cascade in a circle: {circle}", hint, "topology")


def _every_target_has_a_link(parts: Parts) -> Iterator[Complaint]:
    if "links" not in parts.whole or "sites" not in parts.whole:
        return
    for name, group in parts.groups.items():
        for target, wanted in group.targets.items():
            feeder = group.feeder(target)
            known = (feeder in parts.sites and target in parts.sites) and feeder != target
            if known and wanted.link in (None, *parts.links):
                yield from _route(parts, name, feeder, target)


def _route(parts: Parts, group: str, feeder: str, target: str) -> Iterator[Complaint]:
    between = [name for name, link in parts.links.items() if set(link.between) == {feeder, target}]
    wanted = parts.groups[group].targets[target].link
    where = ("groups", group, "targets", target)
    if wanted is not None and wanted not in between:
        message = f"link '{wanted}' does not join {feeder} and {target}"
        yield Complaint((*where, "link"), message, near("", between), "topology")
    elif not between:
        hint = f"add one: links: {{{feeder}-{target}: {{between: [{feeder}, {target}], type: DS3}}}}"
        others = [t for t in parts.groups[group].targets if t != target]
        if others and parts.groups[group].targets[target].via is None:
            hint += f", or let another target send to it (via: {others[0]})"
        yield Complaint(where, f"no link joins {feeder} and {target}", hint, "topology", "key")
    elif wanted is None and len(between) > 1:
        hint = f"say which one: link: {between[0]}"
        yield Complaint(where, f"{len(between)} links join {feeder} and {target}", hint, "topology", "key")


def _hosts_write_at_the_source(parts: Parts) -> Iterator[Complaint]:
    for name, host in parts.hosts.items():
        for index, write in enumerate(host.writes):
            group = parts.groups.get(write.volume.partition("/")[0])
            known = group is not None and {group.source, host.site} <= set(parts.sites)
            if known and group is not None and group.source != host.site:
                hint = f"the group's source is {group.source}: move the host there, or choose another volume"
                message = f"host '{name}' is at {host.site} and can't write to '{write.volume}'"
                yield Complaint(("hosts", name, "writes", index, "volume"), message, hint, "topology")


def _writes_fit_into_their_volumes(parts: Parts) -> Iterator[Complaint]:
    for name, host in parts.hosts.items():
        for index, write in enumerate(host.writes):
            group, _, volume = write.volume.partition("/")
            known = parts.groups[group].volumes.get(volume) if group in parts.groups else None
            if known is None or write.trace is not None:
                continue
            try:
                for recipe in write.recipes().values():
                    recipe.bounds(known.size)
            except ValueError as error:
                hint = "make the volume larger, or the writes smaller"
                yield Complaint(("hosts", name, "writes", index), str(error), hint, "value")


def _runs_end(parts: Parts) -> Iterator[Complaint]:
    if parts.tree.get("duration") is not None:
        return
    endless = [name for name, host in parts.hosts.items() if not host.finite]
    if endless or (not parts.hosts and "hosts" in parts.whole):
        why = f"hosts.{endless[0]} never ends" if endless else "no host gives the run an end"
        yield Complaint((), f"'duration' is missing, and {why}", "add duration: 7 d", "endless", "key")


def _traces_can_be_read(parts: Parts) -> Iterator[Complaint]:
    for name, host in parts.hosts.items():
        for index, write in enumerate(host.writes):
            where: Where = ("hosts", name, "writes", index, "trace")
            try:
                found = traces(write, parts.folder)
                for path in found:
                    path.open("rb").close()
                if found:
                    from drsim.workload.traces.formats import recognise

                    recognise(found, write.format)
            except TraceError as error:
                yield Complaint(where, f"{error.path}: {error.problem}", error.hint, "file")
            except OSError as error:
                yield Complaint(where, f"{error.filename}: {error.strerror}", code="file")


def _chances_can_be_drawn(parts: Parts) -> Iterator[Complaint]:
    for section in ("links", "hosts", "runbooks", "disasters"):
        for name, entry in getattr(parts, section).items():
            for (*where, key), chance in _chances(entry, (section, name)):
                try:
                    chance.mean(parts.folder)
                except OSError as error:
                    message = f"{error.filename}: {error.strerror}"
                    yield Complaint(
                        (*where, key), message, "files are relative to the scenario's folder", "file"
                    )
                except ValueError as error:
                    yield Complaint((*where, key), str(error), code="file")


def _chances(part: object, where: Where) -> Iterator[tuple[Where, Distribution]]:
    """Every distribution within a part of a scenario, and its place."""
    if isinstance(part, Distribution):
        yield where, part
    elif isinstance(part, BaseModel):
        for name, field in type(part).model_fields.items():
            yield from _chances(getattr(part, name), (*where, field.alias or name))
    elif isinstance(part, tuple | list):
        for index, each in enumerate(part):
            yield from _chances(each, (*where, index))


def _time_passes(parts: Parts) -> Iterator[Complaint]:
    """What comes and goes by chance takes some time: how often it did could not be told else."""
    turns = {("between_failures", "repair"), ("up", "down"), ("on", "off")}
    entries: list[tuple[Where, object]] = [(("links", name), link) for name, link in parts.links.items()]
    entries += [(("disasters", index), disaster) for index, disaster in parts.disasters.items()]
    for place, entry in entries:
        lasting: dict[Where, dict[Any, Distribution]] = {}
        for (*where, key), chance in _chances(entry, place):
            lasting.setdefault(tuple(where), {})[key] = chance
        for path, both in lasting.items():
            never = all(isinstance(each, Fixed) and each.value == 0 for each in both.values())
            if never and tuple(both) in turns:
                first, second = both
                message = f"neither {first} nor {second} takes any time, so time would never pass"
                yield Complaint(path, message, f"give {second} a duration", "value")


def _media_exist(parts: Parts) -> Iterator[Complaint]:
    for name, group in parts.groups.items():
        first: Where = ("groups", name, "journal", "medium")
        media = [(first, group.source, group.journal.medium)]
        for target, wanted in group.targets.items():
            where: Where = ("groups", name, "targets", target)
            media.append(((*where, "staging", "medium"), target, wanted.staging.medium))
            if wanted.journal is not None:
                media.append(((*where, "journal", "medium"), group.feeder(target), wanted.journal.medium))
        for path, site, medium in media:
            if medium != "ideal" and site in parts.sites and getattr(parts.sites[site], medium) is None:
                hint = f"add sites.{site}.{medium}, or write medium: ideal"
                yield Complaint(path, f"site {site} has no {medium}", hint, "topology")


def _journals_hold_something(parts: Parts) -> Iterator[Complaint]:
    for name, group in parts.groups.items():
        where: Where = ("groups", name)
        own = [((*where, "targets", t), wanted.journal) for t, wanted in group.targets.items()]
        for path, journal in [(where, group.journal), *own]:
            if journal is not None and journal.size == 0:
                hint = "leave it out for room without limit"
                yield Complaint((*path, "journal", "size"), "a journal of no size holds no write", hint)


def _faults_fit(parts: Parts) -> Iterator[Complaint]:
    for index, disaster in parts.disasters.items():
        if disaster.failover_to == disaster.site:
            where = ("disasters", index, "failover_to")
            yield Complaint(where, "can't fail over to the site that fails", "name another site", "topology")
    for index, operation in parts.operations.items():
        group = parts.groups.get(operation.group)
        if group is not None and operation.to in parts.sites and operation.to not in group.targets:
            message = f"'{operation.to}' is not a target of '{operation.group}'"
            hint = near(str(operation.to), group.targets)
            yield Complaint(("operations", index, "to"), message, hint, "topology")


def _bounds_exist(parts: Parts) -> Iterator[Complaint]:
    for index, expectation in parts.expect.items():
        bound = expectation.bound
        if isinstance(bound, Value) and bound.path[-1] in ("rpo_s", "rto_s"):
            _, group, _, target, key = bound.path
            objective = key.removesuffix("_s")
            known = parts.groups.get(group)
            if known and target in known.targets and getattr(known.targets[target], objective) is None:
                message = f"{group}.{target} has no {objective}"
                hint = f"add {objective}: 15 min to the target, or compare with a duration"
                yield Complaint(("expect", index), message, hint, "dangling")


_CHECKS: list[Callable[[Parts], Iterator[Complaint]]] = [
    _links_join_two_sites,
    _source_is_no_target,
    _cascades_start_at_the_source,
    _every_target_has_a_link,
    _hosts_write_at_the_source,
    _writes_fit_into_their_volumes,
    _runs_end,
    _traces_can_be_read,
    _chances_can_be_drawn,
    _time_passes,
    _media_exist,
    _journals_hold_something,
    _faults_fit,
    _bounds_exist,
]
