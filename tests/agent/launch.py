"""Starts an agent in a process of its own; DRSIM_FAULT makes its disk misbehave, as a real one would.

``fsync:N`` every sync from the N-th on fails with EIO · ``space:BYTES`` no file may grow beyond so much.
"""

import errno
import os
import resource
import sys
import threading

from drsim.agent import disk
from drsim.agent.serve import main

_count = 0
_lock = threading.Lock()


def _failing(real, after):
    def sync(*arguments):
        global _count
        with _lock:
            _count += 1
            if _count > after:
                raise OSError(errno.EIO, "injected: the disk lost it")
        return real(*arguments)

    return sync


def inject(fault: str) -> None:
    kind, _, value = fault.partition(":")
    if kind == "fsync":
        os.fdatasync = _failing(os.fdatasync, int(value))
        os.fsync = _failing(os.fsync, int(value))
        disk.append_durably = _failing(disk.append_durably, int(value))
    elif kind == "space":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(value), int(value)))
    else:
        raise SystemExit(f"unknown fault {fault!r}")


if __name__ == "__main__":
    if "DRSIM_FAULT" in os.environ:
        inject(os.environ["DRSIM_FAULT"])
    sys.exit(main(sys.argv[1:]))
