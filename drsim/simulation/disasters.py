"""Sites that are lost: what dies with one, what a failover finds, and how the groups it ran come up elsewhere."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
from simpy.events import Event

from drsim.randomness import stream
from drsim.replication.states import Target
from drsim.scenario.disaster import Disaster, Runbook
from drsim.simulation.built import Built
from drsim.simulation.failover import draws, take_over
from drsim.simulation.homeward import go_home
from drsim.simulation.leg import Leg
from drsim.simulation.outcome import Found, Outcome, look
from drsim.simulation.returns import resume, revive
from drsim.simulation.tenure import Tenure
from drsim.units import format_duration

HOUR, MINUTE = 60, 60.0
"""Minutes before a loss that are looked at, and seconds of one."""

Story = Generator[Event, None, None]


@dataclass(slots=True, eq=False)
class Case:
    """One disaster as it happens: ``back`` is when the site is there again (inf: never)."""

    disaster: Disaster
    names: tuple[str, ...]
    at: float
    back: float
    minutes: dict[str, dict[str, list[Found]]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def book(self) -> bool:
        """Whether anybody would move the groups: with a site that comes back one has to say so."""
        wanted = (self.disaster.runbook, self.disaster.failover_to, self.disaster.before)
        return wanted != (None, None, None) or math.isinf(self.back)


def site_loss(built: Built, number: int, disaster: Disaster) -> Story:
    """A site fails at ``disaster.lost_at``: at that exact instant everything there stops.

    Its hosts write no more; what they had not been told of is no loss. Its disks and the links to it are
    dead. The measures of a leg *from* the site end at that instant when the group is taken over elsewhere (its
    window is [0, lost_at]: nothing is written afterwards that could be missing); at a target *at* the site there
    is no image from then on, which is exposure. Each group that ran there is taken over as the runbook says,
    side by side, unless the site is back before the decision.
    """
    world, case = built.world, _case(built, number, disaster)
    for back in range(HOUR, 0, -1):
        when = case.at - back * MINUTE
        if when >= 0:
            yield world.env.at(when)
            world.decide(when, lambda when=when: _note(built, case, when))  # type: ignore[misc]
    yield world.env.at(case.at)
    world.decide(case.at, lambda: _strike(built, case))
    for group, outcome in case.outcomes.items():
        if case.book:
            _choose(built, disaster, outcome)
            world.env.process(_answer(built, case, group, outcome))
        else:
            outcome.awaits = f"waits for {disaster.site}"
    if case.back < math.inf:
        yield world.env.at(case.back)
        world.decide(case.back, lambda: revive(built, disaster.site, case.back))


def _case(built: Built, number: int, disaster: Disaster) -> Case:
    """Draw how long the site is gone; a second loss of a site draws anew."""
    same = [each.site for each in built.scenario.disasters[:number]].count(disaster.site)
    names = (disaster.site, *([str(same + 1)] if same else []))
    back = math.inf
    if disaster.lasts is not None:
        generator = np.random.default_rng(stream(built.scenario.seed, "disasters", *names, "for"))
        back = disaster.lost_at + float(disaster.lasts.draw(generator, 1, built.scenario.folder)[0])
    return Case(disaster, names, disaster.lost_at, back)


def _strike(built: Built, case: Case) -> None:
    site = case.disaster.site
    built.holds[site] = built.holds.get(site, 0) + 1
    if not case.disaster.keeps_data:
        built.wiped.add(site)
    if math.isinf(case.back):
        built.for_good.add(site)
    if site in built.lost:
        return
    _note(built, case, case.at)
    for group in _running(built, site):
        minutes = case.minutes[
            group
        ]  # Of targets the group had before it moved, too, and of sites lost since.
        found = {target: rows[-1] for target, rows in minutes.items() if rows[-1].at == case.at}
        outcome = Outcome(case.disaster.kind, site, case.at, found, minutes=case.minutes[group])
        case.outcomes[group] = outcome
        built.tenures[group][-1].outcome = outcome
        built.outcomes[group].append(outcome)
    lose(built, site, case.at, for_good=math.isinf(case.back))


def lose(built: Built, site: str, at: float, *, for_good: bool) -> None:
    """Everything at a site stops; the world is settled to ``at``."""
    built.lost.add(site)
    if site in built.intakes:
        built.intakes[site].stop()
    for group in _running(built, site):
        _lose_hosts(built, built.tenures[group][-1], at, for_good=for_good)
    for tenures in built.tenures.values():
        _lose_engines(tenures[-1], site, at)
        if tenures[0].source == site and (shelf := tenures[0].group.kept) is not None:
            shelf.kept.away(at)
    place = built.places[site]
    for disk in (place.disk, place.journal_disk):
        for station in disk.levels.values() if disk is not None else ():
            station.cut(at)
    for name, line in built.lines.items():
        if site in built.scenario.links[name].between:
            line.sever(f"loss of {site}", at)


def _lose_hosts(built: Built, tenure: Tenure, at: float, *, for_good: bool) -> None:
    tenure.down = True
    tenure.group.abandon()
    for loop in built.streams[tenure.name].loops:
        if tenure.group in loop.groups:
            loop.forget()
    for leg in tenure.legs.values():
        leg.lose_hosts(at, for_good=for_good)


def _lose_engines(tenure: Tenure, site: str, at: float) -> None:
    for target, leg in tenure.legs.items():
        if tenure.feeders[target] == site and not leg.over:
            leg.lose_source()
        if target == site:
            leg.lose_target(at)


def _running(built: Built, site: str) -> list[str]:
    """The groups whose hosts write at a site."""
    return [n for n, tenures in built.tenures.items() if tenures[-1].source == site and tenures[-1].running]


def _note(built: Built, case: Case, at: float) -> None:
    for group in _running(built, case.disaster.site):
        rows = case.minutes.setdefault(group, {})
        for target, leg in built.tenures[group][-1].legs.items():
            if target not in built.lost:
                rows.setdefault(target, []).append(look(leg, at))


def _choose(built: Built, disaster: Disaster, outcome: Outcome) -> None:
    """The runbook's target if it has an image, else the one with the newest; the first where two are as new."""
    if disaster.before is not None:
        _choose_older(built, disaster, outcome, disaster.before)
        return
    images = {
        t: f.seq for t, f in outcome.found.items() if f.seq is not None and _has_image(built, outcome, t)
    }
    wanted = disaster.failover_to
    if wanted in outcome.found:
        images = {t: seq for t, seq in images.items() if t == wanted}
    outcome.target = max(images, key=lambda t: images[t] or 0) if images else None
    outcome.obstacle = "" if images else "no consistent image is left"


def _choose_older(built: Built, disaster: Disaster, outcome: Outcome, by: float) -> None:
    """The newest snapshot taken ``by`` then (seconds), at the runbook's target if that has one, else anywhere."""
    kept = {}
    for target, leg in _legs(built, outcome).items():
        log = leg.probe.kept
        found = log.newest(by) if log is not None and target not in built.lost else None
        if log is not None and found is not None:
            kept[target] = found, log.lost(found, outcome.at)
    if disaster.failover_to in kept:
        kept = {t: each for t, each in kept.items() if t == disaster.failover_to}
    outcome.target = max(kept, key=lambda t: kept[t][0].at, default=None)
    outcome.point = None if outcome.target is None else kept[outcome.target]
    outcome.obstacle = "" if kept else f"no snapshot of {format_duration(by)} or before is there"


def _legs(built: Built, outcome: Outcome) -> dict[str, Leg]:
    tenures = (t for tenures in built.tenures.values() for t in tenures if t.outcome is outcome)
    return {target: leg for tenure in tenures for target, leg in tenure.legs.items()}


def _has_image(built: Built, outcome: Outcome, target: str) -> bool:
    """Whether the image found at the loss is still there: the site may be lost since, or back without it."""
    sinks = [t.legs[target].sink for ts in built.tenures.values() for t in ts if t.outcome is outcome]
    return target not in built.lost and any(
        sink.state is Target.FOLLOWING or sink.leg.protected is not None for sink in sinks
    )


def _answer(built: Built, case: Case, group: str, outcome: Outcome) -> Story:
    """What the operator does for one group. A site's loss is detected, and the decision taken, once for all."""
    disaster, world = case.disaster, built.world
    book = built.scenario.runbooks[disaster.runbook] if disaster.runbook else Runbook()
    together = draws(built, book.steps, "disasters", *case.names)
    at = outcome.at
    for step in ("detect", "decide"):
        outcome.steps[step] = together(step)
        at += outcome.steps[step]
    yield world.env.at(at)
    world.decide(at, lambda: None)
    tenure = built.tenures[group][-1]
    if outcome.recovered_at is not None:
        return  # The site was back before anybody had decided.
    _choose(built, disaster, outcome)
    if outcome.target is None:
        return
    tenure.leaving = True
    draw = draws(built, book.steps, "disasters", *case.names, group)
    yield from take_over(built, group, outcome, at, draw)
    if outcome.recovered_at is None:
        tenure.leaving = False
        if tenure.down and tenure.end is None and disaster.site not in built.lost:
            world.decide(world.now, lambda: resume(built, tenure, world.now))
    elif book.failback is not None:
        yield from go_home(built, group, disaster.site, book.failback.after, book.failback.steps)
