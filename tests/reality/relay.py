"""A link between two network namespaces in user space: delay, loss, a rate that may change, cuts.

Run as ``relay.py SPACE_A SPACE_B DELAY_S LOSS MBIT SEED``; every line on stdin changes it: ``rate MBIT``, ``cut``,
``heal``. Each side gets a TUN device ``wan`` with 10.99.0.1 and .2. A packet costs its bytes and an Ethernet
header at the rate, so nothing passes sooner than a real line would let it, unlike a token bucket's burst.
"""

import ctypes
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections import deque

TUNSETIFF, NEWNET, NO_HEADER = 0x400454CA, 0x40000000, 0x1001
ETHERNET, MTU, QUEUE_S = 14, 1500, 0.4


def tun(space: str, address: str) -> int:
    """Make the device ``wan`` inside a namespace; give its file."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{space}", os.O_RDONLY)
    for where in (there, here):
        if libc.setns(where, NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        if where == there:
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"wan", NO_HEADER))
    for words in (
        f"ip -n {space} addr add {address}/24 dev wan",
        f"ip -n {space} link set wan up mtu {MTU} txqueuelen 1000",
        f"ip -n {space} link set lo up",
    ):
        subprocess.run(words.split(), check=True)
    return fd


class Relay:
    """Two one-way lines.

    Args:
        ends: the two devices.
        delay_s: one way. loss: share of packets.
    """

    def __init__(self, ends: tuple[int, int], delay_s: float, loss: float, mbit: float, seed: int) -> None:
        self.ends = ends
        self.delay_s, self.loss = delay_s, loss
        self.rate = mbit * 1e6 / 8
        self.broken = False
        self._random = random.Random(seed)
        self._free = dict.fromkeys(ends, 0.0)  # when the transmitter of each way is next idle
        self._flying: dict[int, deque[tuple[float, bytes]]] = {end: deque() for end in ends}

    def told(self, line: str) -> None:
        """Change as told."""
        verb, *more = line.split()
        if verb == "rate":
            rate, now = float(more[0]) * 1e6 / 8, time.monotonic()
            for end in self.ends:  # what waits is served at the new rate
                self._free[end] = now + max(0.0, self._free[end] - now) * self.rate / rate
            self.rate = rate
        else:
            self.broken = verb == "cut"
            if self.broken:
                for flying in self._flying.values():
                    flying.clear()

    def take(self, end: int) -> None:
        """Take packets that one side sends."""
        for _ in range(64):
            try:
                packet = os.read(end, 2048)
            except BlockingIOError:
                return
            now = time.monotonic()
            begin = max(now, self._free[end])
            if self.broken or self._random.random() < self.loss or begin - now > QUEUE_S:
                continue
            self._free[end] = begin + (len(packet) + ETHERNET) / self.rate
            self._flying[end].append((self._free[end] + self.delay_s, packet))

    def give(self) -> None:
        """Hand over what has arrived."""
        now = time.monotonic()
        for end, flying in self._flying.items():
            other = self.ends[1 - self.ends.index(end)]
            while flying and flying[0][0] <= now:
                os.write(other, flying.popleft()[1])

    def wait_s(self) -> float:
        """Give the time until the next packet arrives."""
        due = min((flying[0][0] for flying in self._flying.values() if flying), default=time.monotonic() + 1)
        return max(0.0, due - time.monotonic())


def main() -> None:
    spaces, numbers = sys.argv[1:3], [float(word) for word in sys.argv[3:]]
    os.nice(-10)  # it stands for a piece of hardware that waits for no one
    ends = tun(spaces[0], "10.99.0.1"), tun(spaces[1], "10.99.0.2")
    relay = Relay(ends, *numbers[:3], int(numbers[3]))
    sys.stdout.write("up\n")
    sys.stdout.flush()
    while True:
        ready, _, _ = select.select([*ends, 0], [], [], relay.wait_s())
        for end in ready:
            if end:
                relay.take(end)
                continue
            line = sys.stdin.readline()
            if not line:
                return
            relay.told(line)
        relay.give()


if __name__ == "__main__":
    main()
