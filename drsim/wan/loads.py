"""What else shapes a link: throttles by calendar, and traffic of others in the background."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from drsim.randomness import one_by_one
from drsim.units import Rate
from drsim.wan.calendar import Interval, Once, Weekly, Window, window_form
from drsim.wan.distribution import Chance
from drsim.wan.faults import Scene

OURS = 1
"""The priority of replication among the traffic of a link: 0 goes before it, 2 and more give way."""

_FORM = ConfigDict(allow_inf_nan=False, defer_build=True, extra="forbid", frozen=True, populate_by_name=True)


class _Throttle(BaseModel):
    model_config = _FORM

    to_rate: Rate = Field(description="replication moves no faster than this meanwhile (0: it waits)")
    direction: Literal["both", "forward", "reverse"] = "both"


class WeeklyThrottle(_Throttle, Weekly):
    """A limit in weekly windows (office hours)."""


class SingleThrottle(_Throttle, Once):
    """A limit in one window."""


AnyThrottle = Annotated[
    Annotated[SingleThrottle, Tag("once")] | Annotated[WeeklyThrottle, Tag("weekly")],
    Discriminator(window_form),
]
"""The pydantic type of one entry of ``throttle:``, told apart by its keys."""


class Background(BaseModel):
    """Traffic of others: constant (voice), on and off by chance (video), or by calendar (a nightly backup).

    It is a fluid that does not queue: what it cannot send is not sent later. With priority 0 it takes its
    rate before replication; with replication's own priority 1 it takes its rate, but no more than its share
    by ``weight`` beside all others there (replication counts 1); with a lower priority (2 …) it never slows
    replication.
    """

    model_config = _FORM

    name: str = Field(description="what it is")
    rate: Rate = Field(description="wire bytes/s while it is on, in each direction")
    priority: int = Field(
        default=0, ge=0, description="0 before replication, 1 beside it, 2 and more after it"
    )
    weight: float = Field(default=1.0, gt=0, description="share beside replication's 1, for priority 1")
    on: Chance | None = Field(default=None, description="how long it sends")
    off: Chance | None = Field(default=None, description="how long it pauses between")
    during: tuple[Window, ...] = Field(default=(), description="when it is there at all; always, without")

    @model_validator(mode="after")
    def _on_and_off(self) -> Background:
        if (self.on is None) != (self.off is None):
            raise ValueError("'on' and 'off' belong together")
        return self

    def active(self, scene: Scene) -> Iterator[Interval]:
        """Give the intervals in which it sends, up to the horizon, in order for each window."""
        windows = [i for w in self.during for i in w.intervals(scene.horizon, scene.week_offset)]
        for begin, end in windows if self.during else [(0.0, scene.horizon)]:
            yield from self._talks(begin, end, scene)

    def _talks(self, begin: float, end: float, scene: Scene) -> Iterator[Interval]:
        on, off = self.on, self.off
        if on is None or off is None:
            yield begin, end
            return
        streams = scene.stream(f"on {begin!r}"), scene.stream(f"off {begin!r}")
        talk = one_by_one(lambda count: on.draw(streams[0], count, scene.folder))
        pause = one_by_one(lambda count: off.draw(streams[1], count, scene.folder))
        while begin < end:
            stop = begin + next(talk)
            if stop > begin:
                yield begin, min(stop, end)
            then = stop + next(pause)
            if then <= begin:
                raise ValueError(f"background {self.name}: on and off last no time")
            begin = then


def left(capacity: float, others: Sequence[Background]) -> float:
    """Wire bytes/s that the traffic of others leaves to replication that wants all of ``capacity`` (bytes/s).

    Beside replication, max-min fair by weight: who wants less than its share leaves the rest to all others.
    """
    capacity -= min(sum(float(o.rate) for o in others if o.priority < OURS), capacity)
    beside = sorted((o for o in others if o.priority == OURS), key=lambda o: float(o.rate) / o.weight)
    weights = 1.0 + sum(o.weight for o in beside)
    for other in beside:
        if float(other.rate) * weights >= capacity * other.weight:
            break
        capacity -= float(other.rate)
        weights -= other.weight
    return capacity / weights
