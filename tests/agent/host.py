"""A host whose every write says in its content which one it is, and a judge of images of its volume."""

import contextlib
import random
import struct
import threading

import numpy as np

from tests.agent.pair import BLOCK, libnbd


class Host:
    """Writes numbered blocks without end, ``depth`` in flight, until stopped or cut off.

    Attributes:
        history: history[k] is the block of write k (k from 1), None once it is known to have been lost.
        acknowledged: the highest number whose write was acknowledged, with all before it.
    """

    def __init__(self, blocks: int, seed: int, depth: int = 8) -> None:
        self.blocks = blocks
        self.history: list[int | None] = [None]
        self.acknowledged = 0
        self.errors = 0
        self._random = random.Random(seed)
        self._depth = depth
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, uri: str) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(uri,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(30)
            assert not self._thread.is_alive(), "the host hangs: a request was never answered"
            self._thread = None

    def _run(self, uri: str) -> None:
        nbd = libnbd()
        handle = nbd.NBD()
        with contextlib.suppress(nbd.Error):
            handle.connect_uri(uri)
            flying: list = []
            while not self._stop.is_set():
                self._issue(nbd, handle, flying)
                while len(flying) >= self._depth:
                    handle.poll(100)
                    self._collect(handle, flying)
            while flying:
                handle.poll(100)
                self._collect(handle, flying)
            handle.shutdown()

    def _issue(self, nbd, handle, flying: list) -> None:
        number, block = len(self.history), self._random.randrange(self.blocks)
        content = nbd.Buffer.from_bytearray(bytearray(struct.pack("<Q", number) * (BLOCK // 8)))
        self.history.append(block)
        flying.append((number, handle.aio_pwrite(content, block * BLOCK), content))

    def _collect(self, handle, flying: list) -> None:
        while flying:
            number, cookie, _ = flying[0]
            try:
                if not handle.aio_command_completed(cookie):
                    return
                self.acknowledged = number
            except libnbd().Error:
                self.errors += 1
                if handle.aio_is_dead() or handle.aio_is_closed():
                    raise
            flying.pop(0)

    def reach(self, image: bytes, most: int | None = None) -> int:
        """Give s such that the image is exactly the result of the surviving writes 1..s.

        Raises:
            AssertionError: there is no such s.
        """
        found = []
        for block in range(self.blocks):
            numbers = np.frombuffer(image, "<u8", BLOCK // 8, block * BLOCK)
            assert (numbers == numbers[0]).all(), f"block {block} is torn"
            found.append(int(numbers[0]))
        s = max(found)
        wanted = [0] * self.blocks
        for number, block in enumerate(self.history[: s + 1]):
            if block is not None:
                wanted[block] = number
        assert found == wanted, (
            f"no prefix: {[x for x in zip(found, wanted, strict=True) if x[0] != x[1]][:5]} at {s}"
        )
        assert most is None or s <= most
        return s

    def landed(self, image: bytes) -> int:
        """Give the number through which the image holds every acknowledged write, or a later one of its block."""
        found = [int(np.frombuffer(image, "<u8", 1, block * BLOCK)[0]) for block in range(self.blocks)]
        for number, block in enumerate(self.history[: self.acknowledged + 1]):
            if block is not None and found[block] < number:
                return number - 1
        return self.acknowledged

    def forgive(self, image: bytes) -> None:
        """Strike out writes that were never acknowledged and are not in the image.

        A disk that changes what it holds may take one and leave a later one: no order is promised then.
        """
        for number in range(self.acknowledged + 1, len(self.history)):
            block = self.history[number]
            if (
                block is not None
                and int.from_bytes(image[block * BLOCK : block * BLOCK + 8], "little") != number
            ):
                self.history[number] = None

    def survived(self, s: int) -> None:
        """The source came back with writes 1..s: those after it, never acknowledged, are gone for good."""
        assert s >= self.acknowledged, f"acknowledged {self.acknowledged}, but only {s} came back"
        for number in range(s + 1, len(self.history)):
            self.history[number] = None
