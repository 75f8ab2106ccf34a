"""What a scenario may say and the simulated world can't do: refused by name, never passed over."""

from __future__ import annotations

from collections.abc import Iterator

from drsim.scenario.group import Group
from drsim.scenario.models import Scenario
from drsim.scenario.problem import Complaint, Path, Problem, ScenarioError
from drsim.simulation.ways import holds_hosts, journal_of, movable, ways
from drsim.units import format_size

Found = tuple[Path, str, str]
"""Where, what, and what to do instead."""


def problems(scenario: Scenario) -> list[Problem]:
    """Everything that is not simulated, each at its line and column, in the order of the file."""
    found = [
        scenario.problem(Complaint(path, f"not simulated: {what}", hint, "unsupported"))
        for path, what, hint in _found(scenario)
    ]
    return sorted(found, key=lambda p: (p.option != "", p.line, p.column))


def refuse(scenario: Scenario) -> None:
    """Raise ScenarioError with everything that is not simulated."""
    found = problems(scenario)
    if found:
        raise ScenarioError(found)


def _found(scenario: Scenario) -> Iterator[Found]:
    for name, group in scenario.groups.items():
        yield from _group(("groups", name), group)
        yield from _bitmaps(scenario, name, group)
    yield from _movers(scenario)
    for index, disaster in enumerate(scenario.disasters):
        for name, group in scenario.groups.items():
            mine = group.source == disaster.site and disaster.before is not None
            if mine and not any(target.snapshots for target in group.targets.values()):
                hint = "give a target snapshots: [{every: 1 h, keep: 48}]"
                yield (
                    ("disasters", index, "before"),
                    f"going back with {name}, which keeps no snapshots",
                    hint,
                )


def _bitmaps(scenario: Scenario, name: str, group: Group) -> Iterator[Found]:
    """A volume of which places may have to be marked is no longer than a bitmap can name."""
    room = group.resync.granularity << 32
    overflows = (
        (journal := group.journal_at(target)).size is not None and not journal.on_full.keeps_order
        for target in group.targets
    )
    copied = any(target.seed != "in-sync" for target in group.targets.values())
    if not (copied or any(overflows) or movable(scenario, name)):
        return
    for volume, body in group.volumes.items():
        if body.size > room:
            needed = 1 << (-(-body.size >> 32) - 1).bit_length()
            what = (
                f"marking places of {group.resync.granularity} B on a volume longer than {format_size(room)}"
            )
            yield (
                ("groups", name, "volumes", volume),
                what,
                f"write resync: {{granularity: {needed >> 10} KiB}}",
            )


def _movers(scenario: Scenario) -> Iterator[Found]:
    """What can't be asked of a group that may run elsewhere."""
    for name, group in scenario.groups.items():
        if not movable(scenario, name):
            continue
        yield from _media_everywhere(scenario, name, group)


def _media_everywhere(scenario: Scenario, name: str, group: Group) -> Iterator[Found]:
    """A journal needs its medium wherever the group may write."""
    for site in (group.source, *group.targets):
        for way in ways(scenario):
            if (way.group, way.source) == (name, site) and not way.planned:
                medium = journal_of(group, site, way.target).medium
                if medium != "ideal" and getattr(scenario.sites[site], medium) is None:
                    hint = f"add sites.{site}.{medium}, or write medium: ideal"
                    yield (
                        ("groups", name, "journal", "medium"),
                        f"no {medium} at {site} after a failover",
                        hint,
                    )


def _group(where: Path, group: Group) -> Iterator[Found]:
    direct = [t for t, target in group.targets.items() if target.via is None]
    for name, target in group.targets.items():
        at: Path = (*where, "targets", name)
        yield from _hop(at, group, name)
        if target.history is not None and target.history.keep is None and target.history.space is None:
            hint = "nothing would ever reach the volumes: give keep: 24 h, space: 50 GB, or both"
            yield (*at, "history"), "a history without end", hint
        if group.journal_at(name).on_full.kind == "fail" and len(direct) > 1:
            hint = "a write that failed would be on some targets and not on others: use another on_full"
            yield (*at, "journal"), "failing writes that other targets took", hint


def _hop(at: Path, group: Group, name: str) -> Iterator[Found]:
    """A target that another one feeds: no host waits for it, and what feeds it must be an image at every write."""
    via = group.targets[name].via
    if via is None:
        return
    if group.mode_at(via).closing() is not None:
        hint = f"between two cycles {via} has no image to pass on: give {via} mode: journal"
        yield (*at, "via"), f"a cascade from {via}, which applies whole cycles", hint
    if group.mode_at(name).kind == "sync":
        hint = f"{via} passes on what hosts were told of already: give {name} mode: journal, or a link of its own"
        yield (*at, "via"), "hosts that wait for a target further down", hint
    if holds_hosts(group.journal_at(name)):
        what = f"a journal at {via} that stops hosts at {group.source}"
        hint = f"hosts wait for {via} at most: give {name} a journal of its own with on_full: track"
        yield (*at, "journal"), what, hint
