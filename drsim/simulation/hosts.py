"""What hosts feel: from the issue of each write to its acknowledgement."""

from __future__ import annotations

from dataclasses import dataclass, field

from drsim.measure.latency import LatencyMeter


@dataclass(slots=True, eq=False)
class HostProbe:
    """Write latency of one host over all its streams."""

    latency: LatencyMeter = field(default_factory=LatencyMeter)
    failed: int = 0
