"""How a site goes down before it is lost: its disk and its links get slower, flap, or fail, stage by stage."""

from __future__ import annotations

from drsim.scenario.models import Scenario
from drsim.wan.faults import Fault, FixedFault
from drsim.wan.link import Link


def staged_link(scenario: Scenario, name: str) -> Link:
    """A link with what the stages of disasters at its ends do to it, besides its own outages."""
    link = scenario.links[name]
    faults: list[Fault] = []
    for disaster in scenario.disasters:
        for begin, end, stage in disaster.windows() if disaster.site in link.between else ():
            if stage.flap is None and stage.links == 1:
                continue
            times = {"at": f"{begin!r} s", "for": f"{end - begin!r} s"}
            keeps = None if stage.links == 0 else stage.links
            fault = FixedFault.model_validate(times)
            faults.append(fault.model_copy(update={"flap": stage.flap} if stage.flap else {"keeps": keeps}))
    return link.model_copy(update={"outages": (*link.outages, *faults)}) if faults else link


def slowed_disk(scenario: Scenario, site: str, steps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A disk's rate in time, (instant, bytes/s), with what stages leave of it."""
    for disaster in scenario.disasters:
        for begin, end, stage in disaster.windows() if disaster.site == site else ():
            if stage.disk != 1:
                steps = _slowed(steps, begin, end, stage.disk)
    return steps


def _slowed(
    steps: list[tuple[float, float]], begin: float, end: float, keeps: float
) -> list[tuple[float, float]]:
    edges = sorted({at for at, _ in steps} | {begin, end})
    rates = [next(rate for t, rate in reversed(steps) if t <= at) for at in edges]
    return [(at, rate * keeps if begin <= at < end else rate) for at, rate in zip(edges, rates, strict=True)]
