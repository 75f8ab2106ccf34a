"""A second process for a short run's pictures: it imports what draws while the run goes on, then draws the results."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from drsim.cli.options import cores

Draw = Callable[..., None]

_PATIENCE_S = 10
"""A run that lasts longer draws by itself: what could be gained is less than the memory of one who waits is worth."""


@contextmanager
def beside(draw: Draw, ready: Callable[[], None], *, wanted: bool = True) -> Iterator[Draw]:
    """Yield what does the same as ``draw``: sooner, where another process can get ready for it meanwhile.

    Where there can be no such process, or it fails in any way, ``draw`` is called here; so its errors are raised here.

    Args:
        draw: takes what can be pickled; may be called again where it was interrupted.
        ready: imports what ``draw`` needs.
        wanted: whether anything may have to be drawn.
    """
    if not (wanted and _worth_it()):
        yield draw
        return
    reader, writer = os.pipe()
    # A signal must find a process that knows which of the two it is.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    child = os.fork()
    if not child:
        os.close(writer)
        _paint(reader, mask, draw, ready)
    os.close(reader)
    painter = _Painter(child, writer)

    def drawn(*what: Any) -> None:
        if not painter.drew(what):
            draw(*what)

    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        yield drawn
    finally:
        painter.end()


def _worth_it() -> bool:
    """Linux, another core, and no thread but this one: what others hold locked would stay so in a fork."""
    return sys.platform == "linux" and cores() > 1 and len(list(Path("/proc/self/task").glob("*"))) == 1


def _paint(reader: int, mask: Any, draw: Draw, ready: Callable[[], None]) -> NoReturn:
    """The other process: it leaves nothing behind and says nothing but its exit code, and ends with the run."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run hears of it too, and ends this process
        for number in (signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.alarm(_PATIENCE_S)
        ready()
        with os.fdopen(reader, "rb") as pipe:
            what = pickle.load(pipe)
        signal.alarm(0)
        draw(*what)
        code = 0
    finally:
        os._exit(code)


class _Painter:
    """The other process as the run sees it."""

    def __init__(self, child: int, writer: int) -> None:
        self._child: int | None = child
        self._pipe = os.fdopen(writer, "wb")

    def drew(self, what: Any) -> bool:
        """Hand it what is to be drawn, and wait; whether it has been drawn."""
        with suppress(OSError), self._pipe:
            pickle.dump(what, self._pipe, pickle.HIGHEST_PROTOCOL)
        return self._ended() == 0

    def end(self) -> None:
        """Nothing is to be drawn any more."""
        if self._child is not None:
            with suppress(OSError):
                os.kill(self._child, signal.SIGKILL)
            self._ended()
        with suppress(OSError):
            self._pipe.close()

    def _ended(self) -> int | None:
        """Wait for its end; its exit code, None where the system does not tell."""
        code = None
        if self._child is not None:
            with suppress(ChildProcessError):
                code = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
            self._child = None
        return code
