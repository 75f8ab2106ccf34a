"""Warnings: scenarios that are valid and can't work well, each with its number and its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np

from drsim.replication.policy import Cycle, Snapshot
from drsim.scenario.models import Scenario
from drsim.scenario.problem import Complaint, Path
from drsim.units import format_bits, format_duration, format_fraction, format_rate, format_size, rounded_up
from drsim.wan.calendar import Once
from drsim.wan.faults import Scene
from drsim.wan.link import Link
from drsim.wan.story import stream_rate
from drsim.wan.types import KINDS

WEEK = 7 * 86400.0
_TYPICAL_WRITE = 16384


class Facts:
    """What the warnings need to know of a scenario, worked out once."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.horizon = float(scenario.duration or WEEK)

    @cached_property
    def written(self) -> dict[str, float | None]:
        """Mean bytes/s written to each group; None where a trace, or a host that thinks, hides it."""
        rates: dict[str, float | None] = dict.fromkeys(self.scenario.groups, 0.0)
        for host in self.scenario.hosts.values():
            for write in host.writes:
                group = write.volume.partition("/")[0]
                # Who thinks writes as fast as answers come: nobody knows before a run.
                known, more = rates[group], write.mean_rate if host.think is None else None
                rates[group] = None if known is None or more is None else known + float(more)
        return rates

    @cached_property
    def usable(self) -> dict[str, tuple[float, float]]:
        """Mean payload bytes/s of each link over the run, forward and reverse: outages, throttles and all."""
        return {name: self.usable_of(name, link) for name, link in self.scenario.links.items()}

    def usable_of(self, name: str, link: Link) -> tuple[float, float]:
        """`usable` of a link of this name, as it is or as it might be."""
        seeds = np.random.SeedSequence(self.scenario.seed)
        timeline = link.timeline(name, self.horizon, seeds, self.scenario.week_offset, self.scenario.folder)
        size = np.array([_TYPICAL_WRITE], np.int64)
        share = _TYPICAL_WRITE / float(link.charge(size, 0)[0])
        ways = (timeline.direction(forward=forward) for forward in (True, False))
        forward, reverse = (w.capacity(self.horizon).average(0.0, self.horizon) * share for w in ways)
        return forward, reverse

    def carried(self, group: str, target: str) -> tuple[str, float]:
        """The link a group takes to a target, and its mean payload bytes/s in that direction."""
        name, forward = self.direction(group, target)
        return name, self.usable[name][0 if forward else 1]

    def direction(self, group: str, target: str) -> tuple[str, bool]:
        """The link a group takes to a target, and whether it does so forward."""
        name = self.scenario.route(group, target)
        return name, self.scenario.links[name].between[1] == target


def advise(scenario: Scenario) -> Iterator[Complaint]:
    """Every warning about a scenario. ValueError or OSError where a file that a link names is bad."""
    facts = Facts(scenario)
    for warning in WARNINGS:
        yield from warning(facts)


def _links_carry_what_is_written(facts: Facts) -> Iterator[Complaint]:
    needs: dict[tuple[str, bool], list[tuple[str, float]]] = {}
    for name, group in facts.scenario.groups.items():
        rate = facts.written[name]
        for target in group.targets:
            if rate and not isinstance(group.mode_at(target), (Cycle, Snapshot)):
                needs.setdefault(facts.direction(name, target), []).append((name, rate))
    for (link, forward), users in needs.items():
        total, usable = sum(rate for _, rate in users), facts.usable[link][0 if forward else 1]
        if total > usable:
            who = " and ".join(dict.fromkeys(name for name, _ in users))
            message = (
                f"{who} write {format_rate(total)} ({format_bits(total)}) on average, and this link carries "
                f"{format_rate(usable)}: the backlog grows by {format_size((total - usable) * 86400)} a day"
            )
            hint = _bigger(facts, link, forward, total)
            yield Complaint(("links", link), message, hint, "link-too-slow", "key")


def _bigger(facts: Facts, link: str, forward: bool, total: float) -> str:
    """The smallest catalogue type that carries the total through the same outages, throttles, traffic and windows."""
    here = facts.scenario.links[link]
    for name in sorted(KINDS, key=lambda name: KINDS[name].nominal_rate):
        other = here.model_copy(update={"type": name, "rate": None})
        if other.nominal > here.nominal and facts.usable_of(link, other)[0 if forward else 1] >= total:
            return f"type: {name} is big enough; or let cycles fold rewrites (mode: cycle)"
    return "no type is big enough with its outages, limits and other traffic; or fold rewrites (mode: cycle)"


def _first_copies_end(facts: Facts) -> Iterator[Complaint]:
    for name, group in facts.scenario.groups.items():
        nbytes = sum(volume.in_use for volume in group.volumes.values())
        for target, wanted in group.targets.items():
            spare = facts.carried(name, target)[1] - (facts.written[name] or 0.0)
            seconds = nbytes / spare if spare > 0 else float("inf")
            if wanted.seed == "network" and seconds > WEEK:
                takes = f"takes {format_duration(seconds)}" if spare > 0 else "never ends"
                message = f"the first copy of {format_size(nbytes)} {takes}"
                hint = "ship disks: seed: shipped, shipping: 2 d; or state what is 'allocated'"
                yield Complaint(("groups", name, "targets", target), message, hint, "seed-too-long", "key")


def _intervals_are_within_the_rpo(facts: Facts) -> Iterator[Complaint]:
    for name, group in facts.scenario.groups.items():
        for target, wanted in group.targets.items():
            mode = group.mode_at(target)
            every = mode.every if isinstance(mode, (Cycle, Snapshot)) else None
            if wanted.rpo and every and 2 * every > wanted.rpo:
                what = "a snapshot" if isinstance(mode, Snapshot) else "a cycle"
                worst = "each time" if every >= wanted.rpo else "when a transfer takes longer than the rest"
                share, promise = _broken(facts, name, target, every)
                message = (
                    f"{what} every {format_duration(every)} breaks an RPO of {format_duration(wanted.rpo)} "
                    f"{worst}: the lag reaches the interval plus the transfer{share}"
                )
                hint = f"make the interval at most {format_duration(wanted.rpo / 2)}{promise}"
                yield Complaint(
                    ("groups", name, "targets", target, "rpo"), message, hint, "interval-too-long"
                )


def _broken(facts: Facts, name: str, target: str, every: float) -> tuple[str, str]:
    """The share of time beyond the RPO, and the RPO that can be kept.

    The lag climbs from a transfer d to d + P in each interval P, so it is more than the RPO for (P + d - RPO) / P of
    the time (the white paper's trap: P = RPO = 30 min, d / 30).
    """
    group, rate = facts.scenario.groups[name], facts.written[name]
    rpo, usable = group.targets[target].rpo, facts.carried(name, target)[1]
    if not rate or not rpo or not usable:
        return "", ""
    transfer = min(rate * every, group.nbytes) / usable
    share = min(max((every + transfer - rpo) / every, 0.0), 1.0)
    if not share:
        return "", ""
    promise = f", or promise an RPO of {format_duration(every + transfer)}" if transfer < every else ""
    return f" (at most {format_duration(transfer)}), for up to {format_fraction(share)} of the time", promise


def _windows_fill_the_link(facts: Facts) -> Iterator[Complaint]:
    for name, link in facts.scenario.links.items():
        if link.tcp is None or link.tcp.window is None:
            continue
        wire = max(link.payload)
        rate = stream_rate(link, wire)
        together = link.tcp.window * link.tcp.streams
        needed = wire * link.rtt_s
        if together < needed and rate < wire:
            message = (
                f"{format_size(together)} of windows over {format_duration(link.rtt_s)} let pass "
                f"{format_bits(rate)} of {format_bits(wire)} ({format_fraction(rate / wire)})"
            )
            streams = -(-needed // link.tcp.window)
            hint = f"bandwidth x delay is {format_size(needed)}: use a larger window or {streams:.0f} streams"
            yield Complaint(("links", name, "tcp"), message, hint, "window-too-small", "key")


def _staging_fills_the_link(facts: Facts) -> Iterator[Complaint]:
    for name, group in facts.scenario.groups.items():
        rate = facts.written[name]
        for target, wanted in group.targets.items():
            link, _ = facts.carried(name, target)
            trip, size = facts.scenario.links[link].rtt_s, wanted.staging.size
            if rate and size is not None and size < rate * trip:
                message = (
                    f"room for {format_size(size)} that is told over {format_duration(trip)} lets pass "
                    f"{format_rate(size / trip)}, and {format_rate(rate)} is written"
                )
                hint = f"make it at least {format_size(rate * trip)}, and more for what waits for the volumes"
                yield Complaint(
                    ("groups", name, "targets", target, "staging", "size"), message, hint, "staging-too-small"
                )


def _journals_outlast_planned_outages(facts: Facts) -> Iterator[Complaint]:
    for name, group in facts.scenario.groups.items():
        rate = facts.written[name]
        for target in group.targets:
            size = group.journal_at(target).size
            link = facts.scenario.route(name, target)
            longest = _longest_planned(facts, facts.scenario.links[link])
            if rate and size is not None and rate * longest > size:
                message = (
                    f"a planned outage of {link} lasts {format_duration(longest)}, and at the mean rate "
                    f"the journal is full after {format_duration(size / rate)}"
                )
                hint = f"make it at least {format_size(rounded_up(rate * longest))}"
                yield Complaint(("groups", name, "journal", "size"), message, hint, "journal-too-small")


def _longest_planned(facts: Facts, link: Link) -> float:
    """Seconds of the longest stretch without the link that is known beforehand; outages may touch or overlap."""
    scene = Scene(np.random.SeedSequence(0), (), facts.horizon, facts.scenario.week_offset)
    planned = [fault for fault in link.outages if fault.planned]
    longest, begin, end = 0.0, 0.0, 0.0
    for down in sorted((e.begin, e.end) for fault in planned for e in fault.episodes(scene) if e.down):
        begin, end = (begin, max(end, down[1])) if down[0] <= end else down
        longest = max(longest, end - begin)
    return longest


def _disks_take_what_is_written(facts: Facts) -> Iterator[Complaint]:
    for site, body in facts.scenario.sites.items():
        if body.disk is None:
            continue
        here = [facts.written[n] or 0.0 for n, g in facts.scenario.groups.items() if g.source == site]
        here += [facts.written[n] or 0.0 for n, g in facts.scenario.groups.items() if site in g.targets]
        if sum(here) > body.disk.write:
            message = (
                f"{format_rate(sum(here))} is written here, and the disk takes {format_rate(body.disk.write)}"
            )
            yield Complaint(("sites", site, "disk", "write"), message, "use a faster disk", "disk-too-slow")


def _everything_happens(facts: Facts) -> Iterator[Complaint]:
    end = facts.scenario.duration
    for section in ("disasters", "operations"):
        for index, fault in enumerate(getattr(facts.scenario, section)):
            if end is not None and fault.at >= end:
                yield _never((section, index, "at"), end)
    for name, link in facts.scenario.links.items():
        for section in ("outages", "throttle"):
            for index, window in enumerate(getattr(link, section)):
                if end is not None and isinstance(window, Once) and window.at >= end:
                    yield _never(("links", name, section, index, "at"), end)
    for name, rate in facts.written.items():
        if rate == 0.0:
            hint = f"add a host that writes to {name}/{next(iter(facts.scenario.groups[name].volumes))}"
            yield Complaint(("groups", name), "no host writes to this group", hint, "idle", "key")


def _never(where: Path, end: float) -> Complaint:
    message = f"this never happens: the run ends after {format_duration(end)}"
    return Complaint(where, message, "choose an earlier moment", "never")


WARNINGS: list[Callable[[Facts], Iterator[Complaint]]] = [
    _links_carry_what_is_written,
    _first_copies_end,
    _intervals_are_within_the_rpo,
    _windows_fill_the_link,
    _staging_fills_the_link,
    _journals_outlast_planned_outages,
    _disks_take_what_is_written,
    _everything_happens,
]
