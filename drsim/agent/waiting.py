"""A request of a host that is not answered yet, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from drsim.agent.nbd.exports import Asked, Writes


@dataclass(slots=True)
class Waiting:
    """A request whose last row has place ``seq``; answered when the order is acknowledged through there."""

    seq: int
    request: Asked

    def parted(self, seq: int) -> tuple[Waiting, Waiting] | None:
        """Part writes that were taken together behind place ``seq``, if they lie on both sides of it."""
        request = self.request
        if not isinstance(request, Writes) or not (count := len(request) - (self.seq - seq)) > 0:
            return None
        done, rest = request.parted(count)
        return Waiting(seq, done), Waiting(self.seq, rest)
