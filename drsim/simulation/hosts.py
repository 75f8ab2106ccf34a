"""What hosts feel: from the issue of each write to its acknowledgement, and the wait for a place before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from drsim.blocks.batch import Floats
from drsim.measure.latency import LatencyMeter


def _open_loop(at: Floats) -> None:
    """Nobody waits for it."""


@dataclass(slots=True, eq=False)
class HostProbe:
    """Write latency of one host over all its streams; ``answered`` hears of each acknowledgement.

    ``wait``: how long writes stood in line for one of a closed loop's places before they were issued.
    """

    latency: LatencyMeter = field(default_factory=LatencyMeter)
    wait: LatencyMeter = field(default_factory=LatencyMeter)
    failed: int = 0
    answered: Callable[[Floats], None] = _open_loop

    def finish(self) -> dict[str, Any]:
        """The summary keys of this host."""
        wait = self.wait.finish()
        return {
            **self.latency.finish(),
            **{f"queue_wait_{s}_s": wait[f"write_latency_{s}_s"] or 0.0 for s in ("mean", "p99", "max")},
            "failed_writes": self.failed,
        }
