"""Sites that are lost: what dies with one, what a failover finds, and how the groups it ran come up elsewhere."""

from __future__ import annotations

from collections.abc import Generator

from simpy.events import Event

from drsim.scenario.disaster import Disaster, Runbook
from drsim.simulation.build import Built
from drsim.simulation.failover import draws, take_over
from drsim.simulation.outcome import Found, Outcome, look

HOUR, MINUTE = 60, 60.0
"""Minutes before a loss that are looked at, and seconds of one."""


def site_loss(built: Built, disaster: Disaster) -> Generator[Event, None, None]:
    """A site fails at ``disaster.lost_at``, for good: at that exact instant everything there stops.

    Its hosts write no more; what they had not been told of is no loss. Its disks and the links to it are
    dead. The measures of a leg *from* the site end at that instant (its window is [0, lost_at]: nothing is
    written afterwards that could be missing); at a target *at* the site there is no image from then on, which is
    exposure. Each group that ran there is taken over as the runbook says, side by side.
    """
    world, at, site = built.world, disaster.lost_at, disaster.site
    minutes: dict[str, dict[str, list[Found]]] = {}
    for back in range(HOUR, 0, -1):
        if at - back * MINUTE >= 0:
            yield world.env.at(at - back * MINUTE)
            when = at - back * MINUTE
            world.decide(when, lambda when=when: _note(built, site, when, minutes))  # type: ignore[misc]
    yield world.env.at(at)
    outcomes: dict[str, Outcome] = {}

    def strike() -> None:
        _note(built, site, at, minutes)
        for group in _running(built, site):
            found = {target: rows[-1] for target, rows in minutes[group].items()}
            outcomes[group] = Outcome(disaster.kind, site, at, found, minutes=minutes[group])
            built.outcomes[group].append(outcomes[group])
        lose(built, site, at)

    world.decide(at, strike)
    for group, outcome in outcomes.items():
        _choose(built, disaster, outcome)
        world.env.process(_answer(built, disaster, group, outcome))


def lose(built: Built, site: str, at: float) -> None:
    """Everything at a site stops; the world is settled to ``at``."""
    built.lost.add(site)
    if site in built.intakes:
        built.intakes[site].stop()
    for group in _running(built, site):
        built.groups[group].abandon()
    for (group, target), leg in built.legs.items():
        if built.scenario.groups[group].feeder(target) == site:
            leg.lose_source(at)
        if target == site:
            leg.lose_target(at)
    place = built.places[site]
    for disk in (place.disk, place.journal_disk):
        for station in disk.levels.values() if disk is not None else ():
            station.cut(at)
    for name, line in built.lines.items():
        if site in built.scenario.links[name].between:
            line.sever(f"loss of {site}", at)


def _running(built: Built, site: str) -> list[str]:
    """The groups whose hosts write at a site."""
    groups = built.scenario.groups
    return [name for name in groups if groups[name].source == site and name not in built.moved]


def _note(built: Built, site: str, at: float, minutes: dict[str, dict[str, list[Found]]]) -> None:
    for group in _running(built, site):
        for target in built.scenario.groups[group].targets:
            if target not in built.lost:
                rows = minutes.setdefault(group, {}).setdefault(target, [])
                rows.append(look(built.legs[group, target], at))
        minutes.setdefault(group, {})


def _choose(built: Built, disaster: Disaster, outcome: Outcome) -> None:
    """The runbook's target if it has an image, else the one with the newest; the first where two are as new."""
    images = {t: f.seq for t, f in outcome.found.items() if f.seq is not None and t not in built.lost}
    wanted = disaster.failover_to
    if wanted in outcome.found:
        images = {t: seq for t, seq in images.items() if t == wanted}
    outcome.target = max(images, key=lambda t: images[t] or 0) if images else None
    outcome.obstacle = "" if images else "no consistent image is left"


def _answer(built: Built, disaster: Disaster, group: str, outcome: Outcome) -> Generator[Event, None, None]:
    """What the operator does for one group. A site's loss is detected, and the decision taken, once for all."""
    book = built.scenario.runbooks[disaster.runbook] if disaster.runbook else Runbook()
    together = draws(built, book.steps, "disasters", disaster.site)
    at = outcome.at
    for step in ("detect", "decide"):
        outcome.steps[step] = together(step)
        at += outcome.steps[step]
    yield built.world.env.at(at)
    _choose(built, disaster, outcome)
    if outcome.target is not None:
        draw = draws(built, book.steps, "disasters", disaster.site, group)
        yield from take_over(built, group, outcome, at, draw)
