"""Sites that come back: with their media as they were at the loss, or with none, each group finds its place there."""

from __future__ import annotations

from drsim.replication.states import Target
from drsim.simulation.built import Built
from drsim.simulation.crash import last_write, recovered_source
from drsim.simulation.inheritance import back_as_feeder, back_as_target
from drsim.simulation.switch import go_on
from drsim.simulation.tenure import Tenure


def revive(built: Built, site: str, at: float) -> None:
    """A site is there again, unless another disaster still holds it; the world is settled to ``at``.

    A group that waited for it goes on there: engines go on from journals, bitmaps and generations, hosts write
    again at once. A group that runs elsewhere gets it as a target. What to copy is the engines' decision when the
    two ends meet.
    """
    built.holds[site] -= 1
    if built.holds[site]:
        return
    built.lost.discard(site)
    for tenures in built.tenures.values():
        tenure = tenures[-1]
        if tenures[0].source == site and (shelf := tenures[0].group.kept) is not None:
            shelf.back(at, empty=site in built.wiped)
        if tenure.source == site and tenure.down and tenure.end is None:
            if not tenure.leaving:
                resume(built, tenure, at)
        elif site in tenure.legs and tenure.legs[site].sink.state is not Target.PROMOTED:
            back_as_target(built, tenure, site)
            back_as_feeder(built, tenure, site)
        if tenure.source == site:
            tenure.wiped = site in built.wiped
    for name, line in built.lines.items():
        if site in built.scenario.links[name].between:
            line.join(f"loss of {site}")
    built.wiped.discard(site)


def resume(built: Built, tenure: Tenure, at: float) -> None:
    """A group goes on where it was: nobody has taken it over."""
    outcome, site = tenure.outcome, tenure.source
    assert outcome is not None
    if tenure.wiped or site in built.wiped:
        outcome.obstacle = f"{site} came back empty"
        return
    last = last_write(tenure.direct) if tenure.direct else tenure.group.taken  # No other site is left.
    tenure.group.restart(last)
    for leg in tenure.legs.values():
        leg.go_on(last, at)
    for leg in tenure.direct:
        leg.revive_source(recovered_source(leg, last))
    tenure.down = False
    go_on(built, tenure, at)
    outcome.steps = {"return": at - outcome.at}
    outcome.target, outcome.recovered_at, outcome.obstacle = site, at, ""
