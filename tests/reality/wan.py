"""Two network namespaces joined by a link of a real kernel: shaped by tc tbf, cut and changed as told."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

FRAME, WIRE = 1514, 1538  # bytes that tbf counts for a full packet, and that the simulator's Ethernet charges


def needed() -> None:
    """Skip where namespaces cannot be made."""
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("tc") is None:
        pytest.skip("network namespaces need root and iproute2")
    name = f"drsim-probe-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        pytest.skip("network namespaces cannot be made here")
    subprocess.run(["ip", "netns", "del", name], check=True)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Wan:
    """Sites ``paris`` (10.99.0.1) and ``lyon`` (10.99.0.2), a link of ``mbit`` between them.

    Namespaces are named by the process, so that two runs do not meet; they go when the context ends.
    """

    def __init__(self, mbit: float) -> None:
        self.mbit = mbit
        self.spaces = {site: f"drsim-{site}-{os.getpid()}" for site in ("paris", "lyon")}

    def __enter__(self) -> "Wan":
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self) -> None:
        for space in self.spaces.values():
            ip("netns", "add", space)
        paris, lyon = self.spaces.values()
        ip("link", "add", "wan", "netns", paris, "type", "veth", "peer", "name", "wan", "netns", lyon)
        for number, space in enumerate(self.spaces.values(), start=1):
            ip("-n", space, "addr", "add", f"10.99.0.{number}/24", "dev", "wan")
            ip("-n", space, "link", "set", "wan", "up")
            ip("-n", space, "link", "set", "lo", "up")
            # Segments of the size the shaper lets through, not offloaded giants.
            subprocess.run(["ip", "netns", "exec", space, "ethtool", "-K", "wan", "tso", "off", "gso", "off",
                            "gro", "off"], check=False, capture_output=True)  # fmt: skip
        self.shape(self.mbit)

    def shape(self, mbit: float) -> None:
        """Set the rate of both directions."""
        burst = max(1600, int(mbit * 1e6 / 8 * 0.002))
        for space in self.spaces.values():
            subprocess.run(
                ["tc", "-n", space, "qdisc", "replace", "dev", "wan", "root", "tbf", "rate", f"{mbit}mbit",
                 "burst", str(burst), "latency", "400ms"],
                check=True, capture_output=True,
            )  # fmt: skip

    def cut(self) -> None:
        """Take the link away: nothing passes, either way."""
        ip("-n", self.spaces["paris"], "link", "set", "wan", "down")

    def heal(self) -> None:
        """Give it back."""
        ip("-n", self.spaces["paris"], "link", "set", "wan", "up")

    def __exit__(self, *_: object) -> None:
        for space in self.spaces.values():
            with contextlib.suppress(subprocess.CalledProcessError):
                ip("netns", "del", space)

    def inside(self, site: str) -> list[str]:
        """Give the words that run a command in a site's namespace."""
        return ["ip", "netns", "exec", self.spaces[site]]


class RelayedWan(Wan):
    """The same over `tests.reality.relay`: with a delay one way, and packets lost at random."""

    def __init__(self, mbit: float, delay_s: float, loss: float) -> None:
        super().__init__(mbit)
        self._words = [f"{delay_s}", f"{loss}", f"{mbit}", "1"]
        self._relay: subprocess.Popen | None = None

    def _make(self) -> None:
        for space in self.spaces.values():
            ip("netns", "add", space)
        self._relay = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("relay.py")), *self.spaces.values(), *self._words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._relay.stdout.readline() == "up\n"

    def _say(self, line: str) -> None:
        self._relay.stdin.write(line + "\n")
        self._relay.stdin.flush()

    def shape(self, mbit: float) -> None:
        """Set the rate of both directions."""
        self._say(f"rate {mbit}")

    def cut(self) -> None:
        """Drop everything, either way, silently."""
        self._say("cut")

    def heal(self) -> None:
        """Let pass again."""
        self._say("heal")

    def __exit__(self, *error: object) -> None:
        if self._relay is not None:
            self._relay.kill()
            self._relay.wait()
        super().__exit__(*error)


def at(moment: float) -> None:
    """Wait until ``time.time()`` reaches ``moment``."""
    while (left := moment - time.time()) > 0:
        time.sleep(min(left, 0.2))
