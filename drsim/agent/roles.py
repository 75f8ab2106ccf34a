"""A group in the role it has at this site: opened, run, and opened again when its disk refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from drsim.agent import revive
from drsim.agent.clock import LoopClock
from drsim.agent.config import Config
from drsim.agent.exports import VolumeExport
from drsim.agent.leg import SourceLeg
from drsim.agent.links import LinkEnd
from drsim.agent.logs import log
from drsim.agent.recorder import Recorder
from drsim.agent.source import SourceGroup
from drsim.agent.stores import SourceStore, TargetStore
from drsim.agent.target import TargetGroup
from drsim.agent.watch import LegWatch
from drsim.replication.actions import Action, StateChanged
from drsim.replication.driver import Tap
from drsim.replication.events import Due, Event

_REOPEN_S, _REOPEN_MOST_S = 1.0, 60.0


class Role:
    """What both roles share: the life of a group whose disk may refuse.

    A group whose disk refused answers its hosts with errors and its peers with silence; it is opened again
    after a pause, from what is durable, as after a crash.
    """

    role = ""

    def __init__(self, config: Config, name: str, clock: LoopClock) -> None:
        self.config = config
        self.name = name
        self.group = config.groups[name]
        self.clock = clock
        self.folder = config.state / name
        self.fault = ""
        self.faults = 0
        self._failed = asyncio.Event()
        self._recorders: list[Recorder] = []

    async def run(self, ready: Callable[[], None]) -> None:
        """Open and keep open until cancelled; ``ready`` is called after the first attempt, good or bad."""
        pause = _REOPEN_S
        while True:
            self._failed.clear()
            try:
                with self._opened():
                    self.fault = ""
                    ready()
                    began = self.clock.now()
                    await self._failed.wait()
                    if self.clock.now() - began > _REOPEN_MOST_S:
                        pause = _REOPEN_S
            except OSError as error:
                self.failed(error)
                ready()
            finally:
                await self.close()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _REOPEN_MOST_S)

    def failed(self, error: BaseException) -> None:
        """Remember what refused."""
        self.fault = str(error) or type(error).__name__
        self.faults += 1
        log.error("disk refused", extra={"group": self.name, "error": self.fault})
        self._failed.set()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        raise NotImplementedError

    async def close(self) -> None:
        """Close what is open."""
        raise NotImplementedError

    def taps(self, name: str) -> list[Tap]:
        """Give the observers every engine has: the log of its states, and the recording if one is wanted."""
        found: list[Tap] = [_StateLog(name)]
        if self.config.record is not None:
            path = self.config.record / f"{self.role}-{name.replace('/', '-')}-{self.clock.now():.0f}.flight"
            self._recorders.append(Recorder(path))
            found.append(self._recorders[-1])
        return found

    def _end_recording(self) -> None:
        for recorder in self._recorders:
            recorder.close()
        self._recorders.clear()


class _StateLog:
    """Writes changes of an engine's state to the log."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, now: float, event: Event, actions: list[Action]) -> None:
        """See one step."""
        del now, event
        for action in actions:
            if isinstance(action, StateChanged):
                log.info(
                    "state",
                    extra={"leg": self._name, "from": action.old, "to": action.new, "cause": action.cause},
                )


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
        self.ends = {target: self._end(target) for target in self.group.targets}
        self.watches: dict[str, LegWatch] = {}
        self.exports = {
            f"{name}/{volume}": VolumeExport(f"{name}/{volume}", spec.size, number, f"{volume} of {name}")
            for number, (volume, spec) in enumerate(self.group.volumes.items())
        }

    def _end(self, target: str) -> LinkEnd:
        partner = target if self.config.keys else None
        return LinkEnd(
            f"{self.name}/{target}", self.clock, partner, lambda: self.redial.get(target, _nothing)()
        )

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        store = SourceStore.open(self.folder, self.group)
        settings = {t: revive.source_settings(self.config, self.name, t) for t in self.group.targets}
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
            leg.deliver(Due())
        for export in self.exports.values():
            export.attach(group)
        yield

    def _attach(self, leg: SourceLeg, target: str) -> None:
        name = f"{self.name}/{target}"
        leg.link = end = self.ends[target]
        end.attach(leg)
        watch = self.watches[target] = LegWatch(leg.engine, self.group.targets[target].rpo, self.clock.now())
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
            "writes": group.writes,
            "written_bytes": group.written_bytes,
            "last": group.intake.last,
            "journal_file_bytes": group.journal.nbytes,
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


class AtTarget(Role):
    """A group whose copy is here."""

    role = "target"

    def __init__(self, config: Config, name: str, clock: LoopClock) -> None:
        super().__init__(config, name, clock)
        self.running: TargetGroup | None = None
        partner = self.group.source if config.keys else None
        self.end = LinkEnd(f"{name}/{config.site}", clock, partner)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        store = TargetStore.open(self.folder, self.group)
        engine = revive.target_engine(revive.target_settings(self.config, self.name), store)
        group = TargetGroup(engine, store, self.clock, self.failed, self.config.link.memory)
        group.observers += self.taps(self.end.name)
        group.link = self.end
        self.end.attach(group)
        group.deliver(Due())
        self.running = group
        yield

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


def _nothing() -> None:
    """No one dials yet."""
