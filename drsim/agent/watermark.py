"""A number written without waiting: after a crash it is found, or a smaller one, never a larger."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from xxhash import xxh3_64_intdigest

_MARK = struct.Struct("<QQ")


def this_boot() -> bytes:
    """Name the time since the machine last started: what is in the page cache stays there as long."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    except OSError:  # then nothing left behind may be relied on
        return os.urandom(16)


class Watermark:
    """A lower bound on disk.

    Args:
        boot: empty for a bound on what is durable: written after the fact, whatever survives a crash of
            the process (the latest) or of the machine (perhaps an older one, or none: 0) is true. Else a
            name from `this_boot`, for what was written and not flushed: 0 once the machine restarted.
    """

    def __init__(self, path: Path, boot: bytes = b"") -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._boot = boot
        raw = os.pread(self._fd, _MARK.size, 0)
        value, digest = _MARK.unpack(raw) if len(raw) == _MARK.size else (0, 0)
        self.value = int(value) if digest == xxh3_64_intdigest(raw[:8] + boot) else 0

    def put(self, value: int) -> None:
        """Write a new bound."""
        self.value = value
        raw = value.to_bytes(8, "little")
        os.pwrite(self._fd, raw + xxh3_64_intdigest(raw + self._boot).to_bytes(8, "little"), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
