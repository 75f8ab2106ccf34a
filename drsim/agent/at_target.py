"""A group whose copy is here: opened from its files, awaiting its source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from drsim.agent import revive
from drsim.agent.clock import LoopClock
from drsim.agent.config import Config
from drsim.agent.handover import forget_dirt, kept_dirt
from drsim.agent.links import LinkEnd
from drsim.agent.role import Role
from drsim.agent.stores import TargetStore
from drsim.agent.target import TargetGroup
from drsim.replication.actions import Action
from drsim.replication.events import Due, Event
from drsim.replication.states import Target


class AtTarget(Role):
    """A group whose copy is here."""

    role = "target"

    def __init__(self, config: Config, name: str, clock: LoopClock) -> None:
        super().__init__(config, name, clock)
        self.running: TargetGroup | None = None
        partners = set(self.group.others(config.site)) if config.keys else None
        self.end = LinkEnd(f"{name}/{config.site}", clock, partners)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        store = TargetStore.open(self.folder, self.group)
        engine = revive.target_engine(revive.target_settings(self.config, self.name), store)
        dirt = kept_dirt(self.folder, self.config, self.name)
        engine.leg.dirt.mark(dirt.extents())  # whose granules may be larger
        group = TargetGroup(engine, store, self.clock, self.failed, self.config.link.memory)
        group.observers += self.taps(self.end.name)
        if dirt:
            group.observers.append(self._watch_dirt)
        group.link = self.end
        self.end.attach(group)
        group.deliver(Due())
        self.running = group
        yield

    def _watch_dirt(self, now: float, event: Event, actions: list[Action]) -> None:
        """Once the engine no longer needs to know where its old writes were, neither do the files."""
        del now, event, actions
        group = self.running
        if group is not None and not group.engine.leg.dirt and self._watch_dirt in group.observers:
            forget_dirt(self.folder)
            group.observers.remove(self._watch_dirt)

    @property
    def promoted(self) -> bool:
        """Whether the engine has taken over, so that the site must become a source."""
        return self.running is not None and self.running.engine.state is Target.PROMOTED

    async def close(self) -> None:
        """Cut the link, close the files."""
        self.end.attach(None)
        group, self.running = self.running, None
        if group is not None:
            await group.close()
        self._end_recording()

    def status(self) -> dict[str, Any]:
        """Give what `drsim status` shows of the group."""
        found: dict[str, Any] = {"role": self.role, "fault": self.fault, "faults": self.faults}
        group = self.running
        if group is not None:
            found |= {
                "state": group.engine.state.value,
                "connected": self.end.peer is not None,
                "recoverable": group.recoverable,
                "exposed": group.exposed,
                "applied": group.engine.written,
                "staged": group.engine.staged,
                "snapshots": {s.name: s.seq for s in group.snapshots.all},
            }
        return found
