"""Hosts: who writes to volumes, and whether they wait for their writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from drsim.scenario.part import Name, Part, refuse
from drsim.wan.distribution import Chance
from drsim.workload.stream import Stream as Write


class Host(Part):
    """A machine at a site that writes to volumes.

    Without ``queue_depth`` writes come when their arrivals say (open loop). With it, a host keeps at most
    that many writes unacknowledged and later ones wait their turn (closed loop), so that a slow disk, a
    synchronous target or a full journal slows it. With ``think`` as well, arrivals only give the order of
    the writes: each of the ``queue_depth`` places thinks for so long after an acknowledgement and then
    issues the next write, as a user or a transaction does.
    """

    site: Name
    writes: Annotated[tuple[Write, ...], Field(min_length=1)]
    queue_depth: Annotated[int, Field(gt=0, le=4096)] | None = None
    think: Chance | None = None

    @model_validator(mode="after")
    def _only_in_a_loop(self) -> Self:
        if self.think is not None and self.queue_depth is None:
            raise refuse(
                "who thinks must wait for writes: 'think' needs 'queue_depth'", "write queue_depth: 1"
            )
        return self

    @property
    def finite(self) -> bool:
        """Whether its writes come to an end by themselves, as a trace's do."""
        return all(write.finite for write in self.writes)


def traces(write: Write, folder: Path) -> list[Path]:
    """The files that an entry of ``writes:`` replays, patterns expanded; TraceError where there is none."""
    if write.trace is None:
        return []
    from drsim.workload.traces.formats import find

    return [path for name in write.trace for path in find(folder, name)]
