"""Bad days and the answers to them: site losses, crashes, and the operator's runbooks."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drsim.scenario.part import Name, Part, refuse
from drsim.units import Duration, Fraction, Moment
from drsim.wan.distribution import Chance, Fixed
from drsim.wan.faults import Flap

_NONE = Fixed("0", 0.0)


class Steps(Part):
    """What has to happen before a group runs at another site; each takes no time unless said.

    ``drain`` is work besides the destaging of what waits in staging, which the simulator times itself.
    """

    detect: Chance = _NONE
    decide: Chance = _NONE
    drain: Chance = _NONE
    attach: Chance = _NONE
    recover: Chance = _NONE
    redirect: Chance = _NONE


class Failback(Part):
    """Going home: ``after`` the failed site is up again and in step, plan the switch back and take its
    ``steps``.
    """

    after: Duration = 0.0
    steps: Steps = Steps()


class Runbook(Part):
    """The operator's steps. ``failback`` tells whether and when to return; without it the group stays."""

    steps: Steps = Steps()
    failback: Failback | None = None


class Stage(Part):
    """One stage of a rolling disaster, ``after`` its beginning: what is left of the disk's and the links'
    speed until the next one; or ``flap``: the links are down and up in turn. The last stage is the loss itself.
    """

    after: Duration
    disk: Fraction = 1.0
    links: Fraction = 1.0
    flap: Flap | None = None


class Disaster(Part):
    """A site fails.

    ``kind``: ``loss`` destroys what the site holds, unless ``data: kept``; ``crash`` stops it with its disks
    intact. ``for``: how long it is gone; without it, for good. ``stages``: how it goes down, before it is
    lost at ``at`` + the last stage (a rolling disaster). ``runbook``: what the operator does for the
    groups whose source it was; ``failover_to``: where, if not to the target with the newest image.
    ``before``: what came later is no good (a virus, a mistake), so the newest snapshot of a target's timetable
    taken by then is put back.
    """

    site: Name
    at: Moment
    kind: Literal["loss", "crash"] = "loss"
    data: Literal["lost", "kept"] | None = None
    lasts: Annotated[Chance | None, Field(alias="for")] = None
    stages: tuple[Stage, ...] = ()
    runbook: Name | None = None
    failover_to: Name | None = None
    before: Moment | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.kind == "crash" and self.data == "lost":
            raise refuse("a crash loses no data", "write kind: loss")
        if any(a.after >= b.after for a, b in zip(self.stages, self.stages[1:], strict=False)):
            raise refuse("the stages are not in the order of 'after'", "put the earlier stage first")
        if self.stages and self.stages[-1].model_fields_set != {"after"}:
            raise refuse("the last stage is the loss itself", "add one more: - {after: 1 h}")
        if any(stage.flap is not None and stage.links != 1 for stage in self.stages):
            raise refuse("one stage does one thing to the links", "give 'links' or 'flap', or two stages")
        return self

    @property
    def keeps_data(self) -> bool:
        """Whether the site's disks are good when it comes back."""
        return self.kind == "crash" or self.data == "kept"

    def windows(self) -> list[tuple[float, float, Stage]]:
        """When each stage but the last begins and ends, seconds of the run."""
        pairs = zip(self.stages, self.stages[1:], strict=False)
        return [(self.at + stage.after, self.at + then.after, stage) for stage, then in pairs]

    @property
    def lost_at(self) -> float:
        """The moment at which the site is gone, seconds of the run."""
        return self.at + (self.stages[-1].after if self.stages else 0.0)


class Operation(Part):
    """What an operator does on a plan.

    ``failover``: quiesce, drain, switch ``to`` that target; nothing is lost. ``failback``: the same, home
    again. ``rehearsal``: attach a snapshot at ``to`` for ``for`` while replication goes on. ``pause``:
    stop sending for ``for``.
    """

    at: Moment
    do: Literal["failover", "failback", "rehearsal", "pause"]
    group: Name
    to: Name | None = None
    lasts: Annotated[Annotated[Duration, Field(gt=0)] | None, Field(alias="for")] = None
    runbook: Name | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.do != "failback" and self.to is None:
            raise refuse(f"a {self.do} needs a target", "add to: and the target's site")
        if self.do in ("rehearsal", "pause") and self.lasts is None:
            raise refuse(f"a {self.do} needs an end", "add for: 4 h")
        return self
