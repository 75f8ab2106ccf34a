"""``drsim serve``: one agent in the foreground until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import signal
import sys
from pathlib import Path

from drsim.agent import logs
from drsim.agent.config import Config
from drsim.agent.load import load
from drsim.agent.logs import log
from drsim.agent.metrics import MetricsServer
from drsim.agent.node import Node
from drsim.agent.operator import Operator
from drsim.agent.status import StatusServer
from drsim.scenario.problem import ScenarioError

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_SWITCH_S = 0.0005  # threads that come back from the disk wait for the interpreter no longer than this
_YOUNG = 50_000  # objects between two searches for cycles: writes under way are in none, and are thousands


async def serve(config: Config, stop: asyncio.Event | None = None) -> None:
    """Run an agent until SIGTERM, SIGINT or ``stop``.

    Raises:
        OSError: an address or the state folder cannot be used.
    """
    loop = asyncio.get_running_loop()
    ending = stop or asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ending.set)
    node = Node(config)
    async with node.running():
        door = StatusServer(config.status_socket, Operator(node).answer)
        await door.start()
        metrics = config.metrics and MetricsServer(*config.metrics.pair, node.status)
        try:
            gc.freeze()
            await ending.wait()
        finally:
            if metrics:
                metrics.close()
            await door.close()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line ``CONFIG [--site NAME]``; give the exit code (0 stopped, 2 invalid or impossible)."""
    parser = argparse.ArgumentParser(prog="drsim serve", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--site", help="run as this site, whatever the file says")
    parser.add_argument("--log", default="info", choices=["debug", "info", "warning", "error"])
    given = parser.parse_args(arguments)
    return run(given.config, given.site, given.log)


def run(path: Path, site: str | None = None, level: str = "info") -> int:
    """Serve a configuration file until told to stop; give the exit code."""
    try:
        config = load(path, site)
    except ScenarioError as error:
        sys.stderr.write(f"{error.render()}\n")
        return 2
    logs.start_logging(level)
    sys.setswitchinterval(_SWITCH_S)
    gc.set_threshold(_YOUNG)
    _keep_memory()
    try:
        asyncio.run(serve(config))
    except OSError as error:
        log.critical("cannot serve", extra={"error": str(error)})
        return 2
    return 0


def _keep_memory() -> None:
    """Have glibc keep freed buffers: giving them back and faulting them in again costs as much as copying them."""
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 64 << 20)
        mallopt(_M_TRIM_THRESHOLD, 256 << 20)


if __name__ == "__main__":
    sys.exit(main())
