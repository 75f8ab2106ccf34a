"""Real hosts against a real pair: fio, qemu-io, qemu-img, nbdcopy, libnbd; then target equals source."""

import json
import random
import struct
import threading
import time

import numpy as np
import pytest

from tests.agent.pair import BLOCK, SIZE, copied, libnbd, needs, pair, run, until


@pytest.fixture(params=["", "cache: 2 MiB"], ids=["through", "cached"])
def two(tmp_path, request):
    needs("nbdcopy")
    with pair(tmp_path, request.param) as made:
        made.start()
        until(lambda: made.leg()["state"] == "STREAMING", what="seeded")
        yield made


def equal_afterwards(two) -> None:
    """The target holds what the source holds, by nbdcopy's eyes and by the files'."""
    two.settle()
    source = copied(two.uri(), two.folder / "copy.img")
    answer = two.ask("lyon", "rehearse", name="check")
    assert "error" not in answer
    assert copied(two.uri("lyon", "erp/v@check"), two.folder / "target.img") == source
    two.stop()
    assert two.image("paris") == two.image("lyon") == (two.folder / "copy.img").read_bytes()


FIO = {  # the combinations that nbdkit passes too: with rewrites in flight fio verifies against itself
    "any length": ["--rw=randrw", "--bsrange=512-64k", "--bs_unaligned"],
    "sectors": ["--rw=randwrite", "--bs=512", "--io_size=1m"],
    "odd": ["--rw=randwrite", "--bs=1536", "--verify_backlog=32", "--io_size=4m"],
    "rewrites": ["--rw=randwrite", "--bssplit=512/30:4k/40:20k/30", "--serialize_overlap=1"],
}


@pytest.mark.parametrize("name", FIO)
def test_fio_writes_verifies_and_the_target_follows(two, name):
    needs("fio")
    run(
        "fio", "--name=w", "--ioengine=nbd", f"--uri={two.uri()}", f"--size={SIZE}", "--iodepth=16",
        "--randseed=3", "--verify_state_save=0", "--verify=crc32c", "--verify_fatal=1", *FIO[name],
        "--output-format=json", f"--output={two.folder}/fio.json",
    )  # fmt: skip
    report = json.loads((two.folder / "fio.json").read_text())
    assert report["jobs"][0]["error"] == 0
    assert report["jobs"][0]["write"]["total_ios"] > 100
    equal_afterwards(two)


def test_qemu_io_writes_trims_zeroes_and_reads_back(two):
    needs("qemu-io")
    commands = [
        "write -P 17 0 1M", "write -P 18 4095 8194", "discard 64k 128k", "write -z 300k 50k",
        "write -zu 1M 1M",
        "write -P 33 1536k 512", "flush", "read -P 18 4095 8194", "read -P 17 0 4095", "read -P 0 300k 50k",
        "read -P 33 1536k 512", "read -P 0 64k 128k", "aio_write -P 9 3M 2M", "aio_flush", "read -P 9 3M 2M",
    ]  # fmt: skip
    done = run("qemu-io", "-f", "raw", *(part for c in commands for part in ("-c", c)), two.uri())
    assert b"error" not in done.stdout.lower() + done.stderr.lower()
    assert b"mismatch" not in done.stdout.lower()
    equal_afterwards(two)


def test_qemu_img_copies_in_and_compares(two, tmp_path):
    needs("qemu-img")
    image = tmp_path / "in.img"
    rng = np.random.Generator(np.random.PCG64(7))
    content = bytearray(SIZE)
    for at in (0, 1 << 20, 5 << 20, SIZE - 4096):
        content[at : at + 4096] = rng.bytes(4096)
    image.write_bytes(content)
    run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", str(image), two.uri())
    run("qemu-img", "compare", "-f", "raw", "-F", "raw", str(image), two.uri())
    equal_afterwards(two)


def test_nbdcopy_in_with_many_connections(two, tmp_path):
    image = tmp_path / "in.img"
    image.write_bytes(np.random.Generator(np.random.PCG64(8)).bytes(SIZE))
    run("nbdcopy", "--connections=4", "--requests=32", str(image), two.uri())
    equal_afterwards(two)


def test_every_rehearsal_is_a_consistent_prefix(two):
    """Each write carries its number; an image taken at any moment is the result of writes 1..s."""
    nbd = libnbd()
    rng = random.Random(5)
    blocks = 64
    history: list[int] = [0]  # history[k] is the block of write k
    stop = threading.Event()

    def host() -> None:
        handle = nbd.NBD()
        handle.connect_uri(two.uri())
        flying = []
        while not stop.is_set():
            block = rng.randrange(blocks)
            history.append(block)
            number = struct.pack("<Q", len(history) - 1)
            content = nbd.Buffer.from_bytearray(bytearray(number * (BLOCK // 8)))
            flying.append((handle.aio_pwrite(content, block * BLOCK), content))
            while len(flying) >= 8:
                handle.poll(-1)
                flying = [f for f in flying if not handle.aio_command_completed(f[0])]
        while any(not handle.aio_command_completed(cookie) for cookie, _ in flying):
            handle.poll(10)
            break
        handle.shutdown()

    thread = threading.Thread(target=host)
    thread.start()
    points = []
    try:
        for number in range(6):
            time.sleep(0.15)
            assert "error" not in two.ask("lyon", "rehearse", name=f"r{number}")
            image = two.folder / f"r{number}.img"
            copied(two.uri("lyon", f"erp/v@r{number}"), image)
            points.append(image)
            if number % 2:
                two.ask("lyon", "drop", name=f"r{number}")
    finally:
        stop.set()
        thread.join(20)
    reached = [check_prefix(path.read_bytes(), history, blocks) for path in points]
    assert reached == sorted(reached)
    assert reached[-1] > reached[0] > 0
    equal_afterwards(two)


def check_prefix(image: bytes, history: list[int], blocks: int) -> int:
    """Give s such that the image is exactly the result of writes 1..s."""
    found = []
    for block in range(blocks):
        numbers = np.frombuffer(image, "<u8", BLOCK // 8, block * BLOCK)
        assert (numbers == numbers[0]).all(), "a block is torn"
        found.append(int(numbers[0]))
    s = max(found)
    wanted = [0] * blocks
    for number, block in enumerate(history[1 : s + 1], start=1):
        wanted[block] = number
    assert found == wanted
    return s
