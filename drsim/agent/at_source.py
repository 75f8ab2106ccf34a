"""A group whose hosts are here: opened from its files, exported, linked to its targets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from drsim.agent import revive
from drsim.agent.clock import LoopClock
from drsim.agent.config import Config
from drsim.agent.exports import VolumeExport
from drsim.agent.leg import SourceLeg
from drsim.agent.links import LinkEnd
from drsim.agent.role import Role
from drsim.agent.source import SourceGroup
from drsim.agent.stores import SourceStore
from drsim.agent.watch import LegWatch


class AtSource(Role):
    """A group whose hosts are here.

    Attributes:
        ends: one link end a target, in place for as long as the group is open.
        exports: one a volume; they stay when the group is closed and opened again.
    """

    role = "source"

    def __init__(self, config: Config, name: str, clock: LoopClock) -> None:
        super().__init__(config, name, clock)
        self.running: SourceGroup | None = None
        self.redial: dict[str, Callable[[], None]] = {}
        self.targets = self.group.others(config.site)
        self.ends = {target: self._end(target) for target in self.targets}
        self.watches: dict[str, LegWatch] = {}
        self.exports = {
            f"{name}/{volume}": VolumeExport(f"{name}/{volume}", spec.size, number, f"{volume} of {name}")
            for number, (volume, spec) in enumerate(self.group.volumes.items())
        }

    def _end(self, target: str) -> LinkEnd:
        partners = {target} if self.config.keys else None
        return LinkEnd(
            f"{self.name}/{target}", self.clock, partners, lambda: self.redial.get(target, _nothing)()
        )

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        store = SourceStore.open(self.folder, self.group)
        settings = {t: revive.source_settings(self.config, self.name, t) for t in self.targets}
        files = {target: revive.open_leg(store, settings[target], target) for target in settings}
        last = revive.last_used(store, list(files.values()))
        engines = {t: revive.source_engine(settings[t], store, files[t], last) for t in settings}
        if store.journal.damage:  # every leg has noted what that may have cost
            store.journal.restart(last + 1)
        group = SourceGroup(store, self.clock, last, self.failed)
        for target in settings:
            leg = SourceLeg(target, engines[target], group, files[target], self.clock, last)
            leg.trimmed = leg.engine.leg.journal.trimmed
            self._attach(leg, target)
            group.legs.append(leg)
        self.running = group
        for leg in group.legs:
            leg.begin()
        group.ask_to_tell()  # what an earlier life answered for
        for export in self.exports.values():
            export.attach(group)
        yield

    def _attach(self, leg: SourceLeg, target: str) -> None:
        name = f"{self.name}/{target}"
        leg.link = end = self.ends[target]
        end.attach(leg)
        watch = self.watches[target] = LegWatch(leg.engine, self.group.target(target).rpo, self.clock.now())
        leg.observers += [watch, *self.taps(name)]

    async def close(self) -> None:
        """Cut the links, refuse the hosts, close the files."""
        for export in self.exports.values():
            export.attach(None)
        for end in self.ends.values():
            end.attach(None)
        group, self.running = self.running, None
        if group is not None:
            await group.close()
        self._end_recording()

    def status(self) -> dict[str, Any]:
        """Give what `drsim status` shows of the group."""
        now, group = self.clock.now(), self.running
        found: dict[str, Any] = {"role": self.role, "fault": self.fault, "faults": self.faults}
        if group is None:
            return found
        found |= {
            "writes": group.intake.told_writes,
            "written_bytes": group.intake.told_bytes,
            "last": group.intake.last + len(group.intake),
            "journal_file_bytes": group.journal.nbytes,
            "spilled_bytes": group.journal.spilled,
            "cached_bytes": group.cache.held if group.cache else 0,
            "targets": {},
        }
        for leg in group.legs:
            end = self.ends[leg.name]
            found["targets"][leg.name] = {
                "state": leg.engine.state.value,
                "connected": end.peer is not None,
                "refusal": end.refusal,
                "confirmed": self.watches[leg.name].confirmed,
                "sent_bytes": end.sent,
                **self.watches[leg.name].summary(now),
            }
        return found


def _nothing() -> None:
    """No one dials yet."""
