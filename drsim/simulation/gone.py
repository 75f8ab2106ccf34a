"""What stands where an engine was whose site is lost."""

from __future__ import annotations

from drsim.replication.actions import Action
from drsim.replication.events import Event


class Gone:
    """Nothing reaches it, it does nothing, it waits for nothing."""

    def step(self, event: Event, now: float) -> list[Action]:  # noqa: ARG002
        """Do nothing."""
        return []

    def deadline(self) -> float | None:
        """Wait for nothing."""
        return None
