"""A group in the role it has at this site: opened, run, and opened again when its disk refused."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager

from drsim.agent.clock import LoopClock
from drsim.agent.config import Config
from drsim.agent.logs import log
from drsim.agent.recorder import Recorder
from drsim.replication.actions import Action, StateChanged
from drsim.replication.driver import Tap
from drsim.replication.events import Event

_REOPEN_S, _REOPEN_MOST_S = 1.0, 60.0


class Role(ABC):
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

    @abstractmethod
    def _opened(self) -> AbstractContextManager[None]:
        """Hold open what the role needs."""

    @abstractmethod
    async def close(self) -> None:
        """Close what is open."""

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
