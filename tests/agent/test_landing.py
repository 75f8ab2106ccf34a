"""Writes on their way to the volumes off the loop's thread: nobody sees them half there, or is told too soon."""

import asyncio
import errno
import threading
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from drsim.agent.intake import Intake
from drsim.agent.landing import Landing
from drsim.agent.marks import Marks
from drsim.agent.nbd.exports import Request, Writes
from drsim.agent.nbd.protocol import Command
from drsim.agent.scatter import Scatter
from drsim.agent.volumes import Volumes
from drsim.agent.watermark import Watermark, this_boot
from drsim.blocks.payload import Strip

BLOCK, MANY = 4096, 100


class World:
    """An intake and a landing over one volume; ``gate`` holds up what is on its way."""

    def __init__(self, folder, monkeypatch) -> None:
        self.gate, self.error = threading.Event(), None
        self.failed: list[BaseException] = []
        self.landed: list[int] = []
        self.later = 0
        volumes = Volumes({"v": (folder / "v", 256 * BLOCK)})
        if not volumes.scatter.able:
            pytest.skip("this kernel takes no writes together (io_submit)")
        store = SimpleNamespace(
            volumes=volumes, marks=Marks(folder / "marks"), applied=Watermark(folder / "applied", this_boot())
        )
        self.store = store
        self.intake = Intake(volumes, 0)
        self.landing = Landing(cast(Any, store), 0, self.failed.append, self._landed, self._later)
        carry_out = Scatter.carry_out

        def held_up(scatter, plan) -> None:
            self.gate.wait(20)
            if self.error is not None:
                raise self.error
            carry_out(scatter, plan)

        monkeypatch.setattr(Scatter, "carry_out", held_up)

    def _landed(self, through: int) -> None:
        self.intake.landed(through)
        self.landed.append(through)

    def _later(self) -> None:
        self.later += 1

    def write(self, count: int, value: int) -> None:
        """Blocks 0, 1, 2 … filled with a value, told and taken."""
        buffer = memoryview(bytes([value]) * BLOCK)
        cookies = [bytes(8)] * count
        offsets = [BLOCK * n for n in range(count)]
        writes = Writes(offsets, BLOCK, Strip(buffer, 0, 0, BLOCK, count), cookies, lambda *_: None)
        self.intake.gather(0, [writes])
        self.intake.tell(1.0, 1 << 20, 1 << 40)

    def take(self) -> list:
        return self.intake.take_through(self.intake.last)

    async def close(self) -> None:
        self.gate.set()
        await self.landing.close()
        self.store.volumes.close()


@pytest.fixture
def flown(tmp_path, monkeypatch):
    """Give a function that runs a coroutine function on a world, and closes it."""

    def fly(body) -> None:
        async def main() -> None:
            world = World(tmp_path, monkeypatch)
            try:
                await body(world)
            finally:
                await world.close()

        asyncio.run(main())

    return fly


def test_what_is_on_its_way_is_read_as_written_and_told_when_it_has_landed(flown):
    async def body(world: World) -> None:
        world.write(MANY, 7)
        assert world.landing.begin(world.take(), MANY)
        assert world.landing.busy
        assert world.store.volumes.read(0, 0, BLOCK) == bytes(BLOCK)
        odd = Request(Command.WRITE, 0, 1, 5 * BLOCK + 1, 2, memoryview(b"xy"), lambda *_: None)
        world.intake.gather(0, [odd])  # the rest of its block is what is on its way
        batch = world.intake.tell(2.0, 9, 1 << 40)
        assert batch.payload.of(0) == b"\7xy" + bytes([7]) * (BLOCK - 3)
        assert (world.landed, world.later, world.landing.applied) == ([], 0, 0)
        world.gate.set()
        while world.landing.busy:
            await asyncio.sleep(0)
        assert (world.landed, world.later, world.landing.applied) == ([MANY], 1, MANY)
        assert world.store.applied.value == MANY
        assert world.store.volumes.read(0, 0, MANY * BLOCK) == bytes([7]) * MANY * BLOCK

    flown(body)


def test_who_waits_finds_it_landed_and_nobody_is_told_twice(flown):
    async def body(world: World) -> None:
        world.write(MANY, 7)
        world.write(MANY, 9)
        assert world.landing.begin(world.take(), 2 * MANY)
        threading.Timer(0, world.gate.set).start()
        world.landing.wait()
        assert not world.landing.busy
        assert world.store.volumes.read(0, 0, MANY * BLOCK) == bytes([9]) * MANY * BLOCK
        for _ in range(5):
            await asyncio.sleep(0)
        assert (world.landed, world.later) == ([2 * MANY], 0)

    flown(body)


def test_few_writes_and_such_as_no_journal_holds_yet_are_left_to_the_loop(flown):
    async def body(world: World) -> None:
        world.gate.set()
        world.write(MANY, 7)
        assert not world.landing.begin(world.intake.take_through(20), MANY)
        rest = world.take()
        assert not world.landing.begin(rest, MANY - 1)
        assert not world.landing.busy
        world.landing.apply(rest, MANY)
        assert world.landed == [MANY]

    flown(body)


@pytest.mark.parametrize("waited_for", [True, False])
def test_a_disk_that_refuses_is_told_once_and_nothing_counts_as_landed(flown, waited_for):
    async def body(world: World) -> None:
        world.error = OSError(errno.EIO, "broken")
        world.write(MANY, 7)
        assert world.landing.begin(world.take(), MANY)
        world.gate.set()
        if waited_for:
            with pytest.raises(OSError, match="broken"):
                world.landing.wait()
        else:
            while not world.failed:
                await asyncio.sleep(0)
            assert world.failed == [world.error]
        assert (world.landed, world.later, world.landing.applied) == ([], 0, 0)

    flown(body)


def test_closing_waits_for_what_is_on_its_way_and_tells_nobody(flown):
    async def body(world: World) -> None:
        world.write(MANY, 7)
        assert world.landing.begin(world.take(), MANY)
        closing = asyncio.ensure_future(world.landing.close())
        await asyncio.sleep(0)
        world.gate.set()
        await closing
        assert np.frombuffer(world.store.volumes.read(0, 0, MANY * BLOCK), np.uint8).min() == 7
        for _ in range(5):
            await asyncio.sleep(0)
        assert (world.landed, world.later, world.failed) == ([], 0, [])

    flown(body)
